"""An embedder that remembers: evaluation embeds each text once per machine, whatever is run on it after."""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kb.settings import Settings
from retrieval.embed import Embedder, load_embedder
from retrieval.titled import TitledEmbedder


class RememberingEmbedder:
    """Wraps an Embedder; vectors are kept as float32 in one SQLite file a fingerprint. Meets the same protocol."""

    def __init__(self, inner: Embedder, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._inner = inner
        self._file = sqlite3.connect(folder / f"{inner.fingerprint}.sqlite3", check_same_thread=False)
        self._file.execute("CREATE TABLE IF NOT EXISTS vector (key BLOB PRIMARY KEY, data BLOB) WITHOUT ROWID")
        self._file.commit()
        self.name = inner.name
        self.fingerprint = inner.fingerprint
        self.dim = inner.dim
        self.max_tokens = inner.max_tokens
        self.embedded = 0
        """Texts embedded anew by this object."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._inner.count_tokens(texts)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return self._inner.token_offsets(text)

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        keys = [_key("p", text) for text in texts]
        known = self._known(keys)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new:
            self._keep(known, list(new), self._inner.embed_passages(list(new.values())))
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, self.dim), np.float32)

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        key = _key("q", text)
        known = self._known([key])
        if key not in known:
            self._keep(known, [key], self._inner.embed_query(text)[None, :])
        return known[key]

    def close(self) -> None:
        self._file.close()

    def _known(self, keys: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        found: dict[bytes, npt.NDArray[np.float32]] = {}
        for start in range(0, len(keys), 500):
            some = keys[start : start + 500]
            marks = ",".join("?" * len(some))
            for key, data in self._file.execute(f"SELECT key, data FROM vector WHERE key IN ({marks})", some):
                found[key] = np.frombuffer(data, np.float32)
        return found

    def _keep(
        self, known: dict[bytes, npt.NDArray[np.float32]], keys: Sequence[bytes], vectors: npt.NDArray[np.float32]
    ) -> None:
        rows = [(key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)]
        with self._file:
            self._file.executemany("INSERT OR IGNORE INTO vector VALUES (?, ?)", rows)
        known.update(zip(keys, vectors, strict=True))
        self.embedded += len(rows)


@contextmanager
def remembered(settings: Settings) -> Iterator[Embedder]:
    """Give the model of these settings as it is, with its vectors remembered."""
    model = load_embedder(settings.embedder, settings.cache, settings.threads)
    remembering = RememberingEmbedder(model, settings.cache / "eval-vectors")
    try:
        yield remembering
    finally:
        remembering.close()


@contextmanager
def embedder_of(settings: Settings) -> Iterator[Embedder]:
    """Give the embedder that the product would use under these settings, with the model's vectors remembered."""
    with remembered(settings) as model:
        yield TitledEmbedder(model)


def _key(role: str, text: str) -> bytes:
    return hashlib.sha256(f"{role}:{text}".encode("utf-8", "surrogatepass")).digest()
