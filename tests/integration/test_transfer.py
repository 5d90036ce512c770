"""Export and import carry everything, all or nothing."""

import json
from datetime import timedelta

import pytest
from sqlmodel import SQLModel, col, select

from kb import accounts, editorial, fixed, items, review, schedule, spaces, translations
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile, labels
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput
from kb.models import (
    Audience,
    DuplicatePair,
    Event,
    EventKind,
    Flag,
    FlagReason,
    Gap,
    GapQuestion,
    Item,
    Kind,
    PlannedAction,
    Redirect,
    Significance,
    now,
)
from kb.transfer import export_lines, import_lines, rows


def filled(db: Database) -> None:
    with db.write() as session:
        spaces.add(session, "lake", name="Lake 湖")
        for kind in Kind:
            item, revision = editorial.create(
                session,
                Content(
                    title=f"Title {kind} 标题",
                    body="# b",
                    issue="i",
                    environment="e",
                    resolution="r",
                    cause="c",
                    similar_questions=("how?", "怎么办"),
                ),
                Profile(kind=kind, lang="zh", audience=Audience.PARTNER, family="fam", owner="o", url="https://x.example",
                        labels=labels(products=["p"], versions=["1"], topics=["t"], groups=["g"])),
                actor=SYSTEM,
                space_id=spaces.by_key(session, "lake").id,
            )  # fmt: skip
            if kind == Kind.FIXED:
                review.submit(session, item, actor=SYSTEM, expires_at=now() + timedelta(days=30))
                review.approve(session, item, actor=SYSTEM)
            elif kind != Kind.LESSON:
                editorial.publish(session, item, revision, actor=SYSTEM)
            editorial.revise(session, item, Content(title="Second", body="draft"), actor=SYSTEM, message="why")
            if kind == Kind.CASE:
                editorial.retire(session, item, actor=SYSTEM)


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory) -> Database:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('other')}/kb.sqlite3")
    database.migrate()
    return database


def test_a_round_trip_loses_nothing(db: Database, other: Database) -> None:
    filled(db)
    lines = list(export_lines(db, actor=SYSTEM))
    done = import_lines(other, lines, actor=SYSTEM)
    assert (done.spaces, done.items, done.revisions, done.renumbered) == (1, 5, 10, 0)
    assert list(export_lines(other, actor=SYSTEM)) == lines
    again = import_lines(other, lines, actor=SYSTEM)
    assert (again.items, again.unchanged) == (0, 5)
    with other.read() as session:
        (found,) = fixed.lookup(session, scope_of(session, SYSTEM), "Title fixed 标题！")
        assert found.review.expires_at is not None
    with other.write() as session:
        created, _ = editorial.create(session, Content(title="next"), Profile(), actor=SYSTEM)
        assert created.id == 6


def test_import_into_the_other_kind_of_database(db: Database, other: Database) -> None:
    filled(other)
    lines = list(export_lines(other, actor=SYSTEM))
    import_lines(db, lines, actor=SYSTEM)
    assert list(export_lines(db, actor=SYSTEM)) == lines
    with db.write() as session:
        created, _ = editorial.create(session, Content(title="next"), Profile(), actor=SYSTEM)
        assert created.id == 6, "numbers go on after those imported"


def test_a_taken_number_is_given_anew(db: Database, other: Database) -> None:
    filled(db)
    with other.write() as session:
        editorial.create(session, Content(title="here first"), Profile(), actor=SYSTEM)
    done = import_lines(other, export_lines(db, actor=SYSTEM), actor=SYSTEM)
    assert (done.items, done.renumbered) == (5, 1)
    with other.read() as session:
        assert items.view(session, 1, scope_of(session, SYSTEM)).revision.title == "here first"


def test_a_different_item_of_the_same_uid_is_refused_and_nothing_is_imported(db: Database, other: Database) -> None:
    filled(db)
    lines = list(export_lines(db, actor=SYSTEM))
    import_lines(other, lines, actor=SYSTEM)
    with db.write() as session:
        editorial.revise(session, session.get_one(Item, 4), Content(title="Third"), actor=SYSTEM)
        editorial.create(session, Content(title="Fifth"), Profile(), actor=SYSTEM)
    before = list(export_lines(other, actor=SYSTEM))
    with pytest.raises(Conflict, match=r"KB-4 is here already and differs in draft, revisions; nothing"):
        import_lines(other, export_lines(db, actor=SYSTEM), actor=SYSTEM)
    assert list(export_lines(other, actor=SYSTEM)) == before


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["nonsense"],
        ['{"format": "other"}'],
        ['{"format": "answerwell-export", "version": 99}'],
        ['{"format": "answerwell-export", "version": 2}', "{}"],
        ['{"format": "answerwell-export", "version": 2}', '{"item": {"uid": 1}}'],
        ['{"format": "answerwell-export", "version": 2}', '{"space": 7}'],
        ['{"format": "answerwell-export", "version": 2}', "[" * 100_000],
    ],
)
def test_what_is_no_export_is_refused(other: Database, lines: list[str]) -> None:
    with pytest.raises(InvalidInput):
        import_lines(other, lines, actor=SYSTEM)


def test_a_bad_word_in_a_line_is_named(db: Database, other: Database) -> None:
    filled(db)
    lines = list(export_lines(db, actor=SYSTEM))
    place, record = [(n, json.loads(line)) for n, line in enumerate(lines) if line.startswith('{"item"')][-1]
    record["item"]["audience"] = "everybody"
    with pytest.raises(InvalidInput, match=r"line \d+: audience is one of .* not 'everybody'; nothing was imported"):
        import_lines(other, [*lines[:place], json.dumps(record), *lines[place + 1 :]], actor=SYSTEM)
    with other.read() as session:
        assert [s.key for s in spaces.all_spaces(session)] == ["main"]


def test_only_admins_move_everything(sqlite: Database) -> None:
    with pytest.raises(Forbidden):
        list(export_lines(sqlite, actor=Principal(role=Role.EDITOR)))
    with pytest.raises(Forbidden):
        import_lines(sqlite, [], actor=Principal(role=Role.EDITOR))


def with_rows(db: Database) -> None:
    """Add a row, at least, to every table whose rows move."""
    filled(db)
    with db.write() as session:
        lake = int(spaces.by_key(session, "lake").id or 0)
        accounts.add(
            session, "ana@example.org", actor=SYSTEM, role=Role.EDITOR, space_id=lake, password="four plain words"
        )
        first, second = (session.get_one(Item, number) for number in (1, 2))
        newest = editorial.newest_revision(session, first)
        schedule.plan(session, first, PlannedAction.PUBLISH, now() + timedelta(days=3), actor=SYSTEM, revision=newest.n)
        session.add(
            DuplicatePair(
                low_id=1,
                high_id=2,
                low_revision_id=int(first.live_revision_id or 0),
                high_revision_id=int(second.live_revision_id or 0),
                probability=0.7,
                evidence={"shared": ["路由器"]},
            )
        )
        session.add(
            Flag(item_id=1, revision_id=int(first.live_revision_id or 0), reason=FlagReason.OUTDATED, raised_by="ana")
        )
        session.add(Redirect(name="old/address", via_id=1, item_id=1))
        vote = {"helpful": True, "revision": 1}
        session.add(Event(uid="e" * 32, kind=EventKind.VOTE, role="customer", visitor="v", item_id=1, data=vote))
        session.add(Event(uid="f" * 32, kind=EventKind.LINK, role="agent", item_id=999, text="of an item that is gone"))
        gap = Gap(space_id=lake, item_id=2, revision_id=int(second.live_revision_id or 0))
        session.add(gap)
        session.flush()
        about = int(gap.id or 0)
        asked = GapQuestion(gap_id=about, key="why", text="Why?", lang="en", role="customer", times=3, last_at=now())
        asked.space_id = lake
        session.add(asked)


def test_what_belongs_to_items_moves_too_without_secrets(db: Database, other: Database) -> None:
    with_rows(db)
    lines = list(export_lines(db, actor=SYSTEM))
    told = [json.loads(line)["row"]["table"] for line in lines if line.startswith('{"row"')]
    assert set(told) == {str(moved.table.__tablename__) for moved in rows.MOVED}, "each has a row in this test"
    with db.read() as session:
        secret = accounts.get(session, "ana@example.org").password_hash
    assert secret is not None
    assert secret not in "".join(lines)
    done = import_lines(other, lines, actor=SYSTEM)
    assert done.rows == len(told)
    # An event of an item that is gone names it no more; all else is the same.
    assert list(export_lines(other, actor=SYSTEM)) == lines
    again = import_lines(other, lines, actor=SYSTEM)
    assert (again.items, again.rows) == (0, 0)
    with other.read() as session:
        ana = accounts.get(session, "ana@example.org")
        lake = int(spaces.by_key(session, "lake").id or 0)
        assert accounts.known(session, ana).principal.role_in(session, lake) is Role.EDITOR
        vote = session.exec(select(Event).where(col(Event.kind) == EventKind.VOTE)).one()
        assert (vote.item_id, vote.data) == (1, {"helpful": True, "revision": 1})


def test_numbers_go_on_after_those_imported(db: Database, other: Database) -> None:
    with_rows(other)
    import_lines(db, export_lines(other, actor=SYSTEM), actor=SYSTEM)
    with db.write() as session:
        gap = Gap(space_id=int(spaces.by_key(session, "lake").id or 0))
        session.add(gap)
        session.flush()
        assert gap.id == 2
        assert editorial.create(session, Content(title="next"), Profile(), actor=SYSTEM)[0].id == 6


def test_rows_follow_items_to_their_new_numbers(db: Database, other: Database) -> None:
    with_rows(db)
    with other.write() as session:
        editorial.create(session, Content(title="here first"), Profile(), actor=SYSTEM)
    import_lines(other, export_lines(db, actor=SYSTEM), actor=SYSTEM)
    with other.read() as session:
        vote = session.exec(select(Event).where(col(Event.kind) == EventKind.VOTE)).one()
        assert vote.item_id == 6
        assert session.get_one(Item, 6).kind is Kind.ARTICLE


def test_translations_are_as_far_behind_as_they_were(db: Database, other: Database) -> None:
    english, chinese = (Profile(lang=lang, audience=Audience.PUBLIC, family="reset") for lang in ("en", "zh"))
    with db.write() as session:
        source, first = editorial.create(session, Content(title="Reset"), english, actor=SYSTEM)
        editorial.publish(session, source, first, actor=SYSTEM)
        item, own = editorial.create(session, Content(title="重置"), chinese, actor=SYSTEM)
        editorial.publish(session, item, own, actor=SYSTEM)
        second = editorial.revise(session, source, Content(title="Reset it"), actor=SYSTEM)
        editorial.publish(session, source, second, actor=SYSTEM, significance=Significance.MAJOR)
    with other.write() as session:
        for number in range(3):  # so that ids are others than they were
            editorial.create(session, Content(title=f"here {number}"), Profile(), actor=SYSTEM)
    import_lines(other, export_lines(db, actor=SYSTEM), actor=SYSTEM)
    with other.read() as session:
        found = session.exec(select(Item).where(Item.lang == "zh", Item.family == "reset")).one()
        assert translations.behind(session, [int(found.id or 0)]) == {found.id: Significance.MAJOR}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"table": "api_key"}, "no table 'api_key' in an export"),
        ({"table": "event", "uid": "e", "kind": "nonsense"}, "kind is one of"),
        ({"table": "event", "uid": "e" * 99}, "uid has at most 32 characters, not 99"),
        ({"table": "event", "uid": "e", "kind": "vote", "item_id": "nobody"}, "no item 'nobody', here or in"),
        ({"table": "event", "uid": "e", "kind": "vote", "at": "2026-01-01T00:00:00"}, "at needs a time zone"),
        ({"table": "account", "email": None}, "email needs a value"),
    ],
)
def test_a_row_that_cannot_be_is_named_and_nothing_is_imported(
    other: Database, row: dict[str, object], said: str
) -> None:
    lines = ['{"format": "answerwell-export", "version": 2}', json.dumps({"row": row})]
    with pytest.raises(InvalidInput, match=rf"line 2: .*{said}.*nothing was imported"):
        import_lines(other, lines, actor=SYSTEM)


def test_every_table_is_said_to_move_or_why_not() -> None:
    moved = [str(moved.table.__tablename__) for moved in rows.MOVED]
    said = [*rows.WITH_ITEMS, *rows.LEFT, *(name for name in moved if name not in rows.WITH_ITEMS)]
    assert sorted(said) == sorted(SQLModel.metadata.tables), "say in kb/transfer/rows.py how its rows move, or why not"
    assert len(set(said)) == len(said)
