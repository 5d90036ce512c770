"""Questions moved towards the passages that answered such questions before: a linear map after the embedder.

    q' = unit(q + q W)

W is learnt from the organisation's own links (`retrieval.adapting`), and kept as one file a fingerprint. Passages keep
their vectors, so nothing is embedded again. Only questions in the languages it was found to help are moved.
See docs/decisions/0017-learning-from-use.md.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kb.errors import Misconfigured
from retrieval.embed import Embedder
from retrieval.language import language
from retrieval.local.storage import write_whole
from retrieval.types import Candidates, Vector

log = logging.getLogger(__name__)

_MAGIC = b"answerwell-adapter"
_VERSION = b"1"


@dataclass(frozen=True, slots=True)
class Adapter:
    """What was learnt, for the vectors of one fingerprint."""

    fingerprint: str
    langs: tuple[str, ...]
    """Languages of the questions that it moves."""
    map: npt.NDArray[np.float32] = field(repr=False)
    """W, shape (dim, dim)."""
    scale: float = 1.0
    offset: float = 0.0
    """`scale * cosine + offset` of a moved question is like the cosine of one that was not moved: see `comparable`."""
    learnt: dict[str, Any] = field(default_factory=dict)
    """When, from how much, and what was measured; for people."""

    def moved(self, vector: Vector) -> Vector:
        """Return the vector of a question after the map, unit length."""
        found = vector + vector @ self.map
        return np.asarray(found / max(float(np.linalg.norm(found)), 1e-9), np.float32)


def write(path: Path, adapter: Adapter) -> None:
    """Write the file whole or not at all: version and SHA-256, then a line of JSON, then W as little-endian float32."""
    head = {
        "fingerprint": adapter.fingerprint,
        "langs": adapter.langs,
        "dim": len(adapter.map),
        "scale": adapter.scale,
        "offset": adapter.offset,
        "learnt": adapter.learnt,
    }
    body = json.dumps(head, ensure_ascii=False).encode() + b"\n" + adapter.map.astype("<f4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, b" ".join([_MAGIC, _VERSION, hashlib.sha256(body).hexdigest().encode()]) + b"\n" + body)


def read(path: Path, fingerprint: str) -> Adapter:
    """Return the adapter of a file for vectors of a fingerprint.

    Raises Misconfigured, naming the file, for one that is damaged, of another version or of another embedder, and
    FileNotFoundError.
    """
    first, _, body = path.read_bytes().partition(b"\n")
    words = first.split(b" ")
    if len(words) != 3 or words[0] != _MAGIC:
        raise _refused(path, "it is not an adapter")
    if words[1] != _VERSION:
        raise _refused(path, f"it has version {words[1].decode('ascii', 'replace')}, this program reads 1")
    if hashlib.sha256(body).hexdigest().encode() != words[2]:
        raise _refused(path, "it is damaged: its checksum does not fit")
    head, _, data = body.partition(b"\n")
    known = json.loads(head)
    if known["fingerprint"] != fingerprint:
        raise _refused(path, f"it was learnt with another embedder (fingerprint {known['fingerprint']})")
    dim = int(known["dim"])
    return Adapter(
        fingerprint=fingerprint,
        langs=tuple(known["langs"]),
        map=np.frombuffer(data, "<f4").astype(np.float32).reshape(dim, dim),
        scale=float(known["scale"]),
        offset=float(known["offset"]),
        learnt=known["learnt"],
    )


class AdapterFile:
    """The adapter that a file holds now: read again when the file has changed. Safe to share between threads."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path = folder / f"{fingerprint}.adapter"
        self._fingerprint = fingerprint
        self._lock = threading.Lock()
        self._known: tuple[tuple[int, ...] | None, Adapter | None] = (None, None)

    def __call__(self) -> Adapter | None:
        """Return the adapter, None for no file or one that is refused; why is logged once."""
        seen = self._seen()
        known = self._known
        if seen == known[0]:
            return known[1]
        with self._lock:
            if seen != self._known[0]:
                self._known = (seen, self._read())
            return self._known[1]

    def _seen(self) -> tuple[int, ...] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> Adapter | None:
        try:
            return read(self.path, self._fingerprint)
        except FileNotFoundError:
            return None
        except (Misconfigured, OSError) as error:
            log.warning("questions are searched without it: %s", error)
            return None


class AdaptedEmbedder:
    """An Embedder over another one, whose questions are moved. Vectors of passages, and so the fingerprint, are its."""

    def __init__(self, plain: Embedder, current: Callable[[], Adapter | None]) -> None:
        """`current` gives the adapter for a question, or None."""
        self.plain = plain
        self.current = current
        self.name = plain.name
        self.fingerprint = plain.fingerprint
        self.dim = plain.dim
        self.max_tokens = plain.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.plain.count_tokens(texts)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return self.plain.token_offsets(text)

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self.plain.embed_passages(texts)

    def embed_query(self, text: str) -> Vector:
        adapter = self._of(text)
        vector = self.plain.embed_query(text)
        return adapter.moved(vector) if adapter is not None else vector

    def comparable(self, text: str, found: Candidates) -> Candidates:
        """Return what was found for a question, its cosines on the scale of questions that are not moved.

        What is set by cosines, such as when to answer, then holds as before. Orders and z-scores stay.
        """
        adapter = self._of(text)
        if adapter is None:
            return found
        scale, offset = adapter.scale, adapter.offset
        stats = replace(
            found.stats, dense_mean=scale * found.stats.dense_mean + offset, dense_std=scale * found.stats.dense_std
        )
        return replace(found, dense=(scale * found.dense + offset).astype(np.float32), stats=stats)

    def _of(self, text: str) -> Adapter | None:
        adapter = self.current()
        return adapter if adapter is not None and language(text) in adapter.langs else None


def comparable(embedder: Embedder, text: str, found: Candidates) -> Candidates:
    """Return `found` with cosines that mean what those of the embedder mean without an adapter."""
    return embedder.comparable(text, found) if isinstance(embedder, AdaptedEmbedder) else found


def _refused(path: Path, why: str) -> Misconfigured:
    return Misconfigured(f"the adapter {str(path)!r} is refused: {why}; learn it anew with: kb adapt")
