"""/v1/items/{item}/submit, approve, defer, withdraw, reviews, status; /v1/reviews: what waits."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.routes.items import WaitQuery, searchable, written
from api.routes.schedule import PlanOut, plan_out
from api.schemas import Moment, Number, Shape, Written
from kb import editorial, items, pending, review
from kb.access import Role, scope_of
from kb.models import Review, Revision, Significance, State

router = APIRouter(prefix="/v1", tags=["review"], responses=PROBLEMS)


class Submit(Shape):
    message: str = Field(default="", description="To who reviews it.")
    review_at: Moment | None = Field(
        default=None, description="When to look at it again; default: two weeks before it expires, if it does."
    )
    expires_at: Moment | None = Field(default=None, description="From when on readers no longer see it.")


class Approve(Shape):
    revision: Number = Field(description="Number of the revision that was read: no other one is published.")
    message: str = ""
    significance: Significance | None = Field(default=None, description="What the change asks of translations.")


class Defer(Shape):
    message: str = Field(description="To the author: what is missing.")
    revision: Number | None = Field(default=None, description="Number of the revision that was read.")


class ReviewOut(Shape):
    """One going over a revision."""

    revision: int = Field(description="Number of the revision that it is of.")
    asked_by: str | None
    asked_at: str
    message: str
    review_at: str | None
    expires_at: str | None
    outcome: str | None = Field(
        description="approved, deferred (given back), withdrawn, overtaken (by a change); null: it is open."
    )
    decided_by: str | None
    decided_at: str | None
    answer: str = Field(description="Of who decided, to the author.")
    by_author: bool = Field(description="Approved by who wrote or submitted it.")


class Reviews(Shape):
    item: str
    reviews: list[ReviewOut] = Field(description="Newest first.")


class WaitingOut(Shape):
    item: str
    title: str
    kind: str
    lang: str
    state: str = Field(description="`published`: a staged edit of what readers see.")
    author: str | None
    review: ReviewOut


class Queue(Shape):
    waiting: list[WaitingOut]


class Status(Shape):
    """How an item stands, for those who may write there."""

    item: str
    state: str
    revision: int = Field(description="Number of the newest revision.")
    author: str | None = Field(description="Of the newest revision.")
    live_revision: int | None = Field(description="The one that readers see; null: they see none.")
    staged: bool = Field(description="Readers see an older revision than the newest: a staged edit.")
    review_at: str | None
    expires_at: str | None
    review: ReviewOut | None = Field(description="The newest review, open or decided.")
    planned: list[PlanOut] = Field(description="What is to happen with it at a moment, soonest first.")


@router.get("/reviews", operation_id="list_open_reviews")
def list_open_reviews(
    parts: ServicesDep,
    reader: ReaderDep,
    mine: Annotated[bool, Query(description="Only those that I asked for.")] = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Queue:
    """List what waits for review in the spaces where one writes, longest waiting first. For contributors."""
    with parts.db.read() as session:
        rows = review.queue(
            session,
            scope_of(session, reader),
            actor=reader,
            asked_by=reader.subject if mine else None,
            limit=limit,
            offset=offset,
        )
    return Queue(
        waiting=[
            WaitingOut(
                item=row.item.number,
                title=row.revision.title,
                kind=row.item.kind.value,
                lang=row.item.lang,
                state=row.item.state.value,
                author=row.revision.author,
                review=review_out(row.review, row.revision.n),
            )
            for row in rows
        ]
    )


@router.get("/items/{item}/reviews", operation_id="list_reviews")
def list_reviews(parts: ServicesDep, reader: ReaderDep, item: str) -> Reviews:
    """All reviews of an item, newest first. For those who may write there."""
    with parts.db.read() as session:
        found = items.get(session, item, scope_of(session, reader))
        rows = review.history(session, found, actor=reader)
        numbers = {row.revision_id: session.get_one(Revision, row.revision_id).n for row in rows}
    return Reviews(item=found.number, reviews=[review_out(row, numbers[row.revision_id]) for row in reversed(rows)])


@router.get("/items/{item}/status", operation_id="read_status")
def read_status(parts: ServicesDep, reader: ReaderDep, item: str) -> Status:
    """How an item stands: revisions, review, plans. For those who may write there."""
    with parts.db.read() as session:
        found = items.get(session, item, scope_of(session, reader))
        reader.require_in(session, Role.CONTRIBUTOR, found.space_id, "read how an item stands")
        newest = editorial.newest_revision(session, found)
        shown = found.state == State.PUBLISHED
        live = session.get(Revision, found.live_revision_id) if shown and found.live_revision_id is not None else None
        rows = pending.reviews(session, [int(found.id or 0)]).get(int(found.id or 0), [])
        last = review_out(rows[-1], session.get_one(Revision, rows[-1].revision_id).n) if rows else None
        planned = [plan_out(session, row) for row in pending.open_plans(session, found)]
    return Status(
        item=found.number,
        state=found.state.value,
        revision=newest.n,
        author=newest.author,
        live_revision=live.n if live is not None else None,
        staged=live is not None and live.n != newest.n,
        review_at=found.review_at.isoformat(timespec="seconds") if found.review_at is not None else None,
        expires_at=found.expires_at.isoformat(timespec="seconds") if found.expires_at is not None else None,
        review=last,
        planned=planned,
    )


@router.post("/items/{item}/submit", operation_id="submit_item")
def submit_item(parts: ServicesDep, reader: WriterDep, item: str, body: Submit) -> ReviewOut:
    """Ask for a review of the newest revision; readers go on seeing the live one. For contributors."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        row = review.submit(
            session,
            found,
            actor=reader,
            message=body.message,
            review_at=body.review_at,
            expires_at=body.expires_at,
        )
        return review_out(row, editorial.newest_revision(session, found).n)


@router.post("/items/{item}/approve", operation_id="approve_item")
def approve_item(parts: ServicesDep, reader: WriterDep, item: str, body: Approve, wait: WaitQuery = None) -> Written:
    """Approve and publish the revision in review that was read. For coaches; of the own text, for publishers."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        seq = review.approve(
            session,
            found,
            actor=reader,
            revision=body.revision,
            message=body.message,
            significance=body.significance,
        ).seq
        result = written(found, editorial.newest_revision(session, found), seq)
    return searchable(parts, result, wait)


@router.post("/items/{item}/defer", operation_id="defer_item")
def defer_item(parts: ServicesDep, reader: WriterDep, item: str, body: Defer) -> ReviewOut:
    """Give what is in review back to its author, with a message. For coaches."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        row = review.defer(session, found, actor=reader, message=body.message, revision=body.revision)
        return review_out(row, session.get_one(Revision, row.revision_id).n)


@router.post("/items/{item}/withdraw", operation_id="withdraw_item")
def withdraw_item(parts: ServicesDep, reader: WriterDep, item: str) -> ReviewOut:
    """Take a review back. For who asked for it or wrote the text, and for coaches."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        row = review.withdraw(session, found, actor=reader)
        return review_out(row, session.get_one(Revision, row.revision_id).n)


def review_out(row: Review, revision: int) -> ReviewOut:
    return ReviewOut(
        revision=revision,
        asked_by=row.asked_by,
        asked_at=row.asked_at.isoformat(timespec="seconds"),
        message=row.message,
        review_at=row.review_at.isoformat(timespec="seconds") if row.review_at is not None else None,
        expires_at=row.expires_at.isoformat(timespec="seconds") if row.expires_at is not None else None,
        outcome=row.outcome.value if row.outcome is not None else None,
        decided_by=row.decided_by,
        decided_at=row.decided_at.isoformat(timespec="seconds") if row.decided_at is not None else None,
        answer=row.answer,
        by_author=row.by_author,
    )
