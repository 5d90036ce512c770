"""The pages of those who write: queues, writing, publishing, conflicts, and who may do what there."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.services import Services
from kb import accounts, browser_sessions, editorial, items, queues, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile
from kb.db import Database
from kb.errors import Forbidden
from kb.models import Audience, Revision, now
from kb.queues import Queue

FORM = {
    "title": "The light blinks",
    "issue": "Red **light**",
    "lang": "en",
    "audience": "public",
    "products": "tv, app",
}


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


def sign_in(services: Services, client: TestClient, role: str, space: str | None = None) -> None:
    """Sign a person of this role in; forms then bring the token by a header."""
    client.cookies.clear()
    with services.db.write() as session:
        space_id = spaces.by_key(session, space).id if space is not None else None
        account, _ = accounts.add(
            session,
            f"{role}-{space}@example.org",
            actor=SYSTEM,
            role=role,
            space_id=space_id,
            password="four plain words",
        )
        secret = browser_sessions.begin(session, account, device="", life=timedelta(hours=1))
    from api.auth import csrf_token

    client.cookies.set("session", secret)
    client.headers["x-csrf-token"] = csrf_token(secret)


def test_who_has_not_signed_in_is_led_to_it_and_who_may_not_write_is_told(
    services: Services, client: TestClient
) -> None:
    for path in ("/edit", "/edit/new", "/edit/KB-1"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"].startswith("/sign-in?to=%2Fedit")) == (303, True)
    sign_in(services, client, "agent")
    for path in ("/edit", "/edit/new"):
        assert client.get(path, headers={"Accept": "text/html"}).status_code == 403
    assert client.post("/edit/new", data=FORM).status_code == 403
    assert client.post("/edit/preview", data=FORM).status_code == 403


def test_write_publish_change_and_retire(services: Services, client: TestClient) -> None:
    sign_in(services, client, "editor")
    made = client.post("/edit/new", data={**FORM, "action": "publish", "similar": "why red\nwhy blinking"})
    assert made.headers["location"] == "/edit/KB-1?saved=searchable"
    assert "searches find it now" in client.get("/edit/KB-1?saved=searchable").text
    read = client.get("/v1/items/KB-1").json()
    assert (read["products"], read["similar_questions"]) == (["app", "tv"], ["why red", "why blinking"])
    changed = {**FORM, "title": "The light blinks red", "based_on": "1", "action": "save"}
    assert client.post("/edit/KB-1", data=changed).status_code == 303
    assert client.get("/v1/items/KB-1").json()["title"] == "The light blinks", "saved, not published"
    assert "Readers see revision 1" in client.get("/edit/KB-1").text
    assert client.post("/edit/KB-1", data={**FORM, "based_on": "2", "action": "retire"}).status_code == 303
    assert client.get("/v1/items/KB-1", headers={"Authorization": ""}).status_code in (401, 404)
    with services.db.read() as session:
        found = items.view(session, "KB-1", scope_of(session, SYSTEM))
        assert (found.item.state.value, editorial.newest_revision(session, found.item).title) == (
            "retired",
            "The light blinks red",
        )


@pytest.mark.parametrize(("lang", "field"), [("en", "Title"), ("zh", "标题")])
def test_what_cannot_be_saved_comes_back_with_the_reason(
    services: Services, client: TestClient, lang: str, field: str
) -> None:
    sign_in(services, client, "contributor")
    answer = client.post(f"/edit/new?hl={lang}", data={**FORM, "title": " ", "issue": "kept"})
    assert answer.status_code == 422
    assert f">{field}" in answer.text
    assert "kept" in answer.text
    assert client.post("/edit/new", data={**FORM, "audience": "everyone"}).status_code == 422
    with services.db.read() as session:
        assert items.size(session, scope_of(session, SYSTEM)) == 0
        assert queues.counts(session, SYSTEM)[Queue.ALL] == 0, "nothing half written"


def test_a_contributor_writes_but_does_not_publish(services: Services, client: TestClient) -> None:
    sign_in(services, client, "contributor")
    assert 'value="publish"' not in client.get("/edit/new").text
    refused = client.post("/edit/new", data={**FORM, "action": "publish"})
    assert refused.status_code == 403
    with services.db.read() as session:
        assert queues.counts(session, SYSTEM)[Queue.ALL] == 0
    assert client.post("/edit/new", data=FORM).status_code == 303


def test_nothing_typed_becomes_markup(services: Services, client: TestClient) -> None:
    sign_in(services, client, "contributor")
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script></textarea>"
    form = {**FORM, "title": hostile, "issue": hostile, "products": hostile, "similar": hostile}
    for text in (client.post("/edit/preview", data=form).text, client.post("/edit/new", data=form).text):
        assert "<script>alert" not in text
        assert "<img" not in text
    assert "<script>alert" not in client.get("/edit/KB-1").text
    assert "<script>alert" not in client.get("/edit").text


def test_an_editor_of_one_space_sees_and_writes_only_there(services: Services, client: TestClient) -> None:
    with services.db.write() as session:
        spaces.add(session, "lake", name="Lake")
        spaces.add(session, "harbour", name="Harbour")
        for key in ("main", "lake", "harbour"):
            editorial.create(
                session,
                Content(title=f"Draft of {key}"),
                Profile(audience=Audience.PUBLIC),
                actor=SYSTEM,
                space_id=spaces.by_key(session, key).id,
            )
    sign_in(services, client, "editor", "lake")
    page = client.get("/edit").text
    assert "Draft of lake" in page
    assert "Draft of main" not in page
    assert "Draft of harbour" not in page
    assert client.get("/edit/KB-2").status_code == 200
    for number in ("KB-1", "KB-3"):
        assert client.get(f"/edit/{number}", headers={"Accept": "text/html"}).status_code in (403, 404)
        assert client.post(f"/edit/{number}", data={**FORM, "based_on": "1"}).status_code in (403, 404)
    assert client.post("/edit/new", data={**FORM, "space": "harbour"}).status_code == 403
    assert client.post("/edit/new", data={**FORM, "space": "nowhere"}).status_code == 404


def test_queues_say_what_waits(db: Database) -> None:
    ana = Principal(role=Role.EDITOR, subject="ana@example.org")
    with db.write() as session:

        def made(title: str, actor: Principal = SYSTEM) -> tuple[int, Revision]:
            item, revision = editorial.create(session, Content(title=title), Profile(), actor=actor)
            return int(item.id or 0), revision

        made("draft")
        _, old = made("old draft")
        old.created_at = now() - queues.OLD - timedelta(days=1)
        session.add(old)
        for title in ("staged", "due", "expiring", "retired"):
            number, revision = made(title, ana if title == "due" else SYSTEM)
            item = items.get(session, number, scope_of(session, SYSTEM))
            editorial.publish(session, item, revision, actor=SYSTEM)
            if title == "staged":
                editorial.revise(session, item, Content(title="staged anew"), actor=SYSTEM)
            elif title == "due":
                item.review_at = now() - timedelta(days=1)
            elif title == "expiring":
                item.expires_at = now() + timedelta(days=3)
            else:
                editorial.retire(session, item, actor=SYSTEM)
            session.add(item)
    with db.read() as session:
        counts = queues.counts(session, ana)
        for queue in Queue:
            assert counts[queue] == len(queues.listed(session, ana, queue)), queue
        assert [row.title for row in queues.listed(session, ana, Queue.STAGED)] == ["staged anew"]
        assert [row.title for row in queues.listed(session, ana, Queue.DUE)] == ["due"]
        assert [row.title for row in queues.listed(session, ana, Queue.MINE)] == ["due"]
        assert [row.title for row in queues.listed(session, ana, Queue.OLD_DRAFTS)] == ["old draft"]
        assert [row.title for row in queues.listed(session, ana, Queue.ALL, text="kb-1")] == ["draft"]
        assert [row.title for row in queues.listed(session, ana, Queue.ALL, text="DRAFT")] == ["old draft", "draft"]
        assert len(queues.listed(session, ana, Queue.ALL, limit=2, offset=4)) == 2
        with pytest.raises(Forbidden):
            queues.counts(session, Principal(role=Role.AGENT))


def test_what_publishing_would_change_is_seen_before_it_is_done(services: Services, client: TestClient) -> None:
    from kb.events import Happened
    from kb.models import EventKind

    sign_in(services, client, "editor")
    client.post("/edit/new", data={**FORM, "title": "Mend the pump", "action": "publish"})
    services.events.add(Happened(kind=EventKind.SEARCH, role="anonymous", text="the light blinks"))
    services.events.flush()
    client.post("/edit/new", data=FORM)
    piece = client.post("/edit/KB-2/replay", headers={"X-Piece": "1"})
    assert piece.status_code == 200
    assert "<html" not in piece.text
    assert "the light blinks" in piece.text
    assert 'class="outcome newly_answered"' in piece.text
    page = client.post("/edit/KB-2/replay?hl=zh").text
    assert "<html" in page
    assert "将新增回答" in page
    assert client.get("/v1/items/KB-2", headers={"Authorization": ""}).status_code in (401, 404), "nothing is published"
    sign_in(services, client, "agent")
    assert client.post("/edit/KB-2/replay").status_code in (403, 404)


def test_who_says_it_already_is_seen_before_it_is_saved(services: Services, client: TestClient) -> None:
    sign_in(services, client, "contributor")
    said = {**FORM, "resolution": "Unplug the box, wait ten seconds and plug it in again."}
    assert "Nothing published" in client.post("/edit/duplicates", data=said, headers={"X-Piece": "1"}).text
    assert "Nothing published" in client.post("/edit/duplicates", data={"title": ""}, headers={"X-Piece": "1"}).text
    sign_in(services, client, "editor")
    client.post("/edit/new", data={**said, "action": "publish"})
    found = client.post("/edit/duplicates", data=said, headers={"X-Piece": "1"}).text
    assert "KB-1" in found
    assert "likely the same" in found
    itself = client.post("/edit/duplicates", data={**said, "own": "KB-1"}, headers={"X-Piece": "1"}).text
    assert "KB-1" not in itself
    sign_in(services, client, "agent")
    assert client.post("/edit/duplicates", data=said).status_code == 403
