"""The web application, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import errors, metrics, web
from api.errors import Problem
from api.routes import (
    accounts,
    answer,
    attachments,
    bulk,
    cases,
    drafts,
    duplicates,
    events,
    fixed_answers,
    flags,
    gaps,
    health,
    history,
    ingest,
    items,
    replay,
    review,
    schedule,
    search,
    translations,
)
from api.services import Services

DESCRIPTION = """
A knowledge base that answers, in English and Chinese. Readers see what their API key may read; without a key, what is
public. Errors are problem details (RFC 9457) with a stable `code`.
"""


def create_app(services: Services, *, closing: bool = False) -> FastAPI:
    """Return the application over `services`, which the caller opens; `closing`: they are closed when it shuts down."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.follower.start()
        if services.postman is not None:
            services.postman.start()
        services.rounds.start()
        async with metrics.observed(services):
            yield
        if closing:
            await run_in_threadpool(services.close)

    app = FastAPI(
        title="Answerwell",
        version="0.1.0",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.services = services
    errors.install(app)
    metrics.install(app)
    editing = (items, review, drafts, history, schedule, bulk, replay, duplicates, gaps, translations, fixed_answers)
    for module in (search, answer, *editing, flags, attachments, cases, events, ingest, accounts, health):
        app.include_router(module.router)
    web.install(app)
    _describe_problem(app)
    return app


def _describe_problem(app: FastAPI) -> None:
    """Put what no route says of itself into the OpenAPI description: problem details, and API keys."""
    generate = app.openapi

    def described() -> dict[str, object]:
        if app.openapi_schema is None:
            schema = generate()
            parts = schema.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}}
            schema["security"] = [{}, {"key": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
