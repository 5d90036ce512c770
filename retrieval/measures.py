"""Retrieval measures as trec_eval defines them, by pytrec_eval; per item, in the ranking's own order."""

import math
from collections.abc import Iterable, Mapping, Sequence

import pytrec_eval

MEASURES = {"ndcg@10": "ndcg_cut_10", "recall@10": "recall_10", "recall@100": "recall_100", "mrr@10": "recip_rank"}


def measure(
    rankings: Mapping[str, Sequence[str]], qrels: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, float]]:
    """Return measure -> query id -> value. `rankings`: document ids by query id, best first.

    mrr@10 is the reciprocal rank of the first relevant document among the first ten.
    """
    judged = {query: dict(qrels[query]) for query in rankings}
    run = {
        query: {document: float(len(ranking) - rank) for rank, document in enumerate(ranking)}
        for query, ranking in rankings.items()
    }
    full = _evaluate(judged, run, {"ndcg_cut.10", "recall.10,100"})
    short = {
        query: {document: float(10 - rank) for rank, document in enumerate(ranking[:10])}
        for query, ranking in rankings.items()
    }
    first = _evaluate(judged, short, {"recip_rank"})
    return {
        name: {query: (first if trec == "recip_rank" else full)[query].get(trec, 0.0) for query in rankings}
        for name, trec in MEASURES.items()
    }


def ndcg(ranked: Sequence[int], grades: Iterable[int], depth: int = 10) -> float:
    """Return nDCG@`depth` of one query as `measure` does, where the thousands of calls of learning would be slow by it.

    `ranked`: grades in the order of a ranking; `grades`: all that there are of the query.
    """
    ideal = _dcg(sorted(grades, reverse=True)[:depth])
    return _dcg(ranked[:depth]) / ideal if ideal else 0.0


def _dcg(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(place) for place, grade in enumerate(grades, start=2))


def _evaluate(
    qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]], measures: set[str]
) -> dict[str, dict[str, float]]:
    """pytrec_eval leaves out queries without results: they count as 0."""
    found: dict[str, dict[str, float]] = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    return {query: found.get(query, {}) for query in run}


def mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values) if values else 0.0
