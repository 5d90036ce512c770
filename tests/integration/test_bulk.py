"""Bulk actions: each item by its own rights, whole or not at all; what one refuses hinders no other."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from api.app import create_app
from api.services import Services
from kb import bulk, changes, editorial, items, keys, review, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.bulk import Action, Change
from kb.content import Content, Profile, labels
from kb.db import Database
from kb.errors import Forbidden, InvalidInput, TooLarge
from kb.models import Audience, AuditRow, Facet, Item, ItemLabel, Revision, State

ALL = [
    Change(Action.PUBLISH),
    Change(Action.RETIRE),
    Change(Action.SUBMIT, "please"),
    Change(Action.ADD_LABEL, "router", Facet.PRODUCT),
    Change(Action.REMOVE_LABEL, "old", Facet.TOPIC),
    Change(Action.OWNER, "ann"),
    Change(Action.AUDIENCE, "public"),
]


def article(session: Session, state: State = State.DRAFT, space_id: int | None = None, body: str = "Hold.") -> str:
    profile = Profile(audience=Audience.CUSTOMER, labels=labels(topics=["old"]))
    item, revision = editorial.create(
        session, Content(title="Reset", body=body), profile, actor=SYSTEM, space_id=space_id
    )
    if state in (State.PUBLISHED, State.RETIRED):
        editorial.publish(session, item, revision, actor=SYSTEM)
    if state == State.RETIRED:
        editorial.retire(session, item, actor=SYSTEM)
    if state == State.IN_REVIEW:
        review.submit(session, item, actor=SYSTEM)
    return item.number


def facts(db: Database) -> list[Any]:
    """Return all that a bulk action could change."""
    with db.read() as session:
        rows = session.exec(select(Item).order_by(col(Item.id))).all()
        tags = session.exec(select(ItemLabel).order_by(col(ItemLabel.item_id), col(ItemLabel.value))).all()
        revisions = session.exec(select(Revision.id)).all()
        return [
            [(row.id, row.state, row.owner, row.audience, row.live_revision_id) for row in rows],
            [(tag.item_id, tag.facet, tag.value) for tag in tags],
            revisions,
            changes.latest(session),
        ]


def allowed(action: Action, role: Role, state: State) -> bool | None:
    """Say whether the role may, in the state; None: it may, but the state forbids it."""
    shown = state in (State.PUBLISHED, State.RETIRED)
    least = {
        Action.PUBLISH: Role.PUBLISHER,
        Action.RETIRE: Role.EDITOR,
        Action.SUBMIT: Role.CONTRIBUTOR,
    }.get(action, Role.PUBLISHER if shown else Role.CONTRIBUTOR)
    if role.rank < least.rank:
        return False
    if action == Action.PUBLISH and state == State.IN_REVIEW:
        return None
    return None if action == Action.SUBMIT and state in (State.PUBLISHED, State.IN_REVIEW) else True


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("change", ALL, ids=lambda change: change.action.value)
def test_every_role_in_every_state(sqlite: Database, role: Role, change: Change) -> None:
    actor = Principal(role=role, subject="who")
    with sqlite.write() as session:
        refs = {state: article(session, state) for state in State}
    if role.rank < Role.CONTRIBUTOR.rank:
        before = facts(sqlite)
        with pytest.raises(Forbidden):
            bulk.run(sqlite, list(refs.values()), change, actor=actor)
        assert facts(sqlite) == before
        return
    for state, ref in refs.items():
        before = facts(sqlite)
        (result,) = bulk.run(sqlite, [ref], change, actor=actor)
        expected = allowed(change.action, role, state)
        if expected:
            assert result.error is None, (state, result)
            continue
        assert result.error is not None
        assert result.error.code == ("forbidden" if expected is False else "conflict"), state
        assert facts(sqlite) == before, "nothing of it was done"


def test_one_that_refuses_hinders_no_other(db: Database) -> None:
    with db.write() as session:
        lake = spaces.add(session, "lake", name="Lake").id
        here, there, waits = (
            article(session, space_id=lake),
            article(session),
            article(session, State.IN_REVIEW, space_id=lake),
        )
        last = article(session, space_id=lake)
    local = Principal(role=Role.PUBLISHER, subject="local", space=lake)
    found = bulk.run(db, [here, there, waits, "KB-99", "nothing", last, here], Change(Action.PUBLISH), actor=local)
    codes = [result.error and result.error.code for result in found]
    assert codes == [None, "not_found", "conflict", "not_found", "invalid_input", None], "named twice it is done once"
    with db.read() as session:
        states = {item.number: item.state for item in session.exec(select(Item))}
        log = session.exec(select(AuditRow.target).where(col(AuditRow.actor) == "local")).all()
    assert states == {
        here: State.PUBLISHED,
        there: State.DRAFT,
        waits: State.IN_REVIEW,
        last: State.PUBLISHED,
    }
    assert log == [here, last]


def test_labels_owner_and_audience(db: Database) -> None:
    with db.write() as session:
        refs = [article(session, State.PUBLISHED) for _ in range(3)]
    for change in ALL[3:]:
        assert all(result.error is None for result in bulk.run(db, refs, change, actor=SYSTEM))
    with db.read() as session:
        for ref in refs:
            view = items.view(session, ref, scope_of(session, Principal()))
            assert (view.values(Facet.PRODUCT), view.values(Facet.TOPIC)) == (["router"], [])
            assert (view.item.owner, view.item.audience) == ("ann", Audience.PUBLIC)
    bulk.run(db, refs, Change(Action.OWNER), actor=SYSTEM)
    with db.read() as session:
        assert set(session.exec(select(Item.owner))) == {None}


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"action": Action.ADD_LABEL, "value": "x"}, "needs a facet"),
        ({"action": Action.ADD_LABEL, "facet": Facet.TOPIC, "value": " "}, "needs a facet"),
        ({"action": Action.ADD_LABEL, "facet": Facet.TOPIC, "value": "x" * 201}, "1 to 200"),
        ({"action": Action.OWNER, "value": "x" * 201}, "at most 200"),
        ({"action": Action.OWNER, "facet": Facet.TOPIC}, "only labels"),
        ({"action": Action.RETIRE, "value": "x"}, "takes no value"),
        ({"action": Action.AUDIENCE}, "one of internal"),
        ({"action": Action.AUDIENCE, "value": "all"}, "one of internal"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(how: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        Change(**how)


def test_none_and_too_many_are_refused(sqlite: Database) -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        bulk.run(sqlite, [], ALL[0], actor=SYSTEM)
    with pytest.raises(TooLarge, match="not 501"):
        bulk.run(sqlite, [f"KB-{n}" for n in range(501)], ALL[0], actor=SYSTEM)


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def test_over_http(services: Services, client: TestClient) -> None:
    with services.db.write() as session:
        pia = {"Authorization": f"Bearer {keys.add(session, 'pia', 'publisher', actor=SYSTEM)}"}
        reader = {"Authorization": f"Bearer {keys.add(session, 'reader', 'agent', actor=SYSTEM)}"}
        for n in range(3):
            article(session, State.IN_REVIEW if n == 1 else State.DRAFT, body=f"Zanzibar {n}.")
    body = {"items": ["KB-1", "KB-2", "KB-3"], "action": "publish"}
    assert client.post("/v1/items/bulk", json=body).status_code == 403
    assert client.post("/v1/items/bulk", json=body, headers=reader).status_code == 403
    done = client.post("/v1/items/bulk?wait=searchable", json=body, headers=pia).json()
    assert (done["done"], done["failed"], done["searchable"]) == (2, 1, True)
    assert [(row["item"], row["state"], row["code"]) for row in done["results"]] == [
        ("KB-1", "published", None),
        ("KB-2", None, "conflict"),
        ("KB-3", "published", None),
    ]
    hits = client.get("/v1/search?q=zanzibar", headers=reader).json()["hits"]
    assert {hit["item"] for hit in hits} == {"KB-1", "KB-3"}
    wrongs: list[dict[str, Any]] = [
        {"action": "burn"},
        {"items": []},
        {"items": ["KB-1"] * 501},
        {"action": "add_label", "value": "x"},
    ]
    for wrong in wrongs:
        assert client.post("/v1/items/bulk", json={**body, **wrong}, headers=pia).status_code == 422
