"""BM25Okapi as the package rank_bm25 defines it, from an inverted index, to the last bit.

    score(q, d) = sum over terms t of q, in order, repeats kept, of idf(t) * (tf * (k1 + 1) / (tf + norm(d)))
    norm(d) = k1 * (1 - b + b * |d| / avgdl)          idf(t) = log(N - df + .5) - log(df + .5)

A negative idf (a term in more than half of the passages) becomes epsilon times the mean idf of the vocabulary. Every
sum is made in float64 and in the library's order: over the question's terms for a score, over the vocabulary in
first-seen order for the mean. N, df and lengths are integers counted over the live passages, so nothing drifts.

Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009); D. Brown, rank_bm25.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from retrieval.local.segment import Bools, Segment, encode
from retrieval.local.vocabulary import Vocabulary, frequencies

K1 = 1.5
B = 0.75
EPSILON = 0.25

Floats = npt.NDArray[np.float64]


_LOOKUP = 20
"""Looking up a dead row in a term's rows costs as much as looking at so many of these."""
_ROOM = 4_000_000
"""Postings whose weights are kept for the next question, a snapshot: 8 bytes each."""


@dataclass(eq=False)
class _Kept:
    weights: dict[tuple[int, str], tuple[npt.NDArray[np.int32], Floats]] = field(default_factory=dict)
    room: int = _ROOM


@dataclass(frozen=True, eq=False)
class LexicalLeg:
    """The lexical side of a snapshot."""

    vocabularies: tuple[Vocabulary, ...]
    """Of each segment."""
    dead: tuple[Bools | None, ...]
    passages: int
    """Live passages."""
    total_length: int
    """Terms of all live passages, repeats counted."""
    _kept: _Kept = field(default_factory=_Kept, repr=False)
    _gone: dict[int, npt.NDArray[np.int32]] = field(default_factory=dict, repr=False)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(vocabulary.segment for vocabulary in self.vocabularies)

    def idf(self, term: str) -> float | None:
        """Return the idf of a term, floored as the library does; None if no live passage has it."""
        name = encode(term)
        df = 0
        for place, segment in enumerate(self.segments):
            number = segment.find(name)
            if number >= 0:
                rows, _ = segment.postings(number)
                df += len(rows) - self._dead_among(place, rows)
        if not df:
            return None
        idf = _idf(self.passages, df)
        return idf if idf >= 0 else EPSILON * self.mean_idf

    def bound(self, terms: Sequence[str], idfs: dict[str, float | None]) -> float:
        """Return what BM25 is below for any passage: sum of idf * (k1 + 1), unknown terms counting as df = 0."""
        if not self.passages:
            return 0.0
        unknown = _idf(self.passages, 0)
        found = (idfs[term] for term in terms)
        return sum((K1 + 1) * max(0.0, unknown if idf is None else idf) for idf in found)

    def scores(self, terms: Sequence[str], idfs: dict[str, float | None]) -> list[tuple[Floats, Bools]]:
        """Return, a segment, the score of each row and whether it has any of the terms; dead rows count for nothing."""
        return [self._segment_scores(place, terms, idfs) for place in range(len(self.segments))]

    def _segment_scores(self, place: int, terms: Sequence[str], idfs: dict[str, float | None]) -> tuple[Floats, Bools]:
        segment = self.segments[place]
        score = np.zeros(len(segment), np.float64)
        touched = np.zeros(len(segment), np.bool_)
        for term in terms:
            idf = idfs[term]
            if idf is not None:
                rows, weight = self._weights(place, term, idf)
                score[rows] += weight
                touched[rows] = True
        return score, touched

    def _weights(self, place: int, term: str, idf: float) -> tuple[npt.NDArray[np.int32], Floats]:
        """Return rows that have a term and what it adds to each; kept while there is room, the same for all questions.

        The dictionary is replaced as a whole when it is full: other threads go on with the old one.
        """
        kept = self._kept
        found = kept.weights.get((place, term))
        if found is None:
            segment = self.segments[place]
            number = segment.find(encode(term))
            if number < 0:
                found = np.zeros(0, np.int32), np.zeros(0)
            else:
                rows, counts = segment.postings(number)
                tf = counts.astype(np.float64)
                found = rows, idf * (tf * (K1 + 1) / (tf + self._norms[segment.lengths[rows]]))
            if kept.room < len(found[0]):
                self._kept.weights, self._kept.room = {}, _ROOM
            kept.weights[place, term] = found
            kept.room -= len(found[0]) + 1
        return found

    @cached_property
    def _norms(self) -> Floats:
        """k1 * (1 - b + b * |d| / avgdl) for each length |d| that a passage may have."""
        longest = max(vocabulary.longest for vocabulary in self.vocabularies)
        return np.asarray(K1 * (1 - B + B * np.arange(longest + 1) / (self.total_length / self.passages)), np.float64)

    def _dead_among(self, place: int, rows: npt.NDArray[np.int32]) -> int:
        """Return how many of a segment's rows, which ascend, are dead."""
        dead = self.dead[place]
        if dead is None:
            return 0
        if place not in self._gone:
            self._gone[place] = np.flatnonzero(dead).astype(np.int32)
        gone = self._gone[place]
        if _LOOKUP * len(gone) > len(rows):
            return int(np.count_nonzero(dead[rows]))
        at = np.minimum(np.searchsorted(rows, gone), len(rows) - 1)
        return int(np.count_nonzero(rows[at] == gone))

    @cached_property
    def mean_idf(self) -> float:
        """The mean idf of the vocabulary, summed in first-seen order as the library does. Made when first needed."""
        df = frequencies(self.vocabularies, self.dead)
        if not len(df):
            return 0.0
        values = np.zeros(int(df.max()) + 1)
        for n in np.flatnonzero(np.bincount(df)).tolist():
            values[n] = _idf(self.passages, n)
        # cumsum adds one after the other, as the library's loop does; sum() adds in pairs
        return float(np.cumsum(values[df])[-1]) / len(df)


def _idf(passages: int, df: int) -> float:
    return math.log(passages - df + 0.5) - math.log(df + 0.5)
