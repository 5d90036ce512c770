"""The pages of signing in: sign in and out, choosing a password by a link, one's own account."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from api import auth
from api.deps import ReaderDep
from api.web import Page
from api.web.browsers import device
from kb import accounts, browser_sessions, spaces
from kb.access import Principal
from kb.errors import Conflict, InvalidInput, KBError, TooManyAttempts, Unauthenticated
from kb.models import TokenPurpose

router = APIRouter(include_in_schema=False)

OwnOrigin = Depends(auth.own_origin)
Field = Annotated[str, Form()]


@router.get("/sign-in")
def sign_in_page(request: Request, reader: ReaderDep, to: str = "") -> Response:
    if reader.account is not None:
        return RedirectResponse(own_path(to) or "/account", 303)
    return Page(request).render("sign_in.html", email="", to=own_path(to), problem="")


@router.post("/sign-in", dependencies=[OwnOrigin])
def sign_in(request: Request, email: Field = "", password: Field = "", to: Field = "") -> Response:
    page = Page(request)
    parts = page.services
    try:
        secret = browser_sessions.sign_in(
            parts.db,
            parts.pseudonym_key,
            email,
            password,
            address=auth.address(request),
            device=device(request.headers.get("user-agent", "")),
            life=auth.life(parts),
        )
    except (Unauthenticated, TooManyAttempts) as error:
        slow = isinstance(error, TooManyAttempts)
        response: Response = page.render(
            "sign_in.html",
            status=error.status,
            email=email[:200],
            to=own_path(to),
            problem=page.words("sign_in_slow" if slow else "sign_in_wrong"),
        )
        if isinstance(error, TooManyAttempts):
            response.headers["Retry-After"] = str(error.wait)
        return response
    response = RedirectResponse(own_path(to) or page.url("/"), 303)
    auth.keep_session(request, response, secret)
    return response


@router.post("/sign-out")
def sign_out(request: Request, reader: ReaderDep, everywhere: Field = "") -> Response:
    page = Page(request)
    secret = auth.session_secret(request)
    if reader.account is not None and secret is not None:
        with page.services.db.write() as session:
            browser_sessions.end(session, secret)
            if everywhere:
                browser_sessions.end_all(session, reader)
    response = RedirectResponse(page.url("/"), 303)
    auth.drop_session(request, response)
    return response


@router.get("/welcome/{secret}")
def welcome_page(request: Request, secret: str) -> Response:
    """Choose a password: by an invitation, a reset, or as the first admin."""
    return _welcome(Page(request), secret)


@router.post("/welcome/{secret}", dependencies=[OwnOrigin])
def welcome(
    request: Request, secret: str, password: Field = "", again: Field = "", name: Field = "", email: Field = ""
) -> Response:
    page = Page(request)
    parts = page.services
    given = {"name": name[:200], "email": email[:200]}
    if password != again:
        return _welcome(page, secret, page.words("password_differs"), 422, **given)
    try:
        with parts.db.write() as session:
            account = accounts.accept(session, secret, password, name=name, email=email)
            begun = browser_sessions.begin(
                session, account, device=device(request.headers.get("user-agent", "")), life=auth.life(parts)
            )
    except (InvalidInput, Conflict) as error:
        return _welcome(page, secret, _said(page, error), error.status, **given)
    response = RedirectResponse(page.url("/account"), 303)
    auth.keep_session(request, response, begun)
    return response


@router.get("/account")
def account_page(request: Request, reader: ReaderDep) -> Response:
    page = Page(request)
    if reader.account is None:
        return page.sign_in()
    return _account(page, reader)


@router.post("/account/password")
def change_password(
    request: Request, reader: ReaderDep, old: Field = "", password: Field = "", again: Field = ""
) -> Response:
    """Change one's password; every session ends, also this one."""
    page = Page(request)
    if reader.account is None:
        return page.sign_in("/account")
    if password != again:
        return _account(page, reader, page.words("password_differs"), 422)
    parts = page.services
    try:
        browser_sessions.change_password(parts.db, reader, old, password, key=parts.pseudonym_key)
    except (InvalidInput, Unauthenticated, TooManyAttempts) as error:
        return _account(page, reader, _said(page, error), error.status)
    response = page.sign_in("/account")
    auth.drop_session(request, response)
    return response


def _welcome(
    page: Page, secret: str, problem: str = "", status: int = 200, *, name: str = "", email: str = ""
) -> Response:
    with page.services.db.read() as session:
        try:
            token = accounts.opened(session, secret, *TokenPurpose)
        except Unauthenticated as error:
            return page.render("error.html", status=error.status, **page.error_words(error.status, ""))
        purpose = token.purpose
        account = accounts.of_token(session, token)
    return page.render(
        "welcome.html",
        status=status,
        purpose=purpose.value,
        email=account.email if account is not None else email,
        fixed=account is not None,
        person=name or (account.name if account is not None else ""),
        problem=problem,
    )


def _account(page: Page, reader: Principal, problem: str = "", status: int = 200) -> Response:
    found = auth.signed_in(page.request)
    assert found is not None
    with page.services.db.read() as session:
        names = {space.id: space.name for space in spaces.all_spaces(session)}
        open_now = browser_sessions.of_account(session, int(reader.account or 0))
    ranked = sorted(reader.grants, key=lambda grant: -grant.role.rank)
    return page.render(
        "account.html",
        status=status,
        person=found.known.account,
        grants=[(grant.role.value, names.get(grant.space, "")) for grant in ranked],
        sessions=[(row, row.id_hash == found.session.id_hash) for row in open_now],
        problem=problem,
    )


def _said(page: Page, error: KBError) -> str:
    """Return what went wrong in the page's language: an error's own sentence is for programs."""
    if isinstance(error, TooManyAttempts):
        return page.words("sign_in_slow")
    if isinstance(error, Unauthenticated):
        return page.words("password_wrong")
    return page.words(f"{error.field}_unusable" if error.field in ("password", "email", "name") else "error_422")


def own_path(to: str) -> str:
    """Return the path of ours that `to` leads to, or nothing: a link must not send people who sign in elsewhere."""
    try:
        parts = urlsplit(to)
    except ValueError:
        return ""
    plain = to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isprintable()
    return to if plain and not parts.scheme and not parts.netloc else ""
