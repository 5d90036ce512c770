"""Nobody sees a title, count, suggestion or passage of what they may not read, whichever surface they ask.

Two knowledge bases are compared: one holds secrets besides, the other never held them. What a reader who may not read
the secrets is told must be the same to the letter, for any question.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.services import Services, open_services
from kb import editorial, keys, spaces
from kb.access import SYSTEM, Principal, Role
from kb.content import Content, Profile, labels
from kb.models import Audience, Item
from kb.settings import Settings
from retrieval.answer import answer
from tests.fakes import fake

MARK = "zanzibar"
PUBLIC = [
    ("Reset the router", "Hold the reset button for twelve seconds.", "fibrebox"),
    ("Pay an invoice", "Pay by card or by direct debit before the 18th.", "billing"),
    ("重置路由器", "按住重置键十二秒。", "fibrebox"),
]
SECRET = [
    (f"Reset the router {MARK}", f"Internal {MARK} reset procedure for agents.", f"{MARK}-tool", Audience.INTERNAL, ()),
    (f"Pay an invoice {MARK}", f"Partner {MARK} discount.", "billing", Audience.PARTNER, ()),
    (f"重置路由器 {MARK}", f"内部 {MARK} 流程。", "fibrebox", Audience.INTERNAL, ()),
    (f"Gold {MARK}", f"For the {MARK} group only.", "billing", Audience.PUBLIC, (MARK,)),
    (f"Branch {MARK}", f"For the {MARK} branch only.", "billing", Audience.PUBLIC, ("branch",)),
    (f"Retired {MARK}", f"Was public {MARK} once.", "billing", Audience.PUBLIC, ("retired",)),
    (f"Draft {MARK}", f"Not yet {MARK} published.", "billing", Audience.PUBLIC, ("draft",)),
]


def filled(folder: Path, *, secrets: bool) -> Services:
    services = open_services(Settings(data=folder), load=fake)
    with services.db.write() as session:
        branch = spaces.add(session, "branch", name="Branch").id
        for title, body, product in PUBLIC:
            profile = Profile(audience=Audience.PUBLIC, lang="en", labels=labels(products=[product]))
            item, revision = editorial.create(session, Content(title=title, body=body), profile, actor=SYSTEM)
            editorial.publish(session, item, revision, actor=SYSTEM)
        for title, body, product, audience, how in SECRET if secrets else ():
            groups = [MARK] if how == (MARK,) else []
            profile = Profile(
                audience=audience, lang="en", labels=labels(products=[product], topics=[MARK], groups=groups)
            )
            item, revision = editorial.create(
                session,
                Content(title=title, body=body, similar_questions=(f"what is {MARK}",)),
                profile,
                actor=SYSTEM,
                space_id=branch if how == ("branch",) else None,
            )
            if how != ("draft",):
                editorial.publish(session, item, revision, actor=SYSTEM)
            if how == ("retired",):
                editorial.retire(session, item, actor=SYSTEM)
    services.indexer.catch_up()
    return services


@pytest.fixture(scope="module")
def with_secrets(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return filled(tmp_path_factory.mktemp("with"), secrets=True)


QUESTIONS = st.one_of(
    st.sampled_from([title for title, *_ in SECRET]),
    st.sampled_from([MARK, f"what is {MARK}", f"{MARK}-tool", "KB-4", "KB-5", "reset", "invoice 重置"]),
    st.text(min_size=1, max_size=40),
)
OUTSIDERS = [Principal(), Principal(role=Role.CUSTOMER), Principal(role=Role.CUSTOMER, groups=frozenset({"silver"}))]
SECRET_NUMBERS = {f"KB-{n}" for n in range(len(PUBLIC) + 1, len(PUBLIC) + len(SECRET) + 1)}


def readable_paths(routes: Iterable[Any]) -> Iterator[str]:
    """Yield the paths of all routes that answer GET, those of included routers too."""
    for route in routes:
        if hasattr(route, "effective_route_contexts"):
            yield from readable_paths(route.effective_route_contexts())
        elif "GET" in (getattr(route, "methods", None) or ()):
            yield route.path


def clean(text: str, question: str) -> bool:
    return MARK not in text.replace(question, "")


@given(question=QUESTIONS, who=st.sampled_from(OUTSIDERS))
@settings(max_examples=60, deadline=None)
def test_search_and_answer_tell_outsiders_nothing(with_secrets: Services, question: str, who: Principal) -> None:
    if not question.strip() or not any(c.isprintable() for c in question.strip()):
        return
    results = with_secrets.searcher.search(question, reader=who, limit=50)
    said = answer(with_secrets.searcher, question, reader=who)
    shown = [*results.hits, *said.suggestions]
    for hit in shown:
        assert hit.found.number not in SECRET_NUMBERS
        assert MARK not in hit.found.title + hit.found.text
    assert MARK not in said.text
    assert all(citation.found.number not in SECRET_NUMBERS for citation in said.citations)


def test_an_agent_does_see_them(with_secrets: Services) -> None:
    hits = with_secrets.searcher.search(MARK, reader=Principal(role=Role.AGENT), limit=50).hits
    assert {"KB-4", "KB-5", "KB-6", "KB-8"} <= {hit.found.number for hit in hits}
    assert "KB-9" not in {hit.found.number for hit in hits}, "retired is not searched, whoever asks"


@pytest.mark.parametrize("role", [None, "customer"])
def test_no_route_tells_outsiders_anything(with_secrets: Services, role: str | None) -> None:
    headers = {}
    if role is not None:
        with with_secrets.db.write() as session:
            headers = {"Authorization": f"Bearer {keys.add(session, f'leak-{role}', role, actor=SYSTEM)}"}
    app = create_app(with_secrets)
    paths = sorted(path for path in readable_paths(app.routes) if not path.startswith("/static"))
    assert {"/v1/search", "/v1/answer", "/v1/answer/stream", "/v1/items/{item}", "/", "/search"} <= set(paths)
    with TestClient(app, headers=headers) as client:
        for path in paths:
            for name in (*sorted(SECRET_NUMBERS), f"{MARK}-tool", MARK, "billing"):
                url = path
                for parameter in (
                    "item",
                    "product",
                    "topic",
                    "ref",
                    "name",
                    "value",
                    "number",
                    "slug",
                    "secret",
                    "email",
                    "key",
                    "digest",
                ):
                    url = url.replace(f"{{{parameter}}}", name).replace(f"{{{parameter}:path}}", name)
                url = url.replace("{n}", "1")
                assert "{" not in url, f"this test does not know the parameter of {path}"
                for question in ("Reset the router", "invoice", "KB-4"):
                    for accept in ("text/html", "application/json"):
                        response = client.get(
                            url,
                            params={"q": question, "old": "1", "new": "1"},
                            headers={"Accept": accept},
                            follow_redirects=True,
                        )
                        assert response.status_code < 500, (url, response.text)
                        assert clean(response.text, name) or path == "/metrics", (url, question)


def test_rights_narrowed_or_taken_count_before_the_index_knows(tmp_path: Path) -> None:
    services = filled(tmp_path, secrets=False)
    with services:
        assert services.searcher.search("Reset the router", reader=Principal()).hits[0].found.number == "KB-1"
        with services.db.write() as session:
            item = session.get_one(Item, 1)
            editorial.reprofile(session, item, Profile(audience=Audience.INTERNAL), actor=SYSTEM)
        numbers = [h.found.number for h in services.searcher.search("Reset the router", reader=Principal()).hits]
        assert "KB-1" not in numbers
        said = answer(services.searcher, "Reset the router", reader=Principal())
        assert all(citation.found.number != "KB-1" for citation in said.citations)
