"""A backup taken under write load is whole, and can be restored to either kind of database."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel
from sqlmodel import select as select_rows

from kb import changes, editorial
from kb.access import SYSTEM
from kb.backup import back_up, restore
from kb.content import Content, Profile
from kb.db import Database
from kb.errors import Conflict, InvalidInput, NotFound
from kb.migrations import HEAD
from kb.models import Audience, Item, Revision
from kb.transfer import export_lines
from tests.conftest import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind, to restore to."""
    database = Database(new_database(request, request.param, tmp_path / "other"))
    yield database
    database.dispose()


def an_item(db: Database, title: str) -> str:
    with db.write() as session:
        item, revision = editorial.create(
            session, Content(title=title, body="text 正文"), Profile(audience=Audience.PUBLIC), actor=SYSTEM
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
        return item.number


def all_rows(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    with db.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in SQLModel.metadata.sorted_tables
        }


def test_what_was_backed_up_is_restored_row_for_row(db: Database, other: Database, tmp_path: Path) -> None:
    for number in range(3):
        an_item(db, f"Title {number} 标题")
    data = tmp_path / "data"
    (data / "judged" / "own").mkdir(parents=True)
    (data / "judged" / "own" / "qrels.tsv").write_text("1\tdoc\t1\n", encoding="utf-8")
    before = all_rows(db)
    copied = back_up(db, data, tmp_path / "backup")
    assert (copied.rows, copied.files) == (sum(map(len, before.values())), 1)
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == ["judged", "kb.sqlite3"]
    restored = tmp_path / "other"
    assert restore(tmp_path / "backup", other, restored) == copied
    assert all_rows(other) == before
    assert list(export_lines(other, actor=SYSTEM)) == list(export_lines(db, actor=SYSTEM))
    assert (restored / "judged" / "own" / "qrels.tsv").read_text(encoding="utf-8") == "1\tdoc\t1\n"
    assert not list(restored.glob(".*"))
    # It goes on counting where it was.
    assert an_item(other, "One more") == "KB-4"
    with other.read() as session:
        assert changes.latest(session) > len(before["change_log"])


def test_a_backup_under_write_load_has_all_that_was_acknowledged_before_and_no_half(
    db: Database, tmp_path: Path
) -> None:
    stop = threading.Event()
    done: list[str] = []
    failed: list[BaseException] = []

    def write(name: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                # One transaction makes an item, two revisions and several rows of the log.
                with db.write() as session:
                    item, _ = editorial.create(
                        session, Content(title=f"{name} {number}", body="1"), Profile(), actor=SYSTEM
                    )
                    second = editorial.revise(session, item, Content(title=f"{name} {number}", body="2"), actor=SYSTEM)
                    editorial.publish(session, item, second, actor=SYSTEM)
            except BaseException as error:
                failed.append(error)
                return
            done.append(f"{name} {number}")

    writers = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(4)]
    for writer in writers:
        writer.start()
    try:
        for n in range(5):
            wanted = len(done) + 5
            while len(done) < wanted and not failed:
                stop.wait(0.01)
            acknowledged = set(done)
            back_up(db, tmp_path / "data", tmp_path / f"backup{n}")
            _is_whole(tmp_path / f"backup{n}", acknowledged)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert failed == []
    assert len(done) > 25


def _is_whole(folder: Path, acknowledged: set[str]) -> None:
    backup = Database(f"sqlite:///{folder}/kb.sqlite3")
    try:
        with backup.read() as session:
            revisions: dict[int, list[Revision]] = {}
            for revision in session.exec(select_rows(Revision)):
                revisions.setdefault(revision.item_id, []).append(revision)
            live = {item.id: item.live_revision_id for item in session.exec(select_rows(Item))}
    finally:
        backup.dispose()
    assert set(live) == set(revisions)
    for item, own in revisions.items():
        assert [revision.n for revision in own] == [1, 2]
        assert live[item] == own[-1].id
    assert acknowledged <= {own[0].title for own in revisions.values()}


def test_nothing_is_overwritten(db: Database, tmp_path: Path) -> None:
    an_item(db, "Title")
    back_up(db, tmp_path / "data", tmp_path / "backup")
    with pytest.raises(Conflict, match="backup' is there already"):
        back_up(db, tmp_path / "data", tmp_path / "backup")
    with pytest.raises(Conflict, match="has rows already"):
        restore(tmp_path / "backup", db, tmp_path / "data")
    (tmp_path / "full" / "judged").mkdir(parents=True)
    (tmp_path / "full" / "judged" / "x").touch()
    empty = Database(f"sqlite:///{tmp_path}/full/kb.sqlite3")
    with pytest.raises(Conflict, match=r"judged' is not empty"):
        restore(tmp_path / "backup", empty, tmp_path / "full")
    empty.dispose()


def test_what_is_no_whole_backup_is_refused_and_leaves_nothing(sqlite: Database, tmp_path: Path) -> None:
    an_item(sqlite, "Title")
    back_up(sqlite, tmp_path / "data", tmp_path / "backup")
    target = tmp_path / "new"
    empty = Database(f"sqlite:///{target}/kb.sqlite3")
    with pytest.raises(NotFound, match=r"no kb\.sqlite3"):
        restore(tmp_path / "nothing", empty, target)
    path = tmp_path / "backup" / "kb.sqlite3"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput):
        restore(tmp_path / "backup", empty, target)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE something (id INTEGER)")
    with pytest.raises(InvalidInput, match="not Answerwell's"):
        restore(tmp_path / "backup", empty, target)
    assert not (target / "kb.sqlite3").exists() or empty.version() is None
    empty.dispose()


def test_an_older_backup_is_brought_to_this_version(sqlite: Database, other: Database, tmp_path: Path) -> None:
    an_item(sqlite, "Title")
    back_up(sqlite, tmp_path / "data", tmp_path / "backup")
    from alembic import command
    from alembic.config import Config

    from kb import migrations

    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    old = Database(f"sqlite:///{tmp_path}/backup/kb.sqlite3")
    with old.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
    assert old.version() != HEAD
    old.dispose()
    restore(tmp_path / "backup", other, tmp_path / "other")
    assert other.version() == HEAD
    lines = [json.loads(line) for line in export_lines(other, actor=SYSTEM)]
    assert [line["item"]["revisions"][0]["title"] for line in lines if "item" in line] == ["Title"]
