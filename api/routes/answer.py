"""/v1/answer: one JSON document, or a stream of server-sent events."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api.deps import ReaderDep, ServicesDep
from api.errors import PROBLEMS
from api.filters import FiltersDep, FiltersIn, Given, checked
from api.routes.search import ExactQuery, LangQuery, QuestionQuery
from api.schemas import AnswerResponse, Shape, answer_event, answer_out, suggestion_out
from api.services import Services
from kb.access import Principal
from kb.errors import KBError
from kb.events import Happened
from kb.models import EventKind
from retrieval.answer import Answer, Answered, DidYouMean, NoAnswer, Sources, Text, answer, stream
from retrieval.search import checked_question

router = APIRouter(prefix="/v1", tags=["answer"], responses=PROBLEMS)


@router.get("/answer", operation_id="answer")
async def get_answer(
    parts: ServicesDep,
    reader: ReaderDep,
    filters: FiltersDep,
    question: QuestionQuery,
    hl: LangQuery = None,
    exact: ExactQuery = False,
) -> AnswerResponse:
    """Answer a question with citations, offer questions that can be answered, or say that there is no answer."""
    result = await run_in_threadpool(
        answer, parts.searcher, question, reader=reader, filters=filters.values, lang=hl, exact=exact
    )
    return answer_out(result, _log(parts, reader, filters, result))


class AnswerRequest(Shape):
    q: str = Field(description="The question, up to 100,000 characters.")
    hl: Annotated[str, Field(max_length=16)] | None = None
    exact: bool = False
    filters: FiltersIn = FiltersIn()


@router.post("/answer", operation_id="answer_long")
async def post_answer(parts: ServicesDep, reader: ReaderDep, body: AnswerRequest) -> AnswerResponse:
    """The same for a question too long for an address, such as a whole case."""
    filters = await run_in_threadpool(checked, parts, reader, body.filters)
    return await get_answer(parts, reader, filters, body.q, body.hl, body.exact)


_STREAM: dict[str, Any] = {
    "response_class": StreamingResponse,
    "responses": {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
}


@router.post("/answer/stream", operation_id="stream_answer_long", **_STREAM)
async def post_stream(parts: ServicesDep, reader: ReaderDep, body: AnswerRequest) -> StreamingResponse:
    """The same stream for a question too long for an address."""
    filters = await run_in_threadpool(checked, parts, reader, body.filters)
    return await stream_answer(parts, reader, filters, body.q, body.hl, body.exact)


@router.get("/answer/stream", operation_id="stream_answer", **_STREAM)
async def stream_answer(
    parts: ServicesDep,
    reader: ReaderDep,
    filters: FiltersDep,
    question: QuestionQuery,
    hl: LangQuery = None,
    exact: ExactQuery = False,
) -> StreamingResponse:
    """The same as server-sent events: `sources`, then `text`, then one of `answered`, `did_you_mean`, `no_answer`.

    An error after the stream has begun is an event `error` with code and message.
    """
    checked_question(question)  # what is wrong with the question is an HTTP status, not an event
    return StreamingResponse(
        _events(parts, reader, filters, question, hl, exact),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    parts: Services, reader: Principal, filters: Given, question: str, lang: str | None, exact: bool
) -> AsyncIterator[str]:
    try:
        async for event in stream(
            parts.searcher, question, reader=reader, filters=filters.values, lang=lang, exact=exact
        ):
            match event:
                case Sources(hits):
                    yield _sse("sources", {"sources": [suggestion_out(hit).model_dump() for hit in hits]})
                case Text(delta):
                    yield _sse("text", {"delta": delta})
                case Answered(result):
                    yield _sse("answered", answer_out(result, _log(parts, reader, filters, result)).model_dump())
                case DidYouMean(result):
                    yield _sse("did_you_mean", answer_out(result, _log(parts, reader, filters, result)).model_dump())
                case NoAnswer(result):
                    yield _sse("no_answer", answer_out(result, _log(parts, reader, filters, result)).model_dump())
    except KBError as error:
        yield _sse("error", {"code": error.code, "message": error.message})


def _sse(event: str, data: dict[str, object]) -> str:
    """One event. JSON keeps line breaks escaped, so the data is one line."""
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=True)}\n\n"


def _log(parts: Services, reader: Principal, filters: Given, result: Answer) -> str:
    happened = Happened(
        kind=EventKind.ANSWER,
        role=reader.role.value,
        visitor=parts.visitor(reader.subject),
        text=result.question,
        data={**answer_event(result), "filters": filters.given},
    )
    parts.events.add(happened)
    return happened.uid
