"""/v1/answer: one JSON document, or a stream of server-sent events."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api import metrics
from api.conversations import Asked, ask, keep
from api.deps import ReaderDep, ServicesDep
from api.errors import PROBLEMS
from api.filters import FiltersDep, FiltersIn, Given, checked
from api.leaving import while_there
from api.routes.search import ENVIRONMENT, EnvironmentQuery, ExactQuery, LangQuery, QuestionQuery
from api.schemas import AnswerResponse, Shape, answer_event, answer_out, suggestion_out
from api.services import Services
from kb.access import Principal
from kb.errors import KBError
from kb.events import Happened
from kb.models import EventKind
from retrieval.answer import (
    Answer,
    Answered,
    AnswerEvent,
    DidYouMean,
    NoAnswer,
    Replaced,
    Sources,
    Text,
    answered,
    stream,
)
from retrieval.environment import checked_environment

CONVERSATION = "`new` begins a conversation, in which follow-ups are understood; what the answer has continues it."
AS_TYPED = "Search the words as they are, even if they lean on the turns before."
ConversationQuery = Annotated[str | None, Query(max_length=64, description=CONVERSATION)]
AsTypedQuery = Annotated[bool, Query(description=AS_TYPED)]

router = APIRouter(prefix="/v1", tags=["answer"], responses=PROBLEMS)


@router.get("/answer", operation_id="answer")
async def get_answer(
    request: Request,
    parts: ServicesDep,
    reader: ReaderDep,
    filters: FiltersDep,
    question: QuestionQuery,
    hl: LangQuery = None,
    conversation: ConversationQuery = None,
    as_typed: AsTypedQuery = False,
    exact: ExactQuery = False,
    environment: EnvironmentQuery = None,
) -> AnswerResponse:
    """Answer a question with citations, offer questions that can be answered, or say that there is no answer."""
    asked = await run_in_threadpool(_asked, parts, reader, question, conversation, as_typed)
    said = _said(parts, reader, filters, asked, hl, exact, environment)
    result = await while_there(request, answered(said))
    await run_in_threadpool(keep, parts, asked, result)
    return answer_out(result, _log(parts, reader, filters, result, asked), asked)


class AnswerRequest(Shape):
    q: str = Field(description="The question, up to 100,000 characters.")
    hl: Annotated[str, Field(max_length=16)] | None = None
    exact: bool = False
    environment: str | None = Field(default=None, description=ENVIRONMENT)
    filters: FiltersIn = FiltersIn()
    conversation: Annotated[str, Field(max_length=64, description=CONVERSATION)] | None = None
    as_typed: bool = Field(default=False, description=AS_TYPED)


@router.post("/answer", operation_id="answer_long")
async def post_answer(request: Request, parts: ServicesDep, reader: ReaderDep, body: AnswerRequest) -> AnswerResponse:
    """The same for a question too long for an address, such as a whole case."""
    filters = await run_in_threadpool(checked, parts, reader, body.filters)
    return await get_answer(
        request, parts, reader, filters, body.q, body.hl, body.conversation, body.as_typed, body.exact, body.environment
    )


_EVENT = {
    "type": "object",
    "description": "One event of the stream; docs/api.md says in which order they come.",
    "properties": {
        "event": {"enum": ["sources", "text", "replaced", "answered", "did_you_mean", "no_answer", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
_STREAM: dict[str, Any] = {
    "response_class": StreamingResponse,
    "responses": {200: {"content": {"text/event-stream": {"schema": _EVENT}}}},
}


@router.post("/answer/stream", operation_id="stream_answer_long", **_STREAM)
async def post_stream(parts: ServicesDep, reader: ReaderDep, body: AnswerRequest) -> StreamingResponse:
    """The same stream for a question too long for an address."""
    filters = await run_in_threadpool(checked, parts, reader, body.filters)
    return await stream_answer(
        parts, reader, filters, body.q, body.hl, body.conversation, body.as_typed, body.exact, body.environment
    )


@router.get("/answer/stream", operation_id="stream_answer", **_STREAM)
async def stream_answer(
    parts: ServicesDep,
    reader: ReaderDep,
    filters: FiltersDep,
    question: QuestionQuery,
    hl: LangQuery = None,
    conversation: ConversationQuery = None,
    as_typed: AsTypedQuery = False,
    exact: ExactQuery = False,
    environment: EnvironmentQuery = None,
) -> StreamingResponse:
    """The same as server-sent events: `sources`, then `text`, then one of `answered`, `did_you_mean`, `no_answer`.

    An error after the stream has begun is an event `error` with code and message.
    """
    # What is wrong with the question or the conversation is an HTTP status, not an event.
    checked_environment(environment)
    asked = await run_in_threadpool(_asked, parts, reader, question, conversation, as_typed)
    return StreamingResponse(
        _events(parts, reader, filters, asked, hl, exact, environment),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    parts: Services,
    reader: Principal,
    filters: Given,
    asked: Asked,
    lang: str | None,
    exact: bool,
    environment: str | None,
) -> AsyncIterator[str]:
    async def last(name: str, result: Answer) -> str:
        await run_in_threadpool(keep, parts, asked, result)
        return _sse(name, answer_out(result, _log(parts, reader, filters, result, asked), asked).model_dump())

    try:
        said = _said(parts, reader, filters, asked, lang, exact, environment)
        async with aclosing(said) as events:
            async for event in events:
                match event:
                    case Sources(hits):
                        yield _sse("sources", {"sources": [suggestion_out(hit).model_dump() for hit in hits]})
                    case Text(delta):
                        yield _sse("text", {"delta": delta})
                    case Replaced(why):
                        yield _sse("replaced", {"why": why.value})
                    case Answered(result):
                        yield await last("answered", result)
                    case DidYouMean(result):
                        yield await last("did_you_mean", result)
                    case NoAnswer(result):
                        yield await last("no_answer", result)
    except KBError as error:
        yield _sse("error", {"code": error.code, "message": error.message})


def _said(
    parts: Services,
    reader: Principal,
    filters: Given,
    asked: Asked,
    lang: str | None,
    exact: bool,
    environment: str | None,
) -> AsyncGenerator[AnswerEvent, None]:
    """Answer what was asked, as it was understood."""
    return stream(
        parts.searcher,
        asked.understood.text,
        reader=reader,
        filters=filters.values,
        lang=lang,
        writer=parts.writer,
        exact=exact,
        environment=environment,
    )


def _sse(event: str, data: dict[str, object]) -> str:
    """One event. JSON keeps line breaks escaped, so the data is one line."""
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=True)}\n\n"


def _asked(parts: Services, reader: Principal, question: str, conversation: str | None, as_typed: bool) -> Asked:
    owner = parts.visitor(reader.subject)
    return ask(parts, reader, question, conversation=conversation, owner=owner, as_typed=as_typed)


def _log(parts: Services, reader: Principal, filters: Given, result: Answer, asked: Asked) -> str:
    happened = Happened(
        kind=EventKind.ANSWER,
        role=reader.role.value,
        space=reader.space,
        visitor=parts.visitor(reader.subject),
        text=result.question,
        data={**answer_event(result, asked), "filters": filters.given},
    )
    parts.events.add(happened)
    metrics.count_generation(result)
    return happened.uid
