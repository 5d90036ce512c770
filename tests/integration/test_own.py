"""The organisation's own judged set: what counts in it, what does not, and what becomes of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.app import create_app
from api.services import Services
from eval.own import PRODUCT, Live, run_own
from eval.run import run
from ingest import own
from ingest.judged import load
from kb import editorial, keys
from kb.access import SYSTEM
from kb.content import Content, Profile, labels
from kb.errors import Conflict, InvalidInput, NotFound
from kb.events import Happened
from kb.models import Audience, Event, EventKind, Item
from tests.fakes import FakeEmbedder
from tests.integration.test_generations import filled
from tests.integration.test_indexer import publish


def link(services: Services, text: str, item: int, *, who: str | None = "a", **data: Any) -> None:
    say(services, EventKind.LINK, text, item, who, {"link": "used", **data})


def dismiss(services: Services, text: str, item: int, *, who: str | None = "a") -> None:
    say(services, EventKind.DISMISS, text, item, who, {})


def say(
    services: Services, kind: EventKind, text: str, item: int, who: str | None, data: dict[str, Any], parent: str = ""
) -> None:
    services.events.add(
        Happened(kind=kind, role="agent", visitor=who, text=text, item_id=item, data=data, parent=parent or None)
    )


def ask(services: Services, text: str, **data: Any) -> str:
    asked = Happened(kind=EventKind.SEARCH, role="anonymous", text=text, data=data)
    services.events.add(asked)
    return asked.uid


def vote(services: Services, uid: str, item: int, *, helpful: bool, who: str | None = None) -> None:
    say(services, EventKind.VOTE, "", item, who, {"helpful": helpful}, uid)


def derived(services: Services) -> dict[str, dict[int, int]]:
    services.events.flush()
    return {one.query.text: one.grades for one in own.questions(services.db)}


def test_links_votes_and_dismissals_become_grades(services: Services) -> None:
    first, second, third, fourth = filled(services, 4)
    link(services, "box is dead", first)
    link(services, "box is dead", second, link="reference")
    link(services, "box is dead", fourth, link="created")
    dismiss(services, "box is dead", third)
    vote(services, ask(services, "how to pay"), first, helpful=True)
    vote(services, ask(services, "nothing helps here"), first, helpful=False)
    ask(services, "nobody said anything")
    assert derived(services) == {
        "box is dead": {first: 2, second: 1, fourth: 2, third: 0},
        "how to pay": {first: 1},
    }


def test_one_question_however_it_is_typed_and_the_same_id_again(services: Services) -> None:
    first, second = filled(services, 2)
    link(services, "Box  is DEAD!", first)
    vote(services, ask(services, "box is dead"), second, helpful=True)
    link(services, "盒子坏了？", second)
    link(services, "盒子坏了", first)
    assert derived(services) == {"Box  is DEAD!": {first: 2, second: 1}, "盒子坏了？": {second: 2, first: 2}}
    names = [one.query.id for one in own.questions(services.db)]
    assert names == [one.query.id for one in own.questions(services.db)]
    assert len(set(names)) == 2


def test_a_person_counts_once_with_the_last_word_and_a_tie_says_nothing(services: Services) -> None:
    first, second, third = filled(services, 3)
    link(services, "q", first)
    dismiss(services, "q", first)  # the same agent thinks better of it
    link(services, "q", second, who="b")
    dismiss(services, "q", second, who="c")  # another's solution stands
    uid = ask(services, "q")
    for helpful, who in ((True, "d"), (True, "d"), (False, "e")):
        vote(services, uid, third, helpful=helpful, who=who)
    assert derived(services) == {"q": {first: 0, second: 2}}


def test_what_does_not_count(services: Services) -> None:
    first, second = filled(services, 2)
    link(services, "a trial", first, test=True)
    vote(services, ask(services, "a trial question", test=True), first, helpful=True)
    link(services, " ?! ", first)
    link(services, "an item that is gone", 999)
    link(services, "an item that was retired", second)
    vote(services, "0" * 32, first, helpful=True)
    dismiss(services, "only dismissed", first)
    with services.db.write() as session:
        editorial.retire(session, session.get_one(Item, second), actor=SYSTEM)
    assert derived(services) == {}


def test_the_live_index_is_asked_and_the_exported_set_is_judged_alike(services: Services, tmp_path: Path) -> None:
    numbers = filled(services, 12)
    for n in (3, 5, 7):
        link(services, f"how do I mend thing number {n}", numbers[n], who="agent-of-the-night")
    services.events.flush()
    live = Live(services.db, services.generation, services.searcher)
    outcomes = {one.system: one for one in run_own(live, ["bm25", "hybrid"])}
    assert outcomes[PRODUCT].queries == 3
    assert outcomes["hybrid"].values["recall@10"] == outcomes[PRODUCT].values["recall@10"] == 1.0
    assert outcomes["bm25"].documents == 12
    with pytest.raises(InvalidInput, match="no system 'magic'"):
        run_own(live, ["magic"])
    folder = tmp_path / "set"
    own.export(services.db, folder)
    judged = load(folder)
    assert judged.qrels == own.judged_set(services.db).qrels
    again = {one.system: one for one in run(judged, ["bm25", "hybrid"], FakeEmbedder())}
    assert again["hybrid"].per_query == outcomes["hybrid"].per_query
    assert "agent-of-the-night" not in "".join(path.read_text("utf-8") for path in folder.iterdir())
    with pytest.raises(Conflict, match="there already"):
        own.export(services.db, folder)


def test_without_any_evidence_it_says_what_makes_some(services: Services) -> None:
    filled(services, 1)
    with pytest.raises(NotFound, match="votes on the pages and links"):
        run_own(Live(services.db, services.generation, services.searcher), ["hybrid"])


def headers(services: Services, role: str, **more: Any) -> dict[str, str]:
    with services.db.write() as session:
        return {"Authorization": f"Bearer {keys.add(session, f'{role} {len(more)}', role, actor=SYSTEM, **more)}"}


def test_an_agent_links_what_it_may_read_and_nobody_else_does(services: Services) -> None:
    public = publish(services, "Reset the router")
    with services.db.write() as session:
        profile = Profile(audience=Audience.PUBLIC, labels=labels(groups=["gold"]))
        hidden, revision = editorial.create(session, Content(title="Gold"), profile, actor=SYSTEM)
        editorial.publish(session, hidden, revision, actor=SYSTEM)
    body = {"kind": "link", "item": f"KB-{public}", "text": "my box is dead\0", "link": "created", "by": "Ann"}
    secret = {**body, "item": hidden.number}
    agent = headers(services, "agent")
    with TestClient(create_app(services)) as client:
        for who in ({}, headers(services, "customer")):
            refused = client.post("/v1/events", json=body, headers=who)
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        there, not_there = (
            client.post("/v1/events", json={**body, "item": name}, headers=agent) for name in (hidden.number, "KB-99")
        )
        assert (there.status_code, there.json()["code"]) == (404, "not_found")
        assert there.json()["detail"].replace(hidden.number, "KB-99") == not_there.json()["detail"]
        gold = client.post("/v1/events", json=secret, headers=headers(services, "agent", groups=["gold"]))
        kept = client.post("/v1/events", json=body, headers=agent)
        assert (gold.status_code, kept.status_code) == (201, 201)
        dismissed = {"kind": "dismiss", "item": f"KB-{public}", "text": "something else", "search": "a" * 32}
        assert client.post("/v1/events", json=dismissed, headers=agent).status_code == 201
        for bad, status in (
            ({**body, "text": "  "}, 422),
            ({**body, "text": "x" * 100_001}, 413),
            ({**body, "link": "liked"}, 422),
            ({**body, "kind": "vote"}, 422),
            ({**dismissed, "link": "used"}, 422),
            ({**dismissed, "search": "me"}, 422),
            ({**body, "item": "the first"}, 422),
        ):
            response = client.post("/v1/events", json=bad, headers=agent)
            assert response.status_code == status, (bad, response.text)
    with services.db.read() as session:
        rows = session.exec(select(Event).order_by(Event.id)).all()  # type: ignore[arg-type]
    assert [(row.kind, row.item_id, row.text, row.data) for row in rows[1:]] == [
        (EventKind.LINK, public, "my box is dead\ufffd", {"link": "created"}),
        (EventKind.DISMISS, public, "something else", {}),
    ]
    assert rows[1].uid == kept.json()["id"]
    assert "Ann" not in json.dumps([row.model_dump(mode="json") for row in rows])
    assert rows[1].visitor != rows[2].visitor, "who of the program's users said it is told apart"
