"""Generations of the index in this process: opening the active one, building the next one, clearing those that ended.

A generation has passages of its own in the database and an index of its own in `index/NUMBER`; vectors are shared where
the embedder is the same. So the next one is made beside the active one from the same change log, by any process, at any
time, and one that is killed goes on where it was. Switching is one row in the database: `kb.generations`. Each server
follows it by itself (`ingest.follower`).
"""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from ingest.indexer import Indexer
from kb import changes, generations
from kb.db import Database
from kb.errors import Misconfigured
from kb.generations import Recipe
from kb.models import Generation, GenerationState
from kb.settings import Settings
from retrieval.adapted import adapted
from retrieval.embed import Embedder
from retrieval.local.engine import IndexDamaged, IndexMismatch, LocalIndex
from retrieval.text import ANALYZER_VERSION, analyzer

log = logging.getLogger(__name__)

_CLEARED = 2_000
"""Rows deleted in one transaction: writers wait no longer than for that."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A generation, open in this process."""

    number: int
    recipe: Recipe
    embedder: Embedder
    index: LocalIndex
    indexer: Indexer

    def close(self) -> None:
        """Release files and locks. Searches under way end well."""
        self.index.close()


class Generations:
    """Opens generations. `load` gives the embedder of a name."""

    def __init__(
        self,
        db: Database,
        load: Callable[[str], Embedder],
        *,
        index_folder: Path,
        lock_folder: Path,
        embedder: str,
        passage_tokens: int,
        coarse: bool = False,
    ) -> None:
        """`embedder` and `passage_tokens` are those wished for: what a knowledge base begins with, or goes over to.

        `coarse`: how indexes are opened, see `LocalIndex.open`.
        """
        self._coarse = coarse
        self._db = db
        self._load = load
        self._index_folder = index_folder
        self._lock_folder = lock_folder
        self._embedder = embedder
        self._passage_tokens = passage_tokens
        self._models: WeakValueDictionary[str, Embedder] = WeakValueDictionary()

    @classmethod
    def of(cls, settings: Settings, db: Database, load: Callable[[str], Embedder]) -> "Generations":
        """Return what opens generations under these settings. `load` gives a plain embedder by its name."""
        return cls(
            db,
            lambda name: adapted(load(name), settings.adapters_folder),
            index_folder=settings.index_folder,
            lock_folder=settings.data,
            embedder=settings.embedder,
            passage_tokens=settings.passage_tokens,
            coarse=settings.vectors == "sq8",
        )

    def active_number(self) -> int:
        """Return the number of the active generation, 0 for none."""
        with self._db.read() as session:
            row = generations.active(session)
        return int(row.number or 0) if row is not None else 0

    def open_active(self) -> Opened:
        """Open the generation that is searched; a new knowledge base gets its first. Raises as `open` does."""
        with self._db.read() as session:
            row = generations.active(session)
        if row is None:
            wanted = self.wanted()
            with self._db.write() as session:
                row = generations.first(session, wanted)
        return self.open(int(row.number or 0))

    def wanted(self, analyzer_version: str = ANALYZER_VERSION) -> Recipe:
        """Return the recipe that settings and program ask for. Loads the model."""
        analyzer(analyzer_version)
        model = self._model(self._embedder)
        return Recipe(self._embedder, model.fingerprint, self._passage_tokens, analyzer_version)

    def open(self, number: int) -> Opened:
        """Open a generation.

        A damaged index, or one of another state of the database, is built anew: it holds nothing that the database
        does not. Raises NotFound, Misconfigured where model or analyzer are not those it was made with.
        """
        with self._db.read() as session:
            row = generations.get(session, number)
        analyzer(row.analyzer)
        model = self._model(row.embedder)
        if model.fingerprint != row.fingerprint:
            raise Misconfigured(
                f"the embedding model {row.embedder!r} is not the one that generation {number} was made with "
                f"(fingerprint {model.fingerprint}, not {row.fingerprint}): install that one again, or make a new "
                "generation with: kb generation build --force"
            )
        index = self._open_index(row, model)
        indexer = Indexer(self._db, index, model, lock_folder=self._lock_folder, max_tokens=row.passage_tokens)
        return Opened(number, generations.recipe(row), model, index, indexer)

    def begin(self, recipe: Recipe, *, again: bool = False) -> Opened:
        """Open the generation of this recipe that is to be built, or was begun. Raises Conflict, and as `open` does."""
        with self._db.write() as session:
            number = int(generations.begin(session, recipe, again=again).number or 0)
        return self.open(number)

    def clear(self) -> None:
        """Delete what ended generations have left: passages, vectors of models not used any more, folders."""
        folders = list(self._index_folder.iterdir()) if self._index_folder.is_dir() else []  # before the rows are read
        with self._db.read() as session:
            ended = generations.ended(session)
        for number in ended:
            while self._cleared(number):
                pass
        if ended:
            while self._cleared_vectors():
                pass
        with self._db.read() as session:
            alive = {str(r.number) for r in generations.every(session) if r.state != GenerationState.REMOVED}
        for path in folders:
            if path.name not in alive:
                log.info("the index folder %s belongs to no generation: it is removed", path)
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def _cleared(self, number: int) -> bool:
        with self._db.write() as session:
            return generations.clear(session, number, _CLEARED) == _CLEARED

    def _cleared_vectors(self) -> bool:
        with self._db.write() as session:
            return generations.clear_vectors(session, _CLEARED) == _CLEARED

    def _model(self, name: str) -> Embedder:
        """Return the embedder of a name: the same one to all generations that are open."""
        model = self._models.get(name)
        if model is None:
            model = self._models[name] = self._load(name)
        return model

    def _open_index(self, row: Generation, model: Embedder) -> LocalIndex:
        folder = self._index_folder / str(row.number)

        def opened(*, fresh: bool = False) -> LocalIndex:
            return LocalIndex.open(
                folder,
                dim=model.dim,
                generation=int(row.number or 0),
                fingerprint=row.fingerprint,
                analyzer=row.analyzer,
                database_id=self._db.meta("database_id"),
                fresh=fresh,
                coarse=self._coarse,
            )

        try:
            index = opened()
            with self._db.read() as session:
                latest = changes.latest(session)
            if index.watermark <= latest:
                return index
            index.close()
            reason = f"the index is at change {index.watermark}, the database at {latest}"
        except (IndexDamaged, IndexMismatch) as error:
            reason = error.message
        log.warning("%s; it is built anew from the database", reason)
        return opened(fresh=True)
