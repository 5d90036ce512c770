"""The self-help pages: templates, styles, small modules. Works without JavaScript; nothing is loaded from elsewhere."""

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from api import auth
from api.services import Services
from api.web.i18n import CATALOGUE, LANGUAGES, NAMES, Words, choose
from api.web.rendering import slug
from kb.access import Role
from kb.applies import Applies
from kb.models import Account

_HERE = Path(__file__).parent
LANGUAGE_COOKIE = "hl"
VISITOR_COOKIE = "visitor"
_YEAR = 365 * 24 * 3600
_TOLD = frozenset({401, 403, 404, 409, 413, 422, 429})
"""Errors that a page has words for."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def install(app: FastAPI) -> None:
    """Add the pages and their static files to the application."""
    from api.routes import (
        before_publishing,
        editing,
        flagging,
        forgotten,
        gaps_page,
        pages,
        people,
        resolving,
        reviewing,
        revisions,
        signing_in,
    )

    app.mount("/static", _Static(directory=_HERE / "static"), name="static")
    app.include_router(pages.router)
    app.include_router(signing_in.router)
    app.include_router(forgotten.router)
    app.include_router(before_publishing.router)  # before /edit/{ref}
    app.include_router(editing.router)
    app.include_router(reviewing.router)
    app.include_router(resolving.router)
    app.include_router(flagging.router)
    app.include_router(revisions.router)
    app.include_router(gaps_page.router)
    app.include_router(people.router)

    @app.middleware("http")
    async def secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        if not request.url.path.startswith("/v1/"):
            for name, value in SECURITY_HEADERS.items():
                response.headers.setdefault(name, value)
        return response


class _Static(StaticFiles):
    """Static files; the address of each holds a hash of its content, so browsers may keep them for good."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
        return response


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_VOWEL = re.compile(r"[aeiouy]")


@cache
def asset(name: str) -> str:
    """Return the address of a static file."""
    digest = hashlib.sha256((_HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def readable_name(value: str) -> str:
    """Return a label as people read it: vellamo-tv is Vellamo TV; 8.1, FibreBox and 路由器 stay as they are."""
    if not value.isascii() or any(c.isupper() or c.isspace() for c in value) or not value[:1].isalpha():
        return value
    words = value.replace("-", " ").replace("_", " ").split()
    # Short words without a vowel are abbreviations: TV, SMS, DNS, VPN.
    shown = [word.upper() if len(word) <= 4 and not _VOWEL.search(word) else word for word in words]
    return " ".join([shown[0][:1].upper() + shown[0][1:], *shown[1:]]) if shown else value


class Page:
    """One request for a page: its language, its visitor, and how it is rendered."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.services: Services = request.app.state.services
        self.asked_lang = request.query_params.get("hl")
        self.lang = choose(
            self.asked_lang,
            request.cookies.get(LANGUAGE_COOKIE),
            accept=request.headers.get("accept-language", ""),
            default=self.services.settings.site_language,
        )
        self.words = Words(self.lang)
        cookie = request.cookies.get(VISITOR_COOKIE, "")
        self._new_visitor = not (len(cookie) == 32 and cookie.isalnum() and cookie.isascii())
        self._visitor = secrets.token_hex(16) if self._new_visitor else cookie

    @property
    def visitor(self) -> str | None:
        """The pseudonym of this browser, for the event log."""
        return self.services.visitor(f"browser:{self._visitor}")

    def url(self, path: str, **query: str | int | None) -> str:
        """Return an address of ours; the language goes along where the reader asked for one in the address."""
        query = {"hl": self.asked_lang if self.asked_lang in LANGUAGES else None, **query}
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{path}?{urlencode(given)}" if given else path

    def sign_in(self, to: str | None = None) -> RedirectResponse:
        """Return the way to the page of signing in, from where people come back to `to` (default: this page)."""
        return RedirectResponse(self.url("/sign-in", to=to or self.request.url.path), 303)

    def applies_to(self, applies: Applies) -> str:
        """Return what a section applies to, in words."""
        named = {facet: values for facet, values in applies.items() if values}
        said = []
        for facet, values in named.items():
            listed = self.words("list_separator").join(map(readable_name, values))
            said.append(self.words("only_version", value=listed) if facet == "version" else listed)
        return self.words("only_for", value=" · ".join(said))

    def absolute(self, path: str) -> str:
        """Return an address of ours that can be sent to people."""
        base = self.services.settings.public_url or str(self.request.base_url).rstrip("/")
        return f"{base}{path}"

    def article(self, item: int, title: str, rank: int | None = None, origin: str | None = None) -> str:
        """Return the address of an item's page; with the search that led there and the rank, if any."""
        name = slug(title)
        path = f"/a/KB-{item}-{name}" if name else f"/a/KB-{item}"
        return self.url(path, **{"from": origin, "rank": rank if origin else None})

    def switch(self, lang: str) -> str:
        """Return the address of this page in another language."""
        query = [(n, v) for n, v in parse_qsl(self.request.url.query) if n not in ("hl", "from", "rank")]
        return f"{self.request.url.path}?{urlencode([*query, ('hl', lang)])}"

    @property
    def person(self) -> Account | None:
        """Who is signed in."""
        found = auth.signed_in(self.request)
        return found.known.account if found is not None else None

    def may(self, role: Role) -> bool:
        """Say whether who is signed in has this role or more somewhere."""
        found = auth.signed_in(self.request)
        return found is not None and found.principal.at_least(role)

    @property
    def csrf(self) -> Markup:
        """The hidden field that a form of somebody who is signed in has to have."""
        secret = auth.session_secret(self.request) if self.person is not None else None
        if secret is None:
            return Markup()
        return Markup('<input type="hidden" name="{}" value="{}">').format(auth.CSRF_FIELD, auth.csrf_token(secret))

    def error_words(self, status: int, message: str) -> dict[str, Any]:
        """Return what the page of an error says."""
        known = status if status in _TOLD else 500
        own = f"error_{status}_help"
        asking = status in (401, 403) and self.person is None and self.request.method == "GET"
        return {
            "heading": self.words(f"error_{known}"),
            "help": self.words(own if own in CATALOGUE[self.lang] else "error_help"),
            "detail": message if status in (403, 413, 422) else "",
            "sign_in": self.request.url.path if asking else "",
        }

    def render(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Return the page as a response, with the cookies it sets."""
        common: dict[str, Any] = {
            "t": self.words,
            "site": self.services.settings.site_name,
            "asset": asset,
            "url": self.url,
            "page": self.article,
            "name": readable_name,
            "applies_to": self.applies_to,
            "switch": self.switch,
            "languages": NAMES.items(),
            "hl": self.asked_lang if self.asked_lang in LANGUAGES else None,
            "question": "",
            "big": False,
            "alternates": [],
            "me": self.person,
            "resolves": self.may(Role.AGENT),
            "writes": self.may(Role.CONTRIBUTOR),
            "governs": self.may(Role.ADMIN),
            "csrf": self.csrf,
            "mails": self.services.postman is not None,
        }
        html = _environment().get_template(template).render(**{**common, **values})
        response = HTMLResponse(html.encode("utf-8", "replace"), status)
        response.headers["Vary"] = "Accept-Language, Cookie"
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["Content-Language"] = self.lang
        secure = self.request.url.scheme == "https"
        if self.asked_lang in LANGUAGES and self.request.cookies.get(LANGUAGE_COOKIE) != self.asked_lang:
            response.set_cookie(LANGUAGE_COOKIE, self.lang, _YEAR, samesite="lax", httponly=True, secure=secure)
        if self._new_visitor:
            response.set_cookie(VISITOR_COOKIE, self._visitor, _YEAR, samesite="lax", httponly=True, secure=secure)
        return response


def render_error(request: Request, status: int, code: str, message: str) -> Response:
    """Return an error as a page in the reader's language, with a way on."""
    page = Page(request)
    return page.render("error.html", status=status, **page.error_words(status, message))
