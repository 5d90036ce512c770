"""Prometheus metrics. Labels have few values by construction: never a question, an id or a path as typed.

With several workers (PROMETHEUS_MULTIPROC_DIR is set, by `api.workers`) each writes its values to files there, and
whichever is asked adds them up: counters and histograms over all, also those that have ended. How far the index is
behind is that of the worst worker alive, passages and watermark are the last that any of them saw.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.services import Services
from kb.errors import KBError
from retrieval.answer import Answer

REGISTRY = CollectorRegistry()

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

REQUESTS = Counter("answerwell_requests_total", "Requests served.", ["method", "route", "status"], registry=REGISTRY)
SECONDS = Histogram(
    "answerwell_request_seconds", "Seconds from request to response.", ["route"], buckets=_BUCKETS, registry=REGISTRY
)
PASSAGES = Gauge(
    "answerwell_index_passages", "Live passages in the index.", registry=REGISTRY, multiprocess_mode="livemostrecent"
)
GENERATION = Gauge(
    "answerwell_index_generation",
    "Number of the generation that is searched.",
    registry=REGISTRY,
    multiprocess_mode="livemin",
)
WATERMARK = Gauge(
    "answerwell_index_watermark",
    "Last change-log number that searches see.",
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
BEHIND = Gauge(
    "answerwell_index_behind",
    "Change-log numbers that the index is behind the database.",
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
GENERATIONS = Counter(
    "answerwell_generations_total",
    "Answers asked of the language model, by what came of it: generated, or why the extract was served.",
    ["outcome"],
    registry=REGISTRY,
)
LOST = Gauge("answerwell_events_lost", "Events dropped since the start.", registry=REGISTRY, multiprocess_mode="sum")

OBSERVED_SECONDS = 2.0
"""How old another worker's gauges may be."""


def install(app: FastAPI) -> None:
    """Count and time every request by the route that served it."""

    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        status = 500
        try:
            response = await call_next(request)
            status = response.status_code
            return response
        finally:
            route = getattr(request.scope.get("route"), "path", "none")
            REQUESTS.labels(request.method if request.method in _METHODS else "other", route, str(status)).inc()
            SECONDS.labels(route).observe(time.perf_counter() - started)


def count_generation(answer: Answer) -> None:
    """Count what came of asking the language model for an answer, if it was asked."""
    if answer.generation is not None:
        GENERATIONS.labels(answer.generation.outcome.value).inc()


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def observe_state(parts: Services) -> None:
    """Set the gauges to the present state."""
    PASSAGES.set(parts.index.stats().passages)
    WATERMARK.set(parts.indexer.watermark)
    BEHIND.set(parts.indexer.behind())
    GENERATION.set(parts.generation.number)
    LOST.set(parts.events.lost)


@asynccontextmanager
async def observed(parts: Services) -> AsyncIterator[None]:
    """With several workers, keep this one's gauges fresh for whichever of them is asked."""
    if not _several():
        yield
        return

    async def observe() -> None:
        while True:
            with suppress(KBError, SQLAlchemyError):  # a database that is away for a while is not the end of metrics
                await run_in_threadpool(observe_state, parts)
            await asyncio.sleep(OBSERVED_SECONDS)

    task = asyncio.create_task(observe())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def exposition(parts: Services) -> bytes:
    """Return what Prometheus reads: of this process, or of all workers together."""
    observe_state(parts)
    if not _several():
        return bytes(generate_latest(REGISTRY))
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return bytes(generate_latest(together))


def _several() -> bool:
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ
