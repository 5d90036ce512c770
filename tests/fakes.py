"""Stand-ins that keep the contracts of what they stand for: tests/contract/ holds them to it like the real ones."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kb.errors import Misconfigured
from retrieval.types import Vector

_TOKEN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W\u3400-\u4dbf\u4e00-\u9fff]{1,8}|[^\w\s]")


class FakeEmbedder:
    """An Embedder without a model: a bag of hashed character n-grams, so that texts with like wording are near."""

    def __init__(
        self, dim: int = 32, max_tokens: int = 128, name: str = "fake", fingerprint: str = "fake-embedder"
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.dim = dim
        self.max_tokens = max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(self.token_offsets(text)) + 2 for text in texts]

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in _TOKEN.finditer(text)]

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([self._vector(text) for text in texts], np.float32).reshape(len(texts), self.dim)

    def embed_query(self, text: str) -> Vector:
        return self._vector(text)

    def _vector(self, text: str) -> Vector:
        words = [text[start:end].casefold() for start, end in self.token_offsets(text)[: self.max_tokens - 2]]
        marked = f" {' '.join(words)} "
        grams = Counter(marked[at : at + n] for n in (1, 2, 3) for at in range(len(marked) - n + 1))
        vector = np.zeros(self.dim)
        for gram, times in grams.items():
            hashed = int.from_bytes(hashlib.blake2b(gram.encode("utf-8", "surrogatepass"), digest_size=8).digest())
            # Longer n-grams say more of what a text is about; the sign keeps unlike texts near 0, not near 1.
            weight = len(gram.strip()) * np.sqrt(times)
            vector[hashed % self.dim] += weight if hashed >> 63 else -weight
        vector[0] += 1e-3  # a text without a token is not the zero vector
        return (vector / np.linalg.norm(vector)).astype(np.float32)


def fake(name: str) -> FakeEmbedder:
    """Stand in for `load_embedder`: the default name gives the usual one, another name one of other vectors.

    Raises Misconfigured for a name that begins with `missing`.
    """
    if name.startswith("missing"):
        raise Misconfigured(f"the embedding model {name!r} is not here")
    return FakeEmbedder() if name == "e5-small" else FakeEmbedder(dim=48, name=name, fingerprint=f"fake-{name}")
