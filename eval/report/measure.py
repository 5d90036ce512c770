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
from eval.run import SYSTEMS, Outcome, Ranker, drawn, ranked
from eval.throwaway import READER, KnowledgeBase, Tell, corpus_of, knowledge_base
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
REPORT, TUNE = "report", "tune"
HALVES = (REPORT, TUNE)
TIMED = ("dense leg", "BM25 leg", "fusion", "search", "abstention", "reader")
"""What is timed of a question; `search` is the whole of it but for embedding the question."""
NO_DAMPING = 1e-9
_TIMED = 200
"""Questions of each set whose cost is measured."""


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
    """Milliseconds for one question of a set."""

    set: str
    passages: int
    """In the knowledge base that was asked."""
    name: str
    """What was timed, one of TIMED."""
    p50: float
    p95: float
    questions: int


@dataclass(frozen=True, slots=True)
class Measured:
    """All of a report."""

    about: dict[str, Any]
    outcomes: list[Outcome]
    """Of both halves; each says which."""
    regrets: dict[str, list[Regret]]
    """By half."""
    parts: dict[str, dict[str, float]]
    """nDCG@10 by set and part, on the report halves."""
    least: float
    """Confidence from which on an answer is given, where half of the questions have one."""
    trust: list[calibrate.Trust]
    """On the report halves."""
    trust_tuning: list[calibrate.Trust]
    """On the halves that the models were fitted on."""
    readings: list[Reading]
    """Every way of choosing sentences, of sets with answers: the gold document is given."""
    costs: list[Cost]

    def as_json(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "retrieval": [outcome.as_json() for outcome in self.outcomes],
            "regret": [
                {"half": half, **asdict(one), "regret": round(one.regret, 4)}
                for half, some in self.regrets.items()
                for one in some
            ],
            "parts": self.parts,
            "least": self.least,
            "trust": [asdict(one) for one in self.trust],
            "trust_tuning": [asdict(one) for one in self.trust_tuning],
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
    """Measure everything on judged sets, at most `most` queries of each half; what constants were fitted on is marked.

    `as_is`: sets with unanswerable questions, asked with all of their documents. `plain`: see `costs`.
    """
    sets, whole = [load(folder) for folder in folders], [load(folder) for folder in as_is]
    systems = {name: SYSTEMS[name] for name in COMPARED} | PARTS
    outcomes: list[Outcome] = []
    took: list[Cost] = []
    cases = calibrate.collect(demo.questions(), embedder, most=2 * most, tell=tell)
    for judged in sets:
        tokens = settings.passage_tokens
        with knowledge_base(judged.name, corpus_of(judged), embedder, max_tokens=tokens, tell=tell) as kb:
            for half in HALVES:
                outcomes += ranked(kb, judged, systems, embedder, half=half, most=most, tell=tell)
            took += costs(kb, judged, plain)
            cases += calibrate.ask(kb, judged, most=2 * most, tell=tell)
    parts: dict[str, dict[str, float]] = {}
    for outcome in outcomes:
        if outcome.half == REPORT and (outcome.system in PARTS or outcome.system == "hybrid"):
            parts.setdefault(outcome.set, {})[outcome.system] = round(outcome.values["ndcg@10"], 4)
    compared = [outcome for outcome in outcomes if outcome.system in COMPARED]
    known = TUNED.confidence_of(embedder.name)
    least = probability(threshold(known, settings.answer_risk, settings.answerable))
    score = partial(calibrate.confidences, by_group=known.models)
    trust = list(calibrate.by_set_and_group(cases, score, least))
    trust_tuning = list(calibrate.by_set_and_group(cases, score, least, tuning=True))
    for judged in whole:
        others = calibrate.collect(judged, embedder, most=2 * most, whole=True, tell=tell)
        trust += calibrate.by_set_and_group(others, score, least, together=False)
    return Measured(
        about={
            "date": datetime.now(UTC).date().isoformat(),
            "answerwell": version("answerwell"),
            "embedder": embedder.name,
            "most": most,
            "risk": settings.answer_risk,
            "answerable": settings.answerable,
        },
        outcomes=compared,
        regrets={half: regrets([one for one in compared if one.half == half]) for half in HALVES},
        parts=parts,
        least=least,
        trust=trust,
        trust_tuning=trust_tuning,
        readings=[reading for judged in (*sets, *whole) for reading in _read(judged, embedder, most, tell)],
        costs=took,
    )


def _read(judged: JudgedSet, embedder: Embedder, most: int, tell: Tell) -> list[Reading]:
    if "@" in judged.name or not (judged.corpus.parent / "answers.jsonl").is_file():
        return []
    tell(f"{judged.name}: reading answers")
    asked = sorted(load_answers(judged, "report"), key=lambda one: hashlib.sha256(one.id.encode()).digest())[:most]
    return read_all(judged.name, "given", "report", asked, embedder) if asked else []


def costs(kb: KnowledgeBase, judged: JudgedSet, plain: Embedder) -> list[Cost]:
    """Time what a question of a set costs besides its embedding: each leg, fusing, the whole search, deciding, reading.

    `plain`: the embedder that the reader asks, which remembers nothing.
    """
    took: dict[str, list[float]] = {name: [] for name in TIMED}

    def timed(name: str, work: Callable[[], object]) -> None:
        started = time.perf_counter()
        work()
        took[name].append((time.perf_counter() - started) * 1000)

    for query in drawn(judged.judged(), _TIMED):
        results = kb.searcher.search(query.text, reader=READER, limit=CONSIDERED)
        of = results.took_ms
        for name, ms in (("dense leg", of["dense"]), ("BM25 leg", of["lexical"]), ("fusion", of["fuse"])):
            took[name].append(ms)
        took["search"].append(of["total"] - of["embed"])
        timed("abstention", partial(decide, results))
        if results.hits:
            found = results.hits[0].found
            near = nearness_of(plain, query.text)
            read = partial(extract, found.text, query.text, title=found.title, terms=results.terms, nearness=near)
            timed("reader", read)
    passages = kb.index.stats().passages
    return [
        Cost(judged.name, passages, name, _quantile(ms, 0.5), _quantile(ms, 0.95), len(ms))
        for name, ms in took.items()
        if ms
    ]


def _quantile(ms: Sequence[float], at: float) -> float:
    return round(float(np.quantile(ms, at)), 3)
