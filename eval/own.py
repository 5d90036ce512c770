"""The organisation's own judged set, asked of its own knowledge base: the live index, nothing ingested anew."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlmodel import col, select

from eval.run import DEPTH, Outcome, chosen, named, outcomes_of, rank
from ingest import own
from ingest.generations import Generations, Opened
from kb import items
from kb.access import SYSTEM, scope_of
from kb.db import Database
from kb.errors import NotFound, shown
from kb.models import Item
from kb.settings import Settings
from retrieval.embed import Embedder, load_embedder
from retrieval.rerank import Reranking, configured
from retrieval.search import Searcher
from retrieval.titled import TitledEmbedder

PRODUCT = "product"
"""The whole search beside its parts: exact titles first, one language of each article."""


@dataclass(frozen=True, slots=True)
class Live:
    """A knowledge base as it is searched now."""

    db: Database
    opened: Opened
    searcher: Searcher


def database_of(settings: Settings) -> Database:
    """Open the database of a data folder. Raises NotFound where there is none."""
    if settings.database_url is None and not (settings.data / "kb.sqlite3").is_file():
        raise NotFound(f"{shown(str(settings.data))} holds no knowledge base: name its data folder with --data")
    db = Database(settings.sqlalchemy_url)
    db.migrate()
    return db


@contextmanager
def live(settings: Settings) -> Iterator[Live]:
    """Give the knowledge base of a data folder, its index level with its database. Raises NotFound, and as opening."""
    db = database_of(settings)
    try:
        opened = Generations.of(settings, db, lambda name: _embedder(settings, name)).open_active()
        try:
            opened.indexer.catch_up()
            yield Live(db, opened, Searcher(db, opened.index, opened.embedder, configured(settings)))
        finally:
            opened.close()
    finally:
        db.dispose()


def _embedder(settings: Settings, name: str) -> Embedder:
    return TitledEmbedder(load_embedder(name, settings.cache, settings.threads))


def run_own(
    kb: Live, systems: Sequence[str], *, half: str = "all", reranking: Reranking | None = None
) -> list[Outcome]:
    """Rank the questions of the event log with each system, and with the product's whole search.

    Raises NotFound where the log holds no question whose item is known, InvalidInput for an unknown system.
    """
    rankers = named(systems, reranking)
    judged = own.judged_set(kb.db)
    if not judged.queries:
        raise NotFound(
            "no question in the event log has an item that helped: votes on the pages and links of agents make them"
        )
    with kb.db.read() as session:
        documents = items.size(session, scope_of(session, SYSTEM).published_only())
        names = {int(item or 0): f"KB-{item}" for item in session.exec(select(col(Item.id)))}
    queries = chosen(judged, half)
    rankings, known = rank(kb.db, kb.opened.index, kb.opened.embedder, queries, rankers, names, reranking)
    rankings[PRODUCT] = {
        query.id: [hit.found.number for hit in kb.searcher.search(query.text, reader=SYSTEM, limit=DEPTH).hits]
        for query in queries
    }
    return outcomes_of(judged, rankings, known, half, documents)
