"""Errors as problem details (RFC 9457) with our stable codes; for browsers, as a page in their language."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from kb.errors import KBError, TooManyAttempts, shown

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

PERSONAL = ("/v1/cases", "/cases")
"""Paths whose requests hold what customers said before it is redacted: no error says any of it again."""


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is stable; docs/errors.md lists all."""

    type: str = Field(description="about:blank, as the code says what it is.")
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (400, 401, 403, 404, 409, 413, 422, 429, 503)
}
"""What the OpenAPI description says of errors, for every route."""


def install(app: FastAPI) -> None:
    """Turn every error into an answer; none of ours is a traceback to the reader."""
    app.add_exception_handler(KBError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_exception_handler(Exception, _unforeseen)


def problem(
    request: Request, status: int, code: str, detail: str, field: str | None = None, *, wait: int | None = None
) -> Response:
    """Return the error in the form that the request accepts: a page, or problem details. `wait`: seconds to wait."""
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    if wait is not None:
        headers["Retry-After"] = str(wait)
    if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/"):
        from api.web import render_error

        page = render_error(request, status, code, detail)
        page.headers.update(headers)
        return page
    body = Problem(
        type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, field=field
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, headers, media_type=MEDIA_TYPE)


def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, KBError)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s %s: %s", request.method, request.url.path, error)
    wait = error.wait if isinstance(error, TooManyAttempts) else None
    return problem(request, error.status, error.code, error.message, error.field, wait=wait)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    told = "input" in first and first["type"] != "missing" and not request.url.path.startswith(PERSONAL)
    given = f", not {shown(first['input'])}" if told else ""
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_input",
        f"{place or 'the request'}: {first['msg']}{given}",
        place or None,
    )


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem(request, error.status_code, code, str(error.detail))


def _database(request: Request, error: Exception) -> Response:
    log.error("%s %s: %s", request.method, request.url.path, error)
    return problem(
        request, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "the database cannot be reached; try again in a moment"
    )


def _left(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # read by nobody; counted as what it is, under the number that proxies use


def _unforeseen(request: Request, error: Exception) -> Response:
    log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "something went wrong here; it was logged")
