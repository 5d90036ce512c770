"""Conversations: kept for the one reader that began them, for a while, and understood over HTTP, on pages and at the
command line.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select

from api.app import create_app
from api.services import Services
from kb import conversations, keys
from kb.access import SYSTEM
from kb.conversations import LIFE, MOST_TURNS, Spoken, new_id
from kb.db import Database
from kb.errors import NotFound, Unavailable
from kb.models import Conversation, Event, EventKind

FIRST = "How do I pair the watch on iPhone?"


def spoken(text: str) -> Spoken:
    return Spoken(text, f"{text} in full", text, (7,))


def test_turns_are_kept_in_order_and_the_oldest_go(db: Database) -> None:
    name = new_id()
    for number in range(MOST_TURNS + 3):
        with db.write() as session:
            conversations.keep(session, name, "me", spoken(f"q{number}"))
    with db.read() as session:
        found = conversations.turns(session, name, "me")
    assert [turn.asked for turn in found] == [f"q{n}" for n in range(3, MOST_TURNS + 3)]
    assert found[0] == spoken("q3")


def test_the_same_question_again_is_one_turn(db: Database) -> None:
    name = new_id()
    with db.write() as session:
        conversations.keep(session, name, None, spoken("a"), spoken("b"))
        conversations.keep(session, name, None, Spoken("b", "b", "b"))
        assert conversations.turns(session, name, None) == [spoken("a"), Spoken("b", "b", "b")]


@pytest.mark.parametrize("other", [None, "you"])
def test_nobody_else_reads_or_continues_it(db: Database, other: str | None) -> None:
    name = new_id()
    with db.write() as session:
        conversations.keep(session, name, "me", spoken("mine"))
    with db.read() as session:
        for who, what in ((other, name), ("me", name + "x"), ("me", new_id()), ("me", "")):
            with pytest.raises(NotFound, match="of yours"):
                conversations.turns(session, what, who)
        assert [turn.asked for turn in conversations.turns(session, name, "me")] == ["mine"]
        kept = session.exec(select(Conversation)).one()
        assert name not in str(kept.model_dump()), "who reads the database cannot continue it"


def test_it_ends_and_is_removed(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    old, name = new_id(), new_id()
    with db.write() as session:
        conversations.keep(session, old, "me", spoken("old"))
        row = session.exec(select(Conversation)).one()
        row.last_at -= LIFE
        session.add(row)
    with db.read() as session, pytest.raises(NotFound):
        conversations.turns(session, old, "me")
    with db.write() as session:
        conversations.keep(session, name, "me", spoken("new"))
        assert len(session.exec(select(Conversation)).all()) == 1
    monkeypatch.setattr(conversations, "MOST_CONVERSATIONS", 2)
    for number in range(4):
        with db.write() as session:
            conversations.keep(session, new_id(), "me", spoken(f"n{number}"))
    with db.read() as session:
        rows = session.exec(select(Conversation).order_by(col(Conversation.last_at))).all()
        assert [row.turns[0]["asked"] for row in rows] == ["n2", "n3"]


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def key(services: Services, name: str, role: str) -> dict[str, str]:
    with services.db.write() as session:
        return {"Authorization": f"Bearer {keys.add(session, name, role, actor=SYSTEM)}"}


def ask(client: TestClient, question: str, **more: Any) -> dict[str, Any]:
    headers = more.pop("headers", {})
    response = client.post("/v1/answer", json={"q": question, **more}, headers=headers)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_a_follow_up_is_understood_at_once(services: Services, client: TestClient) -> None:
    said = ask(client, FIRST, conversation="new")
    name = said["conversation"]
    assert (said["question"], said["understood_as"], len(name)) == (FIRST, None, 32)
    said = ask(client, "and on Android?", conversation=name)
    understood = "How do I pair the watch on Android?"
    assert (said["question"], said["understood_as"], said["conversation"]) == ("and on Android?", understood, name)
    stream = client.get("/v1/answer/stream", params={"q": "how long does it take?", "conversation": name}).text
    assert '"understood_as": "How do I pair the watch on Android how long does it take?"' in stream
    said = ask(client, "why?", conversation=name, as_typed=True)
    assert said["understood_as"] is None
    said = ask(client, "Reset the router", conversation=name)
    assert said["understood_as"] is None
    assert ask(client, "and on Android?")["conversation"] is None, "outside a conversation nothing is kept"
    services.events.flush()
    with services.db.read() as session:
        rows = session.exec(select(Event).where(col(Event.kind) == EventKind.ANSWER).order_by(col(Event.id))).all()
    assert (rows[1].text, rows[1].data["typed"]) == (understood, "and on Android?")


def test_a_conversation_belongs_to_its_key(services: Services, client: TestClient) -> None:
    mine, yours = key(services, "mine", "customer"), key(services, "yours", "admin")
    name = ask(client, FIRST, conversation="new", headers=mine)["conversation"]
    for headers in (yours, {}):
        for path in ("/v1/answer", "/v1/answer/stream"):
            response = client.post(path, json={"q": "and on Android?", "conversation": name}, headers=headers)
            assert (response.status_code, response.json()["code"]) == (404, "not_found")
            assert "watch" not in response.text
    assert ask(client, "and on Android?", conversation=name, headers=mine)["understood_as"] is not None
    long = client.post("/v1/answer", json={"q": "x", "conversation": "c" * 65})
    assert long.status_code == 422


def test_a_database_that_cannot_be_written_costs_only_the_turn(
    services: Services, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(conversations, "keep", full)
    assert ask(client, FIRST, conversation="new")["band"] == "no_answer"


def test_a_rewriter_gets_the_turns_with_readable_titles_only(services: Services, client: TestClient) -> None:
    from dataclasses import replace

    from kb import editorial
    from kb.access import SYSTEM
    from kb.content import Content, Profile
    from kb.models import Audience, Item

    with services.db.write() as session:
        item, revision = editorial.create(
            session, Content(title=FIRST, body="Hold it."), Profile(audience=Audience.PUBLIC), actor=SYSTEM
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
    services.indexer.catch_up()
    seen: list[list[str]] = []

    def rewriter(turns: Any, question: str) -> str:
        seen.append([title for turn in turns for title in turn.titles])
        return "how long does pairing take"

    app = create_app(replace(services, rewriter=rewriter))
    with TestClient(app) as opened:
        name = ask(opened, FIRST, conversation="new")["conversation"]
        assert ask(opened, "how long?", conversation=name)["understood_as"] == "how long does pairing take"
        assert seen[-1] == [FIRST]
        with services.db.write() as session:
            editorial.reprofile(session, session.get_one(Item, 1), Profile(audience=Audience.INTERNAL), actor=SYSTEM)
        ask(opened, "why?", conversation=name)
        assert seen[-1] == []


def hidden(page: str, field: str) -> str:
    found = re.search(rf'name="{field}" value="([^"]*)"', page)
    assert found is not None, page
    return found[1]


def test_the_page_keeps_the_conversation_in_a_plain_form(services: Services, client: TestClient) -> None:
    first = client.get("/search", params={"q": FIRST}).text
    assert hidden(first, "after") == FIRST
    with services.db.read() as session:
        assert session.exec(select(Conversation)).all() == [], "nothing is kept before there is a follow-up"
    second = client.get("/search", params={"q": "and on Android?", "after": FIRST}).text
    name = hidden(second, "conversation")
    assert "Understood as: How do I pair the watch on Android?" in second
    assert f">{FIRST}</a>" in second, "the turn before is shown"
    again = {"q": "how long does it take?", "conversation": name}
    pages = [client.get("/search", params=again).text for _ in range(2)]
    for page in pages:
        assert "Understood as: How do I pair the watch on Android how long does it take?" in page
    typed = client.get("/search", params={**again, "typed": "1"}).text
    assert "Understood as" not in typed
    hostile = client.get("/search", params={"q": "is it <b>red</b>?", "conversation": name}).text
    assert "Understood as" in hostile
    assert "<b>red" not in hostile
    with TestClient(create_app(services)) as other:
        stranger = other.get("/search", params=again).text
    assert "Android" not in stranger, "another browser begins anew"
