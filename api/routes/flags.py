"""/v1/items/{item}/flags, /v1/flags: problems that readers report, and what became of them."""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from api.deps import ReaderDep, ReporterDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.schemas import Number, Shape
from kb import flags, items
from kb.access import scope_of
from kb.flags import Raised
from kb.models import FlagReason, FlagState

router = APIRouter(prefix="/v1", tags=["flags"], responses=PROBLEMS)


class Report(Shape):
    reason: FlagReason
    comment: str = Field(default="", description="What is wrong; needed for `other`.")
    revision: Number | None = Field(default=None, description="Number of the revision that was read.")


class Settle(Shape):
    state: Literal["fixed", "dismissed"]
    answer: str = Field(default="", description="What was done; needed to dismiss.")


class FlagOut(Shape):
    number: int
    item: str
    revision: int = Field(description="Number of the revision that was read.")
    reason: str
    comment: str
    raised_by: str | None
    raised_at: str
    state: str = Field(description="open, fixed, dismissed.")
    answer: str = Field(description="Of who settled it.")
    decided_by: str | None
    decided_at: str | None


class Flags(Shape):
    item: str
    flags: list[FlagOut] = Field(description="Newest first.")


@router.post("/items/{item}/flags", status_code=201, operation_id="report_problem")
def report_problem(parts: ServicesDep, reader: ReporterDep, item: str, body: Report) -> FlagOut:
    """Report a problem with an item. For customers and above, of what they may read."""
    with parts.db.write() as session:
        view = items.view(session, item, scope_of(session, reader))
        raised = flags.report(session, view, body.reason, actor=reader, comment=body.comment, revision=body.revision)
        return _out(raised)


@router.get("/items/{item}/flags", operation_id="list_flags")
def list_flags(parts: ServicesDep, reader: ReaderDep, item: str) -> Flags:
    """All problems reported with an item, newest first. For those who may write there."""
    with parts.db.read() as session:
        found = items.get(session, item, scope_of(session, reader))
        rows = flags.listed(session, found, actor=reader)
        return Flags(item=found.number, flags=[_out(row) for row in rows])


@router.post("/flags/{number}", operation_id="settle_flag")
def settle_flag(parts: ServicesDep, reader: WriterDep, number: Number, body: Settle) -> FlagOut:
    """Say that a reported problem is fixed, or dismiss it with an answer. For those who may write there."""
    with parts.db.write() as session:
        return _out(flags.settle(session, number, FlagState(body.state), actor=reader, answer=body.answer))


def _out(raised: Raised) -> FlagOut:
    flag = raised.flag
    return FlagOut(
        number=int(flag.id or 0),
        item=f"KB-{flag.item_id}",
        revision=raised.revision,
        reason=flag.reason.value,
        comment=flag.comment,
        raised_by=flag.raised_by,
        raised_at=flag.raised_at.isoformat(timespec="seconds"),
        state=flag.state.value,
        answer=flag.answer,
        decided_by=flag.decided_by,
        decided_at=flag.decided_at.isoformat(timespec="seconds") if flag.decided_at is not None else None,
    )
