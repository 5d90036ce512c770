"""Where the number of an item leads that was merged into another: to that one, or to where that one leads.

`item_id` of a row is always the end of the chain, so that reading follows one step; `via_id` is what was asked for, so
that a merge in the middle of a chain can be undone.
"""

from sqlalchemy import delete as sql_delete
from sqlalchemy import or_
from sqlmodel import Session, col, select

from kb import items
from kb.access import Scope
from kb.errors import Conflict, NotFound
from kb.models import Facet, Item, Redirect


def lead(session: Session, item: Item, to: Item, *, actor: str | None) -> None:
    """Let the number of `item`, and all that leads to it, lead to `to`, or where that leads itself.

    Raises Conflict if `item` leads somewhere already, or if it would lead to itself.
    """
    assert item.id is not None
    assert to.id is not None
    known, beyond = session.get(Redirect, item.number), session.get(Redirect, to.number)
    if known is not None:
        raise Conflict(f"{item.number} was merged into KB-{known.via_id} already")
    end = beyond.item_id if beyond is not None else to.id
    if end == item.id:
        raise Conflict(f"{item.number} would lead to itself")
    session.add(Redirect(name=item.number, source_id=item.id, via_id=to.id, item_id=end, made_by=actor))
    _relead(session, item.id, end)
    session.flush()


def drop(session: Session, item: Item) -> bool:
    """Let the number of `item` be its own again, and what was led to it lead there; return whether it led elsewhere."""
    row = session.get(Redirect, item.number)
    if row is None:
        return False
    assert item.id is not None
    session.delete(row)
    _relead(session, item.id, item.id)
    session.flush()
    return True


def forget(session: Session, item: Item) -> None:
    """Remove what leads from or to an item that is about to be deleted for good."""
    session.exec(
        sql_delete(Redirect).where(
            or_(
                col(Redirect.source_id) == item.id,
                col(Redirect.via_id) == item.id,
                col(Redirect.item_id) == item.id,
            )
        )
    )


def resolve(session: Session, ref: str | int, scope: Scope) -> Item:
    """Return the published item that a merged item's number leads to, if both may be read under `scope`.

    An item that this reader could not have read before it was merged is not there, as it was not before.
    Raises NotFound and InvalidInput as `kb.items.get` does.
    """
    row = session.get(Redirect, f"KB-{items.item_id(ref)}")
    source = session.get(Item, row.source_id) if row is not None and row.source_id is not None else None
    if row is None or source is None or not _allowed(session, source, scope):
        raise NotFound(f"there is no item {ref!r} that you may read", field="item")
    return items.get(session, row.item_id, scope.published_only())


def via(session: Session, item: Item) -> int | None:
    """Return the id of the item that `item` was merged into, None if it was not. It may lead on from there."""
    row = session.get(Redirect, item.number)
    return row.via_id if row is not None else None


def leads(session: Session) -> dict[int, int]:
    """Return by id of each merged item the one that what is said of it counts for."""
    rows = session.exec(select(Redirect.source_id, Redirect.item_id).where(col(Redirect.source_id).is_not(None)))
    return {int(source or 0): item for source, item in rows}


def _allowed(session: Session, item: Item, scope: Scope) -> bool:
    labels = items.labels(session, [item.id or 0]).get(item.id or 0, frozenset())
    return scope.allows(
        audience=item.audience.value,
        space=item.space_id,
        groups=[value for facet, value in labels if facet == Facet.GROUP],
    )


def _relead(session: Session, via: int, end: int) -> None:
    """Give all chains through `via` their new end."""
    for row in session.exec(select(Redirect).where(col(Redirect.via_id) == via)).all():
        row.item_id = end
        session.add(row)
        if row.source_id is not None:
            _relead(session, row.source_id, end)
