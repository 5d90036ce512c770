"""Questions moved towards the passages that answered such questions before: a linear map after the embedder.

    q' = unit(q + q W)

W is learnt from the organisation's own links (`retrieval.adapting`), and kept as one file a fingerprint. Passages keep
their vectors, so nothing is embedded again. Only questions in the languages it was found to help are moved.
See docs/decisions/0017-learning-from-use.md.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.embed import Embedder
from retrieval.fusion import fuse
from retrieval.language import language
from retrieval.learnt import LearntFile, refused, seal, unseal
from retrieval.own_fusion import OwnFusion, OwnFusionFile
from retrieval.types import Candidates, Query, Vector

_MAGIC = b"answerwell-adapter"
_KIND = "adapter"


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
    seal(path, _MAGIC, body)


def read(path: Path, fingerprint: str) -> Adapter:
    """Return the adapter of a file for vectors of a fingerprint.

    Raises Misconfigured, naming the file, for one that is damaged, of another version or of another embedder, and
    FileNotFoundError.
    """
    body = unseal(path, _MAGIC, _KIND)
    head, _, data = body.partition(b"\n")
    known = json.loads(head)
    if known["fingerprint"] != fingerprint:
        raise refused(path, _KIND, f"it was learnt with another embedder (fingerprint {known['fingerprint']})")
    dim = int(known["dim"])
    return Adapter(
        fingerprint=fingerprint,
        langs=tuple(known["langs"]),
        map=np.frombuffer(data, "<f4").astype(np.float32).reshape(dim, dim),
        scale=float(known["scale"]),
        offset=float(known["offset"]),
        learnt=known["learnt"],
    )


class AdapterFile(LearntFile[Adapter]):
    """The adapter that a file holds now."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        super().__init__(folder / f"{fingerprint}.adapter", lambda path: read(path, fingerprint))


class AdaptedEmbedder:
    """An Embedder over another one, whose questions are moved. Vectors of passages, and so the fingerprint, are its."""

    def __init__(
        self,
        plain: Embedder,
        current: Callable[[], Adapter | None],
        fusion: Callable[[], OwnFusion | None] = lambda: None,
    ) -> None:
        """`current` gives the adapter for a question, `fusion` the constants that both legs are fused by; or None."""
        self.plain = plain
        self.current = current
        self.fusion = fusion
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
        return self.moved(text, self.plain.embed_query(text))

    def moved(self, text: str, vector: Vector) -> Vector:
        """Return the vector of a question from the one that the model gives it."""
        adapter = self._of(text)
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


def adapted(plain: Embedder, folder: Path) -> AdaptedEmbedder:
    """Return the embedder with what `kb adapt` has put into `folder` for it, followed as it changes."""
    fingerprint = plain.fingerprint
    return AdaptedEmbedder(plain, AdapterFile(folder, fingerprint), OwnFusionFile(folder, fingerprint))


def fused(embedder: Embedder, found: Candidates, query: Query) -> npt.NDArray[np.float64]:
    """Return the fused scores by the constants learnt for the embedder's vectors, else by the shipped ones."""
    own = embedder.fusion() if isinstance(embedder, AdaptedEmbedder) else None
    return fuse(found, query) if own is None else fuse(found, query, weight=own.weight, damping=own.damping)


def comparable(embedder: Embedder, text: str, found: Candidates) -> Candidates:
    """Return `found` with cosines that mean what those of the embedder mean without an adapter."""
    return embedder.comparable(text, found) if isinstance(embedder, AdaptedEmbedder) else found
