"""N passages grown from real ones by seeded changes, as arrays on disk that each process maps.

The first of N are the real passages, in a seeded order. Each copy after has CHANGED of its terms drawn anew from all
real text, OWN of them made words of its own (so that the vocabulary grows with the corpus, as it does), and its vector
moved by seeded noise of length NOISE. The corpus of n passages is the beginning of that of any larger number.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.types import Attributes, Change, PassageDoc, Vector

CHANGED = 0.15
OWN = 0.03
NOISE = 0.3
SHARES = (0.001, 0.01, 0.1, 0.5)
"""Shares of the corpus that a filter and the scope allow together."""
INTERNAL = 0.25
"""Share of passages that the scope of the questions keeps out."""
SEED = 7

_BLOCK = 8_192
_OWN_WORDS = 1_000_000

Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    terms: list[str]
    vector: Vector


@dataclass(frozen=True, slots=True)
class Base:
    """m real passages and the questions about them."""

    vocabulary: list[str]
    starts: Longs
    """(m + 1,) offsets into `terms`."""
    terms: Ints
    """Numbers of terms in text order, repeats kept."""
    vectors: Floats32
    """(m, dim), unit length."""
    questions: list[Question]
    about: dict[str, Any]
    """Where it comes from, for the record."""

    @classmethod
    def of(
        cls, *, terms: Sequence[Sequence[str]], vectors: Floats32, questions: list[Question], about: dict[str, Any]
    ) -> "Base":
        numbers: dict[str, int] = {}
        flat = [numbers.setdefault(term, len(numbers)) for passage in terms for term in passage]
        starts = np.cumsum([0, *map(len, terms)], dtype=np.int64)
        return cls(list(numbers), starts, np.array(flat, np.int32), vectors, questions, about)

    def save(self, folder: Path) -> None:
        asked = np.array([question.vector for question in self.questions], np.float32)
        np.savez(folder / "base.npz", starts=self.starts, terms=self.terms, vectors=self.vectors, asked=asked)
        words = {
            "vocabulary": self.vocabulary,
            "questions": [[question.text, question.terms] for question in self.questions],
            "about": self.about,
        }
        (folder / "base.json").write_text(json.dumps(words), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Base":
        words = json.loads((folder / "base.json").read_text(encoding="utf-8"))
        with np.load(folder / "base.npz") as arrays:
            asked = [
                Question(text, terms, vector)
                for (text, terms), vector in zip(words["questions"], arrays["asked"], strict=True)
            ]
            return cls(words["vocabulary"], arrays["starts"], arrays["terms"], arrays["vectors"], asked, words["about"])


@dataclass(frozen=True, slots=True)
class Corpus:
    """n passages, memory-mapped. Row r is passage and item r + 1."""

    vocabulary: list[str]
    starts: Longs
    terms: Ints
    vectors: Floats32
    internal: Bools
    """(n,) kept out by the scope."""
    draw: Floats32
    """(n,) a number from 0 to 1 that decides which filters a passage passes."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def dim(self) -> int:
        return int(self.vectors.shape[1])

    def words(self, start: int, end: int) -> Iterator[list[str]]:
        """Yield the terms of the rows from `start` to `end`."""
        names = self.vocabulary
        first = int(self.starts[start])
        flat = [names[number] for number in self.terms[first : int(self.starts[end])].tolist()]
        borders = (self.starts[start : end + 1] - first).tolist()
        for a, b in itertools.pairwise(borders):
            yield flat[a:b]

    def texts(self, batch: int = 2_000) -> Iterator[str]:
        """Yield each passage as a text of its terms: what a peer that cuts words by itself is given."""
        for start in range(0, len(self), batch):
            for words in self.words(start, min(len(self), start + batch)):
                yield " ".join(words)

    def allowed(self, share: float) -> Bools:
        """Return which rows the scope and the filter of a share let through, shape (n,)."""
        passing: Bools = ~self.internal & (self.draw < share / (1 - INTERNAL))
        return passing

    def changes(self, batch: int = 2_000) -> Iterator[list[Change]]:
        """Yield the corpus as batches of changes to an empty index."""
        for start in range(0, len(self), batch):
            end = min(len(self), start + batch)
            vectors, draw = np.array(self.vectors[start:end]), self.draw[start:end].tolist()
            internal = self.internal[start:end].tolist()
            yield [
                Change(row + 1, row + 1, attributes(hidden, drawn), (PassageDoc(row + 1, words, vector),))
                for row, words, vector, hidden, drawn in zip(
                    range(start, end), self.words(start, end), vectors, internal, draw, strict=True
                )
            ]


def attributes(internal: bool, draw: float) -> Attributes:
    """Return what a passage can be filtered by."""
    labels = frozenset(label(share) for share in SHARES if draw < share / (1 - INTERNAL))
    return Attributes("article", "internal" if internal else "public", 1, "en", labels)


def label(share: float) -> tuple[str, str]:
    return ("topic", f"share{share}")


def grow(base: Base, passages: int, folder: Path, seed: int = SEED) -> None:
    """Write the corpus of so many passages into `folder`, block by block."""
    folder.mkdir(parents=True)
    real, dim = base.vectors.shape
    order = np.random.default_rng(seed).permutation(real)
    source = order[np.arange(passages) % real]
    lengths = np.diff(base.starts)[source]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    terms = _new(folder / "terms.npy", np.int32, (int(starts[-1]),))
    vectors = _new(folder / "vectors.npy", np.float32, (passages, dim))
    internal = _new(folder / "internal.npy", np.bool_, (passages,))
    draw = _new(folder / "draw.npy", np.float32, (passages,))
    np.save(folder / "starts.npy", starts)
    for number, start in enumerate(range(0, passages, _BLOCK)):
        # A generator for each kind of draw, so that a shorter corpus is the beginning of a longer one.
        readers, filters, noise, changes, new, own_words = (np.random.default_rng((seed, number, n)) for n in range(6))
        end = min(passages, start + _BLOCK)
        rows, count = np.arange(start, end), end - start
        internal[start:end] = readers.random(count) < INTERNAL
        draw[start:end] = filters.random(count, np.float32)
        moved = noise.standard_normal((count, dim), np.float32) * (NOISE / np.sqrt(dim))
        wide = base.vectors[source[start:end]] + np.where(rows[:, None] >= real, moved, 0)
        vectors[start:end] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        part = slice(int(starts[start]), int(starts[end]))
        offset = base.starts[source[start:end]] - starts[start:end]
        said = base.terms[np.arange(part.start, part.stop) + np.repeat(offset, lengths[start:end])]
        chance = changes.random(len(said))
        chance[np.repeat(rows < real, lengths[start:end])] = 1.0
        anew, own = chance < CHANGED, chance < OWN
        said[anew] = base.terms[new.integers(0, len(base.terms), int(anew.sum()))]
        number_of = np.minimum(own_words.pareto(0.6, int(own.sum())), _OWN_WORDS - 1).astype(np.int32)
        said[own] = len(base.vocabulary) + number_of
        terms[part] = said


def corpus_folder(work: Path, passages: int) -> Path:
    return work / f"corpus-{passages}"


def index_folder(work: Path, passages: int) -> Path:
    return work / f"index-{passages}"


def open_corpus(folder: Path, base: Base) -> Corpus:
    """Map what `grow` wrote."""
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r")
        for name in ("starts", "terms", "vectors", "internal", "draw")
    }
    own = int(arrays["terms"].max()) + 1 - len(base.vocabulary)
    return Corpus(vocabulary=base.vocabulary + [f"xq{n}" for n in range(own)], **arrays)


def _new(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
    return array
