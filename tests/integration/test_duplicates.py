"""Near duplicates: shown before an item is made, queued by a scan, decided; nobody sees what they may not read."""

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.app import create_app
from api.services import Services
from ingest import duplicates as scanning
from ingest.duplicates import scan, step
from kb import duplicates, editorial, keys, spaces
from kb.access import SYSTEM, scope_of
from kb.content import Content, Profile
from kb.errors import Conflict
from kb.models import Audience, DuplicatePair, Item, Kind, PairState
from retrieval.rerank import Reranking

RESET = {
    "title": "Reset the router to factory settings",
    "body": "Hold the reset button of the FibreBox for 12 seconds until the light blinks. All settings are deleted.",
}
AGAIN = {
    "title": "Router: reset to factory settings",
    "body": "Hold the reset button of the FibreBox for 5 seconds until the light blinks. All settings are deleted.",
}
OTHER = {"title": "Pay an invoice", "body": "Pay by card or by direct debit before the 18th of the month."}


def content(texts: dict[str, str]) -> Content:
    return Content(title=texts["title"], body=texts["body"])


def publish(services: Services, texts: dict[str, str], **profile: Any) -> int:
    space = profile.pop("space_id", None)
    with services.db.write() as session:
        item, revision = editorial.create(
            session,
            content(texts),
            Profile(**{"audience": Audience.PUBLIC, **profile}),
            actor=SYSTEM,
            space_id=space,
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
        number = int(item.id or 0)
    services.indexer.catch_up()
    return number


def bearer(services: Services, role: str, **rights: Any) -> dict[str, str]:
    with services.db.write() as session:
        secret = keys.add(session, f"test {role} {rights}", role, actor=SYSTEM, **rights)
        return {"Authorization": f"Bearer {secret}"}


def pairs(services: Services) -> list[tuple[int, int, PairState]]:
    with services.db.read() as session:
        rows = session.exec(select(DuplicatePair)).all()
        return sorted((row.low_id, row.high_id, row.state) for row in rows)


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def test_a_draft_is_told_of_the_item_that_is_there(services: Services, client: TestClient) -> None:
    number = publish(services, RESET)
    publish(services, OTHER)
    editor = bearer(services, "editor")
    found = client.post("/v1/duplicates", json=AGAIN, headers=editor).json()["duplicates"]
    assert [one["item"] for one in found] == [f"KB-{number}"]
    assert found[0]["probability"] >= 1 / 3
    assert {"FibreBox", "reset"} <= set(found[0]["terms"])
    assert (found[0]["here"], found[0]["there"]) == (["5 second"], ["12 second"])
    assert found[0]["contradiction"]["kind"] == "number"
    strange = client.post("/v1/duplicates", json={"title": "Roaming in Norway"}, headers=editor)
    assert strange.json() == {"duplicates": []}


def test_no_reranker_is_asked_which_candidates_there_are(services: Services, client: TestClient) -> None:
    publish(services, RESET)

    class Unusable:
        name = "unusable"

        def load(self) -> None:
            raise AssertionError("a check for duplicates asked the reranker")

        def scores(self, question: str, passages: Sequence[str], deadline: float) -> NoReturn:
            self.load()
            raise AssertionError

    services.searcher.reranking = Reranking(Unusable(), 5, 100.0)
    found = client.post("/v1/duplicates", json=AGAIN, headers=bearer(services, "editor"))
    assert len(found.json()["duplicates"]) == 1


def test_an_item_is_no_duplicate_of_itself_or_its_translation(services: Services, client: TestClient) -> None:
    one = publish(services, RESET, family="reset")
    two = publish(services, AGAIN)
    publish(services, RESET, lang="de", family="reset")
    editor = bearer(services, "editor")
    found = client.get(f"/v1/items/KB-{one}/duplicates", headers=editor).json()["duplicates"]
    assert [each["item"] for each in found] == [f"KB-{two}"]


@pytest.mark.parametrize("role", [None, "customer", "agent"])
def test_readers_may_not_ask(services: Services, client: TestClient, role: str | None) -> None:
    publish(services, RESET)
    headers = bearer(services, role) if role else {}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("post", "/v1/duplicates", {"json": AGAIN}),
        ("get", "/v1/items/KB-1/duplicates", {}),
        ("get", "/v1/duplicates", {}),
        ("get", "/v1/duplicates/1", {}),
        ("post", "/v1/duplicates/1/decide", {"json": {"state": "open"}}),
        ("post", "/v1/items/KB-1/merge", {"json": {"into": "KB-1"}}),
        ("post", "/v1/items/KB-1/unmerge", {}),
    ]
    for method, path, extra in calls:
        response = getattr(client, method)(path, headers=headers, **extra)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden"), path


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/duplicates", {"title": ""}, "invalid_input"),
        ("/v1/duplicates", {"title": "\0"}, "invalid_input"),
        ("/v1/duplicates", {"body": "x"}, "invalid_input"),
        ("/v1/duplicates", {"title": "x" * 501}, "too_large"),
        ("/v1/duplicates?limit=0", RESET, "invalid_input"),
        ("/v1/duplicates?least=2", RESET, "invalid_input"),
        ("/v1/duplicates/7/decide", {"state": "merged"}, "invalid_input"),
        ("/v1/duplicates/7/decide", {"state": "open"}, "not_found"),
        ("/v1/duplicates/99999999999999999999/decide", {"state": "open"}, "invalid_input"),
        ("/v1/items/KB-99/merge", {"into": "KB-1"}, "not_found"),
        ("/v1/items/KB-1/merge", {"into": "elsewhere"}, "invalid_input"),
        ("/v1/items/KB-1/merge", {"into": "KB-1"}, "conflict"),
        ("/v1/items/KB-1/unmerge", {}, "conflict"),
    ],
)
def test_bad_input_is_said(services: Services, client: TestClient, path: str, body: Any, code: str) -> None:
    publish(services, RESET)
    response = client.post(path, json=body, headers=bearer(services, "editor"))
    assert response.json()["code"] == code, response.text
    assert response.status_code < 500


def test_a_writer_of_a_branch_is_told_nothing_of_another(services: Services, client: TestClient) -> None:
    with services.db.write() as session:
        east, west = (int(spaces.add(session, name, name=name).id or 0) for name in ("east", "west"))
    publish(services, RESET, space_id=west)
    mine = publish(services, AGAIN, space_id=east)
    scan(services.db, services.searcher)
    assert len(pairs(services)) == 1
    editor = bearer(services, "editor", space_id=east)
    assert client.post("/v1/duplicates", json=AGAIN, headers=editor).json()["duplicates"][0]["item"] == f"KB-{mine}"
    assert len(client.post("/v1/duplicates", json=AGAIN, headers=editor).json()["duplicates"]) == 1
    assert client.get(f"/v1/items/KB-{mine}/duplicates", headers=editor).json() == {"duplicates": []}
    assert client.get("/v1/duplicates", headers=editor).json() == {"pairs": [], "total": 0}
    for method, path in (("get", "/v1/duplicates/1"), ("post", "/v1/duplicates/1/decide")):
        extra = {"json": {"state": "not_duplicate"}} if method == "post" else {}
        assert getattr(client, method)(path, headers=editor, **extra).status_code == 404
    everything = client.get("/v1/duplicates", headers=bearer(services, "editor")).json()
    assert everything["total"] == 1


def test_a_scan_finds_each_pair_once_and_again_the_same(services: Services) -> None:
    one, two = publish(services, RESET), publish(services, AGAIN)
    publish(services, OTHER)
    assert scanning.behind(services.db) == 6
    done = scan(services.db, services.searcher)
    assert (done.changes, done.items) == (6, 3)
    assert pairs(services) == [(one, two, PairState.OPEN)]
    assert scanning.behind(services.db) == 0
    assert scan(services.db, services.searcher).changes == 0
    with services.db.write() as session:
        duplicates.rewind(session)
    scan(services.db, services.searcher)
    assert pairs(services) == [(one, two, PairState.OPEN)]


def test_a_scan_goes_on_where_it_died(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [publish(services, {**RESET, "body": RESET["body"] + f" {n}"}) for n in range(4)]
    keep = duplicates.keep
    died: list[int] = []

    def dies_after_writing(session: Any, *args: Any, since: int, upto: int) -> bool:
        kept = keep(session, *args, since=since, upto=upto)
        if since == 2 and not died:
            died.append(upto)
            raise KeyboardInterrupt
        return kept

    monkeypatch.setattr(duplicates, "keep", dies_after_writing)
    assert step(services.db, services.searcher, limit=2).changes == 2
    with pytest.raises(KeyboardInterrupt):
        step(services.db, services.searcher, limit=2)
    assert died == [4]
    with services.db.read() as session:
        assert duplicates.scanned(session) == 2
    scan(services.db, services.searcher)
    every = [(a, b, PairState.OPEN) for a in numbers for b in numbers if a < b]
    assert pairs(services) == every


def test_two_scans_at_once_do_no_harm(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = publish(services, RESET), publish(services, AGAIN)
    keep = duplicates.keep

    def overtaken(session: Any, looked_at: Any, found: Any, *, since: int, upto: int) -> bool:
        monkeypatch.setattr(duplicates, "keep", keep)
        return keep(session, looked_at, found, since=since, upto=upto) and keep(
            session, looked_at, found, since=since, upto=upto
        )

    monkeypatch.setattr(duplicates, "keep", overtaken)
    assert step(services.db, services.searcher).changes == 0, "what another scan has done is not done again"
    assert pairs(services) == [(one, two, PairState.OPEN)]


def test_a_scan_waits_for_the_index(services: Services) -> None:
    publish(services, RESET)
    with services.db.write() as session:
        item, revision = editorial.create(session, content(AGAIN), Profile(), actor=SYSTEM)
        editorial.publish(session, item, revision, actor=SYSTEM)
    with pytest.raises(Conflict, match="index them first"):
        scan(services.db, services.searcher)


def test_a_pair_goes_when_one_of_it_changes_and_stays_when_somebody_decided(
    services: Services, client: TestClient
) -> None:
    one, two = publish(services, RESET), publish(services, AGAIN)
    three = publish(services, {**RESET, "title": "Reset the router to the factory settings"})
    scan(services.db, services.searcher)
    assert {(a, b) for a, b, _ in pairs(services)} == {(one, two), (one, three), (two, three)}
    editor = bearer(services, "editor")
    listed = client.get("/v1/duplicates", headers=editor).json()["pairs"]
    number = next(row["number"] for row in listed if (row["low"]["item"], row["high"]["item"]) == ("KB-1", "KB-2"))
    decided = client.post(f"/v1/duplicates/{number}/decide", json={"state": "not_duplicate"}, headers=editor).json()
    assert (decided["state"], decided["decided_by"]) == ("not_duplicate", "key:test editor {}")
    assert decided["decided_at"] is not None
    with services.db.write() as session:
        item = session.get_one(Item, one)
        editorial.publish(session, item, editorial.revise(session, item, content(OTHER), actor=SYSTEM), actor=SYSTEM)
        editorial.retire(session, session.get_one(Item, three), actor=SYSTEM)
    still = client.get("/v1/duplicates", headers=editor).json()
    assert [row["evidence"] for row in still["pairs"]] == [], "one retired, one decided: nothing of it is shown"
    services.indexer.catch_up()
    scan(services.db, services.searcher)
    assert pairs(services) == [(one, two, PairState.NOT_DUPLICATE)]
    shown = client.get("/v1/duplicates?state=not_duplicate", headers=editor).json()["pairs"]
    assert shown[0]["evidence"] is None, "what was compared is not what is live"
    reopened = client.post(f"/v1/duplicates/{number}/decide", json={"state": "open"}, headers=editor).json()
    assert (reopened["state"], reopened["decided_by"], reopened["decided_at"]) == ("open", None, None)


def test_a_pair_tells_why_and_what_contradicts(services: Services, client: TestClient) -> None:
    publish(services, RESET)
    publish(services, AGAIN)
    scan(services.db, services.searcher)
    editor = bearer(services, "editor")
    row = client.get("/v1/duplicates", headers=editor).json()["pairs"][0]
    assert (row["evidence"]["low"], row["evidence"]["high"]) == (["12 second"], ["5 second"])
    assert row["evidence"]["contradiction"]["kind"] == "number"
    assert "12 seconds" in row["evidence"]["contradiction"]["low"]
    assert "5 seconds" in row["evidence"]["contradiction"]["high"]
    beside = client.get(f"/v1/duplicates/{row['number']}", headers=editor).json()
    assert (beside["low"]["body"], beside["high"]["body"]) == (RESET["body"], AGAIN["body"])


def test_cases_and_items_of_two_kinds_are_not_queued(services: Services) -> None:
    publish(services, RESET, kind=Kind.CASE)
    publish(services, AGAIN, kind=Kind.CASE)
    publish(services, RESET, kind=Kind.LESSON)
    publish(services, AGAIN)
    scan(services.db, services.searcher)
    assert pairs(services) == []


def test_a_deleted_item_takes_its_pairs_along(services: Services) -> None:
    one, two = publish(services, RESET), publish(services, AGAIN)
    scan(services.db, services.searcher)
    with services.db.write() as session:
        editorial.delete(session, session.get_one(Item, two), actor=SYSTEM)
    assert pairs(services) == []
    services.indexer.catch_up()
    scan(services.db, services.searcher)
    assert pairs(services) == []
    with services.db.read() as session:
        assert duplicates.count(session, scope_of(session, SYSTEM), PairState.OPEN) == 0
        assert session.get(Item, one) is not None
