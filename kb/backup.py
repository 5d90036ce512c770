"""A backup is a data folder: taken while the servers run, searched as it is, or restored to another database.

All tables as they were at one moment, as SQLite whatever the database of record is, and the folders beside it that
nothing else can make again. What is derived, the index, is not in it. docs/decisions/0034-backup.md says why.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, Table, func, insert, inspect, select
from sqlmodel import SQLModel

import kb.models  # noqa: F401  (its tables join the metadata)
from kb.db import Database, count_on
from kb.errors import Conflict, InvalidInput, NotFound, Unavailable, shown
from kb.file_store import sync

DATABASE = "kb.sqlite3"
FOLDERS = ("files", "judged", "adapters")
"""What lies beside the database and cannot be made from it."""
_ROWS = 1000
_MADE_ANEW = ("meta", "space")
"""Tables that an empty database has rows in."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was backed up or restored: rows of all tables, files of all folders."""

    rows: int
    files: int


def back_up(db: Database, data: Path, target: Path) -> Copied:
    """Write a backup of `db` and of the data folder `data` to the new folder `target`; writers go on meanwhile.

    It has everything that was committed before the call, each transaction whole or not at all, and is complete once
    `target` is there. Raises Conflict if it is there already, Unavailable if it cannot be written.
    """
    with _new_folder(target) as folder:
        path = folder / DATABASE
        if db.dialect == "sqlite":
            _copy_sqlite(Path(str(db.url.database)), path)
        else:
            _copy_to_sqlite(db, path)
        # Files after rows: what a row names was there before the row.
        files = sum(_copy_folder(data / name, folder / name) for name in FOLDERS)
        rows = _checked(path)
        sync(path)
    return Copied(rows=rows, files=files)


def restore(source: Path, db: Database, data: Path) -> Copied:
    """Put the backup in the folder `source` into the empty database `db` and the data folder `data`.

    A backup of an older version is brought to this one. Raises NotFound or InvalidInput where `source` holds no whole
    backup, Conflict where the database or one of the folders is not empty: nothing is overwritten.
    """
    path = source / DATABASE
    if not path.is_file():
        raise NotFound(f"there is no backup in {shown(str(source))}: it has no {DATABASE}")
    _checked(path)
    for name in FOLDERS:
        if (data / name).is_dir() and any((data / name).iterdir()):
            raise Conflict(f"{shown(str(data / name))} is not empty: restore into a new data folder")
    data.mkdir(parents=True, exist_ok=True)
    if db.version() is not None:
        _refuse_unless_empty(db)
    with TemporaryDirectory(prefix=".restoring-", dir=data) as folder:
        copy = Path(folder) / DATABASE
        _copy_sqlite(path, copy)
        older = Database(f"sqlite:///{copy}")
        try:
            older.migrate()
            # Rows last: with them the restored knowledge base is there.
            files = sum(_copy_folder(source / name, data / name) for name in FOLDERS)
            if db.dialect == "sqlite":
                older.dispose()
                _one_file(copy)
                sync(copy)
                _replace(copy, Path(str(db.url.database)), db)
            else:
                db.migrate()
                with older.engine.connect() as reading, db.engine.begin() as writing:
                    _empty(writing)
                    _copy_rows(reading, writing)
                    count_on(writing, SQLModel.metadata.sorted_tables)
        finally:
            older.dispose()
    with db.engine.connect() as connection:
        return Copied(rows=_rows(connection), files=files)


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """Give a folder that becomes `target` when the block ends, and is gone where it fails."""
    if target.exists():
        raise Conflict(f"{shown(str(target))} is there already: name a new folder")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        try:
            partial.mkdir(parents=True)
            yield partial
            partial.rename(target)
            sync(target.parent)
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(f"{shown(str(target))} could not be written: {error}; nothing of it was kept") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite database that may be in use, in one step: it neither waits for writers nor holds them off."""
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading:
        with closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
    _one_file(target)


def _one_file(path: Path) -> None:
    """Write a SQLite database's log into it, so that it is one file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _copy_to_sqlite(db: Database, target: Path) -> None:
    copy = Database(f"sqlite:///{target}")
    try:
        copy.migrate()
        with db.read() as session, copy.engine.connect() as writing:
            writing.exec_driver_sql("ROLLBACK")
            writing.exec_driver_sql("PRAGMA foreign_keys = OFF")  # checked at the end, all at once
            writing.exec_driver_sql("BEGIN IMMEDIATE")
            _empty(writing)
            _copy_rows(session.connection(), writing)
            writing.commit()
            writing.exec_driver_sql("PRAGMA foreign_keys = ON")
    finally:
        copy.dispose()
    _one_file(target)
    target.with_name(f"{target.name}.migrate.lock").unlink(missing_ok=True)


def _copy_rows(reading: Connection, writing: Connection) -> None:
    streamed = reading.execution_options(stream_results=True, yield_per=_ROWS)
    for table in SQLModel.metadata.sorted_tables:
        # Parents of the same table come first: their ids are lower.
        found = streamed.execute(select(table).order_by(*table.primary_key.columns)).mappings()
        for rows in found.partitions():
            writing.execute(insert(table), [dict(row) for row in rows])


def _empty(connection: Connection) -> None:
    for name in _MADE_ANEW:
        connection.execute(SQLModel.metadata.tables[name].delete())


def _refuse_unless_empty(db: Database) -> None:
    with db.engine.connect() as connection:
        there = set(inspect(connection).get_table_names())
        for table in SQLModel.metadata.sorted_tables:
            if table.name in there and table.name not in _MADE_ANEW and _count(connection, table):
                raise Conflict(
                    f"the database has rows already (in {table.name}): restore into an empty one, by --data or "
                    "KB_DATABASE_URL"
                )


def _replace(copy: Path, target: Path, db: Database) -> None:
    """Put a database that is whole in the place of an empty one."""
    db.dispose()
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    copy.rename(target)
    sync(target.parent)


def _checked(path: Path) -> int:
    """Return how many rows a backup has. Raises InvalidInput where it is torn, or is none."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            faults = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            if faults != ["ok"]:
                raise InvalidInput(f"{shown(str(path))} is damaged: {faults[0]}")
            strays = connection.execute("PRAGMA foreign_key_check").fetchall()
            if strays:
                raise InvalidInput(f"{shown(str(path))} is not whole: a row of {strays[0][0]} belongs to nothing")
            named = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            if "alembic_version" not in named:
                raise InvalidInput(f"{shown(str(path))} is not Answerwell's")
            known = SQLModel.metadata.tables
            return sum(
                connection.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in named if name in known
            )
    except sqlite3.DatabaseError as error:
        raise InvalidInput(f"{shown(str(path))} cannot be read as a database: {error}") from error


def _rows(connection: Connection) -> int:
    return sum(_count(connection, table) for table in SQLModel.metadata.sorted_tables)


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _copy_folder(source: Path, target: Path) -> int:
    """Copy a folder, if it is there; return how many files it has. What vanishes meanwhile is left out."""
    copied = 0
    for path in sorted(source.rglob("*")):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copy2(path, place)
            except FileNotFoundError:
                continue
            sync(place)
            copied += 1
    return copied
