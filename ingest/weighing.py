"""Learning the two constants of the fusion from a knowledge base's judged questions, and judging whether to adopt them.

As the adapter (`ingest.adapting`): learnt from one half of the questions, held to the other. Two numbers are chosen
from a grid, so there is little to overfit; where choosing so does not win in cross-validation, the shipped ones stay.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.adapting import MOST, Held, halves, judge, published
from ingest.gate import Judged, ndcg
from kb.access import SYSTEM, scope_of
from kb.db import Database
from kb.models import now
from retrieval import measures
from retrieval.adapted import AdaptedEmbedder
from retrieval.embed import Embedder
from retrieval.fusion import fuse, order
from retrieval.index import SearchIndex
from retrieval.language import language
from retrieval.own_fusion import OwnFusion
from retrieval.search import MAX_USED, Searcher, checked_question
from retrieval.text import analyzer
from retrieval.tuned import TUNED
from retrieval.types import Candidates, Query

SHIPPED = (TUNED.lexical_weight, TUNED.lexical_damping)
GRID = (
    SHIPPED,
    *(one for one in product((1.0, 1.5, 2.0, 2.6, 3.0, 4.0, 5.5), (0.03, 0.06, 0.12, 0.25, 0.5)) if one != SHIPPED),
)
"""(weight, damping), the shipped ones first."""
_FOLDS = 4
_DEPTH = 50
"""Passages of each leg, as a search takes them."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """A question with what both legs found for it."""

    found: Candidates
    query: Query
    grades: dict[int, int]
    """Item id -> grade, of the items that are known to help."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """What was learnt and measured: nDCG@10 of the product's search on the half that was not learnt from."""

    fusion: OwnFusion | None
    """None: nothing was learnt that helped where it was learnt."""
    learnt_from: int
    held: Held | None = None
    refusal: str | None = None
    """Why it is not adopted, None if it may be."""

    def as_json(self) -> dict[str, Any]:
        known: dict[str, Any] = {
            "adopted": self.refusal is None,
            "refusal": self.refusal,
            "learnt_from": self.learnt_from,
        }
        if self.fusion is not None and self.held is not None:
            known |= {
                "weight": self.fusion.weight,
                "damping": self.fusion.damping,
                "questions": sum(count for count, _, _ in self.held.langs.values()),
                "measure": "ndcg@10",
                "before": round(self.held.before, 4),
                "after": round(self.held.after, 4),
                "p": round(self.held.p, 5),
            }
        return known


def weigh(
    db: Database,
    index: SearchIndex,
    embedder: AdaptedEmbedder,
    judged: Sequence[Judged],
    *,
    most: int = MOST,
    tell: Callable[[str], None] = lambda _: None,
) -> Weighing:
    """Learn from the tuning half of the questions (at most `most`), measure on the other half. Writes nothing.

    Measured with the adapter that `embedder` has now. Learnt without it: the adapter has seen the answers to these
    questions, so that cosines would seem to say more than they do. Adopted as an adapter is (`ingest.adapting.judge`).
    """
    lesson, held, refusal = halves(judged, most)
    if refusal is not None:
        return Weighing(None, len(lesson), refusal=refusal)
    tell(f"weighing words against vectors by {len(lesson)} questions")
    best = learn(examples(db, index, embedder.plain, lesson))
    if best == SHIPPED:
        return Weighing(None, len(lesson), refusal="no other weights do better in cross-validation")
    fusion = OwnFusion(embedder.fingerprint, *best)
    before = ndcg(Searcher(db, index, AdaptedEmbedder(embedder.plain, embedder.current)), held)
    after = ndcg(Searcher(db, index, AdaptedEmbedder(embedder.plain, embedder.current, lambda: fusion)), held)
    verdict = judge(held, before, after)
    found = Weighing(fusion, len(lesson), verdict, verdict.refusal)
    facts = {"at": now().isoformat(timespec="seconds"), **found.as_json()}
    return replace(found, fusion=replace(fusion, learnt=facts))


def learn(lesson: Sequence[Example]) -> tuple[float, float]:
    """Return the weight and damping of GRID with the largest mean nDCG@10, or SHIPPED where choosing so does not win.

    Whether it wins is asked by cross-validation: chosen on three folds, held to SHIPPED on the fourth.
    """
    if not lesson:
        return SHIPPED
    values = np.array([[gain(one, *constants) for one in lesson] for constants in GRID])
    fold = np.arange(len(lesson)) % _FOLDS
    won = 0.0
    for n in range(_FOLDS):
        if (fold != n).any():
            best = int(np.argmax(values[:, fold != n].mean(1)))
            won += float((values[best] - values[0])[fold == n].sum())
    return GRID[int(np.argmax(values.mean(1)))] if won > 0 else SHIPPED


def gain(one: Example, weight: float, damping: float) -> float:
    """Return nDCG@10 of a question fused so, an item in the place of its best passage."""
    ranking = order(fuse(one.found, one.query, weight=weight, damping=damping), one.found.passage)
    ranked = list(dict.fromkeys(one.found.item[ranking].tolist()))[:10]
    return measures.ndcg([one.grades.get(item, 0) for item in ranked], one.grades.values())


def examples(db: Database, index: SearchIndex, plain: Embedder, judged: Sequence[Judged]) -> list[Example]:
    """Return the questions that have a relevant item, with what a search finds for them before it is fused."""
    analyze = analyzer(index.analyzer)
    with db.read() as session:
        scope = scope_of(session, SYSTEM).published_only()
        of_name = published(session, {name for one in judged for name in one.relevant})
    found = []
    for one in judged:
        grades = {item: grade for name, grade in one.relevant.items() if grade > 0 for item in of_name.get(name, ())}
        if not grades:
            continue
        text = checked_question(one.query.text)[:MAX_USED]
        query = Query(terms=analyze(text), vector=plain.embed_query(text), lang=language(text))
        found.append(Example(index.search(query, scope=scope, filters=one.query.filters, limit=_DEPTH), query, grades))
    return found
