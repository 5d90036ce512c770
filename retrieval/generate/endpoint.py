"""Asking a server that speaks OpenAI's chat completions, as a stream; every way that can fail is one Outcome."""

import asyncio
import json
import math
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar

import httpx2

from retrieval.generate.outcome import Failed, Outcome

T = TypeVar("T")

LONGEST_ANSWER = 6_000
"""Characters of an answer after which no more of it is read."""
_LONGEST_EVENT = 256 * 1024
_LONGEST_ERROR = 16 * 1024
_CODE = re.compile(r"[A-Za-z_]{3,40}")

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model on one server. Holds no connection: each question opens its own, so that it can be cut off alone."""

    base_url: str
    """As OpenAI's clients take it, such as http://127.0.0.1:8000/v1."""
    model: str
    api_key: str | None = field(default=None, repr=False)
    first_token: float = 10.0
    """Seconds to wait for the connection, for the first token, and between two tokens."""
    whole: float = 60.0
    """Seconds until the end of the answer."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request, such as temperature."""

    async def complete(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Yield the text of the answer piece by piece, to its end. Raises Failed.

        Closing the iterator, or cancelling the task, closes the connection: the server stops.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.whole

        async def within(awaited: Awaitable[T], late: Outcome) -> T:
            left = deadline - loop.time()
            try:
                async with asyncio.timeout(min(self.first_token, left)):
                    return await awaited
            except TimeoutError:
                raise Failed(Outcome.TIMEOUT_WHOLE if left <= self.first_token else late) from None

        try:
            async with AsyncExitStack() as opened:
                response = await within(self._ask(opened, messages), Outcome.TIMEOUT_FIRST_TOKEN)
                pieces = await opened.enter_async_context(aclosing(_pieces(response)))
                late, length = Outcome.TIMEOUT_FIRST_TOKEN, 0
                while (piece := await within(anext(pieces, None), late)) is not None:
                    late = Outcome.TIMEOUT_BETWEEN_TOKENS
                    length += len(piece)
                    if length > LONGEST_ANSWER:
                        raise Failed(Outcome.TOO_LONG, f"over {LONGEST_ANSWER} characters")
                    if piece:
                        yield piece
        except httpx2.HTTPError as error:
            raise Failed(_transport(error), type(error).__name__) from None

    async def _ask(self, opened: AsyncExitStack, messages: Sequence[Message]) -> httpx2.Response:
        client = await opened.enter_async_context(
            httpx2.AsyncClient(timeout=httpx2.Timeout(None, connect=self.first_token), verify=_certificates())
        )
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        body = {**self.options, "model": self.model, "messages": list(messages), "stream": True}
        request = client.build_request(
            "POST", f"{self.base_url.rstrip('/')}/chat/completions", json=body, headers=headers
        )
        response = await client.send(request, stream=True)  # redirects are not followed: the key goes nowhere else
        opened.push_async_callback(response.aclose)
        if response.status_code != 200:
            raise await _refusal(response, self.api_key)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            raise Failed(Outcome.NOT_A_STREAM, f"content type {kind[:60]!r}")
        return response


async def _pieces(response: httpx2.Response) -> AsyncGenerator[str, None]:
    """Yield text as it comes; an empty piece where the model did something else, such as thinking."""
    finished = False
    async for event in httpx2.EventSource(response, _LONGEST_EVENT):
        if event.data.strip() == "[DONE]":
            return
        chunk = _decoded(event.data)
        if chunk.get("error"):
            raise Failed(Outcome.SERVER_ERROR, "an error in the stream")
        for choice in chunk.get("choices") or ():
            delta = _dict(_dict(choice).get("delta") or {})
            if delta.get("refusal"):
                raise Failed(Outcome.REFUSED, "refusal")
            content = delta.get("content")
            if content is not None and not isinstance(content, str):
                raise Failed(Outcome.INVALID_STREAM, "content that is no text")
            if not finished:
                yield content or ""
            match choice.get("finish_reason"):
                case None:
                    pass
                case "content_filter":
                    raise Failed(Outcome.REFUSED, "content_filter")
                case "length":
                    raise Failed(Outcome.TOO_LONG, "the model's own limit")
                case _:
                    finished = True  # what may follow is usage, then [DONE]
    if not finished:
        raise Failed(Outcome.BROKEN_STREAM, "it ended before the answer did")


def _decoded(data: str) -> dict[str, Any]:
    try:
        return _dict(json.loads(data))
    except (ValueError, RecursionError):
        raise Failed(Outcome.INVALID_STREAM, "not JSON") from None


def _dict(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Failed(Outcome.INVALID_STREAM, "not the shape of a chat completion")
    return value


async def _refusal(response: httpx2.Response, key: str | None) -> Failed:
    """Return what an HTTP status that is not 200 means."""
    status = response.status_code
    body = b""
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > _LONGEST_ERROR:
                break
        named = _named(json.loads(body[:_LONGEST_ERROR]), key)
    except (httpx2.HTTPError, ValueError, RecursionError):
        named = ""
    outcome = {
        401: Outcome.UNAUTHORIZED,
        403: Outcome.UNAUTHORIZED,
        404: Outcome.MODEL_NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    }.get(status, Outcome.SERVER_ERROR if status >= 500 else Outcome.REJECTED)
    wait = _seconds(response.headers.get("retry-after", "")) if status in (429, 503) else None
    return Failed(outcome, f"HTTP {status} {named}".strip(), retry_after=wait)


def _named(answer: object, key: str | None) -> str:
    """Return the error's code or type, a word, for the log. Its message is left out: some servers repeat the key."""
    error = answer.get("error") if isinstance(answer, dict) else None
    for name in ("code", "type"):
        word = error.get(name) if isinstance(error, dict) else None
        if isinstance(word, str) and _CODE.fullmatch(word) and word not in (key or ""):
            return word
    return ""


def _seconds(header: str) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110): a number of seconds, or a date."""
    text = header.strip()[:40]
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):  # TypeError: a date without a zone
            return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _transport(error: httpx2.HTTPError) -> Outcome:
    match error:
        case httpx2.ConnectTimeout():
            return Outcome.TIMEOUT_CONNECT
        case httpx2.ConnectError() | httpx2.ProxyError() | httpx2.UnsupportedProtocol():
            return Outcome.UNREACHABLE
        case httpx2.SSEError() | httpx2.DecodingError():
            return Outcome.INVALID_STREAM
        case _:
            return Outcome.BROKEN_STREAM


@cache
def _certificates() -> ssl.SSLContext:
    """Return what certificates are checked with; loading them for each question would take longer than asking."""
    return httpx2.create_ssl_context()
