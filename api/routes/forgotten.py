"""The page of a forgotten password: a link by e-mail, where a mail server is set."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from api import auth
from api.web import Page
from kb import accounts, attempts, outbox
from kb.errors import InvalidInput, NotFound, TooManyAttempts
from kb.events import pseudonym
from kb.models import LetterKind, TokenPurpose

router = APIRouter(include_in_schema=False)

MOST_FOR_NAME = 3
"""Letters to one address within a quarter of an hour: a mailbox must not be filled from here."""


@router.get("/forgotten")
def forgotten_page(request: Request) -> Response:
    return _forgotten(request)


@router.post("/forgotten", dependencies=[Depends(auth.own_origin)])
def forgotten(request: Request, email: Annotated[str, Form()] = "") -> Response:
    """Have a link sent, if there is an account. Whether there is one is looked up by who sends it, not here:
    neither the answer nor the time it takes differ."""
    page = Page(request)
    parts = page.services
    if parts.postman is None:
        return _forgotten(request)
    try:
        folded = accounts.folded_email(email)
        by_name = pseudonym(parts.pseudonym_key, f"forgotten:{folded}")
        by_address = pseudonym(parts.pseudonym_key, f"address:{auth.address(request)}")
        with parts.db.write() as session:
            attempts.begin(session, {by_name: MOST_FOR_NAME, by_address: attempts.MOST_FOR_ADDRESS})
            outbox.put(session, LetterKind.RESET, folded, lang=page.lang, lives=accounts.LIVES[TokenPurpose.RESET])
    except InvalidInput as error:
        return _forgotten(request, email=email[:200], problem="email_unusable", status=error.status)
    except TooManyAttempts as error:
        response = _forgotten(request, email=email[:200], problem="forgotten_slow", status=error.status)
        response.headers["Retry-After"] = str(error.wait)
        return response
    return _forgotten(request, asked=folded)


def _forgotten(request: Request, *, email: str = "", problem: str = "", status: int = 200, asked: str = "") -> Response:
    page = Page(request)
    if page.services.postman is None:
        raise NotFound("no mail server is set here: ask an admin for a link")
    said = page.words(problem) if problem else ""
    return page.render("forgotten.html", status=status, email=email, problem=said, asked=asked)
