"""/v1/items: read, create, update, publish, retire."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse
from sqlmodel import col, select

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.schemas import ItemCreate, ItemOut, ItemUpdate, Number, Written, item_out
from api.services import Services
from kb import changes, drafts, editorial, items, redirects, spaces
from kb.access import scope_of
from kb.errors import NotFound
from kb.models import Item, Revision, Significance

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEMS)

WAIT_SECONDS = 30.0
"""Longest that `wait=searchable` waits; the write is kept in any case."""

SignificanceQuery = Annotated[
    Significance | None,
    Query(description="What the change asks of translations; default: medium, minor for similar questions alone."),
]
WaitQuery = Annotated[
    Literal["searchable"] | None,
    Query(description="Answer only when this server's searches see the write (up to 30 s)."),
]


@router.get(
    "/{item}",
    operation_id="read_item",
    response_model=ItemOut,
    responses={308: {"description": "The item was merged into the one at `Location`."}},
)
def read_item(parts: ServicesDep, reader: ReaderDep, item: str) -> ItemOut | RedirectResponse:
    """Return an item as its readers see it; an editor sees the draft of one that was never published.

    The number of an item that was merged leads to the one it was merged into; an editor still sees the item itself.
    """
    with parts.db.read() as session:
        scope = scope_of(session, reader)
        try:
            return item_out(items.view(session, item, scope))
        except NotFound:
            return RedirectResponse(redirects.resolve(session, item, scope).number, 308)


@router.post("", operation_id="create_item", status_code=201)
def create_item(
    parts: ServicesDep,
    reader: WriterDep,
    body: ItemCreate,
    draft: Annotated[str | None, Query(description="Key of one's draft that this was: it goes.")] = None,
    wait: WaitQuery = None,
) -> Written:
    """Create an item, as a draft or published at once. For contributors and publishers."""
    with parts.db.write() as session:
        space_id = spaces.by_key(session, body.space).id if body.space is not None else None
        item, revision = editorial.create(session, body.content(), body.profile(), actor=reader, space_id=space_id)
        seq = editorial.publish(session, item, revision, actor=reader).seq if body.publish else changes.latest(session)
        if draft is not None:
            drafts.discard(session, draft, scope_of(session, reader), actor=reader)
        result = written(item, revision, seq)
    return searchable(parts, result, wait)


@router.put("/{item}", operation_id="update_item")
def update_item(parts: ServicesDep, reader: WriterDep, item: str, body: ItemUpdate, wait: WaitQuery = None) -> Written:
    """Give an item a new revision and profile. The profile counts at once, the text when published. For contributors;
    to change the profile of a published item, for publishers."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        revision = editorial.revise(
            session,
            found,
            body.content(),
            actor=reader,
            based_on=body.based_on,
            message=body.message,
            follows=body.follows,
        )
        seq = editorial.reprofile(session, found, body.profile(), actor=reader)
        if body.publish:
            seq = editorial.publish(session, found, revision, actor=reader, significance=body.significance).seq
        result = written(found, revision, seq)
    return searchable(parts, result, wait)


@router.post("/{item}/publish", operation_id="publish_item")
def publish_item(
    parts: ServicesDep,
    reader: WriterDep,
    item: str,
    revision: Annotated[Number | None, Query(description="Number of the revision (default: the newest).")] = None,
    significance: SignificanceQuery = None,
    wait: WaitQuery = None,
) -> Written:
    """Make a revision the one that readers see. For publishers."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        chosen = editorial.newest_revision(session, found)
        if revision is not None and revision != chosen.n:
            statement = select(Revision).where(col(Revision.item_id) == found.id, col(Revision.n) == revision)
            numbered = session.exec(statement).first()
            if numbered is None:
                raise NotFound(f"{found.number} has no revision {revision}; its newest is {chosen.n}", field="revision")
            chosen = numbered
        seq = editorial.publish(session, found, chosen, actor=reader, significance=significance).seq
        result = written(found, chosen, seq)
    return searchable(parts, result, wait)


@router.post("/{item}/retire", operation_id="retire_item")
def retire_item(parts: ServicesDep, reader: WriterDep, item: str, wait: WaitQuery = None) -> Written:
    """Take an item from its readers at once; nothing of it is lost. For editors."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        seq = editorial.retire(session, found, actor=reader)
        result = written(found, editorial.newest_revision(session, found), seq)
    return searchable(parts, result, wait)


def written(item: Item, revision: Revision, seq: int) -> Written:
    """Return what a write did, before it is known whether searches see it."""
    return Written(item=item.number, revision=revision.n, state=item.state.value, seq=seq, searchable=False)


def searchable(parts: Services, result: Written, wait: str | None) -> Written:
    """Return the same when searches see it, or where nobody waits for that, at once."""
    parts.follower.wake()
    seen = parts.follower.wait_for(result.seq, WAIT_SECONDS if wait else 0)
    return result.model_copy(update={"searchable": seen})
