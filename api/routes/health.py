"""Health, readiness and Prometheus metrics."""

import os

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from api.deps import ServicesDep
from api.metrics import exposition

router = APIRouter(tags=["operation"])

MOST_BEHIND = 10_000
"""Change-log rows that the index may be behind and still be called ready."""


@router.get("/healthz", operation_id="health", response_class=PlainTextResponse)
def health() -> PlainTextResponse:
    """The process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz", operation_id="readiness", responses={503: {"description": "Not yet, or not at present."}})
def ready(parts: ServicesDep) -> Response:
    """Whether this worker can serve searches: database reachable, index nearly level, indexing without error."""
    with parts.db.read() as session:
        session.connection().execute(text("SELECT 1"))
    behind = parts.indexer.behind()
    error = parts.follower.error
    good = behind <= MOST_BEHIND and error is None
    body = {
        "ready": good,
        "behind": behind,
        "watermark": parts.indexer.watermark,
        "generation": parts.generation.number,
        "switching": "failing" if parts.follower.switch_error else "ok",
        "indexing": "failing" if error else "ok",
        "worker": os.getpid(),
    }
    return JSONResponse(body, 200 if good else 503)


@router.get("/metrics", operation_id="metrics", response_class=PlainTextResponse)
def metrics(parts: ServicesDep) -> Response:
    """Prometheus metrics, of all workers together."""
    return Response(exposition(parts), media_type=CONTENT_TYPE_LATEST)
