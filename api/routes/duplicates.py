"""/v1/duplicates: near duplicates of a draft, the queue of pairs, and merging."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.routes.items import WaitQuery, searchable, written
from api.schemas import ItemOut, Shape, TextsIn, Written, item_out
from kb import duplicates, editorial, items, merging
from kb.access import Role, scope_of
from kb.content import Content, checked_content
from kb.models import Item, PairState, Revision
from retrieval.duplicates import CANDIDATES, SHOWN, Duplicate, duplicates_of, near_duplicates

router = APIRouter(prefix="/v1", tags=["duplicates"], responses=PROBLEMS)

PairNumber = Annotated[int, Path(ge=1, le=10**15, description="Number of the pair in the queue.")]
LimitQuery = Annotated[int, Query(ge=1, le=CANDIDATES)]
LeastQuery = Annotated[float, Query(ge=0, le=1, description="Least probability.")]


class Unwritten(TextsIn):
    """A text that is not an item yet. Missing texts are empty."""

    lang: str | None = Field(default=None, max_length=16, description="Default: told from the text.")

    def content(self) -> Content:
        """Raises InvalidInput or TooLarge."""
        return checked_content(super().content())


class ContradictionOut(Shape):
    """What two resolutions of the same issue say differently: a sentence of each."""

    kind: Literal["number", "version", "negation", "opposite"]
    here: str
    there: str


class NearDuplicate(Shape):
    """An item that likely says the same. `here` is the text asked about, `there` this item."""

    item: str
    title: str
    kind: str
    lang: str
    audience: str
    updated_at: str
    probability: float
    cosine: float = Field(description="Of the two nearest passages.")
    title_words: float = Field(description="How far the titles share their words, rare ones weighing more.")
    words: float = Field(description="The same of the whole texts.")
    terms: list[str] = Field(description="Shared words that say most, as the text asked about writes them.")
    same: list[str] = Field(description="Numbers with units, codes and versions that both have.")
    here: list[str] = Field(description="Those that only the text asked about has, where the item has others.")
    there: list[str] = Field(description="Those that only the item has.")
    contradiction: ContradictionOut | None


class NearDuplicates(Shape):
    duplicates: list[NearDuplicate]


class PairContradiction(Shape):
    kind: Literal["number", "version", "negation", "opposite"]
    low: str
    high: str


class Evidence(Shape):
    """Why two items were taken for near duplicates. `low` and `high`: what only one of them has."""

    cosine: float
    title: float
    words: float
    terms: list[str]
    same: list[str]
    low: list[str]
    high: list[str]
    contradiction: PairContradiction | None


class PairItem(Shape):
    item: str
    title: str
    kind: str
    lang: str
    state: str
    updated_at: str


class Pair(Shape):
    """Two items that are likely near duplicates; `low` has the lower number."""

    number: int
    state: PairState
    probability: float
    low: PairItem
    high: PairItem
    evidence: Evidence | None = Field(
        description="Null where one of the items has changed since: it is compared again by the next scan."
    )
    found_at: str
    decided_by: str | None
    decided_at: str | None


class Pairs(Shape):
    pairs: list[Pair]
    total: int = Field(description="Pairs in this state that you may read.")


class SideBySide(Shape):
    """A pair with the whole of both items."""

    pair: Pair
    low: ItemOut
    high: ItemOut


class Decision(Shape):
    state: Literal["not_duplicate", "open"]


class MergeRequest(Shape):
    into: str = Field(description="Number of the item that stays.")
    publish: bool = Field(default=False, description="Publish the questions it takes over at once, else as a draft.")


@router.post("/duplicates", operation_id="check_draft")
def check_draft(
    parts: ServicesDep, reader: ReaderDep, body: Unwritten, limit: LimitQuery = 5, least: LeastQuery = SHOWN
) -> NearDuplicates:
    """Return the published items that say what a draft says, likeliest first. Nothing is kept. For contributors."""
    reader.require(Role.CONTRIBUTOR, "look for duplicates")
    found = near_duplicates(parts.searcher, body.content(), lang=body.lang, reader=reader, limit=limit, least=least)
    return NearDuplicates(duplicates=[near_out(one) for one in found])


@router.get("/items/{item}/duplicates", operation_id="list_item_duplicates")
def list_item_duplicates(
    parts: ServicesDep, reader: ReaderDep, item: str, limit: LimitQuery = 5, least: LeastQuery = SHOWN
) -> NearDuplicates:
    """Return the other published items that say what an item says, likeliest first. For contributors."""
    reader.require(Role.CONTRIBUTOR, "look for duplicates")
    with parts.db.read() as session:
        view = items.view(session, item, scope_of(session, reader))
    found = duplicates_of(parts.searcher, view, reader=reader, limit=limit, least=least)
    return NearDuplicates(duplicates=[near_out(one) for one in found])


@router.get("/duplicates", operation_id="list_duplicates")
def list_duplicates(
    parts: ServicesDep,
    reader: ReaderDep,
    state: PairState = PairState.OPEN,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Pairs:
    """List the pairs that `kb duplicates scan` found, likeliest first. For editors."""
    reader.require(Role.EDITOR, "see the queue of duplicates")
    with parts.db.read() as session:
        scope = scope_of(session, reader)
        rows = duplicates.listing(session, scope, actor=reader, state=state, limit=limit, offset=offset)
        titles = {
            number: _title(session.get(Revision, item.live_revision_id or item.draft_revision_id))
            for row in rows
            for number, item in ((row.low.id, row.low), (row.high.id, row.high))
        }
        total = duplicates.count(session, scope, state)
    return Pairs(pairs=[_pair(row, titles) for row in rows], total=total)


@router.get("/duplicates/{number}", operation_id="read_duplicate")
def read_duplicate(parts: ServicesDep, reader: ReaderDep, number: PairNumber) -> SideBySide:
    """Return a pair with both items side by side. For editors."""
    reader.require(Role.EDITOR, "see the queue of duplicates")
    with parts.db.read() as session:
        scope = scope_of(session, reader)
        row = duplicates.get(session, number, scope, actor=reader)
        low, high = (items.view(session, item.id or 0, scope) for item in (row.low, row.high))
    titles = {view.item.id: view.revision.title for view in (low, high)}
    return SideBySide(pair=_pair(row, titles), low=item_out(low), high=item_out(high))


@router.post("/duplicates/{number}/decide", operation_id="decide_duplicate")
def decide_duplicate(parts: ServicesDep, reader: WriterDep, number: PairNumber, body: Decision) -> Pair:
    """Say that two items are no duplicates, or open the question again. For editors."""
    reader.require(Role.EDITOR, "decide about duplicates")
    with parts.db.write() as session:
        scope = scope_of(session, reader)
        row = duplicates.get(session, number, scope, actor=reader)
        duplicates.decide(session, row, PairState(body.state), actor=reader)
        titles = {item.id: items.view(session, item.id or 0, scope).revision.title for item in (row.low, row.high)}
        return _pair(row, titles)


@router.post("/items/{item}/merge", operation_id="merge_item")
def merge_item(parts: ServicesDep, reader: WriterDep, item: str, body: MergeRequest, wait: WaitQuery = None) -> Written:
    """Merge an item into another: it is retired, its number leads there, its questions are added. For editors."""
    reader.require(Role.EDITOR, "merge items")
    with parts.db.write() as session:
        scope = scope_of(session, reader)
        merged = merging.merge(
            session,
            items.get(session, item, scope),
            items.get(session, body.into, scope),
            actor=reader,
            publish=body.publish,
        )
        result = written(merged.item, merged.revision, merged.seq)
    return searchable(parts, result, wait)


@router.post("/items/{item}/unmerge", operation_id="unmerge_item")
def unmerge_item(parts: ServicesDep, reader: WriterDep, item: str, wait: WaitQuery = None) -> Written:
    """Take a merge back: the item is what it was, under its own number. For editors."""
    reader.require(Role.EDITOR, "take a merge back")
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        seq = merging.undo(session, found, actor=reader)
        result = written(found, editorial.newest_revision(session, found), seq)
    return searchable(parts, result, wait)


def near_out(one: Duplicate) -> NearDuplicate:
    item = one.view.item
    return NearDuplicate(
        item=item.number,
        title=one.view.revision.title,
        kind=item.kind.value,
        lang=item.lang,
        audience=item.audience.value,
        updated_at=item.updated_at.isoformat(timespec="seconds"),
        probability=round(one.probability, 4),
        cosine=round(one.alike.cosine, 4),
        title_words=round(one.alike.title, 4),
        words=round(one.alike.words, 4),
        terms=list(one.evidence.terms),
        same=list(one.evidence.same),
        here=list(one.evidence.here),
        there=list(one.evidence.there),
        contradiction=ContradictionOut(**asdict(one.contradiction)) if one.contradiction is not None else None,
    )


def _pair(row: duplicates.Listed, titles: dict[Any, str]) -> Pair:
    pair = row.pair
    return Pair(
        number=int(pair.id or 0),
        state=pair.state,
        probability=pair.probability,
        low=_item(row.low, titles),
        high=_item(row.high, titles),
        evidence=Evidence(**pair.evidence) if row.current else None,
        found_at=pair.found_at.isoformat(timespec="seconds"),
        decided_by=pair.decided_by,
        decided_at=pair.decided_at.isoformat(timespec="seconds") if pair.decided_at is not None else None,
    )


def _item(item: Item, titles: dict[Any, str]) -> PairItem:
    return PairItem(
        item=item.number,
        title=titles[item.id],
        kind=item.kind.value,
        lang=item.lang,
        state=item.state.value,
        updated_at=item.updated_at.isoformat(timespec="seconds"),
    )


def _title(revision: Revision | None) -> str:
    return revision.title if revision is not None else ""
