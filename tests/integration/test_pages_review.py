"""Review on the editor's page: asked for, decided by whom it takes, told to the author."""

import pytest
from fastapi.testclient import TestClient

from api.services import Services
from kb import editorial, items
from kb.access import SYSTEM, scope_of
from tests.integration.test_editing import FORM, client, sign_in

__all__ = ["client"]


def state(services: Services) -> tuple[str, int | None]:
    with services.db.read() as session:
        item = items.get(session, "KB-1", scope_of(session, SYSTEM))
        return item.state.value, item.live_revision_id


@pytest.fixture
def submitted(services: Services, client: TestClient) -> TestClient:
    """KB-1, written and submitted by a contributor."""
    sign_in(services, client, "contributor")
    client.post("/edit/new", data=FORM)
    sent = {**FORM, "title": "The light blinks red", "based_on": "1", "message": "please <b>look</b>"}
    answer = client.post("/edit/KB-1", data={**sent, "action": "submit"})
    assert answer.headers["location"] == "/edit/KB-1?saved=submitted"
    assert state(services) == ("in_review", None)
    return client


def test_its_author_withdraws_and_does_not_approve(services: Services, submitted: TestClient) -> None:
    page = submitted.get("/edit/KB-1?saved=submitted").text
    assert "Saved and submitted for review." in page
    assert 'value="withdraw"' in page
    assert 'value="approve"' not in page
    assert 'value="defer"' not in page
    refused = submitted.post("/edit/KB-1/review", data={"action": "approve", "revision": "2"})
    assert (refused.status_code, state(services)[0]) == (403, "in_review")
    assert submitted.post("/edit/KB-1/review", data={"action": "withdraw"}).status_code == 303
    assert state(services)[0] == "draft"
    assert "withdrawn by contributor-none@example.org" in submitted.get("/edit/KB-1").text


def test_a_coach_approves_the_revision_that_was_read(services: Services, submitted: TestClient) -> None:
    sign_in(services, submitted, "coach")
    queue = submitted.get("/edit?queue=in_review").text
    assert "submitted by contributor-none@example.org" in queue
    page = submitted.get("/edit/KB-1").text
    assert "please &lt;b&gt;look" in page
    assert 'form="editor" type="submit" name="action" value="publish"' not in page
    other = submitted.post("/edit/KB-1/review", data={"action": "approve", "revision": "1", "message": "fine"})
    assert (other.status_code, state(services)[0]) == (409, "in_review")
    assert "fine</textarea>" in other.text, "what was typed is there still"
    assert submitted.post("/edit/KB-1/review", data={"action": "approve"}).status_code == 422
    done = submitted.post("/edit/KB-1/review", data={"action": "approve", "revision": "2", "message": "fine"})
    assert done.headers["location"] == "/edit/KB-1?saved=searchable"
    assert state(services)[0] == "published"
    page = submitted.get("/edit/KB-1?hl=zh").text
    assert "coach-none@example.org批准" in page
    assert "本人编写或提交" not in page


def test_what_is_given_back_says_why_on_top(services: Services, submitted: TestClient) -> None:
    sign_in(services, submitted, "coach")
    assert submitted.post("/edit/KB-1/review", data={"action": "defer", "revision": "2"}).status_code == 422
    said = {"action": "defer", "revision": "2", "message": "Which light?"}
    assert submitted.post("/edit/KB-1/review", data=said).headers["location"].endswith("saved=deferred")
    assert state(services)[0] == "draft"
    page = submitted.get("/edit/KB-1").text
    assert page.index("gave revision 2 back") < page.index("Which light?") < page.index('id="editor"')
    submitted.post("/edit/KB-1", data={**FORM, "title": "The left light blinks", "based_on": "2"})
    assert "gave revision" not in submitted.get("/edit/KB-1").text, "it was said of another text"


def test_approving_the_own_text_is_shown_as_such(services: Services, client: TestClient) -> None:
    sign_in(services, client, "publisher")
    client.post("/edit/new", data={**FORM, "action": "submit"})
    page = client.get("/edit/KB-1").text
    assert "Approve my own revision 1" in page
    assert 'value="defer"' not in page
    client.post("/edit/KB-1/review", data={"action": "approve", "revision": "1"})
    assert state(services)[0] == "published"
    assert "who wrote or submitted it" in client.get("/edit/KB-1").text


def test_a_change_ends_the_review(services: Services, submitted: TestClient) -> None:
    submitted.post("/edit/KB-1", data={**FORM, "title": "Another", "based_on": "2"})
    assert state(services)[0] == "draft"
    assert "ended by a change of contributor" in submitted.get("/edit/KB-1").text


def test_nobody_decides_where_they_do_not_write(services: Services, submitted: TestClient) -> None:
    sign_in(services, submitted, "agent")
    assert submitted.post("/edit/KB-1/review", data={"action": "withdraw"}).status_code in (403, 404)
    submitted.cookies.clear()
    away = submitted.post("/edit/KB-1/review", data={"action": "withdraw"})
    assert away.headers["location"] == "/sign-in?to=%2Fedit%2FKB-1"
    assert state(services)[0] == "in_review"
    with services.db.read() as session:
        item = items.get(session, "KB-1", scope_of(session, SYSTEM))
        assert editorial.newest_revision(session, item).n == 2
