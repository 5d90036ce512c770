"""Plans: done once, when their moment has come, with the rights of then; the clock is moved, nobody sleeps."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select, update

from api.app import create_app
from api.services import Services
from kb import accounts, changes, editorial, keys, pending, review, schedule, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput, NotFound, StaleRevision
from kb.models import (
    Account,
    AccountState,
    ApiKey,
    Audience,
    AuditRow,
    Item,
    Kind,
    Plan,
    PlannedAction,
    PlanOutcome,
    Revision,
    State,
    now,
)

PUBLISH, RETIRE = PlannedAction.PUBLISH, PlannedAction.RETIRE
SOON = now() + timedelta(days=1)
LATER = SOON + timedelta(days=1)
TEXT = Content(title="Reset", body="Hold.")


def article(db: Database, *, live: bool = False, staged: bool = False) -> int:
    with db.write() as session:
        item, revision = editorial.create(session, TEXT, Profile(audience=Audience.PUBLIC), actor=SYSTEM)
        if live:
            editorial.publish(session, item, revision, actor=SYSTEM)
        if staged:
            editorial.revise(session, item, Content(title="Reset it"), actor=SYSTEM)
        return int(item.id or 0)


def plan(db: Database, number: int, action: PlannedAction, at: datetime = SOON, **how: Any) -> None:
    with db.write() as session:
        schedule.plan(session, session.get_one(Item, number), action, at, **{"actor": SYSTEM, **how})


def stands(db: Database, number: int) -> tuple[State, int | None]:
    with db.read() as session:
        item = session.get_one(Item, number)
        live = session.get(Revision, item.live_revision_id) if item.live_revision_id is not None else None
        return item.state, live.n if live is not None else None


def outcomes(db: Database, number: int) -> list[tuple[str, str | None]]:
    with db.read() as session:
        rows = schedule.history(session, session.get_one(Item, number), actor=SYSTEM)
        return [(row.action.value, row.outcome and row.outcome.value) for row in rows]


def test_done_when_its_moment_has_come_and_once(db: Database) -> None:
    number = article(db)
    plan(db, number, PUBLISH)
    assert schedule.run_due(db, SOON - timedelta(seconds=1)) == 0
    assert stands(db, number) == (State.DRAFT, None)
    assert schedule.run_due(db, SOON) == 1
    assert stands(db, number) == (State.PUBLISHED, 1)
    with db.read() as session:
        before = changes.latest(session)
    assert schedule.run_due(db, LATER) == 0
    with db.read() as session:
        assert changes.latest(session) == before
    assert outcomes(db, number) == [("publish", "done")]


def test_it_survives_a_restart_and_passed_moments_are_made_up_in_order(db: Database) -> None:
    number = article(db, staged=True)
    plan(db, number, PUBLISH, SOON, revision=1)
    plan(db, number, RETIRE, LATER)
    again = Database(db.url.render_as_string(hide_password=False))
    assert schedule.run_due(again, LATER + timedelta(days=9)) == 2
    again.dispose()
    assert stands(db, number) == (State.RETIRED, 1)
    assert outcomes(db, number) == [("retire", "done"), ("publish", "done")]


def test_several_processes_do_it_once(db: Database) -> None:
    numbers = [article(db) for _ in range(5)]
    for number in numbers:
        plan(db, number, PUBLISH)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: schedule.run_due(db, SOON), range(8)))
    assert sum(done) == 5
    with db.read() as session:
        assert len(session.exec(select(AuditRow).where(col(AuditRow.action) == "item.publish")).all()) == 5


def test_the_revision_that_was_planned_is_published_not_a_later_one(db: Database) -> None:
    number = article(db)
    plan(db, number, PUBLISH)
    with db.write() as session:
        editorial.revise(session, session.get_one(Item, number), Content(title="Later"), actor=SYSTEM)
    schedule.run_due(db, SOON)
    assert stands(db, number) == (State.PUBLISHED, 1)


def test_planned_anew_and_cancelled(db: Database) -> None:
    number = article(db)
    plan(db, number, PUBLISH)
    plan(db, number, PUBLISH, LATER)
    assert schedule.run_due(db, SOON) == 0
    with db.write() as session:
        schedule.cancel(session, session.get_one(Item, number), PUBLISH, actor=SYSTEM)
        with pytest.raises(NotFound, match="nothing is planned"):
            schedule.cancel(session, session.get_one(Item, number), PUBLISH, actor=SYSTEM)
    assert schedule.run_due(db, LATER) == 0
    assert outcomes(db, number) == [("publish", "cancelled")] * 2
    with db.read() as session:
        log = session.exec(select(AuditRow.action).order_by(col(AuditRow.id))).all()
    assert log == ["item.create", "item.plan", "item.plan", "item.cancel_plan"]


def test_what_a_person_does_before_ends_the_plan(db: Database) -> None:
    published, retired = article(db), article(db, live=True, staged=True)
    plan(db, published, PUBLISH)
    plan(db, published, RETIRE, LATER)
    plan(db, retired, PUBLISH)
    with db.write() as session:
        item = session.get_one(Item, published)
        editorial.publish(session, item, editorial.newest_revision(session, item), actor=SYSTEM)
        editorial.retire(session, session.get_one(Item, retired), actor=SYSTEM)
    assert schedule.run_due(db, SOON) == 0
    assert stands(db, retired) == (State.RETIRED, 1), "what was retired does not come back by itself"
    assert outcomes(db, published) == [("retire", None), ("publish", "cancelled")]
    assert outcomes(db, retired) == [("publish", "cancelled")]


def test_a_planned_retirement_leaves_a_plan_to_publish_after_it(db: Database) -> None:
    number = article(db, live=True, staged=True)
    plan(db, number, RETIRE, SOON)
    plan(db, number, PUBLISH, LATER)
    assert schedule.run_due(db, SOON) == 1
    assert stands(db, number) == (State.RETIRED, 1)
    assert schedule.run_due(db, LATER) == 1
    assert stands(db, number) == (State.PUBLISHED, 2)


def test_what_is_not_right_any_more_fails_with_its_reason_and_the_rest_is_done(db: Database) -> None:
    blocked, fine = article(db), article(db)
    plan(db, blocked, PUBLISH)
    plan(db, fine, PUBLISH)
    with db.write() as session:
        review.submit(session, session.get_one(Item, blocked), actor=SYSTEM)
    assert schedule.run_due(db, SOON) == 1
    assert (stands(db, blocked)[0], stands(db, fine)[0]) == (State.IN_REVIEW, State.PUBLISHED)
    with db.read() as session:
        (failed,) = schedule.history(session, session.get_one(Item, blocked), actor=SYSTEM)
        assert failed.outcome == PlanOutcome.FAILED
        assert "is in review" in failed.reason
        assert pending.open_review(session, session.get_one(Item, blocked)) is not None, "nothing of it was half done"
    assert schedule.run_due(db, LATER) == 0


@pytest.mark.parametrize("lost", ["revoked", "expired", "disabled", "demoted", None])
def test_it_is_done_with_the_rights_of_then(db: Database, lost: str | None) -> None:
    number = article(db)
    with db.write() as session:
        keys.add(session, "desk", "publisher", actor=SYSTEM)
        accounts.add(session, "pia@example.org", name="Pia", role="publisher", actor=SYSTEM)
        row = accounts.get(session, "pia@example.org")
        row.state = AccountState.ACTIVE
        session.add(row)
    by_key = lost in ("revoked", "expired")
    who = Principal(role=Role.PUBLISHER, subject="key:desk" if by_key else "pia@example.org")
    plan(db, number, PUBLISH, actor=who)
    with db.write() as session:
        row = session.exec(select(Account).where(col(Account.email) == "pia@example.org")).one()
        if lost == "revoked":
            keys.revoke(session, "desk", actor=SYSTEM)
        elif lost == "expired":
            session.exec(update(ApiKey).values(expires_at=now() - timedelta(seconds=1)))
        elif lost == "disabled":
            accounts.disable(session, row, actor=SYSTEM)
        elif lost == "demoted":
            accounts.grant(session, row, "contributor", None, actor=SYSTEM)
    assert schedule.run_due(db, SOON) == (1 if lost is None else 0)
    assert stands(db, number)[0] == (State.PUBLISHED if lost is None else State.DRAFT)
    assert outcomes(db, number) == [("publish", "done" if lost is None else "failed")]
    if lost is None:
        with db.read() as session:
            log = session.exec(select(AuditRow.actor).where(col(AuditRow.action) == "item.publish")).one()
            assert log == "pia@example.org"


@pytest.mark.parametrize("role", list(Role))
def test_who_may_plan_what(sqlite: Database, role: Role) -> None:
    number = article(sqlite, live=True, staged=True)
    actor = Principal(role=role, subject="who")
    for action, least in ((PUBLISH, Role.PUBLISHER), (RETIRE, Role.EDITOR)):
        if role.rank >= least.rank:
            plan(sqlite, number, action, actor=actor)
            with sqlite.write() as session:
                schedule.cancel(session, session.get_one(Item, number), action, actor=actor)
            continue
        with pytest.raises(Forbidden):
            plan(sqlite, number, action, actor=actor)
        with sqlite.write() as session, pytest.raises(Forbidden):
            schedule.cancel(session, session.get_one(Item, number), action, actor=actor)
    with sqlite.read() as session:
        if role.rank < Role.CONTRIBUTOR.rank:
            with pytest.raises(Forbidden):
                schedule.history(session, session.get_one(Item, number), actor=actor)
            with pytest.raises(Forbidden):
                schedule.coming(session, scope_of(session, actor), actor=actor)


def test_what_could_not_be_right_is_not_planned(sqlite: Database) -> None:
    draft, live, staged = article(sqlite), article(sqlite, live=True), article(sqlite, live=True, staged=True)
    with pytest.raises(InvalidInput, match="has passed"):
        plan(sqlite, draft, PUBLISH, now())
    with pytest.raises(NotFound, match="no revision 7"):
        plan(sqlite, draft, PUBLISH, revision=7)
    with pytest.raises(Conflict, match="readers see revision 1"):
        plan(sqlite, live, PUBLISH)
    with sqlite.write() as session:
        item = session.get_one(Item, staged)
        editorial.publish(session, item, editorial.newest_revision(session, item), actor=SYSTEM)
        editorial.retire(session, session.get_one(Item, live), actor=SYSTEM)
        review.submit(session, session.get_one(Item, draft), actor=SYSTEM)
        fixed, _ = editorial.create(session, TEXT, Profile(kind=Kind.FIXED), actor=SYSTEM)
    with pytest.raises(StaleRevision):
        plan(sqlite, staged, PUBLISH, revision=1)
    with pytest.raises(Conflict, match="retired already"):
        plan(sqlite, live, RETIRE)
    with pytest.raises(Conflict, match="in review"):
        plan(sqlite, draft, PUBLISH)
    with pytest.raises(Conflict, match="by being approved"):
        plan(sqlite, int(fixed.id or 0), PUBLISH)
    with sqlite.read() as session:
        assert session.exec(select(Plan)).all() == []


def test_what_is_to_come_is_listed_where_one_writes(db: Database) -> None:
    with db.write() as session:
        lake = spaces.add(session, "lake", name="Lake").id
    later, sooner = article(db), article(db)
    plan(db, later, PUBLISH, LATER)
    plan(db, sooner, PUBLISH, SOON)

    def coming(actor: Principal) -> list[int]:
        with db.read() as session:
            return [plan.item_id for plan, _ in schedule.coming(session, scope_of(session, actor), actor=actor)]

    assert coming(Principal(role=Role.CONTRIBUTOR)) == [sooner, later]
    assert coming(Principal(role=Role.CONTRIBUTOR, space=lake)) == []
    with db.write() as session:
        editorial.delete(session, session.get_one(Item, sooner), actor=SYSTEM)
    assert coming(SYSTEM) == [later]


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def key(services: Services, name: str, role: str) -> dict[str, str]:
    with services.db.write() as session:
        return {"Authorization": f"Bearer {keys.add(session, name, role, actor=SYSTEM)}"}


def test_a_running_server_does_it_and_it_is_searchable(services: Services, client: TestClient) -> None:
    pia = key(services, "pia", "publisher")
    client.post("/v1/items", json={"title": "Zanzibar reset", "body": "Hold.", "audience": "public"}, headers=pia)
    made = client.put("/v1/items/KB-1/schedule/publish", json={"at": SOON.isoformat()}, headers=pia).json()
    assert (made["action"], made["revision"], made["asked_by"], made["outcome"]) == ("publish", 1, "key:pia", None)
    assert client.get("/v1/items/KB-1/status", headers=pia).json()["planned"] == [made]
    assert client.get("/v1/schedule", headers=pia).json()["coming"] == [{"item": "KB-1", "plan": made}]
    assert client.put("/v1/items/KB-1/schedule/retire", json={"at": SOON.isoformat()}, headers=pia).status_code == 403
    assert client.put("/v1/items/KB-1/schedule/burn", json={"at": SOON.isoformat()}, headers=pia).status_code == 422
    with services.db.write() as session:
        published = changes.latest(session) + 1
        session.exec(update(Plan).values(at=now() - timedelta(seconds=1)))
    assert services.follower.wait_for(published, 60)
    assert [hit["item"] for hit in client.get("/v1/search?q=zanzibar+reset").json()["hits"]] == ["KB-1"]
    (done,) = client.get("/v1/items/KB-1/schedule", headers=pia).json()["plans"]
    assert done["outcome"] == "done"
    assert client.delete("/v1/items/KB-1/schedule/publish", headers=pia).status_code == 404


def test_where_plans_cannot_be_done_indexing_goes_on_and_readiness_says_so(services: Services) -> None:
    def broken() -> None:
        raise ValueError("zanzibar")

    services.follower._do_due = broken
    services.follower._look_at_plans()
    assert services.follower.error == "ValueError: zanzibar"
    services.follower._do_due = None


@pytest.mark.parametrize("role", [None, "customer", "agent"])
def test_readers_learn_nothing_of_plans(services: Services, client: TestClient, role: str | None) -> None:
    headers = key(services, "reader", role) if role else {}
    number = article(services.db, live=True)
    services.indexer.catch_up()
    at = {"json": {"at": SOON.isoformat()}}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("get", f"/v1/items/KB-{number}", {}),
        ("get", f"/v1/items/KB-{number}/schedule", {}),
        ("get", "/v1/schedule", {}),
        ("put", f"/v1/items/KB-{number}/schedule/retire", at),
        ("put", f"/v1/items/KB-{number}/schedule/publish", at),
        ("delete", f"/v1/items/KB-{number}/schedule/retire", {}),
    ]

    def told() -> list[tuple[int, str]]:
        responses = [getattr(client, method)(path, headers=headers, **extra) for method, path, extra in calls]
        return [(response.status_code, response.text) for response in responses]

    before = told()
    assert [status for status, _ in before] == [200, *[403] * 5]
    plan(services.db, number, RETIRE)
    assert told() == before
