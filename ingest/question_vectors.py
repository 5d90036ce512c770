"""Vectors of questions that are looked back at, kept in the database: replay and gaps embed each question once."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from sqlalchemy import delete as sql_delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select

from kb import items
from kb.db import Database
from kb.models import QuestionVector, now
from retrieval.adapted import AdaptedEmbedder
from retrieval.embed import Embedder
from retrieval.types import Vector

KEPT = timedelta(days=120)
"""How long a vector is kept after it was made."""


class QuestionVectors:
    """Gives the vectors that an embedder gives to questions."""

    def __init__(self, db: Database, embedder: Embedder) -> None:
        self._db = db
        self._embedder = embedder
        self._plain = embedder.plain if isinstance(embedder, AdaptedEmbedder) else embedder
        self.embedded = 0
        """Questions embedded anew by this object."""

    def __call__(self, texts: Sequence[str]) -> dict[str, Vector]:
        """Return the vector of each text, as `embed_query` of the embedder gives it now."""
        keys = {text: _key(text) for text in texts}
        known = self._known(list(keys.values()))
        new = {text: self._plain.embed_query(text) for text, key in keys.items() if key not in known}
        if new:
            self._keep({keys[text]: vector for text, vector in new.items()})
            self.embedded += len(new)
        plain = {text: new[text] if text in new else known[key] for text, key in keys.items()}
        if isinstance(self._embedder, AdaptedEmbedder):
            return {text: self._embedder.moved(text, vector) for text, vector in plain.items()}
        return plain

    def _known(self, keys: Sequence[str]) -> dict[str, Vector]:
        found: dict[str, Vector] = {}
        with self._db.read() as session:
            for some in items.batched(keys, 500):
                statement = select(QuestionVector.key, QuestionVector.data).where(
                    col(QuestionVector.key).in_(some), col(QuestionVector.fingerprint) == self._plain.fingerprint
                )
                found.update((key, np.frombuffer(data, "<f4")) for key, data in session.exec(statement))
        return found

    def _keep(self, vectors: dict[str, Vector]) -> None:
        made = now()
        rows = [
            {"key": key, "fingerprint": self._plain.fingerprint, "data": vector.astype("<f4").tobytes(), "at": made}
            for key, vector in vectors.items()
        ]
        adding = sqlite.insert if self._db.dialect == "sqlite" else postgresql.insert
        with self._db.write() as session:
            session.connection().execute(adding(QuestionVector).on_conflict_do_nothing(), rows)
            session.exec(sql_delete(QuestionVector).where(col(QuestionVector.at) < made - KEPT))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
