"""The editor's page where others saved meanwhile: both put together, nothing typed lost, nothing narrowed undone."""

import html
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.services import Services
from kb import editorial, items
from kb.access import SYSTEM, scope_of
from kb.content import Content, Profile
from kb.models import Audience
from tests.integration.test_editing import sign_in

STEPS = "one\ntwo\nthree\nfour\nfive"
FORM = {"title": "The light blinks", "issue": "Red", "resolution": STEPS, "lang": "en", "audience": "public"}


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False, follow_redirects=False) as opened:
        sign_in(services, opened, "admin")
        yield opened


def said(page: str, name: str) -> str:
    """Return what a field of the form says."""
    found = re.search(rf'name="{name}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL) or re.search(
        rf'name="{name}" value="([^"]*)"', page
    )
    assert found is not None, name
    return html.unescape(found[1])


def chosen(page: str, name: str) -> str:
    found = re.search(rf'<select form="editor" name="{name}">.*?value="(\w+)" selected', page, re.DOTALL)
    assert found is not None, name
    return found[1]


def newest(services: Services) -> tuple[Content, Profile]:
    with services.db.read() as session:
        item = items.get(session, "KB-1", scope_of(session, SYSTEM))
        return Content.of(editorial.newest_revision(session, item)), editorial.profile_of(session, item)


def test_what_does_not_touch_goes_together_and_what_clashes_is_shown(services: Services, client: TestClient) -> None:
    client.post("/edit/new", data=FORM)
    theirs = {**FORM, "issue": "Green", "resolution": STEPS.replace("five", "5"), "similar": "why\nwhen"}
    client.post("/edit/KB-1", data={**theirs, "based_on": "1", "message": "counted <again>"})
    mine = {**FORM, "issue": "Blue", "resolution": STEPS.replace("one", "1"), "similar": "who", "based_on": "1"}
    answer = client.post("/edit/KB-1", data=mine)
    assert answer.status_code == 409
    assert newest(services)[0].issue == "Green", "nothing is saved yet"
    assert said(answer.text, "resolution") == "1\ntwo\nthree\nfour\n5", "both"
    assert said(answer.text, "issue") == "Blue", "what was typed stays"
    assert said(answer.text, "similar").split() == ["why", "when", "who"]
    assert said(answer.text, "based_on") == "2"
    assert "counted &lt;again&gt;" in answer.text, "why they did it"
    shown = answer.text[answer.text.index('id="meanwhile"') : answer.text.index('<div class="editor">')]
    assert re.search(r"<del>.*Red</del><ins>.*Green</ins>", shown)
    assert re.search(r"<del>.*Red</del><ins>.*Blue</ins>", shown)
    assert shown.index("yours to decide") < shown.index("put together with yours")
    again = {
        **mine,
        **{name: said(answer.text, name) for name in ("issue", "resolution", "similar", "based_on", "was")},
    }
    assert client.post("/edit/KB-1", data=again).status_code == 303
    assert newest(services)[0].resolution == "1\ntwo\nthree\nfour\n5"


def test_a_narrowing_that_came_meanwhile_stays(services: Services, client: TestClient) -> None:
    client.post("/edit/new", data={**FORM, "products": "app, tv", "action": "publish"})
    was = said(client.get("/edit/KB-1").text, "was")
    theirs = {**FORM, "audience": "internal", "products": "app, tv, router", "was": was, "based_on": "1"}
    assert client.post("/edit/KB-1", data=theirs).status_code == 303
    mine = {**FORM, "title": "It blinks", "products": "tv, box", "was": was, "based_on": "1"}
    assert client.post("/edit/KB-1", data=mine).status_code == 303
    content, profile = newest(services)
    assert (content.title, profile.audience) == ("It blinks", Audience.INTERNAL)
    assert [value for _, value in sorted(profile.labels)] == ["box", "router", "tv"], "app removed, box added"


@pytest.mark.parametrize(("lang", "words"), [("en", "yours to decide"), ("zh", "由您决定")])
def test_where_both_say_who_reads_it_a_person_decides(
    services: Services, client: TestClient, lang: str, words: str
) -> None:
    client.post("/edit/new", data=FORM)
    was = said(client.get("/edit/KB-1").text, "was")
    client.post("/edit/KB-1", data={**FORM, "audience": "internal", "was": was, "based_on": "1"})
    mine = {**FORM, "issue": "Typed", "audience": "customer", "was": was, "based_on": "1"}
    answer = client.post(f"/edit/KB-1?hl={lang}", data=mine)
    assert answer.status_code == 409
    assert words in answer.text
    assert newest(services) == (
        Content(title=FORM["title"], issue="Red", resolution=STEPS),
        Profile(audience=Audience.INTERNAL),
    )
    assert (said(answer.text, "issue"), chosen(answer.text, "audience")) == ("Typed", "customer")
    again = {**mine, "was": said(answer.text, "was")}
    assert client.post("/edit/KB-1", data=again).status_code == 303
    assert newest(services)[1].audience is Audience.CUSTOMER


def test_what_a_form_says_of_how_it_was_opened_must_be_readable(client: TestClient) -> None:
    client.post("/edit/new", data=FORM)
    for bad in ({"was": "{"}, {"based_on": str(2**70)}):
        assert client.post("/edit/KB-1", data={**FORM, **bad}).status_code == 422
