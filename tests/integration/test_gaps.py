"""Gaps: what failed, put together and kept together; closed by proof alone; shown to whom it is for."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select

from api.app import create_app
from api.services import Services
from ingest.failed import asked, cases
from ingest.gap_rounds import GapRounds
from ingest.gaps import Refreshed, prove, refresh
from kb import audit, editorial, events, gaps, items, keys, spaces
from kb.access import SYSTEM, Principal, Role
from kb.content import Content, Profile, labels
from kb.errors import Conflict, Forbidden, InvalidInput, NotFound
from kb.events import Happened
from kb.models import Audience, Event, EventKind, Gap, GapQuestion, GapState, Item, Kind, State, now
from retrieval.tuned import Nearness

NEAR = Nearness(within=0.55, across=0.55)
"""Of the fake embedder, which is near by wording."""
BATTERY, BATTERIES, ANTENNA = "how to swap the battery", "how to swap the batteries", "which way does the antenna point"
LATER = timedelta(hours=1)


def ask(services: Services, text: str, *, band: str = "no_answer", times: int = 1, **given: Any) -> list[str]:
    """Log a question that was answered in a band, an hour ago; return the uids."""
    data = given.pop("data", {})
    role, at = given.pop("role", "anonymous"), given.pop("at", now() - LATER)
    some = [
        Happened(EventKind.ANSWER, role, text=text, at=at, data={"band": band, **data}, **given) for _ in range(times)
    ]
    events.write(services.db, some)
    return [one.uid for one in some]


def then(services: Services, kind: EventKind, parent: str, **data: Any) -> None:
    events.write(services.db, [Happened(kind, "anonymous", parent=parent, item_id=1, data=data)])


def failed(services: Services, days: int = 30) -> dict[str, int]:
    with services.db.read() as session:
        return {one.text: one.times for one in asked(session, days)}


def look(services: Services) -> Refreshed:
    services.indexer.catch_up()
    return refresh(services.db, services.generation, services.searcher, near=NEAR)


def listed(services: Services, *states: GapState, actor: Principal = SYSTEM) -> list[gaps.Listed]:
    with services.db.read() as session:
        return gaps.listing(session, actor=actor, states=states or gaps.ACTIVE)


def state(services: Services, number: int = 1) -> GapState:
    with services.db.read() as session:
        return session.get_one(Gap, number).state


def publish(services: Services, title: str, **given: Any) -> int:
    space, kind = given.pop("space_id", None), given.pop("kind", Kind.ARTICLE)
    profile = Profile(
        audience=given.pop("audience", Audience.PUBLIC), kind=kind, labels=given.pop("labels", frozenset())
    )
    with services.db.write() as session:
        content = Content(title=title, **given)
        item, revision = editorial.create(session, content, profile, actor=SYSTEM, space_id=space)
        editorial.publish(session, item, revision, actor=SYSTEM)
        return int(item.id or 0)


def test_what_has_failed(services: Services) -> None:
    ask(services, "no answer", times=2)
    ask(services, "No answer!")
    ask(services, "answered", band="answer")
    ask(services, "offered and left", band="did_you_mean")
    (opened,) = ask(services, "offered and opened", band="did_you_mean")
    then(services, EventKind.CLICK, opened)
    (refused,) = ask(services, "opened and voted unhelpful", band="did_you_mean")
    then(services, EventKind.CLICK, refused)
    then(services, EventKind.VOTE, refused, helpful=False)
    (linked,) = ask(services, "linked to the case")
    then(services, EventKind.LINK, linked, link="used")
    ask(services, "offered just now", band="did_you_mean", at=now())
    ask(services, "a trial", data={"test": True})
    ask(services, "!!!")
    ask(services, "long ago", at=now() - timedelta(days=40))
    search = Happened(EventKind.SEARCH, "anonymous", text="a page", data={"results": [{"item": 1, "rank": 1}]})
    answer = Happened(EventKind.ANSWER, "anonymous", text="a page", parent=search.uid, data={"band": "no_answer"})
    found = Happened(EventKind.SEARCH, "anonymous", text="found", data={"results": [{"item": 1, "rank": 1}]})
    nothing = Happened(EventKind.SEARCH, "anonymous", text="found nothing", data={"results": []})
    typing = Happened(EventKind.SEARCH, "anonymous", text="foun", data={"results": [], "instant": True})
    events.write(services.db, [search, answer, found, nothing, typing])
    assert failed(services) == {
        "No answer!": 3,
        "a page": 1,
        "found nothing": 1,
        "offered and left": 1,
        "opened and voted unhelpful": 1,
    }
    assert "long ago" in failed(services, 60)


def test_questions_are_put_together_and_stay_together(services: Services) -> None:
    ask(services, BATTERY, times=3)
    ask(services, BATTERIES, times=2)
    ask(services, ANTENNA, times=4)
    assert (look(services).opened, look(services).opened) == (2, 0), "a second look opens nothing more"
    first, second = listed(services)
    assert [(one.gap.id, one.title, one.times) for one in (first, second)] == [(2, BATTERY, 5), (1, ANTENNA, 4)]
    assert [(one.share, one.cumulative) for one in (first, second)] == [(0.5556, 0.5556), (0.4444, 1.0)]
    assert [one.text for one in first.questions] == [BATTERY, BATTERIES]
    ask(services, "how to swap the battery pack", times=9)
    assert look(services).opened == 0, "it joins"
    first, _ = listed(services)
    assert (first.gap.id, first.times, first.title) == (2, 14, "how to swap the battery pack")
    assert {one.text for one in first.central} == {one.text for one in first.questions}
    with services.db.write() as session:
        for event in session.exec(select(Event)):
            event.at = event.at - timedelta(days=60)
            session.add(event)
    look(services)
    assert [one.times for one in listed(services)] == [0, 0], "nothing failed lately; the gaps keep their numbers"


def test_what_is_answered_when_asked_again_opens_nothing(services: Services) -> None:
    publish(services, BATTERY, body="Open the lid.")
    ask(services, BATTERY)
    done = look(services)
    assert (done.failed, done.answered, done.opened) == (1, 1, 0)
    assert listed(services, *GapState) == []


def test_from_a_gap_to_a_draft_to_its_proof_and_back(services: Services) -> None:
    ask(services, BATTERY, times=4)
    ask(services, BATTERIES, role="customer")
    look(services)
    with services.db.write() as session:
        item, revision = gaps.draft(session, 1, actor=SYSTEM)
        assert (revision.title, revision.similar_questions) == (BATTERY, [BATTERIES])
        assert revision.issue == f"- {BATTERY}\n- {BATTERIES}"
        assert (item.state, item.audience, item.lang) == (State.DRAFT, Audience.PUBLIC, "en")
        number = int(item.id or 0)
    with services.db.write() as session, pytest.raises(Conflict, match=f"drafted by KB-{number}"):
        gaps.draft(session, 1, actor=SYSTEM)
    with services.db.write() as session, pytest.raises(Conflict, match="not published"):
        gaps.resolve(session, 1, actor=SYSTEM)
    assert prove(services.db, services.generation, services.searcher) is None
    look(services)
    assert state(services) is GapState.DRAFTED, "a draft answers nobody"
    with services.db.write() as session:
        item = session.get_one(Item, number)
        editorial.publish(session, item, editorial.newest_revision(session, item), actor=SYSTEM)
    assert prove(services.db, services.generation, services.searcher) is None, "the index has not got it yet"
    assert state(services) is GapState.DRAFTED
    services.indexer.catch_up()
    done = prove(services.db, services.generation, services.searcher)
    assert done is not None
    assert (done.closed, state(services)) == (1, GapState.CLOSED)
    (closed,) = listed(services, GapState.CLOSED)
    assert (closed.gap.answered >= 0.8, closed.item is not None, closed.gap.changed_by) == (True, True, SYSTEM.subject)
    assert listed(services) == []
    look(services)
    assert state(services) is GapState.CLOSED
    with services.db.write() as session:
        editorial.retire(session, session.get_one(Item, number), actor=SYSTEM)
    assert (look(services).reopened, state(services)) == (1, GapState.REOPENED), "its questions fail again"
    with services.db.read() as session:
        told = [(row.action, row.actor) for row in audit.rows(session, SYSTEM, target="gap:1")]
    assert [action for action, _ in reversed(told)] == ["gap.drafted", "gap.resolved", "gap.closed", "gap.reopened"]


def test_saying_that_it_is_resolved_closes_nothing(services: Services) -> None:
    ask(services, BATTERY)
    look(services)
    with services.db.write() as session:
        gaps.resolve(session, 1, actor=SYSTEM)
    assert (look(services).reopened, state(services)) == (1, GapState.REOPENED)


def test_most_askings_have_to_be_answered(services: Services) -> None:
    ask(services, BATTERY, times=7)
    ask(services, BATTERIES, times=3)
    look(services)
    publish(services, BATTERY, body="Open the lid.")
    with services.db.write() as session:
        rows = {row.text: row for row in session.exec(select(GapQuestion))}
        for text, times in ((BATTERY, 7), (BATTERIES, 3)):
            rows[text].answered, rows[text].times = text == BATTERY, times
        gap = session.get_one(Gap, 1)
        gaps.settle(session, gap, list(rows.values()), actor=SYSTEM, level=True)
        assert (gap.answered, gap.state) == (0.7, GapState.OPEN)
        rows[BATTERY].times = 12
        gaps.settle(session, gap, list(rows.values()), actor=SYSTEM, level=False)
        assert gap.state is GapState.OPEN, "the index had not all changes"
        gaps.settle(session, gap, list(rows.values()), actor=SYSTEM, level=True)
        assert (gap.answered, gap.state) == (0.8, GapState.CLOSED)


def test_questions_are_added_to_an_article_as_a_staged_edit(services: Services) -> None:
    number = publish(services, "Lids", body="A lid is opened with a coin.", similar_questions=("open a lid",))
    ask(services, BATTERY)
    look(services)
    with services.db.write() as session:
        revision = gaps.add_similar(session, 1, f"KB-{number}", actor=SYSTEM)
        assert revision.similar_questions == ["open a lid", BATTERY]
        item = session.get_one(Item, number)
        assert (item.state, item.live_revision_id != revision.id) == (State.PUBLISHED, True)
    look(services)
    assert state(services) is GapState.DRAFTED, "the article is published, this revision is not"
    with services.db.write() as session:
        item = session.get_one(Item, number)
        editorial.publish(session, item, editorial.newest_revision(session, item), actor=SYSTEM)
    look(services)
    assert state(services) in (GapState.CLOSED, GapState.REOPENED), "it was asked again"


def test_ignored_until_it_is_reopened(services: Services) -> None:
    ask(services, BATTERY)
    look(services)
    with services.db.write() as session, pytest.raises(InvalidInput):
        gaps.ignore(session, 1, " ", actor=SYSTEM)
    with services.db.write() as session:
        gaps.ignore(session, 1, "we sell no batteries", actor=SYSTEM)
    ask(services, BATTERIES)
    look(services)
    assert listed(services) == []
    (ignored,) = listed(services, GapState.IGNORED)
    assert (ignored.times, ignored.gap.reason) == (2, "we sell no batteries"), "what is like it joins it"
    with services.db.write() as session:
        gaps.reopen(session, 1, actor=SYSTEM)
    assert state(services) is GapState.OPEN


def test_cases_that_nothing_solves(services: Services) -> None:
    for title, texts in (
        ("Battery swollen", {"issue": "my battery is swollen"}),
        ("Names its article", {"issue": "the screen is dark", "resolution": "As KB-12 says."}),
        ("Linked", {"issue": "the fan is loud"}),
    ):
        publish(services, title, kind=Kind.CASE, audience=Audience.INTERNAL, **texts)
    link = Happened(EventKind.LINK, "agent", text="The fan is loud!", item_id=9, data={"link": "used"})
    events.write(services.db, [link])
    with services.db.read() as session:
        assert [one.text for one in cases(session, 30)] == ["my battery is swollen"]
    look(services)
    (gap,) = listed(services)
    assert (gap.title, gap.questions[0].case) == ("my battery is swollen", 1), "the case itself is no answer to it"
    events.write(services.db, [Happened(EventKind.LINK, "agent", text="my battery is swollen", item_id=9)])
    look(services)
    assert listed(services, *GapState) == [], "it is solved: nothing of the gap is left"


def test_what_is_deleted_for_good_leaves_the_gap(services: Services) -> None:
    ask(services, BATTERY)
    look(services)
    publish(services, "Battery swollen", kind=Kind.CASE, issue=BATTERIES, audience=Audience.INTERNAL)
    look(services)
    with services.db.write() as session:
        item, _ = gaps.draft(session, 1, actor=SYSTEM)
        editorial.delete(session, item, actor=SYSTEM)
        editorial.delete(session, items.get(session, 1, items_of(session)), actor=SYSTEM)
    look(services)
    (gap,) = listed(services)
    assert (gap.gap.state, gap.gap.item_id, [one.text for one in gap.questions]) == (GapState.OPEN, None, [BATTERY])


def items_of(session: Any) -> Any:
    from kb.access import scope_of

    return scope_of(session, SYSTEM)


@pytest.fixture
def lakes(services: Services) -> dict[str, int]:
    """Two spaces, a question asked in each, and one by a customer of none."""
    with services.db.write() as session:
        there = {key: int(spaces.add(session, key, name=key).id or 0) for key in ("lake", "harbour")}
    for key in there:
        ask(services, f"{BATTERY} of the {key}", role="customer", space=there[key])
    ask(services, BATTERY)
    look(services)
    return there


def test_a_gap_is_its_spaces(services: Services, lakes: dict[str, int]) -> None:
    every = {one.space.key: one for one in listed(services)}
    assert {key: one.title for key, one in every.items()} == {
        "main": BATTERY,
        "lake": f"{BATTERY} of the lake",
        "harbour": f"{BATTERY} of the harbour",
    }, "alike, and in three gaps"
    writer = Principal(role=Role.CONTRIBUTOR, subject="w", space=lakes["lake"])
    assert [one.space.key for one in listed(services, actor=writer)] == ["lake"]
    with services.db.write() as session:
        for key in ("main", "harbour"):
            number = int(every[key].gap.id or 0)
            with pytest.raises(NotFound):
                gaps.ignore(session, number, "no", actor=writer)
        with pytest.raises(Forbidden):
            gaps.listing(session, actor=Principal(role=Role.AGENT))
        item, _ = gaps.draft(session, int(every["lake"].gap.id or 0), actor=writer)
        assert (item.space_id, item.audience) == (lakes["lake"], Audience.CUSTOMER)
        editorial.publish(session, item, editorial.newest_revision(session, item), actor=SYSTEM)
    look(services)
    states = {one.space.key: one.gap.state for one in listed(services, *GapState)}
    assert states == {"main": GapState.OPEN, "lake": GapState.CLOSED, "harbour": GapState.OPEN}, "as those who asked"


def test_the_issue_of_a_case_is_for_who_may_read_the_case(services: Services) -> None:
    closed = labels(groups=["board"])
    number = publish(services, "Plans", kind=Kind.CASE, issue=BATTERIES, audience=Audience.INTERNAL, labels=closed)
    ask(services, BATTERY)
    look(services)
    inside = Principal(role=Role.CONTRIBUTOR, subject="i", groups=frozenset({"board"}))
    (seen,), (whole,) = (listed(services, actor=one) for one in (Principal(role=Role.CONTRIBUTOR, subject="o"), inside))
    assert [one.text for one in seen.questions] == [BATTERY]
    assert (seen.times, whole.times) == (1, 2)
    assert {one.case for one in whole.questions} == {None, number}


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def bearer(services: Services, role: str, **rights: Any) -> dict[str, str]:
    with services.db.write() as session:
        secret = keys.add(session, f"test {role} {rights}", role, actor=SYSTEM, **rights)
    return {"Authorization": f"Bearer {secret}"}


def test_over_http(services: Services, client: TestClient, lakes: dict[str, int]) -> None:
    writer, other = bearer(services, "contributor"), bearer(services, "contributor", space_id=lakes["harbour"])
    assert client.get("/v1/gaps").status_code == 403
    assert client.get("/v1/gaps", headers=bearer(services, "agent")).json()["code"] == "forbidden"
    document = client.get("/v1/gaps", headers=writer).json()
    assert (document["total"], document["times"], len(document["gaps"])) == (3, 3, 3)
    assert [one["cumulative"] for one in document["gaps"]] == [0.3333, 0.6667, 1.0]
    (lake,) = client.get("/v1/gaps?space=lake", headers=writer).json()["gaps"]
    path = f"/v1/gaps/{lake['number']}"
    assert client.get(path, headers=other).json()["code"] == "not_found"
    assert client.post(f"{path}/draft", headers=other).json()["code"] == "not_found"
    assert client.get("/v1/gaps?state=ignored", headers=writer).json()["gaps"] == []
    assert client.get("/v1/gaps?limit=1&offset=1", headers=writer).json()["gaps"] == document["gaps"][1:2]
    detail = client.get(path, headers=writer).json()
    assert (
        [one["text"] for one in detail["asked"]]
        == [f"{BATTERY} of the lake"]
        == [one["text"] for one in detail["central"]]
    )
    drafted = client.post(f"{path}/draft", json={"space": "lake"}, headers=writer).json()["gap"]
    assert (drafted["state"], drafted["item"]) == ("drafted", "KB-1")
    assert client.post(f"{path}/draft", headers=writer).json()["code"] == "conflict"
    assert client.post(f"{path}/ignore", json={}, headers=writer).json()["field"] == "reason"
    ignored = client.post(f"{path}/ignore", json={"reason": "no"}, headers=writer).json()["gap"]
    assert (ignored["state"], ignored["item"], ignored["reason"]) == ("ignored", None, "no")
    assert client.post(f"{path}/reopen", headers=writer).json()["gap"]["state"] == "open"
    assert client.post(f"{path}/similar", json={"item": "KB-99"}, headers=writer).json()["code"] == "not_found"
    similar = client.post(f"{path}/similar", json={"item": "KB-1"}, headers=writer).json()["gap"]
    assert (similar["state"], similar["item"]) == ("drafted", "KB-1")
    for bad in (f"{path}/nonsense", "/v1/gaps/0/ignore"):
        assert client.post(bad, json={"reason": "x"}, headers=writer).status_code == 422


def test_a_running_server_does_it(services: Services) -> None:
    ask(services, BATTERY)
    services.indexer.catch_up()
    resting = GapRounds(services.db, services.searcher, lambda: services.generation)
    resting.look()
    assert listed(services) == [], "just started"
    rounds = [
        GapRounds(services.db, services.searcher, lambda: services.generation, rest=timedelta()) for _ in range(2)
    ]
    for one in rounds:
        one.look()
    assert [one.title for one in listed(services)] == [BATTERY]
    ask(services, ANTENNA)
    for one in rounds:
        one.look()
    assert len(listed(services)) == 1, "it is done every ten minutes, by one of them"
    publish(services, BATTERY, body="Open the lid.")
    services.indexer.catch_up()
    with services.db.write() as session:
        gaps.resolve(session, 1, actor=SYSTEM)
    rounds[1].look()
    assert state(services) is GapState.CLOSED, "a proof does not wait"
    with services.db.read() as session:
        assert session.exec(select(Gap).where(col(Gap.state) == GapState.OPEN)).first() is None
