"""Merging: one stays, the other leads to it; nothing is lost, nothing leaks, and it can be taken back."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from api.app import create_app
from api.services import Services
from ingest import own
from kb import editorial, keys, merging, redirects, spaces
from kb.access import ANONYMOUS, SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile, labels
from kb.db import Database
from kb.errors import Conflict, Forbidden, NotFound
from kb.events import Happened, write
from kb.models import Audience, ChangeRow, EventKind, Item, Kind, LinkKind, Redirect, Revision, State
from kb.transfer import export_lines, import_lines


def add(session: Session, title: str, *questions: str, public: bool = True, **more: Any) -> Item:
    profile = {"audience": Audience.PUBLIC if public else Audience.INTERNAL, **more.pop("profile", {})}
    item, revision = editorial.create(
        session,
        Content(title=title, body=f"{title}.", similar_questions=questions),
        Profile(**profile),
        actor=SYSTEM,
        **more,
    )
    editorial.publish(session, item, revision, actor=SYSTEM)
    return item


def leads(session: Session) -> dict[str, int]:
    return {row.name: row.item_id for row in session.exec(select(Redirect))}


def revisions(session: Session, item: Item) -> list[str]:
    found = session.exec(select(Revision).where(col(Revision.item_id) == item.id).order_by(col(Revision.n)))
    return [revision.content_hash for revision in found]


def test_the_other_is_retired_and_its_questions_are_added_once(db: Database) -> None:
    with db.write() as session:
        stays, goes = (
            add(session, "Reset", "start anew", "box hangs"),
            add(session, "Restart", "Box hangs?", "no light"),
        )
        before = revisions(session, goes)
        merged = merging.merge(session, goes, stays, actor=SYSTEM)
        assert merged.revision.similar_questions == ["start anew", "box hangs", "Restart", "no light"]
        assert (stays.state, goes.state) == (State.PUBLISHED, State.RETIRED)
        assert stays.live_revision_id != merged.revision.id, "readers see it when it is published"
        assert revisions(session, goes) == before
        assert leads(session) == {goes.number: stays.id}
        last = session.exec(select(ChangeRow).order_by(col(ChangeRow.seq).desc()).limit(1)).one()
        assert (last.item_id, last.operation.value, last.seq) == (goes.id, "retire", merged.seq)
    with db.write() as session:
        stays, goes = add(session, "Reset 2"), add(session, "Restart 2")
        merged = merging.merge(session, goes, stays, actor=SYSTEM, publish=True)
        assert stays.live_revision_id == merged.revision.id


def test_it_is_all_or_nothing(sqlite: Database) -> None:
    with sqlite.write() as session:
        stays, goes = add(session, "Reset"), add(session, "Restart")

    def fails() -> None:
        with sqlite.write() as session:
            one, other = session.get_one(Item, goes.id), session.get_one(Item, stays.id)
            merging.merge(session, one, other, actor=SYSTEM)
            raise Conflict("something else")

    with pytest.raises(Conflict, match="something else"):
        fails()
    with sqlite.read() as session:
        assert session.get_one(Item, goes.id).state == State.PUBLISHED
        assert leads(session) == {}
        assert len(revisions(session, stays)) == 1


def test_a_chain_is_one_step_and_can_be_opened_in_its_middle(db: Database) -> None:
    with db.write() as session:
        a, b, c, d = (add(session, title) for title in "abcd")
        merging.merge(session, d, c, actor=SYSTEM)
        merging.merge(session, c, b, actor=SYSTEM)
        merging.merge(session, b, a, actor=SYSTEM)
        assert leads(session) == {d.number: a.id, c.number: a.id, b.number: a.id}
        scope = scope_of(session, ANONYMOUS)
        assert redirects.resolve(session, d.number, scope).id == a.id
        merging.undo(session, c, actor=SYSTEM)
        assert leads(session) == {d.number: c.id, b.number: a.id}
        assert c.state == State.PUBLISHED
        merging.merge(session, c, a, actor=SYSTEM)
        assert leads(session) == {d.number: a.id, c.number: a.id, b.number: a.id}
        editorial.publish(session, b, session.get_one(Revision, b.live_revision_id), actor=SYSTEM)
        assert leads(session) == {d.number: a.id, c.number: a.id}, "published again, its number is its own"


def test_there_is_never_a_circle(db: Database) -> None:
    with db.write() as session:
        a, b, c = (add(session, title) for title in "abc")
        merging.merge(session, b, a, actor=SYSTEM)
        for one, other in ((a, b), (c, b), (b, c), (b, a), (a, a)):
            with pytest.raises(Conflict):
                merging.merge(session, one, other, actor=SYSTEM)
        for one, other in ((a, b), (a, a), (b, c)):
            with pytest.raises(Conflict):
                redirects.lead(session, one, other, actor=None)
        with pytest.raises(Conflict, match="not merged"):
            merging.undo(session, a, actor=SYSTEM)
        assert leads(session) == {b.number: a.id}


OPERATIONS = st.lists(st.tuples(st.sampled_from(["merge", "undo", "publish"]), st.integers(0, 5), st.integers(0, 5)))


@given(operations=OPERATIONS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_merged_and_taken_back_each_number_leads_to_the_end_of_its_chain(
    sqlite: Database, operations: list[tuple[str, int, int]]
) -> None:
    with sqlite.write() as session:
        some = [add(session, f"item {n}") for n in range(6)]
        first = int(some[0].id or 0)
        for what, one, other in operations:
            with suppress(Conflict):
                if what == "merge":
                    merging.merge(session, some[one], some[other], actor=SYSTEM)
                elif what == "undo":
                    merging.undo(session, some[one], actor=SYSTEM)
                else:
                    editorial.publish(session, some[one], editorial.newest_revision(session, some[one]), actor=SYSTEM)
        rows = {
            int(row.source_id or 0): row
            for row in session.exec(select(Redirect).where(col(Redirect.source_id) >= first)).all()
        }
        for source, row in rows.items():
            at, steps = row.via_id, 0
            while at in rows:
                at, steps = rows[at].via_id, steps + 1
                assert steps < len(rows), "a circle"
            assert row.item_id == at
            assert session.get_one(Item, source).state == State.RETIRED
        assert {item.id for item in some if item.state == State.RETIRED} == set(rows)


def test_two_merges_at_once_make_no_circle(db: Database) -> None:
    with db.write() as session:
        a, b = add(session, "a"), add(session, "b")
    together = threading.Barrier(2)
    refused: list[str] = []

    def merge(one: int, other: int) -> None:
        together.wait(30)
        try:
            with db.write() as session:
                mine, theirs = session.get_one(Item, one), session.get_one(Item, other)
                if db.dialect == "postgresql":  # SQLite's second writer waits before it reads
                    together.wait(30)
                merging.merge(session, mine, theirs, actor=SYSTEM)
        except Conflict as error:
            refused.append(error.message)

    pair = (int(a.id or 0), int(b.id or 0))
    threads = [threading.Thread(target=merge, args=order) for order in (pair, pair[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert "is retired" in refused[0]
    with db.read() as session:
        assert len(leads(session)) == 1


def test_only_like_is_merged_with_like(db: Database) -> None:
    with db.write() as session:
        a = add(session, "a")
        for other in (
            add(session, "b", profile={"kind": Kind.LESSON}),
            add(session, "c", profile={"lang": "zh"}),
        ):
            with pytest.raises(Conflict, match=r"kind|languages"):
                merging.merge(session, other, a, actor=SYSTEM)


def test_both_must_be_the_writers(db: Database) -> None:
    with db.write() as session:
        east = int(spaces.add(session, "east", name="East").id or 0)
        a, b = add(session, "a"), add(session, "b", space_id=east)
        for who in (Principal(role=Role.EDITOR, space=east), Principal(role=Role.AGENT)):
            for one, other in ((a, b), (b, a)):
                with pytest.raises(Forbidden):
                    merging.merge(session, one, other, actor=who)
        merging.merge(session, b, a, actor=SYSTEM)
        with pytest.raises(Forbidden):
            merging.undo(session, b, actor=Principal(role=Role.AGENT))


FEW = {"group": ["gold"], "entitlement": ["plan:gold", "product:tv"]}
"""Groups of what is for few; whoever has the plan alone may not read the last."""


@pytest.mark.parametrize("how", ["audience", "group", "space", "entitlement"])
def test_what_was_for_few_is_not_published_to_many(db: Database, how: str) -> None:
    with db.write() as session:
        branch = int(spaces.add(session, "branch", name="Branch").id or 0)
        few = add(
            session,
            "Secret name",
            public=how != "audience",
            profile={"labels": labels(groups=FEW.get(how, []))},
            space_id=branch if how == "space" else None,
        )
        held = labels(groups=["plan:gold"] if how == "entitlement" else [])
        many = add(session, "Known name", profile={"labels": held})
        with pytest.raises(Conflict, match="open to others"):
            merging.merge(session, few, many, actor=SYSTEM, publish=True)
        merging.merge(session, few, many, actor=SYSTEM)
        view = scope_of(session, ANONYMOUS)
        assert session.get_one(Revision, many.live_revision_id).similar_questions == []
        with pytest.raises(NotFound):
            redirects.resolve(session, few.number, view)


def test_a_draft_that_somebody_is_at_is_not_published_along(db: Database) -> None:
    with db.write() as session:
        a, b = add(session, "a"), add(session, "b")
        editorial.revise(session, a, Content(title="half done"), actor=SYSTEM)
        with pytest.raises(Conflict, match="draft"):
            merging.merge(session, b, a, actor=SYSTEM, publish=True)
        assert merging.merge(session, b, a, actor=SYSTEM).revision.title == "half done"


def test_taken_back_it_is_what_it_was(db: Database) -> None:
    with db.write() as session:
        a, b = add(session, "a"), add(session, "b")
        draft, _ = editorial.create(session, Content(title="c"), Profile(), actor=SYSTEM)
        live = b.live_revision_id
        for one in (b, draft):
            merging.merge(session, one, a, actor=SYSTEM)
            merging.undo(session, one, actor=SYSTEM)
        assert (b.state, b.live_revision_id, draft.state) == (State.PUBLISHED, live, State.DRAFT)
        assert leads(session) == {}


def test_a_deleted_item_leaves_no_lead(db: Database) -> None:
    with db.write() as session:
        a, b, c = (add(session, title) for title in "abc")
        merging.merge(session, c, b, actor=SYSTEM)
        merging.merge(session, b, a, actor=SYSTEM)
        editorial.delete(session, b, actor=SYSTEM)
        assert leads(session) == {}
        editorial.delete(session, a, actor=SYSTEM)


def test_what_was_said_of_the_other_counts_for_the_one_that_stays(db: Database) -> None:
    with db.write() as session:
        a, b = add(session, "a"), add(session, "b")
        merging.merge(session, b, a, actor=SYSTEM)
    write(
        db,
        [
            Happened(
                kind=EventKind.LINK,
                role="agent",
                visitor="v",
                text="box dark",
                item_id=b.id,
                data={"link": LinkKind.USED.value},
            )
        ],
    )
    assert [one.grades for one in own.questions(db)] == [{a.id: 2}]
    with db.write() as session:
        merging.undo(session, session.get_one(Item, b.id), actor=SYSTEM)
    assert [one.grades for one in own.questions(db)] == [{b.id: 2}]


def test_a_merge_moves_with_an_export(db: Database, tmp_path: Path) -> None:
    with db.write() as session:
        a, b, c = (add(session, title) for title in "abc")
        merging.merge(session, a, b, actor=SYSTEM)
        merging.merge(session, b, c, actor=SYSTEM)
    lines = list(export_lines(db, actor=SYSTEM))
    other = Database(f"sqlite:///{tmp_path}/other.sqlite3")
    other.migrate()
    for _ in range(2):
        import_lines(other, lines, actor=SYSTEM)
        with other.read() as session:
            assert leads(session) == {a.number: c.id, b.number: c.id}
            assert redirects.via(session, session.get_one(Item, a.id)) == b.id
    assert list(export_lines(other, actor=SYSTEM)) == lines
    other.dispose()


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def test_pages_and_programs_are_led_on_if_they_may_read_where(services: Services, client: TestClient) -> None:
    with services.db.write() as session:
        for title, public in (("Reset", True), ("Restart", True), ("Inner reset", False), ("Inner restart", False)):
            add(session, title, public=public)
        editor = {"Authorization": f"Bearer {keys.add(session, 'editor', 'editor', actor=SYSTEM)}"}
        agent = {"Authorization": f"Bearer {keys.add(session, 'agent', 'agent', actor=SYSTEM)}"}
    for number, into in ((2, 1), (4, 3)):
        done = client.post(f"/v1/items/KB-{number}/merge", json={"into": f"KB-{into}"}, headers=editor)
        assert (done.status_code, done.json()["item"], done.json()["revision"]) == (200, f"KB-{into}", 2), done.text
    for path, to in (("/v1/items/KB-2", "KB-1"), ("/a/KB-2", "/a/KB-1-reset"), ("/a/kb-2-restart", "/a/KB-1-reset")):
        moved = client.get(path, follow_redirects=False)
        assert (moved.status_code, moved.headers["location"].partition("?")[0].lower()) == (308, to.lower())
        assert client.get(path).status_code == 200
    assert client.get("/v1/items/KB-2").json()["item"] == "KB-1"
    for path in ("/v1/items/KB-4", "/a/KB-4"):
        nothing, there = client.get(path), client.get(path.replace("4", "99"))
        assert (nothing.status_code, there.status_code) == (404, 404)
    assert client.get("/v1/items/KB-4", headers=agent).json()["item"] == "KB-3"
    assert client.get("/v1/items/KB-4", headers=editor).json()["item"] == "KB-4", "its history stays in sight"
    back = client.post("/v1/items/KB-2/unmerge", headers=editor).json()
    assert (back["item"], back["state"]) == ("KB-2", "published")
    assert client.get("/v1/items/KB-2", follow_redirects=False).json()["title"] == "Restart"
