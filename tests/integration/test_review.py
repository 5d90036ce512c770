"""Review of articles: who may, in which state, what readers see meanwhile, and what is left of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from api.app import create_app
from api.services import Services
from kb import editorial, items, keys, review, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput, KBError, NotFound, TooLarge
from kb.models import Audience, AuditRow, Item, Review, ReviewOutcome, State

CARL = Principal(role=Role.CONTRIBUTOR, subject="carl")
PIA = Principal(role=Role.PUBLISHER, subject="pia")
COCO = Principal(role=Role.COACH, subject="coco")
PUBLIC = Profile(audience=Audience.PUBLIC)
FIRST = Content(title="Reset the router", resolution="Hold the button.")
SECOND = Content(title="Reset the router", resolution="Hold the button for twelve seconds.")


def written(db: Database, author: Principal = CARL, *, publish: bool = False, submit: bool = False) -> int:
    """Return the number of an article: a draft, or live with a staged edit on top, in review if wished."""
    with db.write() as session:
        item, revision = editorial.create(session, FIRST, PUBLIC, actor=author)
        if publish:
            editorial.publish(session, item, revision, actor=SYSTEM)
            editorial.revise(session, item, SECOND, actor=author, based_on=1)
        if submit:
            review.submit(session, item, actor=author, message="please")
        return int(item.id or 0)


def state(db: Database, number: int) -> State:
    with db.read() as session:
        return session.get_one(Item, number).state


def outcomes(db: Database, number: int) -> list[str | None]:
    with db.read() as session:
        found = review.history(session, session.get_one(Item, number), actor=SYSTEM)
        return [row.outcome and row.outcome.value for row in found]


def act(db: Database, number: int, what: Callable[..., Any], actor: Principal, **how: Any) -> Any:
    with db.write() as session:
        return what(session, session.get_one(Item, number), actor=actor, **how)


def publish_newest(session: Session, item: Item, *, actor: Principal) -> None:
    editorial.publish(session, item, editorial.newest_revision(session, item), actor=actor)


def test_submitted_deferred_changed_approved(db: Database) -> None:
    number = written(db, submit=True)
    assert state(db, number) == State.IN_REVIEW
    act(db, number, review.defer, COCO, message="Which button?", revision=1)
    assert state(db, number) == State.DRAFT
    act(db, number, lambda s, i, actor: editorial.revise(s, i, SECOND, actor=actor, based_on=1), CARL)
    act(db, number, review.submit, CARL)
    with pytest.raises(Conflict, match="revision 2 in review, not 1"):
        act(db, number, review.approve, COCO, revision=1)
    act(db, number, review.approve, COCO, revision=2, message="thanks")
    with db.read() as session:
        assert items.view(session, number, scope_of(session, Principal())).revision.n == 2
        deferred, approved = review.history(session, session.get_one(Item, number), actor=CARL)
        log = session.exec(select(AuditRow.actor, AuditRow.action).order_by(col(AuditRow.id))).all()
    assert (deferred.outcome, deferred.decided_by, deferred.answer) == (ReviewOutcome.DEFERRED, "coco", "Which button?")
    assert (deferred.message, approved.answer) == ("please", "thanks")
    assert (approved.asked_by, approved.decided_by, approved.by_author) == ("carl", "coco", False)
    assert log == [
        ("carl", "item.create"),
        ("carl", "item.submit"),
        ("coco", "item.defer"),
        ("carl", "item.revise"),
        ("carl", "item.submit"),
        ("coco", "item.publish"),
        ("coco", "item.approve"),
    ]


def test_a_live_article_is_shown_while_its_staged_edit_is_in_review(db: Database) -> None:
    number = written(db, publish=True, submit=True)
    assert state(db, number) == State.PUBLISHED
    with db.read() as session:
        assert items.view(session, number, scope_of(session, Principal())).revision.n == 1
    act(db, number, review.defer, COCO, message="no")
    assert state(db, number) == State.PUBLISHED
    act(db, number, review.submit, CARL)
    act(db, number, review.approve, COCO, revision=2)
    with db.read() as session:
        assert items.view(session, number, scope_of(session, Principal())).revision.n == 2
    with pytest.raises(Conflict, match="readers see revision 2"):
        act(db, number, review.submit, CARL)


def test_who_may_publish_approves_the_own_text_and_it_is_marked(db: Database) -> None:
    number = written(db, PIA, submit=True)
    act(db, number, review.approve, PIA, revision=1)
    with db.read() as session:
        assert session.exec(select(Review.by_author)).one() is True


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("author", ["carl", "own"])
def test_who_may_do_what(sqlite: Database, role: Role, author: str) -> None:
    """Every role, on what it wrote itself and on what another wrote: done, or refused and nothing changed."""
    actor = Principal(role=role, subject="own")
    wrote = Principal(role=Role.CONTRIBUTOR, subject=author)
    own = author == "own"
    may = {
        "submit": role.rank >= Role.CONTRIBUTOR.rank,
        "withdraw": role.rank >= (Role.CONTRIBUTOR if own else Role.COACH).rank,
        "approve": role.rank >= (Role.PUBLISHER if own else Role.COACH).rank,
        "defer": role.rank >= Role.COACH.rank,
    }
    calls: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "submit": (review.submit, {}),
        "withdraw": (review.withdraw, {}),
        "approve": (review.approve, {"revision": 1}),
        "defer": (review.defer, {"message": "no"}),
    }
    for name, (what, how) in calls.items():
        number = written(sqlite, wrote, submit=name != "submit")
        before = (state(sqlite, number), outcomes(sqlite, number))
        if may[name]:
            act(sqlite, number, what, actor, **how)
            assert (state(sqlite, number), outcomes(sqlite, number)) != before, name
        else:
            with pytest.raises(Forbidden):
                act(sqlite, number, what, actor, **how)
            assert (state(sqlite, number), outcomes(sqlite, number)) == before, name
    with sqlite.read() as session:
        if role.rank < Role.CONTRIBUTOR.rank:
            for read in (
                lambda: review.history(session, session.get_one(Item, 1), actor=actor),
                lambda: review.queue(session, scope_of(session, actor), actor=actor),
            ):
                with pytest.raises(Forbidden):
                    read()


@pytest.mark.parametrize("at", ["draft", "live", "staged", "retired"])
def test_what_is_not_in_review_is_not_decided(sqlite: Database, at: str) -> None:
    number = written(sqlite, publish=at != "draft")
    if at == "live":
        act(
            sqlite,
            number,
            publish_newest,
            PIA,
        )
    if at == "retired":
        act(sqlite, number, editorial.retire, SYSTEM)
    before = state(sqlite, number)
    for what, how in ((review.approve, {}), (review.defer, {"message": "no"}), (review.withdraw, {})):
        with pytest.raises(Conflict, match="not in review"):
            act(sqlite, number, what, SYSTEM, **how)
        with pytest.raises(Forbidden):
            act(sqlite, number, what, Principal(role=Role.AGENT, subject="agent"), **how)
    for what, how in ((review.approve, {}), (review.defer, {"message": "no"})):
        with pytest.raises(Forbidden):
            act(sqlite, number, what, CARL, **how)
    assert state(sqlite, number) == before


def test_a_change_under_a_review_ends_it(db: Database) -> None:
    revised, opened, retired = (written(db, submit=True) for _ in range(3))
    act(db, revised, lambda s, i, actor: editorial.revise(s, i, SECOND, actor=actor), CARL)
    act(db, opened, lambda s, i, actor: editorial.reprofile(s, i, Profile(), actor=actor), CARL)
    act(db, retired, editorial.retire, SYSTEM)
    assert [state(db, n) for n in (revised, opened, retired)] == [State.DRAFT, State.DRAFT, State.RETIRED]
    for number in (revised, opened, retired):
        assert outcomes(db, number) == ["overtaken"]
        with pytest.raises(Conflict):
            act(db, number, review.approve, COCO)
    act(db, revised, review.submit, CARL)
    assert outcomes(db, revised) == ["overtaken", None]


def test_nothing_but_its_approval_publishes_what_is_in_review(db: Database) -> None:
    number = written(db, submit=True)
    with pytest.raises(Conflict, match="is in review"):
        act(db, number, publish_newest, PIA)
    with pytest.raises(Conflict, match="in review already"):
        act(db, number, review.submit, CARL)
    act(db, number, review.withdraw, CARL)
    assert (state(db, number), outcomes(db, number)) == (State.DRAFT, ["withdrawn"])


def test_a_review_needs_a_text_and_a_message(sqlite: Database) -> None:
    with sqlite.write() as session:
        item, _ = editorial.create(session, Content(title="Empty"), PUBLIC, actor=CARL)
        with pytest.raises(InvalidInput, match="text is empty"):
            review.submit(session, item, actor=CARL)
    number = written(sqlite, submit=True)
    with pytest.raises(InvalidInput, match="what is missing"):
        act(sqlite, number, review.defer, COCO, message=" ")
    with pytest.raises(TooLarge, match="1000 characters"):
        act(sqlite, number, review.defer, COCO, message="x" * 1001)
    assert state(sqlite, number) == State.IN_REVIEW


def test_the_queue_holds_what_is_open_where_one_writes(db: Database) -> None:
    with db.write() as session:
        lake = spaces.add(session, "lake", name="Lake").id
        local = Principal(role=Role.CONTRIBUTOR, subject="local", space=lake)
        item, _ = editorial.create(session, FIRST, Profile(), actor=local)
        review.submit(session, item, actor=local)
        here = int(item.id or 0)
    everywhere = written(db, submit=True)
    written(db)

    def waiting(actor: Principal, **how: Any) -> list[int]:
        with db.read() as session:
            rows = review.queue(session, scope_of(session, actor), actor=actor, **how)
        return [int(row.item.id or 0) for row in rows]

    assert waiting(COCO) == [here, everywhere]
    assert waiting(COCO, asked_by="carl") == [everywhere]
    assert waiting(COCO, limit=1, offset=1) == [everywhere]
    assert waiting(local) == [here]
    act(db, everywhere, review.approve, COCO)
    assert waiting(COCO) == [here]


def test_the_rights_are_those_of_the_space(sqlite: Database) -> None:
    with sqlite.write() as session:
        lake = spaces.add(session, "lake", name="Lake").id
    number = written(sqlite, submit=True)
    local = Principal(role=Role.EDITOR, subject="local", space=lake)
    for what, how in ((review.approve, {}), (review.defer, {"message": "no"}), (review.withdraw, {})):
        with pytest.raises(Forbidden, match="not yours"):
            act(sqlite, number, what, local, **how)


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def key(services: Services, name: str, role: str) -> dict[str, str]:
    with services.db.write() as session:
        return {"Authorization": f"Bearer {keys.add(session, name, role, actor=SYSTEM)}"}


BODY = {"title": "Reset the router", "body": "Hold it.", "audience": "public"}


def test_over_http(services: Services, client: TestClient) -> None:
    carl, coco = key(services, "carl", "contributor"), key(services, "coco", "coach")
    assert client.post("/v1/items", json=BODY, headers=carl).json()["state"] == "draft"
    sent = client.post("/v1/items/KB-1/submit", json={"message": "new"}, headers=carl)
    assert (sent.status_code, sent.json()["asked_by"], sent.json()["outcome"]) == (200, "key:carl", None)
    (waiting,) = client.get("/v1/reviews", headers=coco).json()["waiting"]
    assert (waiting["item"], waiting["state"], waiting["review"]["message"]) == ("KB-1", "in_review", "new")
    assert client.get("/v1/reviews", params={"mine": True}, headers=coco).json()["waiting"] == []
    given_back = client.post("/v1/items/KB-1/defer", json={"message": "Say how long."}, headers=coco).json()
    assert (given_back["outcome"], given_back["answer"]) == ("deferred", "Say how long.")
    status = client.get("/v1/items/KB-1/status", headers=carl).json()
    assert (status["state"], status["live_revision"], status["review"]["answer"]) == ("draft", None, "Say how long.")
    client.put("/v1/items/KB-1", json={**BODY, "body": "Hold it 12 s.", "based_on": 1}, headers=carl)
    client.post("/v1/items/KB-1/submit", json={}, headers=carl)
    assert client.post("/v1/items/KB-1/approve", json={}, headers=coco).status_code == 422
    assert client.post("/v1/items/KB-1/approve", json={"revision": 1}, headers=coco).json()["code"] == "conflict"
    assert client.post("/v1/items/KB-1/approve", json={"revision": 2}, headers=carl).status_code == 403
    done = client.post("/v1/items/KB-1/approve?wait=searchable", json={"revision": 2}, headers=coco).json()
    assert (done["state"], done["revision"], done["searchable"]) == ("published", 2, True)
    kept = client.get("/v1/items/KB-1/reviews", headers=carl).json()["reviews"]
    assert [(row["revision"], row["outcome"]) for row in kept] == [(2, "approved"), (1, "deferred")]
    client.put("/v1/items/KB-1", json={**BODY, "body": "Hold it 13 s.", "based_on": 2}, headers=coco)
    status = client.get("/v1/items/KB-1/status", headers=carl).json()
    assert (status["revision"], status["live_revision"], status["staged"]) == (3, 2, True)
    client.post("/v1/items/KB-1/submit", json={}, headers=coco)
    assert client.post("/v1/items/KB-1/withdraw", headers=carl).status_code == 403
    assert client.post("/v1/items/KB-1/withdraw", headers=coco).json()["outcome"] == "withdrawn"


def test_a_contributor_stages_an_edit_of_a_live_article(services: Services, client: TestClient) -> None:
    carl, coco = key(services, "carl", "contributor"), key(services, "coco", "coach")
    client.post("/v1/items", json={**BODY, "topics": ["reset"], "publish": True}, headers=coco)
    before = client.get("/v1/items/KB-1").text
    edit = {**BODY, "topics": ["reset"], "body": "Hold it 12 s.", "based_on": 1}
    profiles: list[dict[str, Any]] = [{"audience": "internal"}, {"topics": []}, {"owner": "carl"}]
    for profile in profiles:
        refused = client.put("/v1/items/KB-1", json={**edit, **profile}, headers=carl)
        assert (refused.status_code, "say who reads" in refused.json()["detail"]) == (403, True)
    assert client.get("/v1/items/KB-1/status", headers=carl).json()["revision"] == 1, "nothing of it was kept"
    assert client.put("/v1/items/KB-1", json=edit, headers=carl).json()["state"] == "published"
    assert client.post("/v1/items/KB-1/submit", json={}, headers=carl).status_code == 200
    assert client.get("/v1/items/KB-1").text == before
    (waiting,) = client.get("/v1/reviews", headers=coco).json()["waiting"]
    assert waiting["state"] == "published"
    client.post("/v1/items/KB-1/approve", json={"revision": 2}, headers=coco)
    assert client.get("/v1/items/KB-1").json()["body"] == "Hold it 12 s."


@pytest.mark.parametrize("role", [None, "customer", "agent"])
def test_readers_learn_nothing_of_reviews(services: Services, client: TestClient, role: str | None) -> None:
    """What a reader is told of a live article is the same to the letter while an edit of it is in review."""
    headers = key(services, "reader", role) if role else {}
    with services.db.write() as session:
        item, revision = editorial.create(session, FIRST, PUBLIC, actor=CARL)
        editorial.publish(session, item, revision, actor=SYSTEM)
    services.indexer.catch_up()
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("get", "/v1/items/KB-1", {}),
        ("get", "/v1/items/KB-1/reviews", {}),
        ("get", "/v1/items/KB-1/status", {}),
        ("get", "/v1/reviews", {}),
        ("post", "/v1/items/KB-1/submit", {"json": {}}),
        ("post", "/v1/items/KB-1/approve", {"json": {"revision": 2}}),
        ("post", "/v1/items/KB-1/defer", {"json": {"message": "no"}}),
        ("post", "/v1/items/KB-1/withdraw", {}),
        ("get", "/v1/items/KB-2/status", {}),
        ("get", "/v1/items/KB-2/reviews", {}),
        ("post", "/v1/items/KB-2/submit", {"json": {}}),
    ]

    def told() -> list[tuple[int, str]]:
        responses = [getattr(client, method)(path, headers=headers, **extra) for method, path, extra in calls]
        return [(response.status_code, response.text) for response in responses]

    before = told()
    assert [status for status, _ in before] == [200, *[403] * 7, *[404] * 3]
    act(services.db, 1, lambda s, i, actor: editorial.revise(s, i, SECOND, actor=actor), CARL)
    act(services.db, 1, review.submit, CARL)
    written(services.db, submit=True)
    services.indexer.catch_up()
    assert told() == before


def test_two_decide_at_once_and_one_of_them_is_told(db: Database) -> None:
    """Approved once, whoever comes second is refused: on both databases writers come one after another."""
    number = written(db, submit=True)

    def decide(n: int) -> str:
        try:
            if n % 2:
                act(db, number, review.approve, COCO, revision=1)
            else:
                act(db, number, review.defer, COCO, message="no", revision=1)
        except KBError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(decide, range(16)))
    assert sorted(done) == ["conflict"] * 15 + ["done"]
    assert len(outcomes(db, number)) == 1


def test_a_deleted_item_is_not_decided(db: Database) -> None:
    number = written(db, submit=True)
    with db.read() as session:
        held = session.get_one(Item, number)
    act(db, number, editorial.delete, SYSTEM)
    with db.write() as session, pytest.raises(NotFound):
        review.approve(session, held, actor=COCO)
