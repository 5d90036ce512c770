"""Replay of a draft: what it says is what publishing does, for whom it is meant, and to whom it may be shown."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select

from api.app import create_app
from api.services import Services
from ingest import demo
from ingest.asked_before import questions
from ingest.replaying import DraftReplay, replay_item
from kb import editorial, events, keys, review, spaces
from kb.access import ANONYMOUS, SYSTEM, Principal, Role
from kb.content import Content, Profile, labels
from kb.events import Happened
from kb.models import Audience, Event, EventKind, Item, Kind, State
from retrieval.answer import answer
from retrieval.replay import Outcome, Seen
from tests.integration.test_api import bearer
from tests.integration.test_indexer import publish

TOPICS = ("router reset", "invoice payment", "printer jam", "mail password", "roaming abroad", "发票下载", "路由器重启")


def draft(services: Services, title: str, body: str = "Some text.", **profile: Any) -> int:
    with services.db.write() as session:
        given = Profile(**{"audience": Audience.PUBLIC, **profile})
        item, _ = editorial.create(session, Content(title=title, body=body), given, actor=SYSTEM)
        return int(item.id or 0)


def revise(services: Services, number: int, content: Content) -> None:
    with services.db.write() as session:
        editorial.revise(session, session.get_one(Item, number), content, actor=SYSTEM)


def go_live(services: Services, number: int) -> None:
    with services.db.write() as session:
        item = session.get_one(Item, number)
        editorial.publish(session, item, editorial.newest_revision(session, item), actor=SYSTEM)
    services.indexer.catch_up()


def ask(services: Services, *texts: str, kind: EventKind = EventKind.ANSWER, **data: Any) -> None:
    events.write(services.db, [Happened(kind, "anonymous", text=text, data=data) for text in texts])


def replayed(services: Services, number: int, **more: Any) -> DraftReplay:
    return replay_item(
        services.db, services.generation, services.searcher, number, **{"actor": SYSTEM, "most": 2000, **more}
    )


def told(services: Services, texts: Sequence[str], reader: Principal) -> dict[str, Seen]:
    """Ask the product itself."""
    said = {}
    for text in texts:
        result = answer(services.searcher, text, reader=reader)
        assert result.results is not None
        first = result.citations[0].found if result.fixed is not None else None
        first = first or (result.results.hits[0].found if result.results.hits else None)
        item, title = (first.item_id, first.title) if first is not None else (None, "")
        said[text] = Seen(result.band, result.confidence, item, title)
    return said


def assert_as_published(services: Services, number: int, texts: Sequence[str], reader: Principal = ANONYMOUS) -> Any:
    """Hold a replay to what readers are told before and after the draft is really published; return its counts."""
    found = replayed(services, number)
    assert {one.question.text for one in found.replayed} == set(texts)
    assert {one.question.text: one.before for one in found.replayed} == told(services, texts, reader)
    go_live(services, number)
    assert {one.question.text: one.after for one in found.replayed} == told(services, texts, reader)
    return found.counts()


def test_a_replay_is_what_publishing_does(services: Services) -> None:
    for topic in TOPICS:
        publish(services, f"How to do {topic}", f"{topic} is done like this. Then wait for {topic}.")
    services.indexer.catch_up()
    texts = [f"{word} {topic}" for topic in TOPICS for word in ("my", "help with", "怎么")]
    texts += [
        "How to swap a battery",
        "battery swap",
        "How to do router reset",
        "KB-2",
        "nothing like it",
        "rooter rest",
    ]
    ask(services, *texts)
    new = draft(services, "How to swap a battery", "Open the lid for a battery swap. My router reset comes after it.")
    counts = assert_as_published(services, new, texts)
    assert counts["newly_answered"] >= 1
    revise(services, 1, Content(title="How to eat soup", body="With a spoon."))
    counts = assert_as_published(services, 1, texts)
    assert counts["broken"] + counts["lost"] >= 1


def test_on_the_demo_with_drafts_of_new_and_of_live_articles(services: Services) -> None:
    demo.load(services.db, actor=SYSTEM)
    services.indexer.catch_up()
    texts = list(dict.fromkeys(query.text for query in demo.questions().queries))
    ask(services, *texts)
    seen: dict[str, int] = {}
    new = draft(services, texts[0], f"{texts[0]} {texts[3]}\n\nRead this.")
    with services.db.read() as session:
        articles = select(Item.id).where(
            col(Item.kind) == Kind.ARTICLE, col(Item.audience) == Audience.PUBLIC, col(Item.state) == State.PUBLISHED
        )
        live = [int(number or 0) for number in session.exec(articles.order_by(col(Item.id)).limit(3))]
    for place, number in enumerate(live):
        revise(services, number, Content(title=texts[5 + place], body=f"{texts[7 + place]} and {texts[9]}"))
    for number in (new, *live):
        for name, count in assert_as_published(services, number, texts).items():
            seen[name] = seen.get(name, 0) + count
    assert seen["newly_answered"] > 0
    assert seen["unaffected"] > 0
    assert seen["taken"] + seen["broken"] + seen["lost"] > 0


def test_translations_and_fixed_answers_are_as_published_too(services: Services) -> None:
    for topic in TOPICS:
        publish(services, f"How to do {topic}", f"{topic} is done like this.")
    with services.db.write() as session:
        english, revision = editorial.create(
            session,
            Content(title="Block a card", body="Call us to block a card."),
            Profile(audience=Audience.PUBLIC, family="card"),
            actor=SYSTEM,
        )
        editorial.publish(session, english, revision, actor=SYSTEM)
    services.indexer.catch_up()
    texts = ["block a card", "挂失 block card", "卡丢了 block a card", "how do I pay", "router reset"]
    ask(services, *texts)
    assert_as_published(services, draft(services, "挂失银行卡", "打电话挂失。", lang="zh", family="card"), texts)
    with services.db.write() as session:
        answered, revision = editorial.create(
            session,
            Content(title="How do I pay?", body="At the desk."),
            Profile(audience=Audience.PUBLIC, kind=Kind.FIXED),
            actor=SYSTEM,
        )
        review.submit(session, answered, actor=SYSTEM)
    found = replayed(services, int(answered.id or 0))
    assert [one.question.text for one in found.of(Outcome.NEWLY_ANSWERED)] == ["how do I pay"]
    with services.db.write() as session:
        item = session.get_one(Item, answered.id)
        review.approve(session, item, actor=SYSTEM)
    services.indexer.catch_up()
    assert {one.question.text: one.after for one in found.replayed} == told(services, texts, ANONYMOUS)


def test_questions_are_counted_once_and_trials_not_at_all(services: Services) -> None:
    ask(services, "Reset it!", "reset  it")
    ask(services, "reset it", kind=EventKind.SEARCH)
    ask(services, "a trial", test=True)
    ask(services, "res", kind=EventKind.SEARCH, instant=True)
    ask(services, "once")
    found = questions(services.db, [], days=1)
    assert [(one.text, one.times) for one in found] == [("reset it", 3), ("once", 1)]
    assert [one.text for one in questions(services.db, [], days=1, most=1)] == ["reset it"]
    with services.db.write() as session:
        for event in session.exec(select(Event).where(Event.text == "once")):
            event.at = event.at.replace(year=event.at.year - 1)
            session.add(event)
    assert [one.text for one in questions(services.db, [], days=30)] == ["reset it"]


def test_what_is_judged_and_lost_is_broken(services: Services, tmp_path: Path) -> None:
    number = publish(services, "Reset the router", "Hold the button of the router.")
    services.indexer.catch_up()
    with services.db.read() as session:
        name = session.get_one(Item, number).external_id
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "button of the router"}\n')
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\nq1\t{name}\t1\n")
    rival = draft(services, "Button of the router", "Button of the router.")
    (one,) = replayed(services, rival, folders=[folder]).replayed
    assert (one.outcome, one.before.item, one.after.item) == (Outcome.BROKEN, number, rival)
    assert (one.question.times, one.question.relevant) == (0, frozenset({number}))
    ask(services, "button of the Router")
    (one,) = replayed(services, rival, folders=[folder]).replayed
    assert one.question.times == 1
    (one,) = replayed(services, rival).replayed
    assert one.outcome is Outcome.TAKEN or one.outcome is Outcome.NEWLY_ANSWERED, "without a judgment it is a gain"


def test_it_is_asked_as_those_whom_the_draft_is_meant_for(services: Services) -> None:
    secret = publish(services, "Master key of the vault", "The key of the vault.", Audience.INTERNAL)
    services.indexer.catch_up()
    ask(services, "master key of the vault")
    (public,) = replayed(services, draft(services, "Vault tours", "See the vault.")).replayed
    assert public.before.item is None
    inside = draft(services, "Vault doors", "Doors.", audience=Audience.INTERNAL)
    (internal,) = replayed(services, inside).replayed
    assert internal.before.item == secret


def test_nothing_of_what_the_caller_may_not_read(services: Services) -> None:
    with services.db.write() as session:
        item, revision = editorial.create(
            session,
            Content(title="Plans of the board", body="Plans of the board for spring."),
            Profile(audience=Audience.INTERNAL, labels=labels(groups=["board"])),
            actor=SYSTEM,
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
        both = Profile(audience=Audience.INTERNAL, labels=labels(groups=["board", "desk"]))
        mine, _ = editorial.create(session, Content(title="Desk rules", body="Rules."), both, actor=SYSTEM)
    services.indexer.catch_up()
    ask(services, "plans of the board for spring")
    writer = Principal(role=Role.CONTRIBUTOR, subject="w", groups=frozenset({"desk"}))
    (one,) = replayed(services, int(mine.id or 0), actor=writer).replayed
    assert (one.before.item, one.before.title) == (None, "")
    (one,) = replayed(services, int(mine.id or 0)).replayed
    assert one.before.item == item.id


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def test_over_http_who_may_and_bad_input(services: Services, client: TestClient) -> None:
    ask(services, "How to swap a battery")
    number = draft(services, "How to swap a battery", "Open the lid.")
    path = f"/v1/items/KB-{number}/replay"
    assert client.post(path).status_code == 404, "an anonymous reader is not told that there is a draft"
    assert client.post(path, headers=bearer(services, "agent")).status_code == 404
    writer = bearer(services, "contributor")
    document = client.post(path, headers=writer).json()
    assert document["counts"]["newly_answered"] == 1 == len(document["changes"])
    (change,) = document["changes"]
    assert (change["question"], change["after"]["item"]) == ("How to swap a battery", f"KB-{number}")
    assert (document["live"], document["embedded"]) == (False, 1)
    assert client.post(path, json={}, headers=writer).json()["embedded"] == 0, "the vector is remembered"
    for bad in ({"days": 0}, {"days": 10_000}, {"limit": 0}, {"limit": "x"}, {"other": 1}):
        refused = client.post(path, json=bad, headers=writer)
        assert refused.status_code == 422, bad
    assert client.post("/v1/items/KB-99/replay", headers=writer).status_code == 404
    assert client.post("/v1/items/nonsense/replay", headers=writer).status_code == 422
    with services.db.write() as session:
        editorial.retire(session, session.get_one(Item, number), actor=SYSTEM)
    assert client.post(path, headers=bearer(services, "editor")).json()["code"] == "conflict"


def test_a_contributor_elsewhere_may_not(services: Services) -> None:
    with services.db.write() as session:
        north = spaces.add(session, "north", name="North", parent=None)
        south = spaces.add(session, "south", name="South", parent=None)
        key = keys.add(session, "elsewhere", "contributor", space_id=north.id, actor=SYSTEM)
        item, revision = editorial.create(
            session, Content(title="Public page"), Profile(audience=Audience.PUBLIC), actor=SYSTEM
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
        hidden, _ = editorial.create(session, Content(title="Plan"), Profile(), actor=SYSTEM, space_id=south.id)
    services.indexer.catch_up()
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        assert client.post(f"/v1/items/{item.number}/replay", headers=headers).json()["code"] == "forbidden"
        assert client.post(f"/v1/items/{hidden.number}/replay", headers=headers).status_code == 404


def test_the_index_and_the_database_are_left_as_they_were(services: Services) -> None:
    publish(services, "Reset the router")
    services.indexer.catch_up()
    ask(services, "reset the router")
    number = draft(services, "Reset the router again")
    before = (sorted(services.index.live()), services.index.watermark, services.index.stats())
    replayed(services, number)
    assert (sorted(services.index.live()), services.index.watermark, services.index.stats()) == before
    assert services.indexer.behind() == 1, "the draft's own row of the change log, no other"
