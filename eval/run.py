"""Run systems over a judged set as the product would: real ingest, real passages, the real index, ranked per item."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlmodel import col, select

from eval.throwaway import corpus_of, knowledge_base
from ingest.judged import JudgedQuery, JudgedSet, tuning_half
from kb.access import SYSTEM, scope_of
from kb.db import Database
from kb.errors import InvalidInput, shown
from kb.models import Item
from retrieval.embed import Embedder
from retrieval.fusion import fuse, order
from retrieval.language import language
from retrieval.local.engine import LocalIndex
from retrieval.measures import mean, measure
from retrieval.search import MAX_USED, checked_question
from retrieval.text import analyze
from retrieval.types import Candidates, Filters, Query

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
    on_progress: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Ingest the set into a throw-away data folder and rank its judged queries with each system.

    `systems`: names of SYSTEMS, or rankers of the caller's by name. `half`: all, tune or report (see
    `ingest.judged.tuning_half`), `most`: of these at most so many, drawn by a hash of the id.
    Raises InvalidInput for an unknown system.
    """
    rankers = systems if isinstance(systems, Mapping) else _named(systems)
    tell = on_progress or (lambda _: None)
    with knowledge_base(judged.name, corpus_of(judged), embedder, max_tokens=max_tokens, tell=tell) as kb:
        tell(f"{judged.name}: ranking")
        rankings, known = rank(kb.db, kb.index, embedder, judged, rankers, chosen(judged, half, most))
    outcomes = []
    for system in rankers:
        per_query = measure(rankings[system], judged.qrels)
        outcomes.append(
            Outcome(
                set=judged.name,
                system=system,
                documents=kb.documents,
                queries=len(rankings[system]),
                half=half,
                values={name: mean(found) for name, found in per_query.items()},
                per_query=per_query,
                rankings=rankings[system],
                known=known,
            )
        )
    return outcomes


def chosen(judged: JudgedSet, half: str, most: int | None = None) -> list[JudgedQuery]:
    """Return the judged queries of a half, of these at most `most`, drawn by a hash of the id."""
    queries = [query for query in judged.judged() if half == "all" or tuning_half(query.id) == (half == "tune")]
    return sorted(queries, key=lambda query: hashlib.sha256(b"draw" + query.id.encode()).digest())[:most]


def _named(systems: Sequence[str]) -> dict[str, Ranker]:
    unknown = [name for name in systems if name not in SYSTEMS]
    if unknown:
        raise InvalidInput(f"there is no system {shown(unknown[0])}; there are: {', '.join(SYSTEMS)}", field="systems")
    return {name: SYSTEMS[name] for name in systems}


def rank(
    db: Database,
    index: LocalIndex,
    embedder: Embedder,
    judged: JudgedSet,
    rankers: Mapping[str, Ranker],
    queries: Sequence[JudgedQuery],
) -> tuple[dict[str, dict[str, list[str]]], dict[str, tuple[int, int]]]:
    """Return rankings by system and query, and of each query how many terms are known and how many it has."""
    known: dict[str, tuple[int, int]] = {}
    rankings: dict[str, dict[str, list[str]]] = {system: {} for system in rankers}
    with db.read() as session:
        scope = scope_of(session, SYSTEM).published_only()
        external = dict(session.exec(select(col(Item.id), col(Item.external_id))).all())
    for query in queries:
        text = checked_question(query.text)[:MAX_USED]
        filters = Filters(langs=frozenset({query.target_lang})) if query.target_lang else Filters()
        asked = Query(terms=analyze(text), vector=embedder.embed_query(text), lang=language(text))
        candidates = index.search(asked, scope=scope, filters=filters, limit=_PASSAGES)
        known[query.id] = candidates.stats.terms_known, candidates.stats.terms
        for system, ranker in rankers.items():
            score = ranker(candidates, asked)
            ranking: dict[str, None] = {}
            for position in order(score, candidates.passage):
                if system == "bm25" and score[position] == 0:
                    break
                ranking.setdefault(external[int(candidates.item[position])])
                if len(ranking) == DEPTH:
                    break
            rankings[system][query.id] = list(ranking)
    return rankings, known
