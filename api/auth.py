"""Who is asking: an API key, or a person signed in with a browser. CSRF protection of the latter."""

import hashlib
import hmac
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import SecurityScopes

from api.services import Services
from kb import browser_sessions, keys
from kb.access import ANONYMOUS, Permission, Principal
from kb.browser_sessions import SignedIn
from kb.errors import Forbidden, Unauthenticated

COOKIE = "session"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Under https: a browser takes it only from this very host, and only over https."""
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


async def _sent_token(request: Request) -> str:
    """Return the CSRF token that an unsafe request of a browser brings, in its header or its form."""
    if request.method in _SAFE or "authorization" in request.headers or session_secret(request) is None:
        return ""
    if (given := request.headers.get(CSRF_HEADER)) is not None:
        return given
    if request.headers.get("content-type", "").startswith(_FORMS):
        value = (await request.form()).get(CSRF_FIELD)
        return value if isinstance(value, str) else ""
    return ""


def principal(request: Request, needed: SecurityScopes, token: Annotated[str, Depends(_sent_token)]) -> Principal:
    """Return who asks: the holder of the API key sent, else the person signed in, else the anonymous reader.

    `needed`: permissions that a key must have. Raises Unauthenticated for a key that is not valid, rather than quietly
    showing less; Forbidden for a key without the permission, or for a request that another site sent by this browser.
    """
    parts: Services = request.app.state.services
    header = request.headers.get("authorization")
    if header is None:
        return _person(request, parts, token)
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("send the key as: Authorization: Bearer KEY")
    with parts.db.read() as session:
        found = keys.principal(session, secret.strip())
    for name in needed.scopes:
        if found.permissions is not None and Permission(name) not in found.permissions:
            raise Forbidden(f"this key may not be used for {name!r}; ask for one with that permission")
    return found


def _person(request: Request, parts: Services, token: str) -> Principal:
    secret = session_secret(request)
    if secret is None:
        return ANONYMOUS
    with parts.db.read() as session:
        found = browser_sessions.find(session, secret)
    if found is None:
        return ANONYMOUS
    if request.method not in _SAFE and not hmac.compare_digest(token.encode(), csrf_token(secret).encode()):
        raise Forbidden("this form is not from our own page, or of an earlier sign-in; reload it and try again")
    browser_sessions.touch(parts.db, found)
    request.state.signed_in = found
    return found.principal


def signed_in(request: Request) -> SignedIn | None:
    """Return who is signed in in this browser, once `principal` has looked."""
    found: SignedIn | None = getattr(request.state, "signed_in", None)
    return found


def own_origin(request: Request) -> None:
    """Refuse what another site makes a browser send, before anybody is signed in. Raises Forbidden."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    parts: Services = request.app.state.services
    own = {f"{request.url.scheme}://{request.url.netloc}", parts.settings.public_url}
    if site not in (None, "same-origin", "none") or (origin is not None and origin not in own):
        raise Forbidden("this form was not sent from our own page; open the page here and try again")


def csrf_token(secret: str) -> str:
    """Return the token that forms of this session bring along; it tells nothing of the session itself."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def session_secret(request: Request) -> str | None:
    return request.cookies.get(SECURE_COOKIE if _secure(request) else COOKIE) or None


def keep_session(request: Request, response: Response, secret: str) -> None:
    """Give the browser its session."""
    parts: Services = request.app.state.services
    secure = _secure(request)
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        secret,
        int(life(parts).total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def drop_session(request: Request, response: Response) -> None:
    secure = _secure(request)
    response.delete_cookie(SECURE_COOKIE if secure else COOKIE, path="/", secure=secure, httponly=True, samesite="lax")


def life(parts: Services) -> timedelta:
    return timedelta(days=parts.settings.session_days)


def address(request: Request) -> str:
    """Return the network address of the browser."""
    return request.client.host if request.client is not None else "unknown"


def _secure(request: Request) -> bool:
    parts: Services = request.app.state.services
    return request.url.scheme == "https" or (parts.settings.public_url or "").startswith("https://")
