"""Migrations, sessions and durability of the database of record, on SQLite and PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel, col, select

import kb.migrations
from kb import changes
from kb.db import Database
from kb.errors import Misconfigured
from kb.migrations import HEAD, KNOWN
from kb.models import Meta, Operation, Review, Space


def test_migrated_tables_are_those_of_the_models(db: Database) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_head_and_known_are_those_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", kb.migrations.__path__[0])
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == HEAD
    assert {script.revision for script in scripts.walk_revisions()} == KNOWN


def test_migrating_twice_changes_nothing(db: Database) -> None:
    before = db.meta("database_id")
    db.migrate()
    assert db.version() == HEAD
    assert db.meta("database_id") == before
    with db.read() as session:
        assert [space.key for space in session.exec(select(Space))] == ["main"]


def test_a_newer_database_is_refused(db: Database) -> None:
    with db.write() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Misconfigured, match=r"'9999'.*newer"):
        db.migrate()


def test_two_processes_may_migrate_at_once(tmp_path: object, postgres_url: str) -> None:
    url = f"sqlite:///{tmp_path}/both.sqlite3"
    errors: list[BaseException] = []

    def migrate() -> None:
        database = Database(url)
        try:
            database.migrate()
        except BaseException as error:
            errors.append(error)
        finally:
            database.dispose()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """The switch to write-ahead logging is refused without a wait while another connection makes it."""
    for round_ in range(100):
        url = f"sqlite:///{tmp_path}/{round_}.sqlite3"
        together = threading.Barrier(8)

        def opened(url: str = url, together: threading.Barrier = together) -> str | None:
            database = Database(url)
            together.wait()
            try:
                return database.version()
            finally:
                database.dispose()

        with ThreadPoolExecutor(8) as pool:
            assert [future.result() for future in [pool.submit(opened) for _ in range(8)]] == [None] * 8


def test_a_failed_write_leaves_nothing(db: Database) -> None:
    def write_and_fail() -> None:
        with db.write() as session:
            session.add(Meta(key="half", value="written"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with db.read() as session:
        assert session.get(Meta, "half") is None


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "oracle://a", "sqlite+nothing:///x"])
def test_an_unusable_url_is_named(url: str) -> None:
    with pytest.raises(Misconfigured):
        Database(url)


def test_change_numbers_grow_in_order_of_commit_under_concurrent_writers(db: Database) -> None:
    seen: list[list[int]] = []
    stop = threading.Event()

    def follow() -> None:
        last, found = 0, []
        while True:
            finished = stop.is_set()
            with db.read() as session:
                for row in changes.since(session, last, limit=1000):
                    found.append(int(row.seq or 0))
                    last = int(row.seq or 0)
            if finished:
                break
        seen.append(found)

    def write() -> None:
        for number in range(20):
            with db.write() as session:
                changes.record(session, number, Operation.CREATE)
                session.connection().execute(text("SELECT 1"))

    follower = threading.Thread(target=follow)
    writers = [threading.Thread(target=write) for _ in range(4)]
    follower.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    follower.join()
    with db.read() as session:
        everything = [int(row.seq or 0) for row in changes.since(session, 0, limit=1000)]
    assert len(everything) == 80
    assert seen == [everything]


def test_reviews_from_before_outcomes_keep_what_they_say(tmp_path: object) -> None:
    database = Database(f"sqlite:///{tmp_path}/kb.sqlite3")
    database.migrate()
    config = Config()
    config.set_main_option("script_location", kb.migrations.__path__[0])
    with database._writing.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
        for item, state in ((1, "published"), (2, "in_review"), (3, "draft")):
            connection.execute(
                text(
                    "INSERT INTO item (id, uid, kind, space_id, lang, audience, confidence, governance, state, source,"
                    f" external_id, created_at, updated_at) VALUES ({item}, '{item}', 'fixed', 1, 'en', 'public',"
                    f" 'validated', 'experience_based', '{state}', 'editor', '{item}', '2026-01-01', '2026-01-01')"
                )
            )
            connection.execute(
                text(
                    "INSERT INTO revision (id, item_id, n, title, title_key, body, issue, environment, resolution,"
                    " cause, similar_questions, content_hash, message, created_at)"
                    f" VALUES ({item}, {item}, 1, 't', 't', 'b', '', '', '', '', '[]', 'h', '', '2026-01-01')"
                )
            )
        for item, approved in ((1, "'2026-01-02'"), (1, "NULL"), (2, "NULL"), (2, "NULL"), (3, "NULL")):
            connection.execute(
                text(
                    "INSERT INTO review (item_id, revision_id, asked_at, approved_by, approved_at, by_author)"
                    f" VALUES ({item}, {item}, '2026-01-01', 'ann', {approved}, false)"
                )
            )
    database.migrate()
    with database.read() as session:
        rows = session.exec(select(Review).order_by(col(Review.id))).all()
    assert [row.outcome and row.outcome.value for row in rows] == ["approved", None, "overtaken", None, "overtaken"]
    assert (rows[0].decided_by, rows[0].message) == ("ann", "")
    database.dispose()
