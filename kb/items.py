"""Reading items. Every function takes the reader's Scope and applies the one access rule; there is no way round it."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeVar

from sqlalchemy import ColumnElement, and_, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from kb.access import Scope, readable
from kb.applies import ALL, Applies
from kb.compose import PATH_SEPARATOR, headings, is_section_title
from kb.errors import InvalidInput, NotFound, shown
from kb.models import Facet, Item, ItemLabel, Kind, Passage, Revision, State

T = TypeVar("T")

_NUMBER = re.compile(r"(?:KB-)?([1-9][0-9]{0,17})", re.IGNORECASE)
_NEAR = aliased(Passage)  # made once: that costs nearly what the query does


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item with one of its revisions, as a reader sees it."""

    item: Item
    revision: Revision
    labels: frozenset[tuple[Facet, str]]

    def values(self, facet: Facet) -> list[str]:
        return sorted(value for f, value in self.labels if f == facet)


@dataclass(frozen=True, slots=True)
class Found:
    """A passage as a reader may see it now: the second check of every hit."""

    passage_id: int
    item_id: int
    number: str
    external_id: str
    kind: Kind
    lang: str
    audience: str
    confidence: str
    family: str | None
    title: str
    ordinal: int
    path: str
    text: str
    updated_at: str
    """ISO 8601, UTC."""
    applies: Applies = ALL
    """What the passage applies to, within its item."""

    @classmethod
    def of(
        cls,
        item: Item,
        revision: Revision,
        *,
        passage_id: int,
        ordinal: int,
        path: str,
        text: str,
        updated_at: datetime,
        applies: Applies = ALL,
    ) -> Self:
        """Return a passage of a revision that is in hand, not looked up in an index."""
        return cls(
            passage_id=passage_id,
            item_id=int(item.id or 0),
            number=item.number,
            external_id=item.external_id,
            kind=item.kind,
            lang=item.lang,
            audience=item.audience,
            confidence=item.confidence,
            family=item.family,
            title=revision.title,
            ordinal=ordinal,
            path=path,
            text=text,
            updated_at=updated_at.isoformat(timespec="seconds"),
            applies=applies,
        )


@dataclass(frozen=True, slots=True)
class Named:
    """The environment that an item names: labels, and the Environment section of its live revision."""

    products: tuple[str, ...]
    versions: tuple[str, ...]
    environment: str


def item_id(ref: str | int) -> int:
    """Return the id that a reference (KB-1042, 1042) names. Raises InvalidInput."""
    match = _NUMBER.fullmatch(str(ref).strip())
    if match is None:
        raise InvalidInput(f"an item is named by its number such as KB-1042, not {shown(ref)}", field="item")
    return int(match[1])


def get(session: Session, ref: str | int, scope: Scope) -> Item:
    """Return the item. Raises NotFound alike whether it does not exist or may not be read."""
    found = session.exec(select(Item).where(col(Item.id) == item_id(ref), readable(scope))).first()
    if found is None:
        raise NotFound(f"there is no item {shown(ref)} that you may read", field="item")
    return found


def view(session: Session, ref: str | int, scope: Scope) -> ItemView:
    """Return the item with the revision that its readers see; before the first publish, its draft. Raises NotFound."""
    item = get(session, ref, scope)
    revision = session.get(Revision, item.live_revision_id or item.draft_revision_id)
    if revision is None:
        raise NotFound(f"there is no item {shown(ref)} that you may read", field="item")
    return ItemView(item, revision, labels(session, [item.id or 0]).get(item.id or 0, frozenset()))


def labels(session: Session, ids: Collection[int]) -> dict[int, frozenset[tuple[Facet, str]]]:
    """Return the labels by item id; items without any are left out. For items the caller has read already."""
    collected: dict[int, set[tuple[Facet, str]]] = {}
    for some in batched(sorted(ids), 500):
        for row in session.exec(select(ItemLabel).where(col(ItemLabel.item_id).in_(some))):
            collected.setdefault(row.item_id, set()).add((row.facet, row.value))
    return {item: frozenset(values) for item, values in collected.items()}


def recheck(session: Session, scope: Scope, passage_ids: Collection[int]) -> dict[int, Found]:
    """Return those of the passages that are live and readable now, by id.

    An index may lag behind the database: what was retired, replaced or closed to this reader since is not among them.
    """
    found: dict[int, Found] = {}
    for some in batched(list(passage_ids), 500):
        rows = session.exec(
            select(  # type: ignore[call-overload]
                col(Passage.id),
                col(Passage.item_id),
                col(Passage.revision_id),
                col(Passage.ordinal),
                col(Passage.path),
                col(Passage.text),
                col(Passage.applies),
            ).where(col(Passage.id).in_(some))
        ).all()
        live = _live(session, scope, {row[1] for row in rows})
        for passage, item, revision, ordinal, path, text, applies in rows:
            if item in live and live[item].live_revision_id == revision:
                known = live[item]
                found[passage] = Found(
                    passage_id=passage,
                    item_id=item,
                    number=f"KB-{item}",
                    external_id=known.external_id,
                    kind=known.kind,
                    lang=known.lang,
                    audience=known.audience,
                    confidence=known.confidence,
                    family=known.family,
                    title=known.title,
                    ordinal=ordinal,
                    path=path,
                    text=text,
                    updated_at=known.updated_at.isoformat(timespec="seconds"),
                    applies=Applies.read(applies),
                )
    return found


def _live(session: Session, scope: Scope, ids: Collection[int]) -> dict[int, Any]:
    """Return rows of the readable published items among `ids`, with the titles of their live revisions.

    A query of its own, so that the database finds them by id: joined to passages, SQLite walks all published items.
    """
    statement = (
        select(  # type: ignore[call-overload]
            col(Item.id),
            col(Item.live_revision_id),
            col(Item.external_id),
            col(Item.kind),
            col(Item.lang),
            col(Item.audience),
            col(Item.confidence),
            col(Item.family),
            col(Item.updated_at),
            col(Revision.title),
        )
        .join(Revision, col(Revision.id) == col(Item.live_revision_id))
        .where(col(Item.id).in_(sorted(ids)), readable(scope.published_only()))
    )
    return {row.id: row for row in session.exec(statement)}


def named(session: Session, scope: Scope, ids: Collection[int]) -> dict[int, Named]:
    """Return the environments of the readable published items among `ids`, by item id, by one query."""
    rows = session.exec(
        select(col(Item.id), col(Revision.environment), col(ItemLabel.facet), col(ItemLabel.value))
        .join(Revision, col(Revision.id) == col(Item.live_revision_id))
        .outerjoin(
            ItemLabel,
            and_(col(ItemLabel.item_id) == col(Item.id), col(ItemLabel.facet).in_([Facet.PRODUCT, Facet.VERSION])),
        )
        .where(col(Item.id).in_(sorted(ids)), readable(scope.published_only()))
        .order_by(col(Item.id), col(ItemLabel.facet), col(ItemLabel.value))
    ).all()
    texts: dict[int, str] = {}
    values: dict[tuple[int, Facet], list[str]] = {}
    for item, environment, facet, value in rows:
        texts[int(item or 0)] = environment
        if value is not None:
            values.setdefault((int(item or 0), facet), []).append(value)
    return {
        item: Named(
            tuple(values.get((item, Facet.PRODUCT), ())), tuple(values.get((item, Facet.VERSION), ())), environment
        )
        for item, environment in texts.items()
    }


def titled(session: Session, scope: Scope, key: str) -> list[int]:
    """Return the ids of the readable published items whose title folds to `key` (see `kb.content.title_key`)."""
    if not key:
        return []
    same = select(Revision.id, Revision.item_id).where(col(Revision.title_key) == key).limit(1000)
    revisions = session.exec(same).all()
    if not revisions:
        return []
    statement = (
        select(Item.id)
        .where(
            col(Item.id).in_({item for _, item in revisions}),
            col(Item.live_revision_id).in_([revision for revision, _ in revisions]),
            readable(scope.published_only()),
        )
        .order_by(col(Item.id))
        .limit(20)
    )
    return [int(found or 0) for found in session.exec(statement)]


def first_passages(session: Session, ids: Collection[int], generation: int) -> dict[int, int]:
    """Return the id of the first live passage of each item, by item id. Knows no reader: recheck what comes out."""
    found: dict[int, int] = {}
    for some in batched(list(ids), 500):
        statement = (
            select(Passage.item_id, func.min(Passage.id))
            .join(Item, col(Item.id) == col(Passage.item_id))
            .where(col(Passage.item_id).in_(some), _live_passage(generation))
            .group_by(col(Passage.item_id))
        )
        found.update((item, int(passage or 0)) for item, passage in session.exec(statement))
    return found


def by_external_ids(session: Session, scope: Scope, source: str, names: Collection[str]) -> dict[str, tuple[int, str]]:
    """Return (item id, title) by external id, of the readable published items of a source among `names`."""
    found: dict[str, tuple[int, str]] = {}
    for some in batched(sorted(names), 500):
        statement = (
            select(Item.external_id, Item.id, Revision.title)
            .join(Revision, col(Revision.id) == col(Item.live_revision_id))
            .where(col(Item.source) == source, col(Item.external_id).in_(some), readable(scope.published_only()))
        )
        found.update((name, (int(item or 0), title)) for name, item, title in session.exec(statement))
    return found


def passages(session: Session, item: int, generation: int) -> list[tuple[int, str]]:
    """Return (id, Markdown) of the live passages of an item, in order. For an item the caller has read already."""
    statement = (
        select(Passage.id, Passage.text)
        .join(Item, col(Item.id) == col(Passage.item_id))
        .where(col(Passage.item_id) == item, _live_passage(generation))
        .order_by(col(Passage.ordinal))
    )
    return [(int(passage or 0), text) for passage, text in session.exec(statement)]


def resolution_passage(session: Session, item: int, generation: int) -> int | None:
    """Return the id of the live passage that opens the item's Resolution section, if one does.

    Its title is in the passage's path, or in its text where short sections share a passage.
    """
    statement = (
        select(Passage.id, Passage.path, Passage.text)
        .join(Item, col(Item.id) == col(Passage.item_id))
        .where(col(Passage.item_id) == item, _live_passage(generation))
        .order_by(col(Passage.ordinal))
    )
    for passage, path, text in session.exec(statement):
        sections = [path.split(PATH_SEPARATOR)[0], *(heading.title for heading in headings(text))]
        if any(is_section_title("resolution", section) for section in sections):
            return passage
    return None


def beside(session: Session, scope: Scope, passage_ids: Collection[int], generation: int) -> dict[int, list[Found]]:
    """Return the passages right before and after each of these in its item, live and readable now, by id, in order.

    They are of the same revision and of this generation, as the passages themselves have to be.
    """
    ids: dict[int, list[int]] = {}
    for some in batched(list(passage_ids), 500):
        statement = (
            select(Passage.id, _NEAR.id)
            .join(
                _NEAR,
                and_(
                    col(_NEAR.item_id) == col(Passage.item_id),
                    col(_NEAR.generation) == col(Passage.generation),
                    col(_NEAR.revision_id) == col(Passage.revision_id),
                    col(_NEAR.ordinal).in_([col(Passage.ordinal) - 1, col(Passage.ordinal) + 1]),
                ),
            )
            .where(col(Passage.id).in_(some), col(Passage.generation) == generation)
            .order_by(col(_NEAR.ordinal))
        )
        for passage, neighbour in session.exec(statement):
            ids.setdefault(int(passage or 0), []).append(int(neighbour or 0))
    found = recheck(session, scope, {one for some_ids in ids.values() for one in some_ids}) if ids else {}
    return {passage: [found[one] for one in some_ids if one in found] for passage, some_ids in ids.items()}


def _live_passage(generation: int) -> ColumnElement[bool]:
    """Return the condition, on passages joined to their items, of being of the live revision in a generation."""
    return and_(col(Passage.generation) == generation, col(Passage.revision_id) == col(Item.live_revision_id))


def titles(session: Session, scope: Scope, ids: Collection[int]) -> dict[int, str]:
    """Return the titles of the live revisions of those items that may be read, by item id."""
    found: dict[int, str] = {}
    for some in batched(list(ids), 500):
        statement = (
            select(Item.id, Revision.title)
            .join(Revision, col(Revision.id) == col(Item.live_revision_id))
            .where(col(Item.id).in_(some), readable(scope.published_only()))
        )
        found.update((int(i or 0), title) for i, title in session.exec(statement))
    return found


def translations(session: Session, item: Item, scope: Scope) -> Sequence[Item]:
    """Return the readable items of the same family in other languages, by language."""
    if item.family is None:
        return []
    return session.exec(
        select(Item)
        .where(
            col(Item.family) == item.family,
            col(Item.id) != item.id,
            col(Item.lang) != item.lang,
            readable(scope.published_only()),
        )
        .order_by(col(Item.lang), col(Item.id))
    ).all()


def family_members(session: Session, scope: Scope, families: Collection[str], lang: str) -> dict[str, int]:
    """Return the id of a readable published item in `lang` of each family that has one."""
    if not families:
        return {}
    statement = (
        select(Item.family, func.min(Item.id))
        .where(col(Item.family).in_(sorted(families)), col(Item.lang) == lang, readable(scope.published_only()))
        .group_by(col(Item.family))
    )
    return {str(family): int(item or 0) for family, item in session.exec(statement)}


def counts(session: Session, scope: Scope, facet: Facet, *, langs: Collection[str] = ()) -> list[tuple[str, int]]:
    """Return (value, number of readable published items) of a facet, most first, then by value."""
    number = func.count(col(ItemLabel.item_id))
    statement = (
        select(ItemLabel.value, number)
        .join(Item, col(Item.id) == col(ItemLabel.item_id))
        .where(col(ItemLabel.facet) == facet, readable(scope.published_only()))
        .group_by(col(ItemLabel.value))
        .order_by(number.desc(), col(ItemLabel.value))
    )
    if langs:
        statement = statement.where(col(Item.lang).in_(sorted(langs)))
    return [(value, int(n)) for value, n in session.exec(statement)]


def listing(
    session: Session,
    scope: Scope,
    *,
    label: tuple[Facet, str] | None = None,
    kinds: Collection[Kind] = (),
    langs: Collection[str] = (),
    limit: int = 50,
    offset: int = 0,
) -> list[tuple[Item, str]]:
    """Return readable published items with their titles, newest change first."""
    statement = (
        select(Item, Revision.title)
        .join(Revision, col(Revision.id) == col(Item.live_revision_id))
        .where(readable(scope.published_only()))
        .order_by(col(Item.updated_at).desc(), col(Item.id).desc())
        .limit(limit)
        .offset(offset)
    )
    if label is not None:
        labelled = select(ItemLabel.item_id).where(col(ItemLabel.facet) == label[0], col(ItemLabel.value) == label[1])
        statement = statement.where(col(Item.id).in_(labelled))
    if kinds:
        statement = statement.where(col(Item.kind).in_(sorted(kinds)))
    if langs:
        statement = statement.where(col(Item.lang).in_(sorted(langs)))
    return list(session.exec(statement))


def size(session: Session, scope: Scope) -> int:
    """Return the number of readable published items."""
    return session.exec(select(func.count()).select_from(Item).where(readable(scope.published_only()))).one()


def live_ids(session: Session) -> Iterator[int]:
    """Yield the ids of all published items, ascending. For the indexer and for checks: knows no reader."""
    statement = select(Item.id).where(col(Item.state) == State.PUBLISHED).order_by(col(Item.id))
    for found in session.exec(statement):
        if found is not None:
            yield found


def batched(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
