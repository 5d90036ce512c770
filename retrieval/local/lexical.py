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

K1 = 1.5
B = 0.75
EPSILON = 0.25

Floats = npt.NDArray[np.float64]


_ROOM = 4_000_000
"""Postings whose weights are kept for the next question, a snapshot: 8 bytes each."""


@dataclass(eq=False)
class _Kept:
    weights: dict[tuple[int, str], tuple[npt.NDArray[np.int32], Floats]] = field(default_factory=dict)
    room: int = _ROOM


@dataclass(frozen=True, eq=False)
class LexicalLeg:
    """The lexical side of a snapshot."""

    segments: tuple[Segment, ...]
    dead: tuple[Bools | None, ...]
    passages: int
    """Live passages."""
    total_length: int
    """Terms of all live passages, repeats counted."""
    _norms: dict[int, Floats] = field(default_factory=dict, repr=False)
    _kept: _Kept = field(default_factory=_Kept, repr=False)

    def idf(self, term: str) -> float | None:
        """Return the idf of a term, floored as the library does; None if no live passage has it."""
        name = encode(term)
        df = 0
        for segment, dead in zip(self.segments, self.dead, strict=True):
            number = segment.find(name)
            if number >= 0:
                rows, _ = segment.postings(number)
                df += len(rows) - (int(np.count_nonzero(dead[rows])) if dead is not None else 0)
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
                found = rows, idf * (tf * (K1 + 1) / (tf + self._norm(place)[rows]))
            if kept.room < len(found[0]):
                self._kept.weights, self._kept.room = {}, _ROOM
            kept.weights[place, term] = found
            kept.room -= len(found[0]) + 1
        return found

    def _norm(self, place: int) -> Floats:
        """Return k1 * (1 - b + b * |d| / avgdl) of each row; kept, since it is the same for all questions."""
        if place not in self._norms:
            average = self.total_length / self.passages
            self._norms[place] = np.asarray(K1 * (1 - B + B * self.segments[place].lengths / average), np.float64)
        return self._norms[place]

    @cached_property
    def mean_idf(self) -> float:
        """The mean idf of the vocabulary, summed in first-seen order as the library does. Made when first needed."""
        ids: list[npt.NDArray[np.int64]] = []
        entries: list[npt.NDArray[np.int64]] = []
        vocabulary: dict[bytes, int] = {}
        for segment, dead in zip(self.segments, self.dead, strict=True):
            number = np.fromiter(
                (vocabulary.setdefault(segment.term(n), len(vocabulary)) for n in range(segment.terms)), np.int64
            )
            owner = np.repeat(np.arange(len(segment)), np.diff(segment.forward_starts))
            live = np.ones(len(owner), np.bool_) if dead is None else ~dead[owner]
            ids.append(segment.passages[owner[live]])
            entries.append(number[segment.forward_terms[live]])
        if not entries:
            return 0.0
        # Segments may interleave in passage order; within a passage the forward order is kept (the sort is stable).
        seen = np.concatenate(entries)[np.argsort(np.concatenate(ids), kind="stable")]
        if not len(seen):
            return 0.0
        numbers, first, df = np.unique(seen, return_index=True, return_counts=True)
        by_first = np.argsort(first, kind="stable")
        values = {int(n): _idf(self.passages, int(n)) for n in np.unique(df)}
        idfs = np.array([values[int(n)] for n in df[by_first]], np.float64)
        total = float(np.cumsum(idfs)[-1])  # cumsum adds one after the other, as the library's loop does; sum() pairs
        return total / len(numbers)


def _idf(passages: int, df: int) -> float:
    return math.log(passages - df + 0.5) - math.log(df + 0.5)
