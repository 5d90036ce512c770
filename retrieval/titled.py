"""Passages that lean towards their title: each vector is that of the passage plus a part of that of its title.

People ask in the words of titles ("reset the router") more than in those of the paragraph that answers. A title in
front of a long passage is averaged away by the encoder; added by weight it is not. See docs/decisions/0010-titles.md.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from retrieval.embed import Embedder
from retrieval.types import Vector

TITLE_WEIGHT = 0.3
"""Part of the title's unit vector added to the passage's before both are brought to unit length."""


class TitledEmbedder:
    """An Embedder over another one. The title of a passage is its first line, as `ingest.chunk` writes it."""

    def __init__(self, inner: Embedder, weight: float = TITLE_WEIGHT) -> None:
        self._inner = inner
        self._weight = weight
        self.name = inner.name
        self.fingerprint = hashlib.sha256(f"{inner.fingerprint} title {weight}".encode()).hexdigest()[:32]
        self.dim = inner.dim
        self.max_tokens = inner.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._inner.count_tokens(texts)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return self._inner.token_offsets(text)

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit vectors, float32 of shape (len(texts), dim). Each distinct title is embedded once a call.

        A text of one line is its own title: its vector is that of the text.
        """
        heads = [text.partition("\n")[0] for text in texts]
        alone = {text: at for at, text in enumerate(texts)}
        others = dict.fromkeys(head for head in heads if head not in alone)
        titles = alone | {head: len(texts) + at for at, head in enumerate(others)}
        vectors = self._inner.embed_passages([*texts, *others])
        mixed = vectors[: len(texts)] + self._weight * vectors[[titles[head] for head in heads]]
        lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
        return np.asarray(mixed / np.maximum(lengths, 1e-9), np.float32)

    def embed_query(self, text: str) -> Vector:
        return self._inner.embed_query(text)
