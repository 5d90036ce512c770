"""Retrieval measures as trec_eval defines them, by pytrec_eval; per item, in the ranking's own order."""

from collections.abc import Mapping, Sequence

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


def _evaluate(
    qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]], measures: set[str]
) -> dict[str, dict[str, float]]:
    """pytrec_eval leaves out queries without results: they count as 0."""
    found: dict[str, dict[str, float]] = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    return {query: found.get(query, {}) for query in run}


def mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values) if values else 0.0
