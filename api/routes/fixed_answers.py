"""/v1/fixed-answers: what editors write for a question, review and publish."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.routes.items import WaitQuery, searchable, written
from api.schemas import FixedAnswerIn, FixedAnswerOut, Moment, Number, Shape, Written, fixed_answer_out
from kb import editorial, fixed, review, spaces
from kb.access import Role, scope_of
from kb.content import choice
from kb.models import State

router = APIRouter(prefix="/v1/fixed-answers", tags=["fixed answers"], responses=PROBLEMS)


class FixedAnswerCreate(FixedAnswerIn):
    space: str | None = Field(default=None, description="Key of the space; default: the writer's own, else the root.")


class FixedAnswerUpdate(FixedAnswerIn):
    """The whole new state: what is left away becomes empty or the default."""

    based_on: Number = Field(description="Number of the revision the change started from.")
    message: str = ""


class SubmitRequest(Shape):
    review_at: Moment | None = Field(
        default=None, description="When to look at it again; default: two weeks before it expires, if it does."
    )
    expires_at: Moment | None = Field(default=None, description="From when on it is returned no longer.")


class FixedAnswers(Shape):
    answers: list[FixedAnswerOut]


@router.get("", operation_id="list_fixed_answers")
def list_fixed_answers(
    parts: ServicesDep,
    reader: ReaderDep,
    state: Annotated[str | None, Query(description="draft, in_review, published or retired.")] = None,
    due: Annotated[
        Moment | None, Query(description="Only published ones whose review or expiry is due by this moment.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> FixedAnswers:
    """List fixed answers, those due for review soonest first. For editors."""
    with parts.db.read() as session:
        rows = fixed.listing(
            session,
            scope_of(session, reader),
            actor=reader,
            state=choice(State, state, "state") if state is not None else None,
            due=due,
            limit=limit,
            offset=offset,
        )
        return FixedAnswers(answers=[fixed_answer_out(session, row) for row in rows])


@router.get("/{item}", operation_id="read_fixed_answer")
def read_fixed_answer(parts: ServicesDep, reader: ReaderDep, item: str) -> FixedAnswerOut:
    """Read the newest revision of a fixed answer and where its review stands. For editors."""
    reader.require(Role.EDITOR, "read how a fixed answer stands")
    with parts.db.read() as session:
        found = fixed.get(session, item, scope_of(session, reader))
        return fixed_answer_out(session, fixed.listed(session, found))


@router.post("", operation_id="create_fixed_answer", status_code=201)
def create_fixed_answer(parts: ServicesDep, reader: WriterDep, body: FixedAnswerCreate) -> FixedAnswerOut:
    """Write an answer for a question, as a draft. For editors."""
    with parts.db.write() as session:
        space_id = spaces.by_key(session, body.space).id if body.space is not None else None
        item, _ = editorial.create(session, body.content(), body.profile(), actor=reader, space_id=space_id)
        return fixed_answer_out(session, fixed.listed(session, item))


@router.put("/{item}", operation_id="update_fixed_answer")
def update_fixed_answer(parts: ServicesDep, reader: WriterDep, item: str, body: FixedAnswerUpdate) -> FixedAnswerOut:
    """Change a fixed answer. Readers see the new text when it is approved; opening it to others takes it back.

    For editors.
    """
    reader.require(Role.EDITOR, "change fixed answers")
    with parts.db.write() as session:
        found = fixed.get(session, item, scope_of(session, reader))
        editorial.revise(session, found, body.content(), actor=reader, based_on=body.based_on, message=body.message)
        editorial.reprofile(session, found, body.profile(), actor=reader)
        out = fixed_answer_out(session, fixed.listed(session, found))
    parts.follower.wake()
    return out


@router.post("/{item}/submit", operation_id="submit_fixed_answer")
def submit_fixed_answer(parts: ServicesDep, reader: WriterDep, item: str, body: SubmitRequest) -> FixedAnswerOut:
    """Ask for a review of the newest revision, and say until when it shall hold. For editors."""
    reader.require(Role.EDITOR, "submit fixed answers")
    with parts.db.write() as session:
        found = fixed.get(session, item, scope_of(session, reader))
        review.submit(session, found, actor=reader, review_at=body.review_at, expires_at=body.expires_at)
        return fixed_answer_out(session, fixed.listed(session, found))


@router.post("/{item}/approve", operation_id="approve_fixed_answer")
def approve_fixed_answer(
    parts: ServicesDep,
    reader: WriterDep,
    item: str,
    revision: Annotated[Number | None, Query(description="Number of the revision that was read.")] = None,
    wait: WaitQuery = None,
) -> Written:
    """Approve the revision in review: from now on it is the answer to its questions. For editors."""
    reader.require(Role.EDITOR, "approve fixed answers")
    with parts.db.write() as session:
        found = fixed.get(session, item, scope_of(session, reader))
        seq = review.approve(session, found, actor=reader, revision=revision).seq
        result = written(found, editorial.newest_revision(session, found), seq)
    return searchable(parts, result, wait)


@router.post("/{item}/retire", operation_id="retire_fixed_answer")
def retire_fixed_answer(parts: ServicesDep, reader: WriterDep, item: str, wait: WaitQuery = None) -> Written:
    """Return it no longer, at once; nothing of it is lost. For editors."""
    reader.require(Role.EDITOR, "retire fixed answers")
    with parts.db.write() as session:
        found = fixed.get(session, item, scope_of(session, reader))
        seq = editorial.retire(session, found, actor=reader)
        result = written(found, editorial.newest_revision(session, found), seq)
    return searchable(parts, result, wait)
