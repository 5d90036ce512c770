"""Revisions: listed, read, compared, restored and merged by who may write there; readers see the live one alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from api.app import create_app
from api.services import Services
from kb import editorial, history, items, keys, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile
from kb.db import Database
from kb.errors import Conflict, Forbidden, NotFound, StaleRevision
from kb.models import Audience, Item, Revision

ANN = Principal(role=Role.CONTRIBUTOR, subject="ann")
ONE = Content(title="Reset", resolution="Hold it 10 s.", similar_questions=("how",))
TWO = Content(title="Reset", resolution="Hold it 12 s.", similar_questions=("how", "怎么"))
THREE = Content(title="Reset it", resolution="zanzibar", similar_questions=("how", "怎么"))


def article(db: Database) -> int:
    """Return the number of an article whose second revision of three is live."""
    with db.write() as session:
        item, _ = editorial.create(session, ONE, Profile(audience=Audience.PUBLIC), actor=ANN)
        second = editorial.revise(session, item, TWO, actor=ANN, message="longer")
        editorial.publish(session, item, second, actor=SYSTEM)
        editorial.revise(session, item, THREE, actor=ANN, message="zanzibar why")
        return int(item.id or 0)


def numbers(session: Session, number: int, actor: Principal) -> list[int]:
    item = items.get(session, number, scope_of(session, actor))
    return [row.n for row in history.revisions(session, item, actor=actor)]


@pytest.mark.parametrize("role", list(Role))
def test_every_role_sees_what_is_its_own(db: Database, role: Role) -> None:
    number, actor = article(db), Principal(role=role, subject="who")
    writes = role.rank >= Role.CONTRIBUTOR.rank
    with db.read() as session:
        assert numbers(session, number, actor) == ([3, 2, 1] if writes else [2])
        item = session.get_one(Item, number)
        assert history.revision(session, item, 2, actor=actor).title == "Reset"
        for n in (1, 3, 4, 0, -1):
            if writes and n in (1, 3):
                history.revision(session, item, n, actor=actor)
                continue
            with pytest.raises(NotFound, match=f"no revision {n} of"):
                history.revision(session, item, n, actor=actor)
        if not writes:
            for old, new in ((1, 2), (2, 3), (3, 2)):
                with pytest.raises(NotFound):
                    history.compare(session, item, old, new, actor=actor)
            with pytest.raises(Forbidden):
                history.merged(session, item, ONE, 2, actor=actor)
    with db.write() as session:
        item = session.get_one(Item, number)
        if writes:
            assert history.restore(session, item, 1, actor=actor).n == 4
        else:
            with pytest.raises(Forbidden):
                history.restore(session, item, 2, actor=actor)


def test_who_writes_elsewhere_is_a_reader_here(db: Database) -> None:
    number = article(db)
    with db.write() as session:
        lake = spaces.add(session, "lake", name="Lake").id
        local = Principal(role=Role.EDITOR, subject="local", space=lake)
        assert numbers(session, number, local) == [2]
        with pytest.raises(Forbidden):
            history.restore(session, session.get_one(Item, number), 2, actor=local)


def test_retired_nothing_is_live(db: Database) -> None:
    number = article(db)
    with db.write() as session:
        item = session.get_one(Item, number)
        editorial.retire(session, item, actor=SYSTEM)
        assert history.live(item) is None
        assert numbers(session, number, ANN) == [3, 2, 1]
        assert history.revisions(session, item, actor=Principal()) == []


def test_restored_it_is_a_new_revision_and_nothing_is_gone(db: Database) -> None:
    number = article(db)
    with db.write() as session:
        item = session.get_one(Item, number)
        with pytest.raises(StaleRevision):
            history.restore(session, item, 1, actor=ANN, based_on=2)
        again = history.restore(session, item, 1, actor=ANN, based_on=3, message="was better")
        assert (again.n, again.message, history.content_of(again)) == (4, "Revision 1 restored: was better", ONE)
        with pytest.raises(Conflict, match="says what revision 1 said"):
            history.restore(session, item, 1, actor=ANN)
        assert len(session.exec(select(Revision).where(col(Revision.item_id) == number)).all()) == 4
        assert items.view(session, number, scope_of(session, Principal())).revision.n == 2


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def key(services: Services, name: str, role: str) -> dict[str, str]:
    with services.db.write() as session:
        return {"Authorization": f"Bearer {keys.add(session, name, role, actor=SYSTEM)}"}


def test_over_http(services: Services, client: TestClient) -> None:
    article(services.db)
    ann = key(services, "ann", "contributor")
    rows = client.get("/v1/items/KB-1/revisions", headers=ann).json()["revisions"]
    assert [(row["revision"], row["live"], row["message"]) for row in rows] == [
        (3, False, "zanzibar why"),
        (2, True, "longer"),
        (1, False, ""),
    ]
    page = client.get("/v1/items/KB-1/revisions", params={"limit": 1, "offset": 1}, headers=ann).json()["revisions"]
    assert [row["revision"] for row in page] == [2]
    read = client.get("/v1/items/KB-1/revisions/1", headers=ann).json()
    assert (read["item"], read["resolution"], read["author"]) == ("KB-1", "Hold it 10 s.", "ann")
    diff = client.get("/v1/items/KB-1/diff", params={"old": 1, "new": 2}, headers=ann).json()
    assert [field["field"] for field in diff["fields"]] == ["resolution", "similar_questions"]
    assert diff["fields"][0]["unified"] == "@@ -1,1 +1,1 @@\n-Hold it 10 s.\n+Hold it 12 s."
    assert {"kind": "added", "text": "12"} in diff["fields"][0]["segments"]
    staged = client.get("/v1/items/KB-1/diff", headers=ann).json()
    assert (staged["old"], staged["new"]) == (2, 3), "what publishing the staged edit would change"
    client.post("/v1/items", json={"title": "Draft"}, headers=ann)
    assert client.get("/v1/items/KB-2/diff", headers=ann).json()["code"] == "conflict"
    back = client.post("/v1/items/KB-1/revisions/1/restore", json={"based_on": 3}, headers=ann).json()
    assert (back["revision"], back["state"]) == (4, "published")
    stale = client.post("/v1/items/KB-1/revisions/2/restore", json={"based_on": 3}, headers=ann)
    assert stale.json()["code"] == "stale_revision"


def test_a_conflict_is_previewed_and_saved(services: Services, client: TestClient) -> None:
    ann, ben = key(services, "ann", "contributor"), key(services, "ben", "contributor")
    body = {"title": "Reset", "body": "One.\n\nTwo.\n\nThree.", "cause": "Heat."}
    client.post("/v1/items", json=body, headers=ann)
    theirs = {**body, "body": "ONE.\n\nTwo.\n\nThree."}
    mine = {**body, "body": "One.\n\nTwo.\n\nTHREE.", "cause": "Dust."}
    assert client.put("/v1/items/KB-1", json={**theirs, "based_on": 1}, headers=ben).json()["revision"] == 2
    assert client.put("/v1/items/KB-1", json={**mine, "based_on": 1}, headers=ann).json()["code"] == "stale_revision"
    preview = client.post("/v1/items/KB-1/merge-preview", json={**mine, "based_on": 1}, headers=ann).json()
    assert (preview["revision"], preview["author"], preview["conflicts"]) == (2, "key:ben", [])
    together = {field["field"]: field["merged"] for field in preview["fields"]}
    assert (together["body"], together["cause"]) == ("ONE.\n\nTwo.\n\nTHREE.", "Dust.")
    assert client.get("/v1/items/KB-1/revisions", headers=ann).json()["revisions"][0]["revision"] == 2, "nothing saved"
    saved = client.put("/v1/items/KB-1", json={**together, "based_on": preview["revision"]}, headers=ann)
    assert saved.json()["revision"] == 3
    clash = {**mine, "body": "1.\n\nTwo.\n\nThree.", "based_on": 1}
    preview = client.post("/v1/items/KB-1/merge-preview", json=clash, headers=ben).json()
    (field,) = [field for field in preview["fields"] if field["field"] == "body"]
    assert (preview["conflicts"], field["merged"]) == (["body"], None)
    assert field["chunks"][0] == {"kind": "conflict", "base": ["One."], "theirs": ["ONE."], "mine": ["1."]}
    assert client.post("/v1/items/KB-1/merge-preview", json={**mine, "based_on": 9}, headers=ann).status_code == 404


@pytest.mark.parametrize("role", [None, "customer", "agent"])
def test_readers_are_told_the_same_whatever_is_drafted(
    services: Services, client: TestClient, role: str | None
) -> None:
    headers = key(services, "reader", role) if role else {}
    with services.db.write() as session:
        item, revision = editorial.create(session, TWO, Profile(audience=Audience.PUBLIC), actor=ANN)
        editorial.publish(session, item, revision, actor=SYSTEM)
    services.indexer.catch_up()
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("get", "/v1/items/KB-1", {}),
        ("get", "/v1/items/KB-1/revisions", {}),
        ("get", "/v1/items/KB-1/revisions/1", {}),
        ("get", "/v1/items/KB-1/revisions/2", {}),
        ("get", "/v1/items/KB-1/diff?old=1&new=2", {}),
        ("get", "/v1/items/KB-1/diff?old=1&new=1", {}),
        ("post", "/v1/items/KB-1/revisions/2/restore", {"json": {"based_on": 1}}),
        ("post", "/v1/items/KB-1/merge-preview", {"json": {"title": "x", "based_on": 2}}),
        ("get", "/v1/items/KB-2/revisions", {}),
        ("get", "/v1/items/KB-2/revisions/1", {}),
        ("get", "/v1/items/KB-2/diff?old=1&new=1", {}),
        ("post", "/v1/items/KB-2/merge-preview", {"json": {"title": "x", "based_on": 1}}),
    ]

    def told() -> list[tuple[int, str]]:
        responses = [getattr(client, method)(path, headers=headers, **extra) for method, path, extra in calls]
        return [(response.status_code, response.text) for response in responses]

    before = told()
    assert [status for status, _ in before] == [200, 200, 200, 404, 404, 200, 403, 403, *[404] * 4]
    assert '"author":null' in before[1][1]
    with services.db.write() as session:
        editorial.revise(session, session.get_one(Item, 1), THREE, actor=ANN, message="zanzibar")
        editorial.create(session, THREE, Profile(audience=Audience.PUBLIC), actor=ANN)
    services.indexer.catch_up()
    assert told() == before
