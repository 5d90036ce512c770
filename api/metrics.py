"""Prometheus metrics. Labels have few values by construction: never a question, an id or a path as typed."""

import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from api.services import Services

REGISTRY = CollectorRegistry()

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

REQUESTS = Counter("answerwell_requests_total", "Requests served.", ["method", "route", "status"], registry=REGISTRY)
SECONDS = Histogram(
    "answerwell_request_seconds", "Seconds from request to response.", ["route"], buckets=_BUCKETS, registry=REGISTRY
)
PASSAGES = Gauge("answerwell_index_passages", "Live passages in the index.", registry=REGISTRY)
WATERMARK = Gauge("answerwell_index_watermark", "Last change-log number that searches see.", registry=REGISTRY)
BEHIND = Gauge(
    "answerwell_index_behind", "Change-log numbers that the index is behind the database.", registry=REGISTRY
)
GENERATION = Gauge("answerwell_index_generation", "Number of the generation that is searched.", registry=REGISTRY)
LOST = Gauge("answerwell_events_lost", "Events dropped since the start.", registry=REGISTRY)


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


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def observe_state(parts: Services) -> None:
    """Set the gauges to the present state."""
    PASSAGES.set(parts.index.stats().passages)
    WATERMARK.set(parts.indexer.watermark)
    BEHIND.set(parts.indexer.behind())
    GENERATION.set(parts.generation.number)
    LOST.set(parts.events.lost)
