"""From the change log to the index: tails the log, makes passages and vectors, applies them. Crash-safe by replay.

Two steps for each change, each idempotent:

1. *prepare* (in the database, one process at a time): the live revision is cut into passages, texts not seen before are
   embedded, and both are committed together;
2. *apply* (each process for its own index): the item's passages replace what the index had of it.

A process that dies between two steps starts again from its index's durable watermark and does what is missing.
"""

import hashlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from sqlalchemy import ColumnElement, and_, insert, text
from sqlalchemy import delete as sql_delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from ingest.chunk import CHUNKER_VERSION, Chunk, chunk
from kb import changes, items
from kb.compose import PATH_SEPARATOR, composed
from kb.db import Database
from kb.models import Facet, Item, Passage, Revision, State, StoredVector
from retrieval.embed import Embedder
from retrieval.local.engine import LocalIndex
from retrieval.text import analyzer
from retrieval.types import Attributes, Change, PassageDoc, Vector

_LOCK = 7210004

BATCH = 256
"""Change-log rows taken at once."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did."""

    changes: int
    passages: int
    """Passages made searchable."""
    embedded: int
    """Texts embedded anew."""


class Indexer:
    """Keeps the LocalIndex of one generation level with the database. One thread at a time may step it."""

    def __init__(
        self, db: Database, index: LocalIndex, embedder: Embedder, *, lock_folder: Path, max_tokens: int
    ) -> None:
        self._db = db
        self._index = index
        self._embedder = embedder
        self._max_tokens = min(max_tokens, embedder.max_tokens)
        self._analyze = analyzer(index.analyzer)
        lock_folder.mkdir(parents=True, exist_ok=True)
        # One a generation: what is published now does not wait behind the build of the next generation.
        self._preparing = FileLock(lock_folder / f"prepare-{index.generation}.lock")
        self._stepping = threading.Lock()

    @property
    def watermark(self) -> int:
        return self._index.watermark

    def behind(self) -> int:
        """Return how many change-log numbers the index is behind the database."""
        with self._db.read() as session:
            return max(0, changes.latest(session) - self._index.watermark)

    def step(self, limit: int = BATCH) -> Step:
        """Take the next changes up to `limit` and make them searchable in this process."""
        with self._stepping:
            with self._db.read() as session:
                rows = changes.since(session, self._index.watermark, limit=limit)
            if not rows:
                return Step(0, 0, 0)
            latest = {row.item_id: int(row.seq or 0) for row in rows}
            embedded = self._prepare(latest)
            applied = self._load(latest)
            self._index.apply(applied)
        return Step(len(rows), sum(len(change.passages) for change in applied), embedded)

    def catch_up(
        self, on_step: Callable[[Step], None] | None = None, *, limit: int = BATCH, flush_every: int = 20_000
    ) -> Step:
        """Step until the index is level with the database, flushing now and then; return the sum of the steps."""
        total, unflushed = Step(0, 0, 0), 0
        while (done := self.step(limit)).changes:
            total = Step(total.changes + done.changes, total.passages + done.passages, total.embedded + done.embedded)
            unflushed += done.passages
            if unflushed >= flush_every:
                self.flush()
                unflushed = 0
            if on_step is not None:
                on_step(done)
        return total

    def flush(self, *, merge: bool = True) -> bool:
        """Make the index durable, and merge it, if this process may write it; return whether it did.

        Steps in other threads go on meanwhile. A process that may not write takes over what another has written.
        """
        return self._index.keep(merge=merge)

    def _prepare(self, latest: Collection[int]) -> int:
        """Make the missing passages and vectors of these items; return how many texts were embedded."""
        with self._db.read() as session:
            if not self._unprepared(session, latest) and not self._unembedded(session, latest):
                return 0
        with self._preparing:
            with self._db.read() as session:
                missing = self._unprepared(session, latest)
            made = [self.passages_of(item, revision) for item, revision in missing]
            texts = {p["embedding_hash"]: p["search_text"] for passages in made for p in passages}
            with self._db.read() as session:
                texts.update(self._unembedded(session, latest))
                known = self._known_vectors(session, list(texts))
            new = {key: text for key, text in texts.items() if key not in known}
            vectors = self._embedder.embed_passages(list(new.values())) if new else np.zeros((0, self._embedder.dim))
            with self._db.write() as session:
                self._store(session, missing, made)
                self._keep_vectors(session, dict(zip(new, vectors, strict=True)))
            return len(new)

    def _unprepared(self, session: Session, latest: Collection[int]) -> list[tuple[Item, Revision]]:
        """Return published items whose live revision has no passages of this chunker."""
        statement = (
            select(Item, Revision)
            .join(Revision, col(Revision.id) == col(Item.live_revision_id))
            .where(self._lacking(latest))
            .order_by(col(Item.id))
        )
        return list(session.exec(statement))

    def _lacking(self, latest: Collection[int]) -> ColumnElement[bool]:
        """Return the condition, on items, of being published and having no passages of the live revision."""
        current = select(Passage.item_id).where(
            col(Passage.item_id) == col(Item.id),
            col(Passage.generation) == self._index.generation,
            col(Passage.revision_id) == col(Item.live_revision_id),
            col(Passage.chunker) == CHUNKER_VERSION,
        )
        return and_(col(Item.id).in_(sorted(latest)), col(Item.state) == State.PUBLISHED, ~current.exists())

    def _unembedded(self, session: Session, latest: Collection[int]) -> dict[str, str]:
        """Return texts by hash of live passages that have no vector of this embedder."""
        vector = select(StoredVector.embedding_hash).where(
            col(StoredVector.embedding_hash) == col(Passage.embedding_hash),
            col(StoredVector.fingerprint) == self._embedder.fingerprint,
        )
        statement = (
            select(Passage.embedding_hash, Passage.search_text)
            .join(Item, col(Item.id) == col(Passage.item_id))
            .where(
                col(Item.id).in_(sorted(latest)),
                col(Item.state) == State.PUBLISHED,
                col(Passage.generation) == self._index.generation,
                col(Passage.revision_id) == col(Item.live_revision_id),
                ~vector.exists(),
            )
        )
        return dict(session.exec(statement).all())

    def _known_vectors(self, session: Session, hashes: Sequence[str]) -> set[str]:
        known: set[str] = set()
        for some in items.batched(hashes, 500):
            known.update(
                session.exec(
                    select(StoredVector.embedding_hash).where(
                        col(StoredVector.embedding_hash).in_(some),
                        col(StoredVector.fingerprint) == self._embedder.fingerprint,
                    )
                )
            )
        return known

    def passages_of(self, item: Item, revision: Revision) -> list[dict[str, Any]]:
        """Return the passages that publishing the revision makes, as rows of `Passage` without an id."""
        text = composed(item.lang, revision)
        chunks = chunk(revision.title, text, lang=item.lang, embedder=self._embedder, max_tokens=self._max_tokens)
        return [
            {
                "generation": self._index.generation,
                "item_id": item.id,
                "revision_id": revision.id,
                "ordinal": piece.ordinal,
                "path": PATH_SEPARATOR.join(piece.path)[:1000],
                "text": piece.text,
                "search_text": (searched := self._search_text(piece, revision)),
                "embedding_hash": hashlib.sha256(searched.encode()).hexdigest(),
                "applies": piece.applies.stored,
                "chunker": CHUNKER_VERSION,
            }
            for piece in chunks
        ]

    @staticmethod
    def _search_text(piece: Chunk, revision: Revision) -> str:
        """The words customers use for an article are found with its first passage."""
        if piece.ordinal or not revision.similar_questions:
            return piece.search_text
        return "\n".join([piece.search_text, *revision.similar_questions])

    def _store(
        self, session: Session, missing: Sequence[tuple[Item, Revision]], made: Sequence[list[dict[str, Any]]]
    ) -> None:
        """Replace the passages of those items that still have the revision they were cut from and still lack them."""
        if session.get_bind().dialect.name == "postgresql":  # servers on other machines know nothing of our file lock
            session.connection().execute(text(f"SELECT pg_advisory_xact_lock({_LOCK}, {self._index.generation})"))
        ids = [int(item.id or 0) for item, _ in missing]
        still = set(session.exec(select(Item.live_revision_id).where(self._lacking(ids))))
        rows: list[dict[str, Any]] = []
        for (item, revision), passages in zip(missing, made, strict=True):
            if revision.id in still:
                session.connection().execute(
                    sql_delete(Passage).where(
                        col(Passage.item_id) == item.id, col(Passage.generation) == self._index.generation
                    )
                )
                rows.extend(passages)
        if rows:
            session.connection().execute(insert(Passage), rows)

    def _keep_vectors(self, session: Session, vectors: Mapping[str, Vector]) -> None:
        """Add vectors by the hash of their text; one that another process has added meanwhile is the same."""
        rows = [
            {"embedding_hash": key, "fingerprint": self._embedder.fingerprint, "data": vector.astype("<f2").tobytes()}
            for key, vector in vectors.items()
        ]
        if rows:
            adding = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
            session.connection().execute(adding(StoredVector).on_conflict_do_nothing(), rows)

    def _load(self, latest: dict[int, int]) -> list[Change]:
        """Read the present state of these items, from one consistent view of the database."""
        with self._db.read() as session:
            published = {
                int(item.id or 0): item
                for item in session.exec(
                    select(Item).where(col(Item.id).in_(sorted(latest)), col(Item.state) == State.PUBLISHED)
                )
            }
            labels = items.labels(session, published)
            rows = session.exec(
                select(Passage, StoredVector.data)
                .join(Item, col(Item.id) == col(Passage.item_id))
                .join(StoredVector, col(StoredVector.embedding_hash) == col(Passage.embedding_hash))
                .where(
                    col(Passage.item_id).in_(sorted(published)),
                    col(Passage.generation) == self._index.generation,
                    col(Passage.revision_id) == col(Item.live_revision_id),
                    col(StoredVector.fingerprint) == self._embedder.fingerprint,
                )
                .order_by(col(Passage.item_id), col(Passage.ordinal))
            ).all()
        passages: dict[int, list[PassageDoc]] = {}
        for passage, data in rows:
            vector = np.frombuffer(data, "<f2").astype(np.float32)
            doc = PassageDoc(id=int(passage.id or 0), terms=self._analyze(passage.search_text), vector=vector)
            passages.setdefault(passage.item_id, []).append(doc)
        return [
            Change(
                seq=seq,
                item=item_id,
                attributes=attributes_of(published[item_id], labels.get(item_id, frozenset()))
                if item_id in published
                else None,
                passages=tuple(passages.get(item_id, ())),
            )
            for item_id, seq in sorted(latest.items(), key=lambda pair: pair[1])
        ]


def attributes_of(item: Item, labels: frozenset[tuple[Facet, str]]) -> Attributes:
    """Return what the passages of an item can be filtered by."""
    return Attributes(
        kind=item.kind.value,
        audience=item.audience.value,
        space=item.space_id,
        lang=item.lang,
        labels=frozenset((facet.value, value) for facet, value in labels),
    )
