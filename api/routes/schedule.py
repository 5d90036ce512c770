"""/v1/items/{item}/schedule: publish or retire at a moment; /v1/schedule: what is to come."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlmodel import Session

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.schemas import Moment, Number, Shape
from kb import items, schedule
from kb.access import scope_of
from kb.content import choice
from kb.models import Plan, PlannedAction, Revision

router = APIRouter(prefix="/v1", tags=["schedule"], responses=PROBLEMS)

ActionPath = Annotated[str, Path(description="publish or retire.")]


class PlanIn(Shape):
    at: Moment = Field(description="The moment; it has to be one to come.")
    revision: Number | None = Field(
        default=None, description="Number of the revision to publish (default: the newest)."
    )


class PlanOut(Shape):
    action: str
    at: str
    revision: int | None = Field(description="Number of the revision that is to be published.")
    asked_by: str | None
    asked_at: str
    outcome: str | None = Field(description="done, failed or cancelled; null: it is to come.")
    ended_by: str | None
    ended_at: str | None
    reason: str = Field(description="Why it failed, or was cancelled by a change.")


class Plans(Shape):
    item: str
    plans: list[PlanOut] = Field(description="Newest first.")


class ComingOut(Shape):
    item: str
    plan: PlanOut


class Coming(Shape):
    coming: list[ComingOut] = Field(description="Soonest first.")


@router.get("/schedule", operation_id="list_coming_plans")
def list_coming_plans(
    parts: ServicesDep,
    reader: ReaderDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Coming:
    """List what is to be published or retired in the spaces where one writes, soonest first. For contributors."""
    with parts.db.read() as session:
        rows = schedule.coming(session, scope_of(session, reader), actor=reader, limit=limit, offset=offset)
        return Coming(coming=[ComingOut(item=item.number, plan=plan_out(session, plan)) for plan, item in rows])


@router.get("/items/{item}/schedule", operation_id="list_plans")
def list_plans(parts: ServicesDep, reader: ReaderDep, item: str) -> Plans:
    """All plans for an item, those that ended too, newest first. For those who may write there."""
    with parts.db.read() as session:
        found = items.get(session, item, scope_of(session, reader))
        rows = schedule.history(session, found, actor=reader)
        return Plans(item=found.number, plans=[plan_out(session, row) for row in rows])


@router.put("/items/{item}/schedule/{action}", operation_id="plan_item")
def plan_item(parts: ServicesDep, reader: WriterDep, item: str, action: ActionPath, body: PlanIn) -> PlanOut:
    """Plan to publish (for publishers) or to retire (for editors) the item at a moment, in place of a plan before."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        what = choice(PlannedAction, action, "action")
        row = schedule.plan(session, found, what, body.at, actor=reader, revision=body.revision)
        return plan_out(session, row)


@router.delete("/items/{item}/schedule/{action}", operation_id="cancel_plan")
def cancel_plan(parts: ServicesDep, reader: WriterDep, item: str, action: ActionPath) -> PlanOut:
    """Cancel what is planned. For publishers; what retires, for editors."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        row = schedule.cancel(session, found, choice(PlannedAction, action, "action"), actor=reader)
        return plan_out(session, row)


def plan_out(session: Session, row: Plan) -> PlanOut:
    revision = session.get(Revision, row.revision_id) if row.revision_id is not None else None
    return PlanOut(
        action=row.action.value,
        at=row.at.isoformat(timespec="seconds"),
        revision=revision.n if revision is not None else None,
        asked_by=row.asked_by,
        asked_at=row.asked_at.isoformat(timespec="seconds"),
        outcome=row.outcome.value if row.outcome is not None else None,
        ended_by=row.ended_by,
        ended_at=row.ended_at.isoformat(timespec="seconds") if row.ended_at is not None else None,
        reason=row.reason,
    )
