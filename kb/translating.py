"""Starting a translation, and saying which item of a family the others are translated from."""

from dataclasses import replace

from sqlmodel import Session, col, select

from kb import changes, editorial, items, translations
from kb.access import Principal, Role, scope_of
from kb.content import Content
from kb.errors import Conflict, shown
from kb.models import Item, Operation, Revision, State


def start(
    session: Session, item: Item, lang: str, *, actor: Principal, title: str | None = None
) -> tuple[Item, Revision]:
    """Add a translation of the source of `item`'s family, as a draft; return it with its first revision.

    It is of the source's kind, space, audience and labels, follows what readers see of the source, and has its title
    (default) and no text yet. Raises Conflict where the family has that language or the source is retired, NotFound
    where the source may not be read, Forbidden where the actor may not write there, InvalidInput for no language.
    """
    editorial.require_writable(session, item, actor)
    scope, lang = scope_of(session, actor), lang.strip()
    source = items.get(session, (translations.source_of(session, item) or item).number, scope)
    editorial.require_writable(session, source, actor)
    if source.state == State.RETIRED:
        raise Conflict(f"{source.number} is retired: nothing is translated from it")
    if source.family is None:
        _found_family(session, source, actor)
    family = select(Item).where(col(Item.family) == source.family, col(Item.state) != State.RETIRED)
    if any(one.lang.casefold() == lang.casefold() for one in session.exec(family)):
        known = [one.item.number for one in translations.family(session, source, scope) if one.item.lang == lang]
        raise Conflict(f"{source.number} is there in {shown(lang)} already: {', '.join(known)}", field="lang")
    text = session.get_one(Revision, source.live_revision_id or source.draft_revision_id)
    profile = replace(editorial.profile_of(session, source), lang=lang, url=None)
    content = Content(title=title or text.title)
    made, revision = editorial.create(session, content, profile, actor=actor, space_id=source.space_id)
    revision.follows_id = text.id
    session.add(revision)
    session.flush()
    return made, revision


def be_source(session: Session, item: Item, *, actor: Principal) -> None:
    """Let `item` be the one that the others of its family are translated from. Raises Conflict for a retired one."""
    editorial.require_writable(session, item, actor, Role.EDITOR, "say what is translated from what")
    if item.state == State.RETIRED:
        raise Conflict(f"{item.number} is retired: nothing is translated from it")
    if item.family is None:
        _found_family(session, item, actor)
    before = translations.source_of(session, item)
    for other in session.exec(select(Item).where(col(Item.family) == item.family, col(Item.original))).all():
        other.original = False
        session.add(other)
    item.original = True
    session.add(item)
    session.flush()
    was = {"source": before.number} if before is not None else {}
    editorial.audited(session, item, actor, "source", was, {"source": item.number})


def _found_family(session: Session, item: Item, actor: Principal) -> None:
    """Give an item that has no translations yet a family of its own, with it as the source."""
    assert item.id is not None
    item.family, item.original = f"{editorial.EDITOR_SOURCE}/{item.number}", True
    session.add(item)
    editorial.audited(session, item, actor, "profile", {"family": None}, {"family": item.family})
    changes.record(session, item.id, Operation.UPDATE, revision_id=item.live_revision_id, actor=actor.subject)
