"""How items change, and what each change leaves behind, on SQLite and PostgreSQL."""

import pytest
from sqlmodel import col, select

from kb import changes, editorial, generations, items, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile, labels
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput, NotFound, StaleRevision, TooLarge
from kb.models import Audience, Item, Operation, Passage, Revision, State

EDITOR = Principal(role=Role.EDITOR, subject="ed")
CONTENT = Content(
    title="  Reset the   router ",
    body="Hold the button.\r\n\r\nWait.\0",
    similar_questions=("how to reset", "how to reset", " "),
)
PROFILE = Profile(audience=Audience.PUBLIC, labels=labels(products=["fibrebox"], versions=["6.1"]))


def new_item(db: Database, publish: bool = True, content: Content = CONTENT, profile: Profile = PROFILE) -> int:
    with db.write() as session:
        item, revision = editorial.create(session, content, profile, actor=EDITOR)
        if publish:
            editorial.publish(session, item, revision, actor=EDITOR)
        return int(item.id or 0)


def test_created_published_revised_retired(db: Database) -> None:
    number = new_item(db)
    with db.read() as session:
        view = items.view(session, number, scope_of(session, Principal()))
    assert view.revision.title == "Reset the router"
    assert view.revision.body == "Hold the button.\n\nWait.\ufffd"
    assert view.revision.similar_questions == ["how to reset"]
    with db.write() as session:
        item = session.get_one(Item, number)
        second = editorial.revise(session, item, Content(title="Reset it", body="New"), actor=EDITOR, based_on=1)
        assert second.n == 2
    with db.read() as session:
        anonymous = scope_of(session, Principal())
        assert items.view(session, number, anonymous).revision.n == 1, "readers see the live revision"
        assert session.get_one(Item, number).draft_revision_id == second.id
    with db.write() as session:
        item = session.get_one(Item, number)
        editorial.publish(session, item, session.get_one(Revision, second.id), actor=EDITOR)
        assert item.draft_revision_id is None
    with db.read() as session:
        assert items.view(session, number, anonymous).revision.title == "Reset it"
    with db.write() as session:
        editorial.retire(session, session.get_one(Item, number), actor=EDITOR)
    with db.read() as session, pytest.raises(NotFound):
        items.view(session, f"KB-{number}", anonymous)
    with db.read() as session:
        operations = [row.operation for row in changes.since(session, 0, limit=100)]
        assert session.get_one(Item, number).state == State.RETIRED
        assert len(session.exec(select(Revision).where(col(Revision.item_id) == number)).all()) == 2
    assert operations == [
        Operation.CREATE, Operation.PUBLISH, Operation.UPDATE, Operation.PUBLISH, Operation.RETIRE,
    ]  # fmt: skip


def test_the_same_content_makes_no_revision(db: Database) -> None:
    number = new_item(db)
    with db.write() as session:
        item = session.get_one(Item, number)
        assert editorial.revise(session, item, CONTENT, actor=EDITOR).n == 1
        assert changes.latest(session) == 2


def test_a_stale_writer_is_told(db: Database) -> None:
    number = new_item(db)
    with db.write() as session:
        item = session.get_one(Item, number)
        first = editorial.newest_revision(session, item)
        second = editorial.revise(session, item, Content(title="Two"), actor=EDITOR)
        editorial.publish(session, item, second, actor=EDITOR)
        with pytest.raises(StaleRevision, match="revision 2, not 1"):
            editorial.revise(session, item, Content(title="Three"), actor=EDITOR, based_on=1)
        with pytest.raises(StaleRevision):
            editorial.publish(session, item, first, actor=EDITOR)


def test_a_revision_of_another_item_is_not_published(db: Database) -> None:
    one, two = new_item(db), new_item(db, content=Content(title="Other"))
    with db.write() as session:
        foreign = editorial.newest_revision(session, session.get_one(Item, two))
        with pytest.raises(Conflict):
            editorial.publish(session, session.get_one(Item, one), foreign, actor=EDITOR)


@pytest.mark.parametrize("role", [Role.ANONYMOUS, Role.CUSTOMER, Role.AGENT])
def test_only_editors_write(db: Database, role: Role) -> None:
    number = new_item(db)
    who = Principal(role=role)
    with db.write() as session:
        item = session.get_one(Item, number)
        revision = editorial.newest_revision(session, item)
        for act in (
            lambda: editorial.create(session, CONTENT, PROFILE, actor=who),
            lambda: editorial.revise(session, item, CONTENT, actor=who),
            lambda: editorial.reprofile(session, item, PROFILE, actor=who),
            lambda: editorial.publish(session, item, revision, actor=who),
            lambda: editorial.retire(session, item, actor=who),
            lambda: editorial.delete(session, item, actor=who),
        ):
            with pytest.raises(Forbidden):
                act()


def test_an_editor_writes_in_the_own_space_and_below(db: Database) -> None:
    with db.write() as session:
        spaces.add(session, "lake", name="Lake")
        branch = spaces.add(session, "northshore", name="Northshore", parent="lake")
        other = spaces.add(session, "harbour", name="Harbour")
        lake = spaces.by_key(session, "lake")
        local = Principal(role=Role.EDITOR, subject="local", space=lake.id)
        item, _ = editorial.create(session, CONTENT, PROFILE, actor=local)
        assert item.space_id == lake.id
        item, _ = editorial.create(session, CONTENT, PROFILE, actor=local, space_id=branch.id)
        assert item.space_id == branch.id
        for foreign in (other.id, lake.parent_id):
            with pytest.raises(Forbidden):
                editorial.create(session, CONTENT, PROFILE, actor=local, space_id=foreign)


def test_delete_is_for_admins_and_leaves_nothing(db: Database) -> None:
    number = new_item(db)
    with db.write() as session:
        revision = editorial.newest_revision(session, session.get_one(Item, number))
        assert revision.id is not None
        generations.first(session, generations.Recipe("m", "f", 400, "1"))
        session.add(
            Passage(
                generation=1,
                item_id=number,
                revision_id=revision.id,
                ordinal=0,
                text="t",
                search_text="t",
                embedding_hash="h",
                chunker="c",
            )
        )
    with db.write() as session, pytest.raises(Forbidden):
        editorial.delete(session, session.get_one(Item, number), actor=EDITOR)
    with db.write() as session:
        editorial.delete(session, session.get_one(Item, number), actor=SYSTEM)
    with db.read() as session:
        for table in (Item, Revision, Passage):
            assert session.exec(select(table)).all() == []
        assert list(changes.since(session, 0, limit=10))[-1].operation == Operation.DELETE
    assert new_item(db) > number, "a number is never given twice"


@pytest.mark.parametrize(
    ("content", "profile", "error", "says"),
    [
        (Content(title=" "), PROFILE, InvalidInput, "needs a title"),
        (Content(title="x" * 501), PROFILE, TooLarge, "500"),
        (Content(title="x", body="y" * 2_000_001), PROFILE, TooLarge, "2,000,000"),
        (Content(title="x"), Profile(lang="<b>"), InvalidInput, "'<b>'"),
        (Content(title="x"), Profile(lang=""), InvalidInput, "BCP 47"),
        (Content(title="x"), Profile(url="u" * 2001), InvalidInput, "url"),
        (Content(title="x"), Profile(labels=labels(products=["p" * 201])), InvalidInput, "product"),
        (Content(title="x"), Profile(labels=labels(topics=[str(n) for n in range(201)])), TooLarge, "201"),
        (Content(title="x", similar_questions=tuple(map(str, range(501)))), PROFILE, TooLarge, "500"),
    ],
)
def test_bad_input_is_named(
    sqlite: Database, content: Content, profile: Profile, error: type[Exception], says: str
) -> None:
    with sqlite.write() as session:
        with pytest.raises(error, match=says):
            editorial.create(session, content, profile, actor=EDITOR)
        assert session.exec(select(Item)).all() == []


def test_lone_surrogates_and_nuls_can_be_stored(db: Database) -> None:
    number = new_item(db, content=Content(title="a\ud800b", body="c\0d\udfffe 😀"))
    with db.read() as session:
        view = items.view(session, number, scope_of(session, Principal()))
    assert (view.revision.title, view.revision.body) == ("a\ufffdb", "c\ufffdd\ufffde 😀")


def test_reprofile_counts_at_once(db: Database) -> None:
    number = new_item(db)
    with db.write() as session:
        item = session.get_one(Item, number)
        editorial.reprofile(
            session, item, Profile(audience=Audience.INTERNAL, labels=labels(topics=["wifi"])), actor=EDITOR
        )
    with db.read() as session:
        assert items.labels(session, [number]) == {number: labels(topics=["wifi"])}
        with pytest.raises(NotFound):
            items.view(session, number, scope_of(session, Principal()))


@pytest.mark.parametrize("ref", ["", "KB-", "KB-0", "-1", "1; DROP TABLE item", "KB-１", "9" * 30, "KB-1\n\n2"])
def test_a_reference_that_is_none_is_named(sqlite: Database, ref: str) -> None:
    with sqlite.read() as session, pytest.raises(InvalidInput):
        items.view(session, ref, scope_of(session, SYSTEM))
