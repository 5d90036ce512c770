"""A knowledge base in a throw-away data folder: what is measured is the product, not a model of it."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest import demo
from ingest.generations import Generations, Opened
from ingest.judged import JudgedSet
from ingest.pipeline import Report, ingest
from kb.access import SYSTEM, Principal, Role
from kb.db import Database
from kb.errors import InvalidInput
from retrieval.embed import Embedder
from retrieval.local.engine import LocalIndex
from retrieval.search import Searcher

READER = Principal(role=Role.AGENT, subject="evaluation")
"""Who asks the questions of an evaluation."""

UNREADABLE = 0.01
"""Largest share of documents without any text; published judged sets have some, and nobody can find them."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """Loaded and searchable."""

    db: Database
    generations: Generations
    opened: Opened
    searcher: Searcher
    documents: int

    @property
    def index(self) -> LocalIndex:
        return self.opened.index


@contextmanager
def knowledge_base(
    name: str, load: Callable[[Database], Report], embedder: Embedder, *, max_tokens: int = 400, tell: Tell
) -> Iterator[KnowledgeBase]:
    """Give a knowledge base with what `load` puts into it. Raises InvalidInput if too many cannot be read."""
    with tempfile.TemporaryDirectory(prefix="answerwell-eval-") as folder:
        db = Database(f"sqlite:///{folder}/kb.sqlite3")
        db.migrate()
        tell(f"{name}: reading")
        report = load(db)
        if report.failed:
            unread = f"{name}: {len(report.failed)} documents cannot be read, the first: {report.failed[0]}"
            if len(report.failed) > UNREADABLE * max(1, report.added):
                raise InvalidInput(unread)
            tell(unread)
        opening = Generations(
            db,
            lambda _: embedder,
            index_folder=Path(folder) / "index",
            lock_folder=Path(folder),
            embedder=embedder.name,
            passage_tokens=max_tokens,
        )
        opened = opening.open_active()
        try:
            indexer = opened.indexer
            total = indexer.behind()
            started = time.monotonic()
            indexer.catch_up(lambda step: tell(f"{name}: indexing, {indexer.behind()} of {total} changes left"))
            tell(f"{name}: indexed in {time.monotonic() - started:.0f} s")
            yield KnowledgeBase(db, opening, opened, Searcher(db, opened.index, embedder), report.added)
        finally:
            opened.close()
            db.dispose()


def load_demo(db: Database) -> Report:
    """Load the shipped demo."""
    return demo.load(db, actor=SYSTEM)


def corpus_of(judged: JudgedSet) -> Callable[[Database], Report]:
    """Return what loads the documents of a judged set."""
    return lambda db: ingest(db, [judged.corpus.parent], actor=SYSTEM, format="beir", name=judged.name)
