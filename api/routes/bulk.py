"""/v1/items/bulk: one action on many items, with what came of each."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from api.deps import ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.routes.items import WAIT_SECONDS, WaitQuery
from api.schemas import Shape
from kb import bulk
from kb.bulk import MAX_ITEMS, Action, Change
from kb.content import choice
from kb.models import Facet

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEMS)


class BulkIn(Shape):
    items: Annotated[list[str], Field(min_length=1, max_length=MAX_ITEMS)] = Field(
        description="Numbers, such as KB-1; each counts once."
    )
    action: str = Field(description="publish, retire, submit, add_label, remove_label, owner or audience.")
    facet: str | None = Field(default=None, description="Of a label: product, version, topic or group.")
    value: str | None = Field(
        default=None, description="The label, the owner (null: nobody), the audience, or the message of a submission."
    )


class BulkResult(Shape):
    item: str = Field(description="As it was named.")
    done: bool
    state: str | None = Field(description="After it; null where nothing was done.")
    seq: int
    code: str | None = Field(description="Of the error, as in docs/errors.md; null: it was done.")
    message: str | None


class BulkOut(Shape):
    results: list[BulkResult]
    done: int
    failed: int
    seq: int = Field(description="The highest change-log number of the results.")
    searchable: bool


@router.post("/bulk", operation_id="change_items")
def change_items(parts: ServicesDep, reader: WriterDep, body: BulkIn, wait: WaitQuery = None) -> BulkOut:
    """Do one thing with up to 500 items. Each is done whole or not at all, by the rights that one has there."""
    change = Change(
        choice(Action, body.action, "action"),
        body.value,
        choice(Facet, body.facet, "facet") if body.facet is not None else None,
    )
    results = bulk.run(parts.db, body.items, change, actor=reader)
    seq = max(result.seq for result in results)
    parts.follower.wake()
    done = sum(result.error is None for result in results)
    return BulkOut(
        results=[
            BulkResult(
                item=result.ref,
                done=result.error is None,
                state=result.state,
                seq=result.seq,
                code=result.error.code if result.error is not None else None,
                message=result.error.message if result.error is not None else None,
            )
            for result in results
        ],
        done=done,
        failed=len(results) - done,
        seq=seq,
        searchable=parts.follower.wait_for(seq, WAIT_SECONDS if wait else 0),
    )
