"""What the report says, measured: rankings of every system and part of fusion, confidence, and what they cost."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from eval import calibrate
from eval.compare import Regret, regrets
from eval.reading import Outcome as Reading
from eval.reading import load_answers, read_all
from eval.run import SYSTEMS, Outcome, Ranker, run
from eval.throwaway import READER, Tell, corpus_of, knowledge_base
from ingest import demo
from ingest.judged import JudgedSet, load
from kb.settings import Settings
from retrieval.abstain import CONSIDERED, decide, probability, threshold
from retrieval.embed import Embedder
from retrieval.extract import extract, nearness_of
from retrieval.fusion import fuse
from retrieval.tuned import TUNED
from retrieval.types import Candidates, Query

COMPARED = ("bm25", "dense", "rrf", "convex", "hybrid")
NO_DAMPING = 1e-9
_TIMED = 200
"""Questions whose cost is measured."""


def _first_rule(candidates: Candidates, _: Query) -> Any:
    """The rule of the first release: dense z-score plus 5 times BM25 as a share of its bound."""
    stats = candidates.stats
    dense = (candidates.dense.astype(np.float64) - stats.dense_mean) / max(stats.dense_std, 1e-6)
    return dense + 5 * candidates.lexical / max(stats.lexical_bound, 1e-9)


def _any_language(candidates: Candidates, query: Query) -> Any:
    return fuse(candidates, Query(terms=query.terms, vector=query.vector))


PARTS: dict[str, Ranker] = {
    "first rule": _first_rule,
    "without the languages": _any_language,
    "without damping": partial(fuse, damping=NO_DAMPING),
}
"""The fusion with one of its parts taken out, and the rule it replaced."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds for one question."""

    name: str
    p50: float
    p95: float
    questions: int


@dataclass(frozen=True, slots=True)
class Measured:
    """All of a report."""

    about: dict[str, Any]
    outcomes: list[Outcome]
    regrets: list[Regret]
    parts: dict[str, dict[str, float]]
    """nDCG@10 by set and part."""
    least: float
    """Confidence from which on an answer is given, where half of the questions have one."""
    trust: list[calibrate.Trust]
    readings: list[Reading]
    """Every way of choosing sentences, of sets with answers: the gold document is given."""
    costs: list[Cost]

    def as_json(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "retrieval": [outcome.as_json() for outcome in self.outcomes],
            "regret": [{**asdict(one), "regret": round(one.regret, 4)} for one in self.regrets],
            "parts": self.parts,
            "least": self.least,
            "trust": [asdict(one) for one in self.trust],
            "extracts": [one.as_json() for one in self.readings],
            "costs": [asdict(one) for one in self.costs],
        }


def measured(
    folders: Sequence[Path],
    as_is: Sequence[Path],
    embedder: Embedder,
    plain: Embedder,
    settings: Settings,
    *,
    most: int,
    tell: Tell,
) -> Measured:
    """Measure everything on the report halves of judged sets, at most `most` queries of each.

    `as_is`: sets with unanswerable questions, asked with all of their documents. `plain`: see `costs`.
    """
    sets, whole = [load(folder) for folder in folders], [load(folder) for folder in as_is]
    systems = {name: SYSTEMS[name] for name in COMPARED} | PARTS
    outcomes: list[Outcome] = []
    for judged in sets:
        outcomes += run(
            judged,
            systems,
            embedder,
            half="report",
            most=most,
            max_tokens=settings.passage_tokens,
            on_progress=tell,
        )
    parts: dict[str, dict[str, float]] = {}
    for outcome in outcomes:
        if outcome.system in PARTS or outcome.system == "hybrid":
            parts.setdefault(outcome.set, {})[outcome.system] = round(outcome.values["ndcg@10"], 4)
    compared = [outcome for outcome in outcomes if outcome.system in COMPARED]
    known = TUNED.confidence_of(embedder.name)
    least = probability(threshold(known, settings.answer_risk, settings.answerable))
    score = partial(calibrate.confidences, by_group=known.models)
    trust: list[calibrate.Trust] = []
    cases = [
        case
        for judged in (demo.questions(), *sets)
        for case in calibrate.collect(judged, embedder, most=2 * most, tell=tell)
    ]
    trust += calibrate.by_set_and_group(cases, score, least)
    for judged in whole:
        others = calibrate.collect(judged, embedder, most=2 * most, whole=True, tell=tell)
        trust += calibrate.by_set_and_group(others, score, least, together=False)
    return Measured(
        about={
            "date": datetime.now(UTC).date().isoformat(),
            "answerwell": version("answerwell"),
            "embedder": embedder.name,
            "half": "report",
            "most": most,
            "risk": settings.answer_risk,
            "answerable": settings.answerable,
        },
        outcomes=compared,
        regrets=regrets(compared),
        parts=parts,
        least=least,
        trust=trust,
        readings=[reading for judged in (*sets, *whole) for reading in _read(judged, embedder, most, tell)],
        costs=costs(sets[0], embedder, plain, tell) if sets else [],
    )


def _read(judged: JudgedSet, embedder: Embedder, most: int, tell: Tell) -> list[Reading]:
    if "@" in judged.name or not (judged.corpus.parent / "answers.jsonl").is_file():
        return []
    tell(f"{judged.name}: reading answers")
    asked = sorted(load_answers(judged, "report"), key=lambda one: hashlib.sha256(one.id.encode()).digest())[:most]
    return read_all(judged.name, "given", "report", asked, embedder) if asked else []


def costs(judged: JudgedSet, embedder: Embedder, plain: Embedder, tell: Tell) -> list[Cost]:
    """Time what a question costs after its candidates are there: fusing, deciding, reading.

    `plain`: the embedder that the reader asks, which remembers nothing.
    """
    took: dict[str, list[float]] = {"fusion": [], "abstention": [], "reader": []}

    def timed(name: str, work: Callable[[], object]) -> None:
        started = time.perf_counter()
        work()
        took[name].append((time.perf_counter() - started) * 1000)

    with knowledge_base(judged.name, corpus_of(judged), embedder, tell=tell) as kb:
        for query in judged.judged()[:_TIMED]:
            results = kb.searcher.search(query.text, reader=READER, limit=CONSIDERED)
            took["fusion"].append(results.took_ms["fuse"])
            timed("abstention", partial(decide, results))
            if results.hits:
                found = results.hits[0].found
                near = nearness_of(plain, query.text)
                read = partial(extract, found.text, query.text, title=found.title, terms=results.terms, nearness=near)
                timed("reader", read)
    return [
        Cost(name, round(float(np.median(ms)), 3), round(float(np.quantile(ms, 0.95)), 3), len(ms))
        for name, ms in took.items()
        if ms
    ]
