"""Fixed answers: written, reviewed, returned as they are, to whom may read them, until they expire."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select

from api.app import create_app
from api.services import Services
from kb import editorial, fixed, items, keys, review, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile, labels
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput, NotFound
from kb.models import Audience, Item, Kind, Review, Revision, State, Wording, now
from retrieval.answer import answer
from retrieval.types import Filters

ANN = Principal(role=Role.EDITOR, subject="ann")
BEN = Principal(role=Role.EDITOR, subject="ben")
PUBLIC = Profile(kind=Kind.FIXED, audience=Audience.PUBLIC)
CONTENT = Content(
    title="How do I cancel?",
    body="Write to us **one month** before.\n\n1. Name\n2. Number",
    similar_questions=("cancel my contract",),
)


def fix(
    db: Database,
    content: Content = CONTENT,
    profile: Profile = PUBLIC,
    *,
    days: int | None = None,
    approve: bool = True,
    space: str | None = None,
) -> int:
    with db.write() as session:
        space_id = spaces.by_key(session, space).id if space else None
        item, _ = editorial.create(session, content, profile, actor=ANN, space_id=space_id)
        review.submit(session, item, actor=ANN, expires_at=now() + timedelta(days=days) if days is not None else None)
        if approve:
            review.approve(session, item, actor=BEN)
        return int(item.id or 0)


def expire(db: Database, number: int) -> None:
    """Let its expiry have come a moment ago."""
    with db.write() as session:
        item = session.get_one(Item, number)
        item.expires_at = now() - timedelta(seconds=1)
        session.add(item)


def asked(db: Database, question: str, who: Principal = Principal()) -> list[int]:
    with db.read() as session:
        return [int(found.view.item.id or 0) for found in fixed.lookup(session, scope_of(session, who), question)]


def test_an_answer_is_found_when_another_has_approved_it(db: Database) -> None:
    number = fix(db, approve=False)
    with db.read() as session:
        assert session.get_one(Item, number).state == State.IN_REVIEW
    assert asked(db, "How do I cancel?", SYSTEM) == []
    with db.write() as session:
        item = session.get_one(Item, number)
        with pytest.raises(Conflict, match="revision 1 in review, not 2"):
            review.approve(session, item, actor=BEN, revision=2)
        review.approve(session, item, actor=BEN, revision=1)
        with pytest.raises(Conflict, match="not in review"):
            review.approve(session, item, actor=BEN)
    for question in ("How do I cancel?", "  how do i CANCEL", "Cancel my contract!", "ｃａｎｃｅｌ my contract"):
        assert asked(db, question) == [number], question
    for question in ("How do I cancel it?", "cancel", "?", "how do i"):
        assert asked(db, question) == [], question
    with db.read() as session:
        (done,) = session.exec(select(Review)).all()
    assert (done.asked_by, done.decided_by, done.by_author) == ("ann", "ben", False)


def test_approving_the_own_text_is_marked(db: Database) -> None:
    number = fix(db, approve=False)
    with db.write() as session:
        review.approve(session, session.get_one(Item, number), actor=ANN)
    with db.read() as session:
        assert session.exec(select(Review.by_author)).one() is True


def test_a_change_is_seen_when_it_is_approved_and_both_texts_are_kept(db: Database) -> None:
    number = fix(db)
    with db.write() as session:
        item = session.get_one(Item, number)
        editorial.revise(session, item, Content(title="How do I leave?", body="Call us."), actor=BEN, based_on=1)
        review.submit(session, item, actor=BEN)
        assert item.state == State.PUBLISHED, "readers go on seeing the one before"
    assert (asked(db, "How do I cancel?"), asked(db, "How do I leave?")) == ([number], [])
    with db.write() as session:
        review.approve(session, session.get_one(Item, number), actor=ANN)
    assert (asked(db, "How do I cancel?"), asked(db, "How do I leave?")) == ([], [number])
    with db.read() as session:
        kept = session.exec(select(Revision).order_by(col(Revision.n))).all()
        assert [(r.n, r.author, r.body[:5]) for r in kept] == [(1, "ann", "Write"), (2, "ben", "Call ")]
        done = review.history(session, session.get_one(Item, number), actor=ANN)
        assert [(r.asked_by, r.decided_by, r.by_author) for r in done] == [
            ("ann", "ben", False),
            ("ben", "ann", False),
        ]


def test_a_change_takes_a_review_back(db: Database) -> None:
    number = fix(db, approve=False)
    with db.write() as session:
        item = session.get_one(Item, number)
        editorial.revise(session, item, Content(title="Other", body="Other"), actor=ANN)
        assert item.state == State.DRAFT
        with pytest.raises(Conflict, match="revision 2 of KB-1 is not in review"):
            review.approve(session, item, actor=BEN)


@pytest.mark.parametrize("approve", [False, True])
def test_opened_to_others_it_is_a_draft_again(db: Database, approve: bool) -> None:
    number = fix(db, profile=Profile(kind=Kind.FIXED, audience=Audience.INTERNAL), approve=approve)
    with db.write() as session:
        item = session.get_one(Item, number)
        editorial.reprofile(session, item, PUBLIC, actor=ANN)
        assert item.state == State.DRAFT
        with pytest.raises(Conflict, match="not in review"):
            review.approve(session, item, actor=ANN)
    assert asked(db, "How do I cancel?") == []
    with db.write() as session:
        item = session.get_one(Item, number)
        review.submit(session, item, actor=ANN)
        review.approve(session, item, actor=BEN)
    assert asked(db, "How do I cancel?") == [number]


def test_nothing_but_an_approval_publishes_it(db: Database) -> None:
    number = fix(db, approve=False)
    with db.write() as session:
        item = session.get_one(Item, number)
        with pytest.raises(Conflict, match="by being approved"):
            editorial.publish(session, item, editorial.newest_revision(session, item), actor=SYSTEM)
        with pytest.raises(Conflict, match="cannot become"):
            editorial.reprofile(session, item, Profile(kind=Kind.ARTICLE), actor=SYSTEM)
        other, revision = editorial.create(session, CONTENT, Profile(kind=Kind.ANSWER), actor=ANN)
        editorial.publish(session, other, revision, actor=ANN)
        with pytest.raises(Conflict, match="readers see revision 1"):
            review.submit(session, other, actor=ANN)
        with pytest.raises(Conflict, match="not in review"):
            review.approve(session, other, actor=ANN)
        with pytest.raises(NotFound):
            fixed.get(session, other.number, scope_of(session, SYSTEM))
    assert asked(db, "How do I cancel?", SYSTEM) == [], "an accepted answer of a community is not a fixed one"


def test_expired_it_is_returned_no_longer_and_kept_by_a_new_review(db: Database) -> None:
    number = fix(db, days=30)
    with db.read() as session:
        item = session.get_one(Item, number)
        assert item.expires_at is not None
        assert item.review_at == item.expires_at - review.AHEAD
    expire(db, number)
    assert asked(db, "How do I cancel?", SYSTEM) == []
    with db.read() as session:
        anonymous = scope_of(session, Principal())
        assert items.size(session, anonymous) == 0
        with pytest.raises(NotFound):
            items.view(session, number, anonymous)
        assert items.view(session, number, scope_of(session, ANN)).item.id == number, "its editors do see it"
    with db.write() as session:
        item = session.get_one(Item, number)
        review.submit(session, item, actor=ANN, expires_at=now() + timedelta(days=3))
        review.approve(session, item, actor=BEN)
    assert asked(db, "How do I cancel?") == [number]
    with db.read() as session:
        assert len(review.history(session, session.get_one(Item, number), actor=ANN)) == 2


def test_due_ones_are_listed_before_they_expire(db: Database) -> None:
    soon = fix(db, days=10)
    later = fix(db, Content(title="Later", body="x"), days=40)
    never = fix(db, Content(title="Never", body="x"))
    draft = fix(db, Content(title="Draft", body="x"), approve=False)

    def listed(**how: Any) -> list[int]:
        with db.read() as session:
            rows = fixed.listing(session, scope_of(session, ANN), actor=ANN, **how)
        return [int(row.item.id or 0) for row in rows]

    assert listed() == [soon, later, never, draft]
    assert listed(state=State.IN_REVIEW) == [draft]
    assert listed(due=now()) == [soon]
    assert listed(due=now() + timedelta(days=27)) == [soon, later]
    expire(db, soon)
    assert listed(due=now()) == [soon], "what has expired stays due"
    with db.read() as session, pytest.raises(Forbidden):
        fixed.listing(session, scope_of(session, Principal(role=Role.AGENT)), actor=Principal(role=Role.AGENT))


@pytest.mark.parametrize(("days", "due", "says"), [(-1, None, "in the past"), (5, 6, "comes after the expiry")])
def test_impossible_dates_are_refused(sqlite: Database, days: int, due: int | None, says: str) -> None:
    with sqlite.write() as session:
        item, _ = editorial.create(session, CONTENT, PUBLIC, actor=ANN)
        with pytest.raises(InvalidInput, match=says):
            review.submit(
                session,
                item,
                actor=ANN,
                expires_at=now() + timedelta(days=days),
                review_at=now() + timedelta(days=due) if due is not None else None,
            )


def test_an_answer_needs_a_text_and_an_editor(sqlite: Database) -> None:
    with sqlite.write() as session:
        item, _ = editorial.create(session, Content(title="Why?"), PUBLIC, actor=ANN)
        with pytest.raises(InvalidInput, match="answers nothing yet"):
            review.submit(session, item, actor=ANN)
        for act in (review.submit, review.approve):
            with pytest.raises(Forbidden):
                act(session, item, actor=Principal(role=Role.AGENT))


def test_the_closest_space_and_the_narrowest_audience_come_first(db: Database) -> None:
    with db.write() as session:
        spaces.add(session, "lake", name="Lake")
        lake = spaces.by_key(session, "lake").id
    everywhere = fix(db)
    local = fix(db, space="lake")
    internal = fix(db, profile=Profile(kind=Kind.FIXED, audience=Audience.INTERNAL))
    grouped = fix(db, profile=Profile(kind=Kind.FIXED, audience=Audience.PUBLIC, labels=labels(groups=["gold"])))
    assert asked(db, "how do i cancel") == [everywhere]
    assert asked(db, "how do i cancel", Principal(role=Role.CUSTOMER, space=lake)) == [local, everywhere]
    gold = Principal(role=Role.CUSTOMER, groups=frozenset({"gold"}))
    assert set(asked(db, "how do i cancel", gold)) == {everywhere, grouped}
    assert asked(db, "how do i cancel", Principal(role=Role.AGENT)) == [internal, everywhere, local]


def test_deleting_leaves_nothing(db: Database) -> None:
    number = fix(db)
    with db.write() as session:
        editorial.delete(session, session.get_one(Item, number), actor=SYSTEM)
        assert session.exec(select(Review)).all() == []
        assert session.exec(select(Wording)).all() == []


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def key(services: Services, name: str, role: str) -> dict[str, str]:
    with services.db.write() as session:
        return {"Authorization": f"Bearer {keys.add(session, name, role, actor=SYSTEM)}"}


def test_it_is_answered_as_it_is_before_the_index_knows_it(services: Services) -> None:
    number = fix(services.db)
    said = answer(services.searcher, "how do I cancel?", reader=Principal())
    assert (said.text, said.confidence, said.band) == (CONTENT.body, 1.0, "answer")
    assert said.fixed is not None
    assert (said.fixed.by_author, said.fixed.reviewed_by) == (False, None), "who it was is for staff"
    (citation,) = said.citations
    assert (citation.found.item_id, citation.found.passage_id, citation.quote) == (number, 0, CONTENT.body)
    staff = answer(services.searcher, "how do I cancel?", reader=Principal(role=Role.AGENT))
    assert staff.fixed is not None
    assert staff.fixed.reviewed_by == "ben"
    services.indexer.catch_up()
    again = answer(services.searcher, "how do I cancel?", reader=Principal())
    assert again.citations[0].found.passage_id > 0
    expire(services.db, number)
    gone = answer(services.searcher, "how do I cancel?", reader=Principal())
    assert (gone.fixed, gone.citations, list(gone.suggestions)) == (None, (), []), "nor is it found by a search"
    hits = services.searcher.search("how do I cancel?", reader=SYSTEM).hits
    assert hits == [], "whoever asks"


def test_language_and_filters_choose(services: Services) -> None:
    english = fix(services.db, Content(title="FB-E21", body="Restart."))
    chinese = fix(
        services.db,
        Content(title="FB-E21", body="重启。", similar_questions=("怎么办理退订",)),
        Profile(kind=Kind.FIXED, audience=Audience.PUBLIC, lang="zh", labels=labels(products=["tv"])),
    )

    def said(question: str, lang: str | None = None, filters: Filters | None = None) -> int | None:
        found = answer(services.searcher, question, reader=Principal(), lang=lang, filters=filters)
        return found.citations[0].found.item_id if found.fixed is not None else None

    assert (said("fb-e21"), said("FB-E21", "en"), said("FB-E21", "zh")) == (english, english, chinese)
    assert said("怎么办理退订", "en") == chinese, "the question's own language counts too"
    assert said("FB-E21", filters=Filters(labels={"product": frozenset({"tv"})})) == english
    assert said("FB-E21", "zh", Filters(labels={"product": frozenset({"app"})})) == english
    assert said("怎么办理退订", filters=Filters(labels={"product": frozenset({"app"})})) is None
    assert said("FB-E21", filters=Filters(kinds=frozenset({"article"}))) is None
    assert said("怎么办理退订", filters=Filters(langs=frozenset({"en"}))) is None


BODY = {"question": "How do I cancel?", "answer": "Write to us.", "wordings": ["cancel"], "audience": "public"}


def test_the_life_of_a_fixed_answer_over_http(services: Services, client: TestClient) -> None:
    ann, ben = key(services, "ann", "editor"), key(services, "ben", "editor")
    made = client.post("/v1/fixed-answers", json=BODY, headers=ann)
    assert (made.status_code, made.json()["state"], made.json()["review"]) == (201, "draft", None)
    until = (now() + timedelta(days=60)).isoformat()
    sent = client.post("/v1/fixed-answers/KB-1/submit", json={"expires_at": until}, headers=ann).json()
    assert (sent["state"], sent["live_revision"], sent["review"]["asked_by"]) == ("in_review", None, "key:ann")
    assert client.get("/v1/answer", params={"q": "cancel"}).json()["fixed"] is None
    done = client.post("/v1/fixed-answers/KB-1/approve?revision=1&wait=searchable", headers=ben).json()
    assert (done["state"], done["searchable"]) == ("published", True)
    said = client.get("/v1/answer", params={"q": "Cancel!"}).json()
    assert (said["band"], said["text"], said["confidence"]) == ("answer", "Write to us.", 1.0)
    assert said["fixed"]["by_author"] is False
    assert said["fixed"]["reviewed_by"] is None
    stream = client.get("/v1/answer/stream", params={"q": "Cancel!"}).text
    assert "event: answered" in stream
    assert '"fixed": {"reviewed_at"' in stream
    page = client.get("/search", params={"q": "Cancel!"}).text
    assert "Written for this question and reviewed on" in page
    change = {**BODY, "answer": "Call us.", "based_on": 1}
    assert client.put("/v1/fixed-answers/KB-1", json=change, headers=ben).json()["revision"] == 2
    assert client.put("/v1/fixed-answers/KB-1", json=change, headers=ben).status_code == 409
    row = client.get("/v1/fixed-answers/KB-1", headers=ann).json()
    assert (row["revision"], row["live_revision"], row["answer"], row["author"]) == (2, 1, "Call us.", "key:ben")
    assert client.post("/v1/items/KB-1/publish", headers=ann).json()["code"] == "conflict"
    listed = client.get("/v1/fixed-answers", params={"due": until}, headers=ann).json()["answers"]
    assert [one["item"] for one in listed] == ["KB-1"]
    assert client.get("/v1/fixed-answers", params={"due": now().isoformat()}, headers=ann).json()["answers"] == []
    assert client.get("/v1/fixed-answers", params={"state": "lost"}, headers=ann).status_code == 422
    assert client.get("/v1/fixed-answers", params={"due": "2027-01-01T00:00:00"}, headers=ann).status_code == 422
    assert client.post("/v1/fixed-answers/KB-1/retire", headers=ann).json()["state"] == "retired"
    assert client.get("/v1/answer", params={"q": "cancel"}).json()["fixed"] is None


@pytest.mark.parametrize("role", [None, "customer", "agent"])
def test_no_reader_learns_that_one_exists(services: Services, client: TestClient, role: str | None) -> None:
    hidden = Profile(kind=Kind.FIXED, audience=Audience.PUBLIC, labels=labels(groups=["board"], products=["secret"]))
    headers = key(services, "reader", role) if role else {}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("get", "/v1/answer?q=How+do+I+cancel", {}),
        ("get", "/v1/answer/stream?q=How+do+I+cancel", {}),
        ("get", "/v1/search?q=How+do+I+cancel", {}),
        ("get", "/search?q=How+do+I+cancel", {}),
        ("get", "/instant?q=How+do+I+cancel", {}),
        ("get", "/", {}),
        ("get", "/p/secret", {}),
        ("get", "/a/KB-1", {}),
        ("get", "/v1/items/KB-1", {}),
        ("get", "/v1/fixed-answers", {}),
        ("get", "/v1/fixed-answers/KB-1", {}),
        ("put", "/v1/fixed-answers/KB-1", {"json": {**BODY, "based_on": 1}}),
        ("post", "/v1/fixed-answers", {"json": BODY}),
        ("post", "/v1/fixed-answers/KB-1/submit", {"json": {}}),
        ("post", "/v1/fixed-answers/KB-1/approve", {}),
        ("post", "/v1/fixed-answers/KB-1/retire", {}),
    ]

    def told() -> list[tuple[int, str]]:
        responses = [getattr(client, method)(path, headers=headers, **extra) for method, path, extra in calls]
        return [(r.status_code, _without_what_changes(r.text)) for r in responses]

    before = told()
    assert [status for status, _ in before[-7:]] == [403] * 7
    fix(services.db, profile=hidden)
    services.follower.wake()
    services.indexer.catch_up()
    assert told() == before


def _without_what_changes(text: str) -> str:
    """Take out names of events, times and marks of the index, which differ from call to call."""
    text = re.sub(r"[0-9a-f]{32}", "UID", text)
    return re.sub(r'"(watermark|generation|correct|embed|dense|lexical|fuse|read|total)": ?[0-9.]+', r'"\1": 0', text)
