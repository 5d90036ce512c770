"""Every route against every role, in its own space, below it and elsewhere, on items in every state.

`LEAST` names every route with the least role that it takes. A route that is not in it fails the test, so nobody can add
one without saying who may use it. Who may not is refused, sees nothing of what it is about, and changes nothing.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func
from sqlmodel import Session, select

from api.app import create_app
from api.auth import csrf_token
from api.services import Services
from kb import accounts, attachments, browser_sessions, editorial, keys, review, spaces
from kb.access import SYSTEM, Role
from kb.content import Content, Profile
from kb.file_store import digest_of
from kb.models import Account, Audience, AuditRow, Item, Kind, Revision, State

MARK = "zyxmark"
"""In the texts of all items of this test that a customer may not read."""
PICTURE = b"\x89PNG\r\n\x1a\n"
"""Used by all items of this test."""
NOBODY, CUSTOMER, AGENT = Role.ANONYMOUS, Role.CUSTOMER, Role.AGENT
CONTRIBUTOR, PUBLISHER, EDITOR, ADMIN = Role.CONTRIBUTOR, Role.PUBLISHER, Role.EDITOR, Role.ADMIN

LEAST: dict[str, Role] = {
    # Open to all: what is shown is narrowed to the reader (tests/integration/test_leaks.py).
    **dict.fromkeys(
        [
            "GET /v1/openapi.json", "GET /v1/search", "POST /v1/search", "GET /v1/answer", "POST /v1/answer",
            "GET /v1/answer/stream", "POST /v1/answer/stream", "GET /healthz", "GET /readyz", "GET /metrics", "GET /",
            "GET /search", "GET /written", "GET /instant", "GET /p/{product}", "GET /t/{topic}", "GET /v1/me",
            "GET /v1/spaces", "GET /sign-in", "POST /sign-in", "POST /sign-out", "GET /welcome/{secret}",
            "POST /welcome/{secret}", "GET /account", "POST /account/password", "POST /v1/me/sign-out",
            "GET /forgotten", "POST /forgotten",
        ],
        NOBODY,
    ),
    # An internal item, by its number: read while it is published, by who reads what is internal.
    "GET /v1/items/{item}": AGENT,
    "GET /a/{ref:path}": AGENT,
    "POST /vote/{ref}": AGENT,
    "POST /report/{ref}": AGENT,
    "POST /v1/items/{item}/flags": AGENT,
    "POST /v1/events": AGENT,
    "GET /files/{digest}/{name}": AGENT,  # of internal items; tests/integration/test_attachments.py has others
    # Capturing what was learnt from a case.
    "POST /v1/cases": AGENT,
    "POST /v1/cases/review": AGENT,
    "GET /cases/new": AGENT,
    "POST /cases/new": AGENT,
    # Writing, in the item's space.
    "POST /v1/items": CONTRIBUTOR,
    "PUT /v1/items/{item}": CONTRIBUTOR,
    "POST /v1/items/{item}/replay": CONTRIBUTOR,
    "GET /v1/items/{item}/duplicates": CONTRIBUTOR,
    "POST /v1/duplicates": CONTRIBUTOR,
    "POST /v1/attachments": CONTRIBUTOR,
    "POST /edit/attach": CONTRIBUTOR,
    "GET /edit": CONTRIBUTOR,
    "GET /edit/new": CONTRIBUTOR,
    "POST /edit/new": CONTRIBUTOR,
    "POST /edit/preview": CONTRIBUTOR,
    "POST /edit/duplicates": CONTRIBUTOR,
    "GET /edit/{ref}": CONTRIBUTOR,
    "POST /edit/{ref}": CONTRIBUTOR,
    "POST /edit/{ref}/replay": CONTRIBUTOR,
    "POST /edit/{ref}/review": CONTRIBUTOR,
    "GET /edit/{ref}/history": CONTRIBUTOR,
    "POST /edit/{ref}/restore": CONTRIBUTOR,
    "POST /v1/items/{item}/publish": PUBLISHER,
    "GET /v1/items/{item}/revisions": AGENT,
    "GET /v1/items/{item}/revisions/{n}": AGENT,
    "GET /v1/items/{item}/diff": AGENT,
    "POST /v1/items/{item}/revisions/{n}/restore": CONTRIBUTOR,
    "POST /v1/items/{item}/merge-preview": CONTRIBUTOR,
    "GET /v1/items/{item}/translations": AGENT,
    "POST /v1/items/{item}/translations": CONTRIBUTOR,
    "PUT /v1/items/{item}/translations": CONTRIBUTOR,
    "GET /v1/items/{item}/flags": CONTRIBUTOR,
    "POST /v1/flags/{number}": CONTRIBUTOR,
    "POST /edit/{ref}/flags": CONTRIBUTOR,
    "GET /v1/items/{item}/reviews": CONTRIBUTOR,
    "GET /v1/items/{item}/status": CONTRIBUTOR,
    "GET /v1/gaps": CONTRIBUTOR,
    "GET /v1/gaps/{number}": CONTRIBUTOR,
    "POST /v1/gaps/{number}/{act}": CONTRIBUTOR,
    "GET /gaps": CONTRIBUTOR,
    "POST /gaps/{number}": CONTRIBUTOR,
    "GET /v1/items/{item}/editing": CONTRIBUTOR,
    "GET /v1/items/{item}/schedule": CONTRIBUTOR,
    "GET /v1/reviews": CONTRIBUTOR,
    "GET /v1/schedule": CONTRIBUTOR,
    "GET /v1/drafts": CONTRIBUTOR,
    "GET /v1/drafts/{key}": CONTRIBUTOR,
    "PUT /v1/drafts/{key}": CONTRIBUTOR,
    "DELETE /v1/drafts/{key}": CONTRIBUTOR,
    "POST /v1/items/bulk": CONTRIBUTOR,
    "POST /v1/items/{item}/submit": CONTRIBUTOR,
    "POST /v1/items/{item}/withdraw": CONTRIBUTOR,
    "POST /v1/items/{item}/approve": PUBLISHER,
    "POST /v1/items/{item}/defer": Role.COACH,
    "PUT /v1/items/{item}/schedule/{action}": EDITOR,
    "DELETE /v1/items/{item}/schedule/{action}": EDITOR,
    "POST /v1/items/{item}/retire": EDITOR,
    "POST /v1/items/{item}/merge": EDITOR,
    "POST /v1/items/{item}/unmerge": EDITOR,
    "GET /v1/duplicates": EDITOR,
    "GET /v1/duplicates/{number}": EDITOR,
    "POST /v1/duplicates/{number}/decide": EDITOR,
    "POST /v1/ingest": EDITOR,
    **{
        f"{route}": EDITOR
        for route in (
            "GET /v1/fixed-answers", "GET /v1/fixed-answers/{item}", "POST /v1/fixed-answers",
            "PUT /v1/fixed-answers/{item}", "POST /v1/fixed-answers/{item}/submit",
            "POST /v1/fixed-answers/{item}/approve", "POST /v1/fixed-answers/{item}/retire",
        )
    },
    # Rights.
    **dict.fromkeys(
        [
            "GET /v1/accounts", "POST /v1/accounts", "PUT /v1/accounts/{email}/grants",
            "DELETE /v1/accounts/{email}/grants", "PUT /v1/accounts/{email}/groups",
            "POST /v1/accounts/{email}/disable", "POST /v1/accounts/{email}/enable",
            "POST /v1/accounts/{email}/invite", "POST /v1/accounts/{email}/reset", "GET /v1/keys", "POST /v1/keys",
            "DELETE /v1/keys/{name}", "POST /v1/spaces", "GET /v1/audit", "GET /people", "POST /people", "GET /audit",
        ],
        ADMIN,
    ),
}  # fmt: skip

PUBLISHED_ONLY = frozenset({"GET /a/{ref:path}", "POST /vote/{ref}", "POST /report/{ref}"})
"""Show what is published, to everybody alike."""
ENDING = frozenset({"POST /sign-out", "POST /v1/me/sign-out"})
OF_ITEM = [route for route in LEAST if "{item}" in route or "{ref" in route]

ARTICLE = {"title": f"{MARK} anew", "based_on": 1, "audience": "internal"}
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/items": {"title": f"{MARK} new", "space": "lake"},
    "PUT /v1/items/{item}": ARTICLE,
    "POST /v1/items/{item}/merge": {"into": "KB-1"},
    "POST /v1/events": {"kind": "link", "item": "KB-1", "text": "a case"},
    "POST /v1/duplicates": {"title": "anything"},
    "POST /v1/cases": {"number": "C-1", "title": f"{MARK} case", "space": "lake"},
    "POST /v1/cases/review": {"number": "C-1", "title": "anything"},
    "POST /v1/duplicates/{number}/decide": {"state": "not_duplicate"},
    "POST /v1/fixed-answers": {"question": "q", "answer": "a", "space": "lake"},
    "PUT /v1/fixed-answers/{item}": {"question": "q", "answer": "a", "based_on": 1},
    "POST /v1/fixed-answers/{item}/submit": {},
    "POST /v1/items/{item}/revisions/{n}/restore": {"based_on": 1},
    "POST /v1/items/{item}/merge-preview": {"title": "a", "based_on": 1},
    "POST /v1/items/{item}/translations": {"lang": "zh"},
    "PUT /v1/items/{item}/translations": {"source": True},
    "POST /v1/items/{item}/submit": {},
    "POST /v1/items/{item}/flags": {"reason": "outdated"},
    "POST /v1/flags/{number}": {"state": "fixed"},
    "POST /v1/items/{item}/approve": {"revision": 1},
    "POST /v1/items/{item}/defer": {"message": "no"},
    "PUT /v1/items/{item}/schedule/{action}": {"at": "2099-01-01T00:00:00Z"},
    "PUT /v1/drafts/{key}": {"title": "a", "based_on": 1},
    "POST /v1/items/bulk": {"items": ["KB-1"], "action": "owner", "value": "ann"},
    "POST /v1/accounts": {"email": "new@example.org", "role": "customer", "space": "lake"},
    "PUT /v1/accounts/{email}/grants": {"role": "customer", "space": "lake"},
    "PUT /v1/accounts/{email}/groups": {"groups": ["gold"]},
    "POST /v1/keys": {"name": "new", "role": "customer", "space": "lake"},
    "POST /v1/spaces": {"key": "bay", "name": "Bay", "parent": "lake"},
}
FORMS: dict[str, dict[str, str]] = {
    "POST /cases/new": {"number": "C-2", "title": f"{MARK} case", "space": "lake", "action": "keep"},
    "POST /edit/new": {"title": f"{MARK} new", "space": "lake"},
    "POST /edit/preview": {"title": "a"},
    "POST /edit/duplicates": {"title": "a"},
    "POST /edit/{ref}": {"title": f"{MARK} anew", "based_on": "1"},
    "POST /edit/{ref}/review": {"action": "withdraw"},
    "POST /edit/{ref}/restore": {"revision": "1", "based_on": "1"},
    "POST /report/{ref}": {"reason": "outdated"},
    "POST /edit/{ref}/flags": {"number": "1", "state": "fixed"},
    "POST /gaps/{number}": {"action": "draft"},
    "POST /vote/{ref}": {"helpful": "yes", "revision": "1"},
    "POST /people": {"action": "add", "email": "new@example.org", "role": "customer", "space": "lake"},
}


def routes(some: Iterable[Any]) -> Iterator[str]:
    """Yield all routes, those of included routers too, as `GET /path`."""
    for route in some:
        if hasattr(route, "effective_route_contexts"):
            yield from routes(route.effective_route_contexts())
        else:
            for method in sorted((getattr(route, "methods", None) or set()) - {"HEAD"}):
                yield f"{method} {route.path}"


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with services.db.write() as session:
        spaces.add(session, "lake", name="Lake")
        spaces.add(session, "shore", name="Shore", parent="lake")
        spaces.add(session, "harbour", name="Harbour")
        accounts.add(session, "known@example.org", actor=SYSTEM, role="customer", space_id=space_id(session, "lake"))
    attachments.upload(services.db, services.files, PICTURE, "x.png", most=100, actor=SYSTEM)
    with TestClient(create_app(services), raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


def space_id(session: Session, key: str) -> int:
    return int(spaces.by_key(session, key).id or 0)


def an_item(session: Session, state: State, kind: Kind = Kind.ARTICLE, space: str = "lake") -> str:
    """Add an internal item of a space in a state; return its number."""
    item, revision = editorial.create(
        session,
        Content(title=f"{MARK} text", body=f"{MARK} body ![x](/files/{digest_of(PICTURE)}/x.png)"),
        Profile(kind=kind, audience=Audience.INTERNAL),
        actor=SYSTEM,
        space_id=space_id(session, space),
    )
    if state in (State.PUBLISHED, State.RETIRED):
        if kind is Kind.FIXED:
            review.submit(session, item, actor=SYSTEM)
            review.approve(session, item, actor=SYSTEM)
        else:
            editorial.publish(session, item, revision, actor=SYSTEM)
    if state is State.RETIRED:
        editorial.retire(session, item, actor=SYSTEM)
    item.state = state
    session.add(item)
    return item.number


def headers_of(session: Session, role: Role, space: str, by: str, number: int) -> dict[str, str]:
    """Return what a request of this role sends: a key, or the session of somebody who has signed in."""
    if role is NOBODY:
        return {}
    where = space_id(session, space)
    if by == "key":
        return {"Authorization": f"Bearer {keys.add(session, f'k{number}', role, actor=SYSTEM, space_id=where)}"}
    account, _ = accounts.add(
        session, f"p{number}@example.org", actor=SYSTEM, role=role, space_id=where, password="four plain words"
    )
    secret = browser_sessions.begin(session, account, device="", life=timedelta(hours=1))
    return {"Cookie": f"session={secret}", "X-CSRF-Token": csrf_token(secret)}


def sent(client: TestClient, route: str, item: str, headers: dict[str, str]) -> Any:
    """Send the request of a route."""
    method, path = route.split(" ")
    names = {
        "item": item,
        "ref": item,
        "ref:path": item,
        "email": "known@example.org",
        "name": "nothing",
        "number": "1",
        "n": "1",
        "key": "new-1",
        "action": "retire",
        "act": "draft",
        "digest": digest_of(PICTURE),
    }
    for name, value in {**names, "product": "tv", "topic": "wifi", "secret": "nothing"}.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"this test does not know the parameter of {path}"
    if path.startswith("/v1/answer") or path in ("/v1/search", "/search", "/instant", "/written"):
        return client.request(method, path, params={"q": "text"} if method == "GET" else None,
                              json={"q": "text"} if method == "POST" else None, headers=headers)  # fmt: skip
    if route == "POST /v1/ingest":
        files = {"file": ("a.md", b"# Title\n\nText\n", "text/markdown")}
        return client.post(path, files=files, data={"name": "test"}, headers=headers)
    if route in ("POST /v1/attachments", "POST /edit/attach"):
        return client.post(path, files={"file": ("x.png", PICTURE)}, headers=headers)
    if route == "DELETE /v1/accounts/{email}/grants":
        return client.delete(path, params={"space": "lake"}, headers=headers)
    if route in FORMS:
        return client.post(path, data=FORMS[route], headers=headers)
    return client.request(method, path, json=BODIES.get(route), headers=headers)


def state_of(services: Services) -> list[int]:
    """Return what a refused request must leave as it is: how many items, revisions, accounts and changes there are."""
    with services.db.read() as session:
        return [
            session.exec(select(func.count()).select_from(one)).one() for one in (Item, Revision, Account, AuditRow)
        ]


def test_every_route_says_who_may_use_it(services: Services) -> None:
    there = {route for route in routes(create_app(services).routes) if not route.endswith("/static")}
    assert there == set(LEAST), "a route without its role in LEAST, or a role without its route"


def cases(role: Role, by: str) -> Iterator[tuple[str, str, State]]:
    """Yield space, route and state of the item, of all that a role is tried with."""
    for space in ("lake", "main", "shore", "harbour") if by == "key" and role is not NOBODY else ("lake", "harbour"):
        for route in LEAST:
            if by == "session" and route in ENDING:
                continue  # the session is needed for the others; tests/integration/test_signing_in.py has these
            for state in State if route in OF_ITEM and by == "key" else [State.PUBLISHED]:
                yield space, route, state


@pytest.mark.parametrize("by", ["key", "session"])
@pytest.mark.parametrize("role", Role)
def test_every_route_against_a_role_in_every_space(services: Services, client: TestClient, role: Role, by: str) -> None:
    if services.db.dialect != "sqlite":
        pytest.skip("rights are decided in Python and by one SQL condition: test_access_rule.py runs it on both")
    who: dict[str, dict[str, str]] = {}
    there: dict[tuple[State, Kind], str] = {}
    for space, route, state in cases(role, by):
        wanted = state, Kind.FIXED if "fixed" in route else Kind.ARTICLE
        with services.db.write() as session:
            if space not in who:
                who[space] = headers_of(session, role, space, by, len(who))
            if wanted not in there:
                there[wanted] = an_item(session, *wanted)
        before = state_of(services)
        answer = sent(client, route, there[wanted], who[space])
        if not route.startswith("GET") and answer.status_code < 400:
            there.clear()  # they may be others than they were
        told = f"{route} on {state} by {role} of {space}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, told
        least = LEAST[route]
        if least is NOBODY:
            continue
        covers = space in ("lake", "main")  # a role in main holds in all below it
        reads = (role.rank >= AGENT.rank and space in ("lake", "shore")) or (
            role.rank >= CONTRIBUTOR.rank and space == "main"
        )
        if role.rank < least.rank or (route in OF_ITEM and not reads):
            led_away = role is NOBODY and answer.headers.get("location", "").startswith("/sign-in")
            assert answer.status_code in (401, 403, 404) or led_away, told
            assert state_of(services) == before, told
        if role.rank < AGENT.rank:
            assert MARK not in answer.text, told
        if route in OF_ITEM and state is not State.PUBLISHED:
            writes = role.rank >= CONTRIBUTOR.rank and covers
            if not writes or route in PUBLISHED_ONLY:
                assert answer.status_code in (401, 403, 404) or role is NOBODY, told
                assert MARK not in answer.text, told
        if role is ADMIN and covers and route not in PUBLISHED_ONLY:
            assert answer.status_code not in (401, 403), told


def test_there_are_some_thousand_cases() -> None:
    assert sum(1 for role in Role for by in ("key", "session") for _ in cases(role, by)) > 4_000
