"""Export and import carry everything, all or nothing."""

import json
from datetime import timedelta

import pytest

from kb import editorial, fixed, items, review, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile, labels
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput
from kb.models import Audience, Item, Kind, now
from kb.transfer import export_lines, import_lines


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
        ['{"format": "answerwell-export", "version": 1}', "{}"],
        ['{"format": "answerwell-export", "version": 1}', '{"item": {"uid": 1}}'],
        ['{"format": "answerwell-export", "version": 1}', '{"space": 7}'],
        ['{"format": "answerwell-export", "version": 1}', "[" * 100_000],
    ],
)
def test_what_is_no_export_is_refused(other: Database, lines: list[str]) -> None:
    with pytest.raises(InvalidInput):
        import_lines(other, lines, actor=SYSTEM)


def test_a_bad_word_in_a_line_is_named(db: Database, other: Database) -> None:
    filled(db)
    lines = list(export_lines(db, actor=SYSTEM))
    record = json.loads(lines[-1])
    record["item"]["audience"] = "everybody"
    with pytest.raises(InvalidInput, match=r"line \d+: audience is one of .* not 'everybody'; nothing was imported"):
        import_lines(other, [*lines[:-1], json.dumps(record)], actor=SYSTEM)
    with other.read() as session:
        assert [s.key for s in spaces.all_spaces(session)] == ["main"]


def test_only_admins_move_everything(sqlite: Database) -> None:
    with pytest.raises(Forbidden):
        list(export_lines(sqlite, actor=Principal(role=Role.EDITOR)))
    with pytest.raises(Forbidden):
        import_lines(sqlite, [], actor=Principal(role=Role.EDITOR))
