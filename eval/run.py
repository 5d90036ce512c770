"""Run systems over a judged set as the product would: real ingest, real passages, the real index, ranked per item."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlmodel import select

from eval.throwaway import KnowledgeBase, Tell, corpus_of, knowledge_base
from ingest.judged import JudgedQuery, JudgedSet, tuning_half
from kb import items
from kb.access import SYSTEM, scope_of
from kb.db import Database
from kb.errors import InvalidInput, Unavailable, shown
from kb.models import Item
from kb.settings import Settings
from retrieval.embed import Embedder
from retrieval.fusion import fuse, order
from retrieval.language import language
from retrieval.local.engine import LocalIndex
from retrieval.measures import mean, measure
from retrieval.rerank import Reranked, Reranking, configured
from retrieval.search import MAX_USED, checked_question, passage_text
from retrieval.text import analyzer
from retrieval.types import Candidates, Query

DEPTH = 100
"""Items kept of each ranking."""
_PASSAGES = 500
"""Passages taken from each leg."""

Ranker = Callable[[Candidates, Query], npt.NDArray[np.float64]]


def _reciprocal_rank(candidates: Candidates, _: Query) -> npt.NDArray[np.float64]:
    """Plain reciprocal rank fusion, k = 60 (Cormack, Clarke and Buettcher 2009), as the baseline."""
    score = np.zeros(len(candidates), np.float64)
    for leg in (candidates.dense.astype(np.float64), candidates.lexical):
        found = np.flatnonzero(leg != 0)
        ranked = found[np.lexsort((candidates.passage[found], -leg[found]))]
        score[ranked] += 1 / (60 + np.arange(1, len(ranked) + 1))
    return score


def _convex(candidates: Candidates, _: Query) -> npt.NDArray[np.float64]:
    """Each leg brought to 0 to 1 by its least and largest among the candidates, then .6 dense and .4 BM25.

    A baseline: Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (TOIS 2023).
    """
    return 0.6 * _unit_range(candidates.dense.astype(np.float64)) + 0.4 * _unit_range(candidates.lexical)


def _unit_range(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    spread = float(np.ptp(values)) if len(values) else 0.0
    return (values - values.min()) / spread if spread else np.zeros(len(values))


RERANK = "rerank"
"""The system of SYSTEMS' hybrid with its best ordered anew by KB_RERANKER."""

SYSTEMS: dict[str, Ranker] = {
    "bm25": lambda candidates, _: candidates.lexical,
    "dense": lambda candidates, _: candidates.dense.astype(np.float64),
    "rrf": _reciprocal_rank,
    "convex": _convex,
    "hybrid": fuse,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One system on one set."""

    set: str
    system: str
    documents: int
    queries: int
    half: str
    values: dict[str, float]
    """Means by measure."""
    per_query: dict[str, dict[str, float]]
    rankings: dict[str, list[str]]
    """Documents of each query, best first."""
    known: dict[str, tuple[int, int]]
    """Of each query: how many of its terms the corpus has, and how many it has."""

    def as_json(self) -> dict[str, Any]:
        return {
            "set": self.set,
            "system": self.system,
            "documents": self.documents,
            "queries": self.queries,
            "half": self.half,
            **{name: round(value, 4) for name, value in self.values.items()},
        }


def run(
    judged: JudgedSet,
    systems: Sequence[str] | Mapping[str, Ranker],
    embedder: Embedder,
    *,
    half: str = "all",
    most: int | None = None,
    max_tokens: int = 400,
    reranking: Reranking | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Ingest the set into a throw-away data folder and rank its judged queries with each system.

    `systems`: names of SYSTEMS, or rankers of the caller's by name. `half`: all, tune or report (see
    `ingest.judged.tuning_half`), `most`: of these at most so many, drawn by a hash of the id. `reranking`: what the
    system `rerank` orders with. Raises InvalidInput for an unknown system, or for `rerank` without it.
    """
    rankers = systems if isinstance(systems, Mapping) else named(systems, reranking)
    tell = on_progress or (lambda _: None)
    with knowledge_base(judged.name, corpus_of(judged), embedder, max_tokens=max_tokens, tell=tell) as kb:
        return ranked(kb, judged, rankers, embedder, half=half, most=most, reranking=reranking, tell=tell)


def ranked(
    kb: KnowledgeBase,
    judged: JudgedSet,
    rankers: Mapping[str, Ranker],
    embedder: Embedder,
    *,
    half: str,
    most: int | None,
    reranking: Reranking | None = None,
    tell: Tell,
) -> list[Outcome]:
    """Rank the judged queries of a set that is loaded; see `run`."""
    tell(f"{judged.name}: ranking, {half}")
    queries = chosen(judged, half, most)
    rankings, known = rank(kb.db, kb.index, embedder, queries, rankers, names_of(kb.db), reranking)
    return outcomes_of(judged, rankings, known, half, kb.documents)


def names_of(db: Database) -> dict[int, str]:
    """Return what a judged set calls each item of a throw-away knowledge base, by its id."""
    with db.read() as session:
        return {int(item or 0): name for item, name in session.exec(select(Item.id, Item.external_id))}


def unhurried(settings: Settings) -> Reranking | None:
    """Return the reranking of these settings without a budget: what is measured is its order."""
    found = configured(settings)
    return replace(found, budget_ms=math.inf) if found is not None else None


def named(systems: Sequence[str], reranking: Reranking | None = None) -> dict[str, Ranker]:
    """Return rankers by name. Raises InvalidInput for a system that there is not."""
    unknown = [name for name in systems if name not in SYSTEMS and name != RERANK]
    if RERANK in systems and reranking is None:
        raise InvalidInput("the system 'rerank' needs a reranker: set KB_RERANKER", field="systems")
    if unknown:
        raise InvalidInput(f"there is no system {shown(unknown[0])}; there are: {', '.join(SYSTEMS)}", field="systems")
    return {name: SYSTEMS["hybrid" if name == RERANK else name] for name in systems}


def outcomes_of(
    judged: JudgedSet,
    rankings: Mapping[str, dict[str, list[str]]],
    known: dict[str, tuple[int, int]],
    half: str,
    documents: int,
) -> list[Outcome]:
    """Measure rankings by system and query."""
    outcomes = []
    for system, ranked in rankings.items():
        per_query = measure(ranked, judged.qrels)
        outcomes.append(
            Outcome(
                set=judged.name,
                system=system,
                documents=documents,
                queries=len(ranked),
                half=half,
                values={name: mean(found) for name, found in per_query.items()},
                per_query=per_query,
                rankings=ranked,
                known=known,
            )
        )
    return outcomes


def chosen(judged: JudgedSet, half: str, most: int | None = None) -> list[JudgedQuery]:
    """Return the judged queries of a half, of these at most `most`, drawn by a hash of the id."""
    return drawn((q for q in judged.judged() if half == "all" or tuning_half(q.id) == (half == "tune")), most)


def drawn(queries: Iterable[JudgedQuery], most: int | None) -> list[JudgedQuery]:
    """Return at most `most` of the queries, drawn by a hash of the id: always the same."""
    return sorted(queries, key=lambda query: hashlib.sha256(b"draw" + query.id.encode()).digest())[:most]


def rank(
    db: Database,
    index: LocalIndex,
    embedder: Embedder,
    queries: Sequence[JudgedQuery],
    rankers: Mapping[str, Ranker],
    names: Mapping[int, str],
    reranking: Reranking | None = None,
) -> tuple[dict[str, dict[str, list[str]]], dict[str, tuple[int, int]]]:
    """Return rankings by system and query, and of each query how many terms are known and how many it has.

    `names`: what the set calls an item, by its id.
    """
    known: dict[str, tuple[int, int]] = {}
    rankings: dict[str, dict[str, list[str]]] = {system: {} for system in rankers}
    analyze = analyzer(index.analyzer)
    with db.read() as session:
        scope = scope_of(session, SYSTEM).published_only()
    for query in queries:
        text = checked_question(query.text)[:MAX_USED]
        asked = Query(terms=analyze(text), vector=embedder.embed_query(text), lang=language(text))
        candidates = index.search(asked, scope=scope, filters=query.filters, limit=_PASSAGES)
        known[query.id] = candidates.stats.terms_known, candidates.stats.terms
        for system, ranker in rankers.items():
            score = ranker(candidates, asked)
            best: dict[int, int] = {}  # of each item the best passage
            for position in order(score, candidates.passage):
                if system == "bm25" and score[position] == 0:
                    break
                best.setdefault(int(candidates.item[position]), int(candidates.passage[position]))
                if len(best) == DEPTH:
                    break
            ranked = list(best)
            if system == RERANK and reranking is not None:
                ranked = _reranked(db, reranking, text, best)
            rankings[system][query.id] = [names[item] for item in ranked]
    return rankings, known


def _reranked(db: Database, reranking: Reranking, question: str, best: Mapping[int, int]) -> list[int]:
    """Return items, ranked in `best` with the best passage of each, with the first ones ordered anew."""
    ranked = list(best)
    some = ranked[: reranking.top]
    with db.read() as session:
        scope = scope_of(session, SYSTEM).published_only()
        found = items.recheck(session, scope, [best[item] for item in some])
    reordered = reranking.reorder(question, [passage_text(found[best[item]]) for item in some])
    if reordered.outcome is not Reranked.DONE:
        raise Unavailable(f"the reranker {reranking.reranker.name!r} has not ordered a question: {reordered.outcome}")
    return [*(some[n] for n in reordered.order), *ranked[reranking.top :]]
