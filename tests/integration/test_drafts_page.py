"""The editor's page offers what was typed and not saved: to its writer alone, to go on with or to discard."""

from fastapi.testclient import TestClient

from api.services import Services
from kb import drafts
from kb.access import Principal, Role, scope_of
from kb.content import Content, Profile
from kb.models import Audience
from tests.integration.test_meanwhile import FORM, chosen, client, newest, said

__all__ = ["client"]


def keep(services: Services, who: str, issue: str) -> None:
    actor = Principal(role=Role.ADMIN, subject=who)
    content = Content(title=FORM["title"], issue=issue, resolution=FORM["resolution"])
    with services.db.write() as session:
        scope = scope_of(session, actor)
        drafts.save(session, "KB-1", content, Profile(audience=Audience.PUBLIC), scope, actor=actor, based_on=1)


def test_a_draft_is_offered_gone_on_with_and_saved(services: Services, client: TestClient) -> None:
    client.post("/edit/new", data={**FORM, "audience": "internal"})
    assert "did not save" not in client.get("/edit/KB-1").text
    assert client.put("/v1/drafts/KB-1", json={"title": "x", "issue": "Typed <b>", "based_on": 1}).status_code == 200
    offered = client.get("/edit/KB-1")
    assert "did not save" in offered.text
    assert "data-waits" in offered.text
    assert said(offered.text, "issue") == "Red", "offered, not put in place"
    client.post("/edit/KB-1", data={**FORM, "audience": "internal", "cause": "Theirs"})
    assert "did not save" not in client.get("/edit/KB-1").text, "a save of one's own ends the draft"


def test_going_on_starts_from_where_it_was_begun(services: Services, client: TestClient) -> None:
    client.post("/edit/new", data={**FORM, "audience": "internal"})
    body = {"title": FORM["title"], "issue": "Typed <b>", "audience": "public", "based_on": 1}
    assert client.put("/v1/drafts/KB-1", json=body).status_code == 200
    page = client.get("/edit/KB-1?draft=1").text
    assert (said(page, "issue"), said(page, "based_on")) == ("Typed <b>", "1")
    assert "data-waits" not in page
    assert chosen(page, "audience") == "internal", "who reads it is as it is now, whatever the draft said"
    assert client.post("/edit/KB-1", data={"action": "discard"}).headers["location"] == "/edit/KB-1?saved=discarded"
    assert "did not save" not in client.get("/edit/KB-1?draft=1").text
    assert newest(services)[0].issue == "Red", "nothing of the item changed"


def test_others_are_named_and_their_text_is_not_shown(services: Services, client: TestClient) -> None:
    client.post("/edit/new", data=FORM)
    keep(services, "ben", "secret words")
    for path, words in (("/edit/KB-1", "Writing on it too: ben"), ("/edit/KB-1?draft=1&hl=zh", "也在编辑：ben")):
        shown = client.get(path).text
        assert words in shown
        assert "secret words" not in shown
        assert "did not save" not in shown
