"""Flags: raised by who reads and is known, seen and settled by those who write there, never by a newer revision."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from api.app import create_app
from api.services import Services
from kb import editorial, flags, items, keys, queues, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput, NotFound, TooLarge, TooManyAttempts
from kb.flags import Raised
from kb.models import Audience, AuditRow, Flag, FlagReason, FlagState, Item, now
from kb.queues import Queue

CUSTOMER = Principal(role=Role.CUSTOMER, subject="cy")
CARL = Principal(role=Role.CONTRIBUTOR, subject="carl")


def article(session: Session, audience: Audience = Audience.PUBLIC, space_id: int | None = None) -> Item:
    content = Content(title="Reset the router", body="Hold the button.")
    item, revision = editorial.create(session, content, Profile(audience=audience), actor=SYSTEM, space_id=space_id)
    editorial.publish(session, item, revision, actor=SYSTEM)
    return item


def raised(session: Session, item: Item, actor: Principal = CUSTOMER, **how: object) -> Raised:
    view = items.view(session, item.number, scope_of(session, actor))
    reason = FlagReason(str(how.pop("reason", "outdated")))
    return flags.report(session, view, reason, actor=actor, **how)  # type: ignore[arg-type]


def waiting(session: Session) -> list[str]:
    rows = queues.listed(session, CARL, Queue.FLAGGED)
    assert queues.counts(session, CARL)[Queue.FLAGGED] == len(rows)
    return [row.item.number for row in rows]


def test_a_flag_stays_open_until_a_person_settles_it(db: Database) -> None:
    with db.write() as session:
        item = article(session)
        first = int(raised(session, item, comment=" 按钮在哪？ ").flag.id or 0)
        second = int(raised(session, item, reason="confusing").flag.id or 0)
        newer = editorial.revise(session, item, Content(title="Reset", body="Press."), actor=SYSTEM, based_on=1)
        assert newer is not None
        editorial.publish(session, item, editorial.newest_revision(session, item), actor=SYSTEM)
        assert raised(session, item).revision == 2
        assert raised(session, item, revision=1).revision == 1
        assert waiting(session) == [item.number]
    with db.write() as session:
        item = session.get_one(Item, 1)
        settled = flags.settle(session, first, FlagState.FIXED, actor=CARL)
        assert (settled.flag.decided_by, settled.revision) == ("carl", 1)
        with pytest.raises(InvalidInput, match="nothing to mend"):
            flags.settle(session, second, FlagState.DISMISSED, actor=CARL, answer=" ")
        with pytest.raises(InvalidInput, match="fixed or dismissed"):
            flags.settle(session, second, FlagState.OPEN, actor=CARL)
        flags.settle(session, second, FlagState.DISMISSED, actor=CARL, answer="it says so")
        with pytest.raises(Conflict, match="dismissed already, by carl"):
            flags.settle(session, second, FlagState.FIXED, actor=CARL)
        rows = flags.listed(session, item, actor=CARL)
        assert [row.flag.state.value for row in rows] == ["open", "open", "dismissed", "fixed"]
        assert rows[-1].flag.comment == "按钮在哪？"
        for row in rows[:2]:
            flags.settle(session, int(row.flag.id or 0), FlagState.FIXED, actor=CARL)
        assert waiting(session) == []
        log = session.exec(select(AuditRow.actor).where(col(AuditRow.action).in_(["item.flag", "item.settle_flag"])))
        assert sorted(str(actor) for actor in log) == ["carl"] * 4 + ["cy"] * 4


def test_what_cannot_be_is_refused(db: Database) -> None:
    with db.write() as session:
        item = article(session)
        editorial.revise(session, item, Content(title="staged", body="x"), actor=SYSTEM, based_on=1)
        with pytest.raises(Forbidden, match="customer"):
            raised(session, item, Principal())
        with pytest.raises(InvalidInput, match="what is wrong"):
            raised(session, item, reason="other")
        with pytest.raises(TooLarge):
            raised(session, item, comment="x" * 1001)
        for n in (2, 3):  # a staged edit is not said to be there
            with pytest.raises(NotFound, match=f"no revision {n} that readers saw"):
                raised(session, item, revision=n)
        assert session.exec(select(Flag)).all() == []


def test_too_many_at_once_wait(db: Database) -> None:
    with db.write() as session:
        item = article(session)
        for _ in range(flags.MOST):
            raised(session, item)
        with pytest.raises(TooManyAttempts, match="15 minutes") as slow:
            raised(session, item)
        assert 0 < slow.value.wait <= flags.WINDOW.total_seconds() + 1
        raised(session, item, CARL)
        first = session.get_one(Flag, 1)
        first.raised_at = now() - flags.WINDOW - timedelta(minutes=1)
        session.add(first)
        session.flush()
        raised(session, item)


def test_only_who_may_write_there_sees_and_settles(db: Database) -> None:
    with db.write() as session:
        lake = int(spaces.add(session, "lake", name="Lake").id or 0)
        harbour = int(spaces.add(session, "harbour", name="Harbour").id or 0)
        item = article(session, Audience.INTERNAL, lake)
        agent = Principal(role=Role.AGENT, subject="ag", space=lake)
        with pytest.raises(NotFound):
            raised(session, item, CUSTOMER)
        number = int(raised(session, item, agent).flag.id or 0)
        elsewhere = Principal(role=Role.EDITOR, subject="ed", space=harbour)
        with pytest.raises(NotFound, match="no flag 1 that you may read"):
            flags.settle(session, number, FlagState.FIXED, actor=elsewhere)
        with pytest.raises(NotFound, match="no flag 9 that you may read"):
            flags.settle(session, 9, FlagState.FIXED, actor=elsewhere)
        for refused in (agent, elsewhere):
            with pytest.raises(Forbidden):
                flags.listed(session, item, actor=refused)
        with pytest.raises(Forbidden):
            flags.settle(session, number, FlagState.FIXED, actor=agent)
        assert session.get_one(Flag, number).state is FlagState.OPEN


def test_deleting_an_item_deletes_its_flags(db: Database) -> None:
    with db.write() as session:
        item = article(session)
        raised(session, item)
        editorial.delete(session, item, actor=SYSTEM)
        assert session.exec(select(Flag)).all() == []


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), follow_redirects=False) as opened:
        yield opened


def test_over_http(services: Services, client: TestClient) -> None:
    with services.db.write() as session:
        article(session)
        sent = {
            role: {"Authorization": f"Bearer {keys.add(session, role.value, role, actor=SYSTEM)}"}
            for role in (Role.CUSTOMER, Role.CONTRIBUTOR)
        }
    path, body = "/v1/items/KB-1/flags", {"reason": "duplicate", "comment": "of KB-7", "revision": 1}
    assert client.post(path, json=body).status_code == 403
    done = client.post(path, json=body, headers=sent[Role.CUSTOMER])
    assert (done.status_code, done.json()["number"], done.json()["raised_by"]) == (201, 1, "key:customer")
    assert client.get(path, headers=sent[Role.CUSTOMER]).status_code == 403
    assert client.post(path, json={"reason": "bad"}, headers=sent[Role.CUSTOMER]).status_code == 422
    assert client.get(path, headers=sent[Role.CONTRIBUTOR]).json()["flags"] == [done.json()]
    settled = client.post("/v1/flags/1", json={"state": "fixed"}, headers=sent[Role.CONTRIBUTOR]).json()
    assert (settled["state"], settled["decided_by"]) == ("fixed", "key:contributor")
    assert client.post("/v1/flags/1", json={"state": "fixed"}, headers=sent[Role.CONTRIBUTOR]).status_code == 409
