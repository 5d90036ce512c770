"""What the engine is checked against: an exact filtered search of its own over the same corpus, and rank_bm25 itself.

Cosines in float64 over the vectors as the index keeps them (float16). BM25Okapi over the whole corpus, counted here.
A filter leaves the statistics as they are and takes each leg's best of what it lets through; then the product's fusion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rank_bm25 import BM25Okapi

from eval.bench.corpus import SHARES, Bools, Corpus, Longs, Question
from eval.bench.tasks import LIMIT, ask, only, opened
from kb.access import Scope
from retrieval.fusion import fuse, order
from retrieval.local.engine import LocalIndex
from retrieval.types import Candidates, Filters, Query, QueryStats

QUESTIONS = 40
"""Questions that are checked."""
MOST_FOR_RANK_BM25 = 200_000
"""Above, the package's own dictionaries no longer fit into the memory of a small machine."""

_EVERYONE = Scope(frozenset({"public", "internal"}), None, None)
_ROWS = 32_768
_K1, _B, _EPSILON = 1.5, 0.75, 0.25
_TIE = 1e-6
"""Fused scores nearer than this are in no order: the engine's cosines are float32."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reference:
    """Scores of every passage for each of q questions."""

    cosine: Floats
    """(q, n)"""
    bm25: Floats
    """(q, n)"""
    bounds: list[float]

    def best(self, question: int, allowed: Bools) -> tuple[Longs, Floats]:
        """Return the ten best allowed rows with their fused scores, and what ties with the tenth, best first."""
        cosine, bm25 = self.cosine[question], self.bm25[question]
        rows = np.flatnonzero(allowed)
        legs = (_top(rows, cosine), _top(rows[bm25[rows] > 0], bm25))
        rows = np.union1d(*legs)
        stats = QueryStats(
            passages=len(cosine),
            dense_mean=float(cosine.mean()),
            dense_std=float(cosine.std()),
            lexical_bound=self.bounds[question],
            terms=0,
            terms_known=0,
        )
        found = Candidates(
            rows, rows, cosine[rows].astype(np.float32), bm25[rows], np.full(len(rows), "en"), stats, 1, 0, {}
        )
        score = fuse(found, Query(terms=[], vector=None))
        best = order(score, rows)
        count = int(np.count_nonzero(score >= score[best[:10]].min() - _TIE)) if len(rows) else 0
        return rows[best[:count]], score[best[:count]]


def reference(corpus: Corpus, questions: Sequence[Question]) -> Reference:
    """Score every passage for every question, in blocks of rows."""
    number = {term: at for at, term in enumerate(corpus.vocabulary)}
    wanted = np.zeros(len(corpus.vocabulary), np.bool_)
    wanted[[number[term] for question in questions for term in question.terms if term in number]] = True
    vectors = np.stack([question.vector for question in questions]).astype(np.float64)
    cosine = np.empty((len(questions), len(corpus)))
    df = np.zeros(len(corpus.vocabulary), np.int64)
    first = np.full(len(corpus.vocabulary), np.iinfo(np.int64).max)
    parts: list[tuple[Longs, Longs, Longs]] = []
    for start in range(0, len(corpus), _ROWS):
        end = min(len(corpus), start + _ROWS)
        cosine[:, start:end] = vectors @ corpus.vectors[start:end].astype(np.float16).astype(np.float64).T
        a, b = int(corpus.starts[start]), int(corpus.starts[end])
        rows = np.repeat(np.arange(start, end), np.diff(corpus.starts[start : end + 1]))
        pairs, at, counts = np.unique(rows * len(df) + corpus.terms[a:b], return_index=True, return_counts=True)
        term = pairs % len(df)
        df += np.bincount(term, minlength=len(df))
        np.minimum.at(first, term, at + a)
        asked = wanted[term]
        parts.append((pairs[asked] // len(df), term[asked], counts[asked]))
    rows, term, counts = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    by_term = np.argsort(term, kind="stable")
    rows, counts, starts = rows[by_term], counts[by_term], np.searchsorted(term[by_term], np.arange(len(df) + 1))
    idf = _idf(len(corpus), df, first)
    lengths = np.diff(corpus.starts)
    norm = _K1 * (1 - _B + _B * lengths / (int(lengths.sum()) / len(corpus)))
    bm25 = np.zeros((len(questions), len(corpus)))
    bounds: list[float] = []
    unknown = float(np.log(len(corpus) + 0.5) - np.log(0.5))
    for at, question in enumerate(questions):
        bound = 0.0
        for name in question.terms:
            known = number.get(name, -1)
            there = known >= 0 and df[known] > 0
            bound += (_K1 + 1) * max(0.0, float(idf[known]) if there else unknown)
            if there:
                part = slice(starts[known], starts[known + 1])
                tf, row = counts[part].astype(np.float64), rows[part]
                bm25[at, row] += idf[known] * (tf * (_K1 + 1) / (tf + norm[row]))
        bounds.append(bound)
    return Reference(cosine, bm25, bounds)


def check(corpus: Corpus, questions: Sequence[Question], folder: Path) -> dict[str, Any]:
    """Compare the engine's filtered rankings with exact ones, and its lexical scores with those of rank_bm25."""
    questions = questions[:QUESTIONS]
    index = opened(folder, corpus.dim)
    exact = reference(corpus, questions)
    recall: dict[str, float] = {}
    let_through: dict[str, int] = {}
    for share in SHARES:
        allowed = corpus.allowed(share)
        let_through[str(share)] = int(allowed.sum())
        right = wanted = 0
        for at, question in enumerate(questions):
            best, _ = exact.best(at, allowed)
            right += len(set((best + 1).tolist()).intersection(ask(index, question, only(share)).tolist()))
            wanted += min(10, len(best))
        recall[str(share)] = round(right / wanted, 4) if wanted else 1.0
    package = len(corpus) <= MOST_FOR_RANK_BM25
    theirs = _rank_bm25(corpus, questions) if package else exact.bm25
    compared, largest, equal = 0, 0.0, True
    for at, question in enumerate(questions):
        ours = _lexical(index, question, len(corpus))
        some = (ours != 0) | (theirs[at] != 0)
        apart = np.abs(ours[some] - theirs[at][some]) / np.maximum(np.abs(theirs[at][some]), np.finfo(np.float64).tiny)
        compared += int(some.sum())
        largest = max(largest, float(apart.max(initial=0.0)))
        equal &= bool(np.array_equal(ours, theirs[at]))
    index.close()
    return {
        "questions": len(questions),
        "filtered_recall@10": recall,
        "let_through": let_through,
        "lexical_scores": {
            "beside": "rank_bm25" if package else "the bench's own BM25Okapi",
            "compared": compared,
            "largest_relative_difference": largest,
            "equal_to_the_bit": equal,
        },
    }


def _top(rows: Longs, scores: Floats) -> Longs:
    """Return the LIMIT rows with the highest scores; equal scores: lower rows first."""
    if len(rows) > LIMIT:
        least = np.partition(scores[rows], len(rows) - LIMIT)[len(rows) - LIMIT]
        rows = rows[scores[rows] >= least]
    return rows[np.lexsort((rows, -scores[rows]))[:LIMIT]]


def _idf(passages: int, df: Longs, first: Longs) -> Floats:
    """Return the idf of each term: rank_bm25 floors negative ones at a quarter of the mean, summed as first seen."""
    idf = np.log(passages - df + 0.5) - np.log(df + 0.5)
    seen = np.flatnonzero(df)
    mean = float(np.cumsum(idf[seen[np.argsort(first[seen])]])[-1]) / len(seen)
    return np.where(idf < 0, _EPSILON * mean, idf)


def _lexical(index: LocalIndex, question: Question, passages: int) -> Floats:
    """Return the engine's score of every passage, shape (passages,)."""
    found = index.search(Query(terms=question.terms, vector=None), scope=_EVERYONE, filters=Filters(), limit=passages)
    scores = np.zeros(passages)
    scores[found.passage - 1] = found.lexical
    return scores


def _rank_bm25(corpus: Corpus, questions: Sequence[Question]) -> Floats:
    okapi = BM25Okapi(list(corpus.words(0, len(corpus))))
    return np.stack([np.asarray(okapi.get_scores(question.terms), np.float64) for question in questions])
