"""Everything a running Answerwell is made of, built in one place and handed to the routes and the command line."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from ingest.indexer import Follower, Indexer
from kb.db import Database
from kb.errors import Misconfigured
from kb.events import EventLog, pseudonym
from kb.settings import Settings
from retrieval.embed import Embedder, load_embedder
from retrieval.local.engine import IndexDamaged, IndexMismatch, LocalIndex
from retrieval.search import Searcher
from retrieval.text import ANALYZER_VERSION
from retrieval.titled import TitledEmbedder

log = logging.getLogger(__name__)

GENERATION = 1
"""Generations of (embedder, analyzer) beside one another come with the zero-downtime change of embedder."""


@dataclass(frozen=True)
class Services:
    """The parts of one process. Use as a context manager, or call `close()`."""

    settings: Settings
    db: Database
    embedder: Embedder
    index: LocalIndex
    indexer: Indexer
    searcher: Searcher
    events: EventLog
    follower: Follower
    pseudonym_key: str

    def visitor(self, name: str | None) -> str | None:
        """Return the pseudonym of a person, key or visitor for the event log."""
        return pseudonym(self.pseudonym_key, name) if name is not None else None

    def close(self) -> None:
        self.follower.close()
        self.events.close()
        self.index.close()
        self.db.dispose()

    def __enter__(self) -> "Services":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_database(settings: Settings) -> Database:
    """Open and migrate the database of record. Raises Misconfigured or Unavailable."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"the data folder {str(settings.data)!r} cannot be made: {error.strerror}; choose another with --data"
        ) from error
    db = Database(settings.sqlalchemy_url)
    db.migrate()
    return db


def open_services(
    settings: Settings,
    *,
    embedder: Embedder | None = None,
    on_progress: Callable[[str], None] | None = None,
    fresh_index: bool = False,
) -> Services:
    """Open database, model and index. `fresh_index` throws the index away first (it is rebuilt from the log).

    A damaged index is thrown away too: it holds nothing that the database does not. An index of another embedder or
    analyzer is not: raises Misconfigured, naming `kb rebuild`.
    """
    db = open_database(settings)
    model = embedder or TitledEmbedder(load_embedder(settings.embedder, settings.cache, settings.threads, on_progress))
    index = _open_index(settings, db, model, fresh=fresh_index)
    indexer = Indexer(db, index, model, lock_folder=settings.data, max_tokens=settings.passage_tokens)
    return Services(
        settings=settings,
        db=db,
        embedder=model,
        index=index,
        indexer=indexer,
        searcher=Searcher(db, index, model),
        events=EventLog(db),
        follower=Follower(indexer),
        pseudonym_key=db.meta("pseudonym_key"),
    )


def _open_index(settings: Settings, db: Database, model: Embedder, *, fresh: bool) -> LocalIndex:
    folder = settings.index_folder

    def opened() -> LocalIndex:
        return LocalIndex.open(
            folder,
            dim=model.dim,
            generation=GENERATION,
            fingerprint=model.fingerprint,
            analyzer=ANALYZER_VERSION,
            database_id=db.meta("database_id"),
            coarse=settings.vectors == "sq8",
        )

    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
        return opened()
    try:
        return opened()
    except IndexMismatch as error:
        raise Misconfigured(f"{error.message}; build it anew with: kb rebuild") from error
    except IndexDamaged as error:
        log.warning("%s; it is built anew from the database", error.message)
        shutil.rmtree(folder, ignore_errors=True)
        return opened()
