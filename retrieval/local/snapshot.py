"""What a reader holds: segments, what is dead in them, and the sums over all that lives. Never changes once made."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kb.access import Scope
from retrieval.local.dense import DenseScan, cut
from retrieval.local.lexical import LexicalLeg
from retrieval.local.masks import Masks
from retrieval.local.results import MOST, Results
from retrieval.local.segment import ARRAYS, Bools, Segment, encode
from retrieval.local.vocabulary import Vocabulary
from retrieval.types import Candidates, Filters, Query, QueryStats, Vector

_PAGE = 4096
_FEW = 32
"""So many terms are looked up one by one: a question's own, which are asked for again right after."""


@dataclass(frozen=True, eq=False)
class Part:
    """A segment with what belongs to it for as long as it lives."""

    segment: Segment
    masks: Masks = field(init=False, repr=False)
    scan: DenseScan = field(init=False, repr=False)
    vocabulary: Vocabulary = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "masks", Masks(self.segment))
        object.__setattr__(self, "scan", DenseScan(self.segment))
        object.__setattr__(self, "vocabulary", Vocabulary(self.segment))

    def warm(self, others: Collection["Part"] = ()) -> None:
        """Do now what the first questions and changes would wait for, the masks in use on `others` included."""
        for name in ARRAYS:
            if name != "vectors":  # each page once, so that no reader waits for the system to map it
                np.max(getattr(self.segment, name).reshape(-1).view(np.uint8)[::_PAGE], initial=0)
        self.scan.warm()
        self.vocabulary.warm()
        self.rows_of(())
        self.masks.take_over([part.masks for part in others])

    @cached_property
    def by_item(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        order = np.argsort(self.segment.items, kind="stable")
        return self.segment.items[order], order

    def rows_of(self, items: Collection[int]) -> npt.NDArray[np.int64]:
        """Return the rows of these items."""
        sorted_items, order = self.by_item
        wanted = np.array(sorted(items), np.int64)
        starts = np.searchsorted(sorted_items, wanted, "left")
        ends = np.searchsorted(sorted_items, wanted, "right")
        return np.concatenate(
            [np.zeros(0, np.int64), *(order[a:b] for a, b in zip(starts, ends, strict=True) if b > a)]
        )


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A state of the index. Searches on it need no lock."""

    parts: tuple[Part, ...]
    dead: tuple[Bools | None, ...]
    """Of each part: which rows are dead; None: none."""
    watermark: int
    generation: int
    passages: int
    total_length: int
    vector_sum: npt.NDArray[np.float64]
    vector_moment: npt.NDArray[np.float64]
    most_results: int = MOST
    """How many results are kept."""
    _results: Results = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_results", Results(self.most_results))

    @cached_property
    def lexical(self) -> LexicalLeg:
        return LexicalLeg(tuple(part.vocabulary for part in self.parts), self.dead, self.passages, self.total_length)

    def same_statistics(self, other: "Snapshot") -> None:
        """Take over what is dear to compute from a snapshot in which the same passages live."""
        known = vars(vars(other).get("lexical", other)).get("mean_idf")
        if known is not None:
            vars(self.lexical)["mean_idf"] = known

    def spread(self, vector: Vector) -> tuple[float, float]:
        """Return mean and standard deviation of the cosine of `vector` to all live passages: q.m and sqrt(q'Cq)."""
        if not self.passages:
            return 0.0, 0.0
        q = vector.astype(np.float64)
        mean = float(q @ self.vector_sum) / self.passages
        variance = float(q @ self.vector_moment @ q) / self.passages - mean * mean
        return mean, max(0.0, variance) ** 0.5

    def search(self, query: Query, *, scope: Scope, filters: Filters, limit: int) -> Candidates:
        """Return what SearchIndex.search promises; the same question is computed once while its result is kept."""
        return self._results.get(query, scope, filters, limit, lambda: self._found(query, scope, filters, limit))

    def frequencies(self, terms: Sequence[str], scope: Scope) -> list[int]:
        """Return what SearchIndex.frequencies promises."""
        names = [encode(term) for term in terms]
        counts = [0] * len(names)
        for part, dead in zip(self.parts, self.dead, strict=True):
            few = len(names) <= _FEW
            numbers = [part.segment.find(name) for name in names] if few else part.vocabulary.find(names)
            places = [place for place, number in enumerate(numbers) if number >= 0]
            if places:
                allowed = part.masks.allowed(scope, Filters())
                live = allowed if dead is None else allowed & ~dead
                for place in places:
                    rows, _ = part.segment.postings(numbers[place])
                    counts[place] += int(np.count_nonzero(live[rows]))
        return counts

    def _found(self, query: Query, scope: Scope, filters: Filters, limit: int) -> Candidates:
        allowed = [
            mask if dead is None else mask & ~dead
            for mask, dead in zip((part.masks.allowed(scope, filters) for part in self.parts), self.dead, strict=True)
        ]
        started = time.perf_counter()
        idfs = {term: self.lexical.idf(term) for term in dict.fromkeys(query.terms)}
        scored = self.lexical.scores(query.terms, idfs)
        by_terms = self._best_lexical(scored, allowed, limit)
        lexical_ms = (time.perf_counter() - started) * 1000
        started = time.perf_counter()
        by_vector = self._best_dense(query.vector, allowed, limit)
        mean, std = self.spread(query.vector) if query.vector is not None else (0.0, 0.0)
        rows = [np.union1d(a, b).astype(np.int64) for a, b in zip(by_terms, by_vector, strict=True)]
        dense = [
            part.scan.scores(query.vector, chosen) if query.vector is not None else np.zeros(len(chosen), np.float32)
            for part, chosen in zip(self.parts, rows, strict=True)
        ]
        dense_ms = (time.perf_counter() - started) * 1000
        chosen = list(zip(self.parts, rows, scored, strict=True))
        return Candidates(
            passage=_joined([part.segment.passages[at] for part, at, _ in chosen], np.int64),
            item=_joined([part.segment.items[at] for part, at, _ in chosen], np.int64),
            dense=_joined(dense, np.float32),
            lexical=_joined([score[at] for _, at, (score, _) in chosen], np.float64),
            lang=_joined([np.array(part.segment.words)[part.segment.langs[at]] for part, at, _ in chosen], np.str_),
            stats=QueryStats(
                passages=self.passages,
                dense_mean=mean,
                dense_std=std,
                lexical_bound=self.lexical.bound(query.terms, idfs),
                terms=len(query.terms),
                terms_known=sum(idfs[term] is not None for term in query.terms),
            ),
            generation=self.generation,
            watermark=self.watermark,
            took_ms={"dense": round(dense_ms, 3), "lexical": round(lexical_ms, 3)},
        )

    def _best_lexical(
        self,
        scored: Sequence[tuple[npt.NDArray[np.float64], Bools]],
        allowed: Sequence[Bools],
        limit: int,
    ) -> list[npt.NDArray[np.int64]]:
        rows = [np.flatnonzero(touched & mask) for (_, touched), mask in zip(scored, allowed, strict=True)]
        scores = [score[at] for (score, _), at in zip(scored, rows, strict=True)]
        return self._best(rows, scores, limit)

    def _best_dense(self, vector: Vector | None, allowed: Sequence[Bools], limit: int) -> list[npt.NDArray[np.int64]]:
        if vector is None:
            return [np.zeros(0, np.int64) for _ in self.parts]
        rows = [part.scan.best(vector, mask, limit) for part, mask in zip(self.parts, allowed, strict=True)]
        scores = [part.scan.scores(vector, at) for part, at in zip(self.parts, rows, strict=True)]
        return self._best(rows, scores, limit)

    def _best(
        self,
        rows: list[npt.NDArray[np.int64]],
        scores: Sequence[npt.NDArray[np.floating]],
        limit: int,
    ) -> list[npt.NDArray[np.int64]]:
        """Return, a part, its rows among the `limit` best of all parts; equal scores: lower passage id first."""
        if not rows:
            return []
        part = np.repeat(np.arange(len(rows)), [len(at) for at in rows])
        row, score = np.concatenate(rows), np.concatenate(scores)
        keep = cut(np.arange(len(row)), score, limit)
        passage = np.concatenate([p.segment.passages[at] for p, at in zip(self.parts, rows, strict=True)])[keep]
        keep = keep[np.lexsort((passage, -score[keep]))[:limit]]
        return [np.sort(row[keep[part[keep] == place]]) for place in range(len(rows))]


def _joined(arrays: Sequence[npt.NDArray[np.generic]], kind: type) -> npt.NDArray:  # type: ignore[type-arg]
    return np.concatenate([np.zeros(0, kind), *arrays]).astype(kind, copy=False)
