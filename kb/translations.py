"""Translations of one another: which item of a family is the source, and how far each of the others is behind it.

The source is the item that somebody said is it (`Item.original`), else the oldest that is not retired. A translation
is behind by the greatest significance of what the source has published since the revision that it follows. Where nobody
said which one that is, it is the newest that was there when the translation was written. Numbers of revisions grow over
all items, so that "since" is a comparison of two of them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from kb.access import Scope, readable
from kb.content import TEXTS, Content
from kb.errors import Conflict, NotFound
from kb.models import Item, Revision, Significance, State

_RANKED = tuple(Significance)
_SOURCE, _CHANGE, _MEMBER = aliased(Item), aliased(Revision), aliased(Item)


@dataclass(frozen=True, slots=True)
class Member:
    """An item of a family, with one of its revisions."""

    item: Item
    revision: Revision
    source: bool
    behind: Significance | None
    """None: up to date, or the source; also where the reader may not read the source."""
    follows: int | None
    """Number of the source's revision whose text it gives."""


def source_of(session: Session, item: Item) -> Item | None:
    """Return the item that this one is a translation of; None where it is the source itself or in no family.

    Knows no reader: what comes out may be one that the caller may not read.
    """
    if item.family is None:
        return None
    first = session.exec(_first(item.family)).first()
    source = session.get(Item, first) if first is not None and first != item.id else None
    return source if source is not None and source.lang != item.lang else None


def behind(session: Session, ids: Collection[int], *, newest: bool = False) -> dict[int, Significance]:
    """Return by item id how far what readers see of these is behind its source; those up to date are left out.

    `newest`: of the newest revision instead. For items that the caller has read already.
    """
    statement = (
        select(Item.id, rank_behind())
        .join(Revision, col(Revision.id) == (newest_id() if newest else shown_id()))
        .where(col(Item.id).in_(sorted(ids)), _may_be_behind())
    )
    return {int(item or 0): _RANKED[rank - 1] for item, rank in session.exec(statement) if rank}


def needs_work() -> ColumnElement[bool]:
    """Return the condition, on items joined to their newest revision, of being behind by more than slips."""
    return and_(col(Item.state) != State.RETIRED, _may_be_behind(), rank_behind() >= _rank(Significance.MEDIUM))


def rank_behind() -> ColumnElement[int]:
    """Return how far the joined `Revision` of an `Item` is behind its source: 1 minor, 2 medium, 3 major; else NULL."""
    ranks = {significance.value: _rank(significance) for significance in Significance}
    return (
        select(func.max(case(ranks, value=_CHANGE.significance)))
        .select_from(_CHANGE)
        .join(_SOURCE, col(_SOURCE.id) == col(_CHANGE.item_id))
        .where(
            col(_SOURCE.id) == _first(col(Item.family)).correlate(Item).scalar_subquery(),
            col(_SOURCE.id) != col(Item.id),
            col(_SOURCE.lang) != col(Item.lang),
            col(_CHANGE.significance).is_not(None),
            col(_CHANGE.id) > func.coalesce(col(Revision.follows_id), col(Revision.id)),
        )
        .correlate(Item, Revision)
        .scalar_subquery()
    )


def newest_id() -> ColumnElement[int]:
    """Return the id of an item's newest revision."""
    return func.coalesce(col(Item.draft_revision_id), col(Item.live_revision_id))


def shown_id() -> ColumnElement[int]:
    """Return the id of the revision that an item's readers see; before the first publish, of its newest."""
    return func.coalesce(col(Item.live_revision_id), col(Item.draft_revision_id))


def followed(session: Session, source: Item, revision: Revision) -> Revision | None:
    """Return the revision of the source whose text a translation's revision gives: as said, else as it must have been.

    None where it followed another item, or the source was not there yet.
    """
    own = select(Revision).where(col(Revision.item_id) == source.id).order_by(col(Revision.id).desc()).limit(1)
    if revision.follows_id is not None:
        return session.exec(own.where(col(Revision.id) == revision.follows_id)).first()
    return session.exec(own.where(col(Revision.id) < revision.id)).first()


def to_follow(session: Session, item: Item, n: int) -> int:
    """Return the id of revision `n` of the source of `item`. Raises Conflict where there is no source, NotFound."""
    source = source_of(session, item)
    if source is None:
        raise Conflict(f"{item.number} is no translation: it follows no other item", field="follows")
    found = session.exec(select(Revision.id).where(col(Revision.item_id) == source.id, col(Revision.n) == n)).first()
    if found is None:
        raise NotFound(f"{source.number}, the source of {item.number}, has no revision {n}", field="follows")
    return found


def significance_of(before: Content, after: Content) -> Significance:
    """Return what a change counts as where nobody said: medium; minor where only similar questions differ."""
    same = all(getattr(before, name) == getattr(after, name) for name in TEXTS)
    return Significance.MINOR if same else Significance.MEDIUM


def family(session: Session, item: Item, scope: Scope, *, newest: bool = False) -> list[Member]:
    """Return the items of a family that may be read under `scope`, the source first, then by language.

    Each with the revision that its readers see, or with the `newest`. An item without a family is its own source.
    """
    source = source_of(session, item) or item
    alike = col(Item.family) == item.family if item.family is not None else col(Item.id) == item.id
    statement = (
        select(Item, Revision)
        .join(Revision, col(Revision.id) == (newest_id() if newest else shown_id()))
        .where(alike, readable(scope))
        .order_by(col(Item.lang), col(Item.id))
    )
    rows = session.exec(statement).all()
    seen = any(one.id == source.id for one, _ in rows)
    late = behind(session, [int(one.id or 0) for one, _ in rows], newest=newest) if seen else {}
    members = []
    for one, revision in sorted(rows, key=lambda row: row[0].id != source.id):
        of = followed(session, source, revision) if seen and one.id != source.id else None
        members.append(
            Member(one, revision, one.id == source.id, late.get(int(one.id or 0)), of.n if of is not None else None)
        )
    return members


def came_together(session: Session, source: Item, revision: Revision, *, since: datetime) -> None:
    """Let translations written `since` that follow no revision by name follow this one: both came with one delivery."""
    if source.family is None or source_of(session, source) is not None:
        return
    statement = (
        select(Revision)
        .join(Item, newest_id() == col(Revision.id))
        .where(
            col(Item.family) == source.family,
            col(Item.id) != source.id,
            col(Revision.follows_id).is_(None),
            col(Revision.created_at) >= since,
        )
    )
    for one in session.exec(statement).all():
        one.follows_id = revision.id
        session.add(one)


def _first(family: Any) -> Any:
    """Return the query for the id of the source of a family: its name, or the column that has it."""
    return (
        select(_MEMBER.id)
        .where(col(_MEMBER.family) == family, col(_MEMBER.state) != State.RETIRED)
        .order_by(col(_MEMBER.original).desc(), col(_MEMBER.id))
        .limit(1)
    )


def _may_be_behind() -> ColumnElement[bool]:
    """Return the condition of being in a family in which something was changed: found first, as most never are."""
    changed = (
        select(_SOURCE.family)
        .join(_CHANGE, col(_CHANGE.item_id) == col(_SOURCE.id))
        .where(col(_CHANGE.significance).is_not(None), col(_SOURCE.family).is_not(None))
    )
    return col(Item.family).in_(changed)


def _rank(significance: Significance) -> int:
    return _RANKED.index(significance) + 1
