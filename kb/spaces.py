"""The tree of spaces: group > province > branch, or brand > region."""

import re
from collections.abc import Sequence

from sqlmodel import Session, col, select

from kb import audit
from kb.access import SYSTEM, Principal, Role, root_space_id
from kb.errors import Conflict, InvalidInput, NotFound, shown
from kb.models import Space

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def by_key(session: Session, key: str) -> Space:
    """Return the space with this key. Raises NotFound, naming the keys there are."""
    space = session.exec(select(Space).where(col(Space.key) == key)).first()
    if space is None:
        known = ", ".join(s.key for s in all_spaces(session)[:20])
        raise NotFound(
            f"there is no space {shown(key)}; there are: {known}. Add one with: kb space add KEY --name NAME",
            field="space",
        )
    return space


def all_spaces(session: Session) -> Sequence[Space]:
    return session.exec(select(Space).order_by(col(Space.id))).all()


def add(session: Session, key: str, *, name: str, parent: str | None = None, actor: Principal = SYSTEM) -> Space:
    """Add a space below `parent` (default: the root).

    Raises InvalidInput, Conflict, NotFound (the parent), or Forbidden where the actor is no admin of the parent.
    """
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            f"a space's key has letters a-z, digits and hyphens, at most 64, not {shown(key)}", field="key"
        )
    if not name.strip() or len(name) > 200:
        raise InvalidInput(f"a space's name has 1 to 200 characters, not {shown(name)}", field="name")
    if session.exec(select(Space).where(col(Space.key) == key)).first() is not None:
        raise Conflict(f"there is a space {shown(key)} already; choose another key", field="key")
    above = by_key(session, parent).id if parent is not None else root_space_id(session)
    assert above is not None
    actor.require_in(session, Role.ADMIN, above, "add spaces")
    space = Space(key=key, name=name.strip(), parent_id=above)
    session.add(space)
    session.flush()
    after = {"name": space.name, "parent": parent}
    audit.record(session, actor, "space.add", f"space:{key}", space=space.id, after=after)
    return space
