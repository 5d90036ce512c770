"""Drafts: kept as typed, one's own alone, gone when saved; others are told that somebody writes, never what."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select, update

from api.app import create_app
from api.services import Services
from kb import drafts, editorial, keys, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import MAX_TEXT, Content, Profile, labels
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput, NotFound, StaleRevision, TooLarge
from kb.models import Audience, Draft, Item, Revision, now

ANN = Principal(role=Role.CONTRIBUTOR, subject="ann")
BEN = Principal(role=Role.CONTRIBUTOR, subject="ben")
TEXT = Content(title="重置", body="half a sent", similar_questions=("怎么", ""))
PROFILE = Profile(audience=Audience.PUBLIC, lang="zh", owner="ann", labels=labels(products=["fibrebox"]))


def article(db: Database, space_id: int | None = None) -> int:
    with db.write() as session:
        item, revision = editorial.create(
            session, Content(title="Reset", body="Hold."), PROFILE, actor=SYSTEM, space_id=space_id
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
        return int(item.id or 0)


def save(session: Session, key: str, actor: Principal, content: Content = TEXT, **how: Any) -> Draft:
    return drafts.save(session, key, content, PROFILE, scope_of(session, actor), actor=actor, **how)


def test_kept_as_typed_and_read_again(db: Database) -> None:
    number = article(db)
    with db.write() as session:
        assert save(session, "new-1", ANN).version == 1
        assert save(session, f"{number}", ANN, based_on=1).key == f"KB-{number}"
    with db.write() as session:
        assert save(session, "new-1", ANN, Content(title=""), version=1).version == 2
    with db.read() as session:
        scope = scope_of(session, ANN)
        kept = drafts.get(session, f"kb-{number}", scope, actor=ANN)
        assert (drafts.content_of(kept), drafts.profile_of(kept), kept.based_on) == (TEXT, PROFILE, 1)
        assert [row.key for row in drafts.mine(session, scope, actor=ANN)] == ["new-1", f"KB-{number}"]
        assert drafts.content_of(drafts.get(session, "new-1", scope, actor=ANN)) == Content(title="")


def test_a_second_window_overwrites_nothing_unseen(db: Database) -> None:
    with db.write() as session:
        save(session, "new-1", ANN)
    for version in (0, 2, 7):
        with db.write() as session, pytest.raises(Conflict, match="another window"):
            save(session, "new-1", ANN, Content(title="other"), version=version)
    with db.read() as session:
        assert drafts.content_of(drafts.get(session, "new-1", scope_of(session, ANN), actor=ANN)) == TEXT


def test_it_goes_when_the_revision_is_saved_and_does_not_come_back(db: Database) -> None:
    number = article(db)
    with db.write() as session:
        save(session, f"KB-{number}", ANN, based_on=1)
        save(session, f"KB-{number}", BEN, based_on=1)
    with db.write() as session:
        editorial.revise(session, session.get_one(Item, number), Content(title="New"), actor=ANN, based_on=1)
    with db.write() as session, pytest.raises(Conflict, match="removed in another window"):
        save(session, f"KB-{number}", ANN, based_on=1, version=1)
    with db.write() as session:
        with pytest.raises(StaleRevision):
            editorial.revise(session, session.get_one(Item, number), TEXT, actor=BEN, based_on=1)
        assert session.exec(select(Draft.person)).all() == ["ben"], "what could not be saved is kept"
        editorial.delete(session, session.get_one(Item, number), actor=SYSTEM)
        assert session.exec(select(Draft)).all() == []


def test_who_else_writes_is_told_for_some_minutes(db: Database) -> None:
    number = article(db)
    with db.write() as session:
        save(session, f"KB-{number}", ANN, based_on=1)
        save(session, f"KB-{number}", BEN, based_on=1)
        item = session.get_one(Item, number)
        assert [one.person for one in drafts.others(session, item, actor=ANN)] == ["ben"]
        assert {one.person for one in drafts.others(session, item, actor=SYSTEM)} == {"ann", "ben"}
        old = now() - drafts.PRESENCE - timedelta(seconds=1)
        session.exec(update(Draft).where(col(Draft.person) == "ben").values(saved_at=old))
        assert drafts.others(session, item, actor=ANN) == []
        for role in (Role.ANONYMOUS, Role.CUSTOMER, Role.AGENT):
            with pytest.raises(Forbidden):
                drafts.others(session, item, actor=Principal(role=role, subject="x"))


@pytest.mark.parametrize("role", [Role.ANONYMOUS, Role.CUSTOMER, Role.AGENT])
def test_only_who_writes_keeps_drafts(sqlite: Database, role: Role) -> None:
    number = article(sqlite)
    who = Principal(role=role, subject="who")
    with sqlite.write() as session:
        scope = scope_of(session, who)
        for key in ("new-1", f"KB-{number}"):
            for act in (
                lambda key=key: save(session, key, who, based_on=1),
                lambda key=key: drafts.get(session, key, scope, actor=who),
                lambda key=key: drafts.discard(session, key, scope, actor=who),
            ):
                with pytest.raises(Forbidden):
                    act()
        with pytest.raises(Forbidden):
            drafts.mine(session, scope, actor=who)
        with pytest.raises(Forbidden, match="sign in"):
            save(session, "new-1", Principal(role=Role.EDITOR))


def test_what_is_closed_to_its_writer_is_closed_in_the_draft_too(db: Database) -> None:
    with db.write() as session:
        lake = spaces.add(session, "lake", name="Lake").id
        sea = spaces.add(session, "sea", name="Sea").id
    number = article(db, lake)
    here = Principal(role=Role.CONTRIBUTOR, subject="ann", space=lake)
    moved = Principal(role=Role.CONTRIBUTOR, subject="ann", space=sea)
    with db.write() as session:
        save(session, f"KB-{number}", here, based_on=1)
        save(session, "new-1", here)
    with db.read() as session:
        scope = scope_of(session, moved)
        assert [row.key for row in drafts.mine(session, scope, actor=moved)] == ["new-1"]
        with pytest.raises(NotFound):
            drafts.get(session, f"KB-{number}", scope, actor=moved)


def test_what_cannot_be_kept_is_refused(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    number = article(sqlite)
    with sqlite.write() as session:
        for based_on in (None, 0, 2):
            with pytest.raises(InvalidInput, match="1 to 1"):
                save(session, f"KB-{number}", ANN, based_on=based_on)
        for key in ("new-", "new-a b", "new-" + "x" * 61, "draft", ""):
            with pytest.raises(InvalidInput):
                save(session, key, ANN)
        with pytest.raises(NotFound):
            save(session, "KB-99", ANN, based_on=1)
        with pytest.raises(TooLarge):
            save(session, "new-1", ANN, Content(title="", body="x" * (MAX_TEXT + 1)))
        save(session, "new-odd", ANN, Content(title="\0 \ud800", body="\0"))
        monkeypatch.setattr(drafts, "MAX_DRAFTS", 1)
        with pytest.raises(Conflict, match="1 drafts"):
            save(session, "new-2", ANN)


def test_a_hundred_writers_at_once_lose_nothing_and_are_told_of_no_lock(db: Database) -> None:
    """A hundred people autosave and save the same item and their own ones, each in a thread of its own."""
    number = article(db)
    people = [Principal(role=Role.CONTRIBUTOR, subject=f"p{n}") for n in range(100)]

    def write(actor: Principal) -> int:
        """Autosave twice, then save as a revision, again and again until it is based on the newest."""
        for version in (0, 1):
            with db.write() as session:
                save(
                    session,
                    f"KB-{number}",
                    actor,
                    Content(title=f"{actor.subject} {version}"),
                    based_on=1,
                    version=version,
                )
        tries = 0
        while True:
            tries += 1
            with db.read() as session:
                based_on = editorial.newest_revision(session, session.get_one(Item, number)).n
            try:
                with db.write() as session:
                    item = session.get_one(Item, number)
                    editorial.revise(
                        session, item, Content(title=f"by {actor.subject}"), actor=actor, based_on=based_on
                    )
                return tries
            except StaleRevision:
                continue

    with ThreadPoolExecutor(100) as pool:
        assert all(tries >= 1 for tries in pool.map(write, people))
    with db.read() as session:
        saved = session.exec(select(Revision).order_by(col(Revision.n))).all()
        assert [revision.n for revision in saved] == list(range(1, 102)), "each change is there, none on top of another"
        assert {revision.title for revision in saved[1:]} == {f"by p{n}" for n in range(100)}
        assert session.exec(select(Draft)).all() == []


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def key(services: Services, name: str, role: str) -> dict[str, str]:
    with services.db.write() as session:
        return {"Authorization": f"Bearer {keys.add(session, name, role, actor=SYSTEM)}"}


def test_over_http(services: Services, client: TestClient) -> None:
    ann, ben = key(services, "ann", "contributor"), key(services, "ben", "contributor")
    made = client.put("/v1/drafts/new-x", json={"body": "half"}, headers=ann).json()
    assert (made["key"], made["version"], made["editing"]) == ("new-x", 1, [])
    again = client.put("/v1/drafts/new-x", json={"title": "Half", "body": "half a", "version": 1}, headers=ann).json()
    assert again["version"] == 2
    read = client.get("/v1/drafts/new-x", headers=ann).json()
    assert (read["title"], read["body"], read["audience"], read["version"]) == ("Half", "half a", "internal", 2)
    assert client.get("/v1/drafts/new-x", headers=ben).status_code == 404
    assert client.put("/v1/drafts/new-x", json={"body": "late", "version": 1}, headers=ann).json()["code"] == "conflict"
    created = client.post("/v1/items?draft=new-x", json={"title": "Half", "body": "whole"}, headers=ann)
    assert created.status_code == 201
    assert client.get("/v1/drafts", headers=ann).json() == {"drafts": []}
    for who in (ann, ben):
        client.put("/v1/drafts/KB-1", json={"title": "Half", "body": "secret", "based_on": 1}, headers=who)
    editing = client.get("/v1/items/KB-1/editing", headers=ann)
    assert [one["name"] for one in editing.json()["editing"]] == ["key:ben"]
    assert "secret" not in editing.text
    assert client.get("/v1/drafts", headers=ben).json()["drafts"][0]["item"] == "KB-1"
    assert client.delete("/v1/drafts/KB-1", headers=ben).status_code == 204
    assert client.delete("/v1/drafts/KB-1", headers=ben).status_code == 204
    assert client.get("/v1/drafts/KB-1", headers=ann).json()["body"] == "secret"
    client.put("/v1/items/KB-1", json={"title": "Half", "body": "saved", "based_on": 1}, headers=ann)
    assert client.get("/v1/drafts", headers=ann).json() == {"drafts": []}


@pytest.mark.parametrize("role", [None, "customer", "agent", "contributor"])
def test_nobody_sees_what_another_writes(services: Services, client: TestClient, role: str | None) -> None:
    headers = key(services, "reader", role) if role else {}
    number = article(services.db)
    services.indexer.catch_up()
    paths = (
        f"/v1/items/KB-{number}",
        f"/v1/items/KB-{number}/reviews",
        f"/v1/items/KB-{number}/status",
        "/v1/drafts",
        f"/v1/drafts/KB-{number}",
        "/v1/drafts/new-1",
        f"/a/KB-{number}",
    )

    def told() -> list[tuple[int, str]]:
        return [(r.status_code, r.text) for r in (client.get(path, headers=headers) for path in paths)]

    before = told()
    with services.db.write() as session:
        save(session, f"KB-{number}", ANN, Content(title="zanzibar"), based_on=1)
        save(session, "new-1", ANN, Content(title="zanzibar"))
    assert told() == before
    editing = client.get(f"/v1/items/KB-{number}/editing", headers=headers)
    assert editing.status_code == (200 if role == "contributor" else 403)
    assert "zanzibar" not in editing.text
