"""Corrected questions in the whole product: searched, said, undone on request, silent about what is not for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.app import create_app
from api.services import Services, open_services
from kb import editorial
from kb.access import SYSTEM, Principal, Role
from kb.content import Content, Profile
from kb.models import Audience, Event, EventKind
from kb.settings import Settings
from retrieval.answer import answer
from retrieval.search import Mode
from tests.fakes import fake

PUBLIC = [
    ("Reset the router", "Hold the reset button of the router for twelve seconds.", "en"),
    ("Change your password", "Open the account page and choose a new password.", "en"),
    *((f"登录密码 {n}", "打开登录页面，输入密码，重置密码。", "zh") for n in range(10)),
]
SECRET = [
    ("Project zanzibar", "The routor zanzibar is a new pasword tool. 内部登陆流程。"),
    ("Zanzibar again", "Zanzibar replaces the router in spring."),
]
OUTSIDERS = [Principal(), Principal(role=Role.CUSTOMER)]
AGENT = Principal(role=Role.AGENT)


def filled(folder: Path, *, secrets: bool) -> Services:
    services = open_services(Settings(data=folder), load=fake)
    texts = [(*text, Audience.PUBLIC) for text in PUBLIC]
    texts += [(title, body, "en", Audience.INTERNAL) for title, body in SECRET if secrets]
    with services.db.write() as session:
        for title, body, lang, audience in texts:
            profile = Profile(audience=audience, lang=lang)
            item, revision = editorial.create(session, Content(title=title, body=body), profile, actor=SYSTEM)
            editorial.publish(session, item, revision, actor=SYSTEM)
    services.indexer.catch_up()
    return services


@pytest.fixture(scope="module")
def open_and_secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Services, Services]]:
    """The same public items without and with internal ones."""
    with filled(tmp_path_factory.mktemp("open"), secrets=False) as one:
        with filled(tmp_path_factory.mktemp("secret"), secrets=True) as other:
            yield one, other


@pytest.mark.parametrize("reader", OUTSIDERS, ids=["anonymous", "customer"])
@pytest.mark.parametrize(
    ("typed", "searched"),
    [
        ("reset the routr", "reset the router"),
        ("change pasword", "change password"),  # known inside
        ("routor", "router"),  # known inside
        ("zanzibr", None),  # near a word that is known inside only
        ("zanzibar", None),
        ("登陆", "登录"),  # known inside
        ("denglu mima", "登录密码"),
    ],
)
def test_a_correction_tells_nothing_of_what_the_reader_may_not_read(
    open_and_secret: tuple[Services, Services], reader: Principal, typed: str, searched: str | None
) -> None:
    for services in open_and_secret:
        assert services.searcher.search(typed, reader=reader).corrected == searched


def test_who_may_read_them_is_helped_by_them(open_and_secret: tuple[Services, Services]) -> None:
    _, services = open_and_secret
    assert services.searcher.search("zanzibr", reader=AGENT).corrected == "zanzibar"
    assert services.searcher.search("routor", reader=AGENT).corrected is None


@pytest.mark.parametrize(
    ("written", "as_well"),
    [
        ("登录密码", "登錄密碼"),
        ("change password", "ｃｈａｎｇｅ　ＰＡＳＳＷＯＲＤ"),
        ("router 重置", "ｒｏｕｔｅｒ　重置"),
    ],
)
def test_other_characters_and_widths_find_the_same_without_being_corrected(
    open_and_secret: tuple[Services, Services], written: str, as_well: str
) -> None:
    found, same = (
        open_and_secret[0].searcher.search(text, reader=Principal(), mode=Mode.LEXICAL) for text in (written, as_well)
    )
    assert same.corrected is None
    assert same.terms == found.terms
    assert [(hit.found.passage_id, hit.lexical) for hit in same.hits] == [
        (hit.found.passage_id, hit.lexical) for hit in found.hits
    ]
    assert found.hits


def test_the_corrected_question_is_what_is_searched(open_and_secret: tuple[Services, Services]) -> None:
    searcher = open_and_secret[0].searcher
    found = searcher.search("chage pasword", reader=Principal())
    assert (found.question, found.corrected, found.searched) == ("chage pasword", "change password", "change password")
    assert found.terms == ["chang", "password"]
    assert found.hits[0].found.title == "Change your password"
    assert found.hits[0].lexical > 0
    in_pinyin = searcher.search("denglu mima", reader=Principal())
    assert (in_pinyin.lang, in_pinyin.hits[0].found.lang) == ("zh", "zh")
    typed = searcher.search("chage pasword", reader=Principal(), exact=True)
    assert (typed.corrected, typed.searched, typed.terms) == (None, "chage pasword", ["chage", "pasword"])
    said = answer(searcher, "chage pasword", reader=Principal(), exact=True).results
    assert said is not None
    assert said.corrected is None


def test_the_api_says_so_and_can_be_told_not_to(open_and_secret: tuple[Services, Services]) -> None:
    with TestClient(create_app(open_and_secret[0])) as client:
        for path in ("/v1/search", "/v1/answer"):
            asked = client.get(path, params={"q": "routr"}).json()
            assert (asked["question"], asked["corrected"]) == ("routr", "router")
            assert client.post(path, json={"q": "routr"}).json()["corrected"] == "router"
            assert client.get(path, params={"q": "routr", "exact": "true"}).json()["corrected"] is None
            assert client.post(path, json={"q": "routr", "exact": True}).json()["corrected"] is None
        events = client.get("/v1/answer/stream", params={"q": "routr"}).text
        assert '"corrected": "router"' in events
        assert '"corrected": null' in client.get("/v1/answer/stream", params={"q": "routr", "exact": "true"}).text


def test_the_page_says_so_and_links_to_the_question_as_typed(open_and_secret: tuple[Services, Services]) -> None:
    with TestClient(create_app(open_and_secret[0])) as client:
        html = client.get("/search", params={"q": "<b>routr", "hl": "en"}).text
        assert "Results for “&lt;b&gt;router”" in html
        assert "/search?hl=en&amp;q=%3Cb%3Eroutr&amp;exact=1" in html
        as_typed = client.get("/search", params={"q": "routr", "hl": "en", "exact": "1"}).text
        assert "Results for “router”" not in as_typed
        assert "tab=kb&amp;exact=1" in as_typed, "it stays so from tab to tab"
        assert "已为您搜索“登录”" in client.get("/search", params={"q": "denglu", "hl": "zh"}).text


def test_while_it_is_being_typed_nothing_is_corrected(open_and_secret: tuple[Services, Services]) -> None:
    services = open_and_secret[0]
    with TestClient(create_app(services)) as client:
        assert client.get("/instant", params={"q": "passwor"}).status_code == 200
        client.get("/search", params={"q": "passwor"})
    services.events.flush()
    with services.db.read() as session:
        searches = session.exec(select(Event).where(Event.kind == EventKind.SEARCH, Event.text == "passwor")).all()
    assert {bool(event.data.get("instant")): event.data.get("corrected") for event in searches} == {
        True: None,
        False: "password",
    }
