"""Calibrated confidence: fit it on the tuning halves, say on the other halves how far it can be trusted.

Each judged set is a knowledge base of its own, with the relevant documents of half of its questions taken away: these
questions have no answer there, though everything around them is. Documents that share a question go together (or a
question would be half answerable), by a hash of the first one's id. A case is positive where the first hit is relevant.

The models are logistic regressions (ridge penalty 1 on features of one spread), each set weighing the same, no weight
below 0: what would be is left out and the rest fitted again. One for Chinese, one for other languages, one for hits in
another language than the question's.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlmodel import col, select

from eval.run import drawn
from eval.throwaway import READER, KnowledgeBase, Tell, corpus_of, knowledge_base, load_demo
from eval.tune import update
from ingest import demo
from ingest.judged import JudgedQuery, JudgedSet, tuning_half
from ingest.pipeline import Report
from kb import editorial, items
from kb.access import SYSTEM
from kb.db import Database
from kb.models import Item
from retrieval.abstain import CONSIDERED, Features, features, group, logit, probability
from retrieval.embed import Embedder
from retrieval.search import Searcher
from retrieval.tuned import ANY, Model

CURVE_POINTS = 120
BINS = 10
FEATURES = tuple(field.name for field in fields(Features))
_SCALED = ("cosine", "cosine_lead")
"""Features that depend on the model's scale of cosines."""
_FREE = ("spread_lead",)
"""The one that stands in for them where the scale is not known."""
GROUPS = ("zh", "other", "across")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """One question asked of one knowledge base."""

    set: str
    group: str
    """See `retrieval.abstain.group`."""
    tuning: bool
    withheld: bool
    """Nothing there answers it."""
    features: Features
    right: bool
    """The first hit is relevant."""


def taken_away(judged: JudgedSet) -> tuple[set[str], set[str]]:
    """Return the questions that are to have no answer and the documents that are taken away for it."""
    leader: dict[str, str] = {}

    def find(node: str) -> str:
        while leader.setdefault(node, node) != node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    for query in judged.judged():
        for document, grade in judged.qrels[query.id].items():
            if grade > 0:
                a, b = find(f"q{query.id}"), find(f"d{document}")
                leader[max(a, b)] = min(a, b)
    together: dict[str, list[str]] = defaultdict(list)
    for node in list(leader):
        together[find(node)].append(node)
    queries: set[str] = set()
    documents: set[str] = set()
    for nodes in together.values():
        first = min(node for node in nodes if node[0] == "d")
        if hashlib.sha256(b"away" + first.encode()).digest()[0] < 128:
            queries |= {node[1:] for node in nodes if node[0] == "q"}
            documents |= {node[1:] for node in nodes if node[0] == "d"}
    return queries, documents


def collect(
    judged: JudgedSet, embedder: Embedder, *, most: int | None, whole: bool = False, tell: Tell = lambda _: None
) -> list[Case]:
    """Ask the questions of a set, at most `most` drawn by a hash of the id, and return the cases.

    `whole`: take nothing away; questions marked unanswerable are then those without an answer.
    """
    documents = set[str]() if whole else taken_away(judged)[1]
    load_it = load_demo if judged.name == demo.NAME else corpus_of(judged)
    with knowledge_base(judged.name, lambda db: _without(db, load_it, documents), embedder, tell=tell) as kb:
        return ask(kb, judged, most=most, whole=whole, tell=tell)


def ask(
    kb: KnowledgeBase, judged: JudgedSet, *, most: int | None, whole: bool = False, tell: Tell = lambda _: None
) -> list[Case]:
    """Ask a knowledge base, with all of a set's documents or without those of `taken_away`; see `collect`.

    Documents that are to be away, and are not, are taken away here.
    """
    away, documents = (set[str](), set[str]()) if whole else taken_away(judged)
    take_away(kb.db, documents)
    kb.opened.indexer.catch_up()
    asked = drawn((query for query in judged.queries if not query.answerable or query.id in judged.qrels), most)
    tell(f"{judged.name}: asking {len(asked)} questions")
    return [_case(kb.searcher, judged, query, away) for query in asked]


def _without(db: Database, load_it: Callable[[Database], Report], documents: Collection[str]) -> Report:
    """Load, then take documents away again, before anything is embedded."""
    report = load_it(db)
    take_away(db, documents)
    return report


def take_away(db: Database, documents: Collection[str]) -> None:
    """Delete the documents of these names for good."""
    with db.write() as session:
        for some in items.batched(sorted(documents), 500):
            for item in session.exec(select(Item).where(col(Item.external_id).in_(some))).all():
                editorial.delete(session, item, actor=SYSTEM)


def _case(searcher: Searcher, judged: JudgedSet, query: JudgedQuery, away: Collection[str]) -> Case:
    results = searcher.search(query.text, reader=READER, limit=CONSIDERED, filters=query.filters)
    relevant = judged.qrels.get(query.id, {})
    return Case(
        set=judged.name,
        group=group(results),
        tuning=tuning_half(query.id),
        withheld=query.id in away or not query.answerable,
        features=features(results),
        right=bool(results.hits) and relevant.get(results.hits[0].found.external_id, 0) > 0,
    )


def fit(cases: Sequence[Case], *, any_scale: bool = False) -> Model:
    """Return the model of these cases. `any_scale`: without the cosine itself, whose scale differs between models."""
    used = [name for name in FEATURES if name not in (_SCALED if any_scale else _FREE)]
    while True:
        bias, weights = _fitted(cases, used)
        worst = min(used, key=lambda name: weights[name], default="")
        if not used or weights[worst] >= 0:
            return Model(bias=bias, **{name: weights.get(name, 0.0) for name in FEATURES})
        used.remove(worst)


def _fitted(cases: Sequence[Case], used: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Return bias and weights by Newton's method."""
    x = np.array([[1.0, *(getattr(case.features, name) for name in used)] for case in cases], np.float64)
    y = np.array([case.right for case in cases], np.float64)
    weight = _weights(cases) * len(cases)
    penalty = np.diag([0.0, *x[:, 1:].var(axis=0)])
    beta = np.zeros(1 + len(used))
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (weight * (y - p)) - penalty @ beta
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + penalty + 1e-9 * np.eye(len(beta))
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    bias, *weights = (round(float(b), 3) for b in beta)
    return bias, dict(zip(used, weights, strict=True))


def _weights(cases: Sequence[Case]) -> Floats:
    """Return weights that sum to 1: each set the same, in it answerable and unanswerable questions the same."""
    kinds = [(case.set, case.withheld) for case in cases]
    sizes = {kind: kinds.count(kind) for kind in set(kinds)}
    return np.array([1 / sizes[kind] for kind in kinds], np.float64) / len(sizes)


def models(cases: Sequence[Case], *, any_scale: bool = False) -> dict[str, Model]:
    """Return a model for each group, from the tuning halves."""
    tuning = [case for case in cases if case.tuning]
    return {
        name: fit([case for case in tuning if case.group == name] or tuning, any_scale=any_scale) for name in GROUPS
    }


def log_odds(cases: Sequence[Case], by_group: dict[str, Model]) -> Floats:
    """Return the log odds that the first hit is right, a case each."""
    return np.array([logit(by_group[case.group], case.features) for case in cases], np.float64)


def confidences(cases: Sequence[Case], by_group: dict[str, Model]) -> Floats:
    """Return the probability that the first hit is right, a case each, where half of the questions have an answer."""
    return np.array([probability(odds) for odds in log_odds(cases, by_group)], np.float64)


def curve(cases: Sequence[Case], by_group: dict[str, Model]) -> list[tuple[float, float, float, float]]:
    """Return what answering from falling log odds on comes to, as `retrieval.tuned.Confidence.curve`."""
    odds, weight = log_odds(cases, by_group), _weights(cases)
    right = np.array([case.right for case in cases], np.bool_)
    away = np.array([case.withheld for case in cases], np.bool_)
    order = np.argsort(-odds, kind="stable")
    here, there = weight[~away].sum(), weight[away].sum()
    sums = [np.cumsum((weight * part)[order]) for part in (right & ~away, ~right & ~away, away)]
    at = np.unique(np.linspace(0, len(cases) - 1, CURVE_POINTS).astype(int))
    points = zip(odds[order][at], sums[0][at] / here, sums[1][at] / here, sums[2][at] / there, strict=True)
    return [(round(float(o), 3), round(float(r), 4), round(float(w), 4), round(float(u), 4)) for o, r, w, u in points]


def calibration_error(p: Floats, right: npt.NDArray[np.bool_], bins: int = BINS) -> float:
    """Return the expected calibration error over bins of equal size (Naeini, Cooper and Hauskrecht, AAAI 2015)."""
    parts = [part for part in np.array_split(np.argsort(p, kind="stable"), bins) if len(part)]
    return float(sum(len(part) * abs(p[part].mean() - right[part].mean()) for part in parts) / max(1, len(p)))


def reliability(p: Floats, right: npt.NDArray[np.bool_], bins: int = BINS) -> list[tuple[float, float]]:
    """Return mean confidence and share of right first hits of each bin."""
    parts = [part for part in np.array_split(np.argsort(p, kind="stable"), bins) if len(part)]
    return [(round(float(p[part].mean()), 4), round(float(right[part].mean()), 4)) for part in parts]


def risk_coverage(p: Floats, right: npt.NDArray[np.bool_], points: int = 50) -> list[tuple[float, float]]:
    """Return (share answered, share of these wrong) from the surest case on."""
    order = np.argsort(-p, kind="stable")
    wrong = np.cumsum(~right[order]) / np.arange(1, len(p) + 1)
    at = np.unique(np.linspace(0, len(p) - 1, min(points, len(p))).astype(int))
    return [(round((int(i) + 1) / len(p), 4), round(float(wrong[i]), 4)) for i in at]


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the confidence can be trusted on some cases of the report half."""

    name: str
    cases: int
    withheld: int
    right: float
    """Share of the answerable questions whose first hit is relevant."""
    calibration_error: float
    told_apart: float | None
    """AUROC between questions with and without their passages; None where there is only one kind."""
    told_right: float | None
    """AUROC between right and other first hits."""
    answered: float
    """Share of the answerable questions that are answered at the target risk."""
    wrong: float | None
    """Share of these answers that are wrong."""
    withheld_answered: float | None
    """Share of questions without an answer that are answered."""
    reliability: list[tuple[float, float]]
    risk_coverage: list[tuple[float, float]]


def trust(name: str, cases: Sequence[Case], p: Floats, least: float) -> Trust:
    """Measure the confidence of cases, answered from `least` on."""
    right = np.array([case.right for case in cases], np.bool_)
    away = np.array([case.withheld for case in cases], np.bool_)
    said = p >= least
    return Trust(
        name=name,
        cases=len(cases),
        withheld=int(away.sum()),
        right=round(float(right[~away].mean()), 4) if not away.all() else 0.0,
        calibration_error=round(calibration_error(p, right), 4),
        told_apart=_auroc(~away, p),
        told_right=_auroc(right, p),
        answered=round(float(said[~away].mean()), 4) if not away.all() else 0.0,
        wrong=round(float((~right[said & ~away]).mean()), 4) if (said & ~away).any() else None,
        withheld_answered=round(float(said[away].mean()), 4) if away.any() else None,
        reliability=reliability(p, right),
        risk_coverage=risk_coverage(p, right),
    )


def _auroc(positive: npt.NDArray[np.bool_], p: Floats) -> float | None:
    from sklearn.metrics import roc_auc_score  # seconds to import

    return round(float(roc_auc_score(positive, p)), 4) if 0 < positive.mean() < 1 else None


def by_set_and_group(
    cases: Sequence[Case],
    score: Callable[[Sequence[Case]], Floats],
    least: float,
    *,
    together: bool = True,
    tuning: bool = False,
) -> Iterator[Trust]:
    """Yield how far confidence can be trusted on the report half: of each set and, `together`, each group and all.

    `tuning`: on the other half, which the models were fitted on.
    """
    report = [case for case in cases if case.tuning == tuning]
    names = list(dict.fromkeys(case.set for case in report))
    parts = [(name, [case for case in report if case.set == name]) for name in names]
    if together:
        parts += [(f"all {name}", [case for case in report if case.group == name]) for name in GROUPS]
        parts.append(("all", report))
    for name, some in parts:
        if some:
            yield trust(name, some, score(some), least)


def calibrated(cases: Sequence[Case], *, any_scale: bool = False) -> dict[str, Any]:
    """Return models and curve from the tuning halves, as they stand in the file of constants."""
    by_group = models(cases, any_scale=any_scale)
    tuning = [case for case in cases if case.tuning]
    return {
        "models": {name: asdict(model) for name, model in by_group.items()},
        "curve": [list(point) for point in curve(tuning, by_group)],
    }


def record(cases: Sequence[Case], embedder: str) -> Path:
    """Fit for this embedder and for any, and write both with their run into the file of constants; return its path."""
    sets = {name: sum(case.set == name and case.tuning for case in cases) for name in {case.set for case in cases}}
    run = {
        "command": "kb eval calibrate --write DIR...",
        "date": datetime.now(UTC).date().isoformat(),
        "answerwell": version("answerwell"),
        "half": "tune",
        "questions": dict(sorted(sets.items())),
    }
    return update("confidence", {embedder: calibrated(cases), ANY: calibrated(cases, any_scale=True), "run": run})
