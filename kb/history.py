"""Revisions of an item, forever: listed, read, compared, brought back, and put together with what somebody else wrote.

Who may write in the item's space sees all of them. Another reader sees the live one, and not who wrote it or why.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from kb import editorial, three_way
from kb.access import Principal, Role
from kb.content import TEXTS, Content, checked_content
from kb.differences import Segment, segments, unified
from kb.errors import Conflict, NotFound
from kb.models import Item, Revision, State
from kb.three_way import Merge


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs in one field between two revisions; similar questions are one a line."""

    field: str
    old: str
    new: str
    unified: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """What differs between two revisions, by their numbers."""

    old: int
    new: int
    fields: tuple[Difference, ...]


def sees_all(session: Session, item: Item, *, actor: Principal) -> bool:
    """Say whether the actor sees every revision of an item that it may read."""
    return actor.role_in(session, item.space_id).rank >= Role.CONTRIBUTOR.rank


def live(item: Item) -> int | None:
    """Return the id of the revision that readers see now."""
    return item.live_revision_id if item.state == State.PUBLISHED else None


def revisions(
    session: Session, item: Item, *, actor: Principal, limit: int = 100, offset: int = 0
) -> Sequence[Revision]:
    """Return the revisions of an item that the caller has read already, newest first: as many as the actor sees."""
    statement = (
        select(Revision)
        .where(col(Revision.item_id) == item.id)
        .order_by(col(Revision.n).desc())
        .limit(limit)
        .offset(offset)
    )
    if not sees_all(session, item, actor=actor):
        statement = statement.where(col(Revision.id) == live(item))
    return session.exec(statement).all()


def revision(session: Session, item: Item, n: int, *, actor: Principal) -> Revision:
    """Return one revision. Raises NotFound alike whether it is not there or the actor does not see it."""
    statement = select(Revision).where(col(Revision.item_id) == item.id, col(Revision.n) == n)
    if not sees_all(session, item, actor=actor):
        statement = statement.where(col(Revision.id) == live(item))
    found = session.exec(statement).first()
    if found is None:
        raise NotFound(f"there is no revision {n} of {item.number} that you may read", field="revision")
    return found


def compare(
    session: Session, item: Item, old: int | None = None, new: int | None = None, *, actor: Principal
) -> Compared:
    """Return what differs between two revisions (default: the live one, and the newest that the actor sees).

    Raises NotFound as `revision` does, Conflict where there is no live one to compare with.
    """
    if new is None:
        new = next((row.n for row in revisions(session, item, actor=actor, limit=1)), 0)
    if old is None:
        shown = session.get(Revision, live(item)) if live(item) is not None else None
        if shown is None:
            raise Conflict(f"readers see no revision of {item.number}: name the old one", field="old")
        old = shown.n
    before, after = (revision(session, item, n, actor=actor) for n in (old, new))
    found = []
    for name in (*TEXTS, "similar_questions"):
        one, two = _text(before, name), _text(after, name)
        if one != two:
            found.append(Difference(name, one, two, unified(one, two), tuple(segments(one, two))))
    return Compared(old, new, tuple(found))


def restore(
    session: Session, item: Item, n: int, *, actor: Principal, based_on: int | None = None, message: str = ""
) -> Revision:
    """Add a revision that says what revision `n` said; readers see it when it is published.

    Raises Conflict where the newest says that already, and as `editorial.revise` does.
    """
    editorial.require_writable(session, item, actor)
    content = content_of(revision(session, item, n, actor=actor))
    newest = editorial.newest_revision(session, item)
    if newest.content_hash == content.hash:
        raise Conflict(f"revision {newest.n} of {item.number} says what revision {n} said already")
    said = f"Revision {n} restored" + (f": {message.strip()}" if message.strip() else "")
    return editorial.revise(session, item, content, actor=actor, based_on=based_on, message=said)


def merged(session: Session, item: Item, mine: Content, based_on: int, *, actor: Principal) -> tuple[Merge, Revision]:
    """Put `mine`, which started from revision `based_on`, together with the newest revision; nothing is saved.

    Returns the merge and the newest revision, which the next save is based on. Raises Forbidden for who may not write
    there, NotFound, InvalidInput or TooLarge.
    """
    actor.require_in(session, Role.CONTRIBUTOR, item.space_id, "write items")
    base = revision(session, item, based_on, actor=actor)
    newest = editorial.newest_revision(session, item)
    return three_way.merge(content_of(base), content_of(newest), checked_content(mine)), newest


def content_of(found: Revision) -> Content:
    """Return what a revision says."""
    texts = {name: getattr(found, name) for name in TEXTS}
    return Content(**texts, similar_questions=tuple(found.similar_questions))


def _text(found: Revision, name: str) -> str:
    value = getattr(found, name)
    return value if isinstance(value, str) else "\n".join(value)
