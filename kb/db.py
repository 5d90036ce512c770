"""The database of record: connections, sessions, migrations. SQLite in WAL mode, or PostgreSQL by its URL."""

import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, Engine, Table, create_engine, event, func, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlmodel import Session

from kb.errors import Misconfigured, Unavailable, shown
from kb.migrations import HEAD, KNOWN
from kb.models import Meta, new_uid

BUSY_MS = 30_000
"""How long a SQLite writer waits for another one, in milliseconds."""


class Database:
    """Sessions on one database. Safe to share between threads; a session belongs to one thread."""

    def __init__(self, url: str) -> None:
        """Raises Misconfigured for a URL that cannot be used."""
        try:
            self.url = make_url(url)
            self.dialect = self.url.get_backend_name()
            if self.dialect not in ("sqlite", "postgresql"):
                raise Misconfigured(
                    f"the database {shown(self.dialect)} is not supported: use sqlite or postgresql+psycopg"
                )
            self.engine = self._engine()
        except (ArgumentError, NoSuchModuleError) as error:
            raise Misconfigured(f"KB_DATABASE_URL cannot be read ({error}): use postgresql+psycopg://...") from error
        self._writing = self.engine.execution_options(kb_write=True)
        # SQLite's readers see one state anyway.
        consistent = {"isolation_level": "REPEATABLE READ"} if self.dialect == "postgresql" else {}
        self._reading = self.engine.execution_options(**consistent)

    def _engine(self) -> Engine:
        if self.dialect == "postgresql":
            return create_engine(self.url, pool_pre_ping=True, pool_size=10, max_overflow=20)
        if self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(self.url, connect_args={"check_same_thread": False}, pool_size=10, max_overflow=40)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees one consistent state. Nothing of it is written.

        Raises Unavailable when the database cannot be read.
        """
        try:
            with Session(self._reading, expire_on_commit=False) as session:
                yield session
        except OperationalError as error:
            raise Unavailable(f"the database could not be read: {error.orig}") from error

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session whose work is committed when the block ends, or rolled back when it raises.

        SQLite: the write lock is taken at the start, so that two writers queue instead of failing.
        Raises Unavailable when the database is locked for too long, full or read-only.
        """
        try:
            with Session(self._writing, expire_on_commit=False) as session, session.begin():
                yield session
        except OperationalError as error:
            raise Unavailable(
                f"the database could not be written: {error.orig}; nothing of this change was kept"
            ) from error

    def migrate(self) -> None:
        """Bring the tables to the version of this program.

        Raises Misconfigured if the database belongs to a newer program, Unavailable if it can't be reached.
        """
        try:
            version = self.version()
        except OperationalError as error:
            raise Unavailable(
                f"the database cannot be reached: {error.orig}; check KB_DATABASE_URL or --data"
            ) from error
        if version == HEAD:
            return
        if version is not None and version not in KNOWN:
            raise Misconfigured(
                f"the database has version {shown(version)}, unknown to this program: install a newer Answerwell"
            )
        if self.dialect == "sqlite" and self.url.database:
            with FileLock(f"{self.url.database}.migrate.lock"):
                self._upgrade()
        else:
            self._upgrade()

    def _upgrade(self) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
        with self._writing.connect() as connection, connection.begin():
            if self.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(7210001)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            with Session(connection) as session:
                for key, value in (("database_id", new_uid()), ("pseudonym_key", secrets.token_hex(32))):
                    if session.get(Meta, key) is None:
                        session.add(Meta(key=key, value=value))
                session.flush()

    def version(self) -> str | None:
        """Return the migration the tables are at; None for an empty database."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
            return str(row[0]) if row else None

    def meta(self, key: str) -> str:
        with self.read() as session:
            row = session.get(Meta, key)
        if row is None:
            raise Misconfigured(f"the database has no {key!r}: it was not made by Answerwell; restore it from a backup")
        return row.value

    def dispose(self) -> None:
        self.engine.dispose()


def count_on(connection: Connection, tables: Iterable[Table]) -> None:
    """Let PostgreSQL go on numbering the rows of these tables where those end that came with numbers of their own.

    SQLite does by itself.
    """
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        for column in table.primary_key.columns:
            named = connection.execute(
                text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
            ).scalar()
            if named is not None:
                highest = connection.execute(select(func.max(column))).scalar()
                connection.execute(
                    text("SELECT setval(:named, :last, :used)"),
                    {"named": named, "last": highest or 1, "used": highest is not None},
                )


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours: see _begin_sqlite
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged write outlives a power cut, not only a kill
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Switch a new file to write-ahead logging, once for all connections.

    SQLite refuses the switch at once, without the busy timeout, while another connection is making it
    (two processes that open a new file at the same moment): it is asked again.
    """
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("kb_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
