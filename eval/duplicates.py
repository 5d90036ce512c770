"""Near duplicates: fit the probability on the tuning halves of judged pairs, say on the others how good it is.

Two kinds of set. Of a judged set (reports that were marked as duplicates of others) each query is a draft, checked
against the documents as the product does; a case is a draft with one of its candidates. Of a set of labelled pairs
(`pairs.jsonl`: a, b, label) each pair is a case, and the set's corpus says how rare words are. Halves by a hash of the
query's id, or of the pair's first text.

The share of duplicates among candidates is taken from the judged sets: labelled pairs are weighed so that they have the
same one, or the probability would say of a search's candidates what is true of pairs picked for labelling.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.throwaway import READER, Tell, corpus_of, knowledge_base
from eval.tune import update
from ingest.judged import load, tuning_half
from kb import items
from kb.access import scope_of
from kb.content import Content
from kb.errors import UnreadableSource
from retrieval.contradictions import Fields
from retrieval.duplicates import (
    QUEUED_FROM,
    SHOWN,
    Alike,
    Compared,
    Terms,
    alike,
    candidates,
    compared,
    group,
    likelihood,
    term_weights,
)
from retrieval.embed import Embedder
from retrieval.language import language
from retrieval.text import analyzer
from retrieval.tuned import ANY, Likeness

BINS = 10
ROUNDS = 1_000
"""Random exchanges of a comparison."""
FEATURES = ("cosine", "title", "words")

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Case:
    """Two texts that somebody judged."""

    set: str
    query: str
    """What is compared with others; exchanged as one in a comparison of systems."""
    group: str
    """See `retrieval.duplicates.group`."""
    tuning: bool
    labelled: bool
    """Of a set of labelled pairs, not one of a search's candidates."""
    alike: Alike
    right: bool
    """They are duplicates."""


@dataclass(frozen=True, slots=True)
class Collected:
    """The cases of one set."""

    name: str
    cases: list[Case]
    missed: dict[bool, int]
    """By half (True: tuning), judged duplicates that were not among the candidates."""


def collect(folder: Path, embedder: Embedder, *, tell: Tell) -> Collected:
    """Return the cases of a set. Raises as `ingest.judged.load`, and UnreadableSource for lines that lack a field."""
    judged = load(folder)
    with knowledge_base(judged.name, corpus_of(judged), embedder, tell=tell) as kb:
        if (folder / "pairs.jsonl").is_file():
            rows = lines(folder / "pairs.jsonl", "a", "b", "label")
            texts = sorted({row[side] for row in rows for side in ("a", "b")})
            tell(f"{judged.name}: comparing {len(rows)} pairs")
            vectors = embedder.embed_passages(texts)
            with kb.db.read() as session:
                scope = scope_of(session, READER).published_only()
                size = items.size(session, scope)
            terms = Terms(analyzer(kb.index.analyzer))
            weights = term_weights(kb.index, {t for text in texts for t in terms(text)}, scope=scope, size=size)
            spoken = language("\n".join(texts[:200]))
            ready = {
                text: Compared(text, text, spoken, Fields("", "", ""), vector[None, :])
                for text, vector in zip(texts, vectors, strict=True)
            }
            return Collected(
                judged.name,
                [
                    Case(
                        judged.name,
                        row["a"],
                        group(spoken),
                        tuning_half(row["a"]),
                        True,
                        alike(ready[row["a"]], ready[row["b"]], weights, terms),
                        bool(row["label"]),
                    )
                    for row in rows
                ],
                {True: 0, False: 0},
            )
        whole = {row["_id"]: row["full_text"] for row in lines(folder / "queries.jsonl", "_id", "full_text")}
        cases, missed = [], {True: 0, False: 0}
        tell(f"{judged.name}: checking {len(judged.queries)} drafts")
        for query in judged.judged():
            title, _, body = whole[query.id].partition("\n")
            content = Content(title=title, body=body)
            found = candidates(kb.searcher, compared(content, None, embedder), reader=READER)
            relevant = {name for name, grade in judged.qrels[query.id].items() if grade > 0}
            half = tuning_half(query.id)
            missed[half] += len(relevant - {one.view.item.external_id for one in found})
            cases += [
                Case(
                    judged.name,
                    query.id,
                    group(one.view.item.lang),
                    half,
                    False,
                    one.alike,
                    one.view.item.external_id in relevant,
                )
                for one in found
            ]
        return Collected(judged.name, cases, missed)


def share_of(cases: Sequence[Case]) -> float:
    """Return the share of duplicates among the candidates of judged sets, of the tuning halves; .5 without any."""
    candidates = [case.right for case in cases if case.tuning and not case.labelled]
    return sum(candidates) / len(candidates) if candidates else 0.5


def weights_of(cases: Sequence[Case], share: float) -> Floats:
    """Return a weight a case, mean 1: labelled pairs as if `share` of them were duplicates, the others as they are."""
    right = np.array([case.right for case in cases], np.bool_)
    labelled = np.array([case.labelled for case in cases], np.bool_)
    weight = np.ones(len(cases), np.float64)
    if labelled.any():
        there = right[labelled].mean()
        weight[labelled] = np.where(right[labelled], share / there, (1 - share) / (1 - there))
    return np.asarray(weight / weight.mean(), np.float64)


def fit(cases: Sequence[Case], share: float, *, any_scale: bool = False) -> Likeness:
    """Return the logistic model of these cases (ridge penalty 1 on features of one spread, no weight below 0).

    `any_scale`: without the cosine, whose scale differs between models.
    """
    from sklearn.linear_model import LogisticRegression  # seconds to import

    used = [name for name in FEATURES if not (any_scale and name == "cosine")]
    y = np.array([case.right for case in cases], np.bool_)
    while True:
        x = np.array([[getattr(case.alike, name) for name in used] for case in cases], np.float64)
        spread = x.std(axis=0)
        model = LogisticRegression(C=1.0).fit((x - x.mean(axis=0)) / spread, y, sample_weight=weights_of(cases, share))
        weights = model.coef_[0] / spread
        if weights.min() >= 0:
            bias = float(model.intercept_[0] - (weights * x.mean(axis=0)).sum())
            by_name = {name: round(float(weight), 3) for name, weight in zip(used, weights, strict=True)}
            return Likeness(round(bias, 3), *(by_name.get(name, 0.0) for name in FEATURES))
        used.pop(int(weights.argmin()))


def models(cases: Sequence[Case], share: float, *, any_scale: bool = False) -> dict[str, Likeness]:
    """Return a model for each group, from the tuning halves."""
    tuning = [case for case in cases if case.tuning]
    return {
        name: fit([case for case in tuning if case.group == name] or tuning, share, any_scale=any_scale)
        for name in ("zh", "other")
    }


@dataclass(frozen=True, slots=True)
class Measured:
    """How good the probability is on the report half of one set."""

    set: str
    pairs: int
    duplicates: int
    missed: int
    """Judged duplicates that were not among the candidates."""
    average_precision: float
    """Over all pairs by falling probability."""
    cosine: float
    words: float
    """The same by the cosine alone and by the shared words of the whole texts alone."""
    p_cosine: float
    p_words: float
    """That the difference is chance."""
    calibration_error: float
    shown: tuple[tuple[float, float | None, float], ...]
    """(least probability, share of the pairs from it on that are duplicates, share of all judged duplicates that are
    among them, of those missed too), at the share of duplicates that is assumed."""


def measured(collected: Collected, by_group: Mapping[str, Likeness], share: float) -> Measured:
    """Measure on the report half of a set."""
    cases = [case for case in collected.cases if not case.tuning]
    right = np.array([case.right for case in cases], np.bool_)
    scores = {name: np.array([getattr(case.alike, name) for case in cases], np.float64) for name in FEATURES}
    p = np.array([likelihood(by_group[case.group], case.alike) for case in cases], np.float64)
    weight = weights_of(cases, share)
    missed = collected.missed[False]
    there = (weight * right).sum() + missed
    shown = []
    for least in (SHOWN, QUEUED_FROM):
        hit, all_of_them = (weight * ((p >= least) & right)).sum(), (weight * (p >= least)).sum()
        precision = round(float(hit / all_of_them), 4) if all_of_them else None
        shown.append((round(least, 4), precision, round(float(hit / there), 4)))
    return Measured(
        set=collected.name,
        pairs=len(cases),
        duplicates=int(right.sum()),
        missed=missed,
        average_precision=round(average_precision(right, p), 4),
        cosine=round(average_precision(right, scores["cosine"]), 4),
        words=round(average_precision(right, scores["words"]), 4),
        p_cosine=chance(cases, right, p, scores["cosine"]),
        p_words=chance(cases, right, p, scores["words"]),
        calibration_error=round(calibration_error(p, right, weight), 4),
        shown=tuple(shown),
    )


def average_precision(right: Bools, score: Floats) -> float:
    """Return the mean of the precision at each duplicate, by falling score (equal scores count as one step)."""
    from sklearn.metrics import average_precision_score  # seconds to import

    return float(average_precision_score(right, score))


def calibration_error(p: Floats, right: Bools, weight: Floats, bins: int = BINS) -> float:
    """Return the expected calibration error over bins of equally many cases, each case by its weight."""
    parts = [part for part in np.array_split(np.argsort(p, kind="stable"), bins) if len(part)]
    gaps = [
        weight[part].sum()
        * abs(np.average(p[part], weights=weight[part]) - np.average(right[part], weights=weight[part]))
        for part in parts
    ]
    return float(sum(gaps) / weight.sum())


def chance(cases: Sequence[Case], right: Bools, one: Floats, other: Floats) -> float:
    """Return the two-sided p that two orders' average precision differ by so much: each query's exchanged at random.

    Scores are made ranks first, so that exchanging them compares orders. See `retrieval.significance`.
    """
    from scipy.stats import rankdata  # half a second to import

    ranks = [rankdata(score) for score in (one, other)]  # equal scores stay equal
    names = {query: at for at, query in enumerate(dict.fromkeys(case.query for case in cases))}
    which = np.array([names[case.query] for case in cases])
    observed = abs(average_precision(right, ranks[0]) - average_precision(right, ranks[1]))
    random = np.random.default_rng(0)
    extreme = 0
    for _ in range(ROUNDS):
        swap = random.integers(0, 2, len(names), np.int8).astype(np.bool_)[which]
        a, b = np.where(swap, ranks[1], ranks[0]), np.where(swap, ranks[0], ranks[1])
        extreme += abs(average_precision(right, a) - average_precision(right, b)) >= observed - 1e-12
    return round((extreme + 1) / (ROUNDS + 1), 4)


def record(collected: Sequence[Collected], embedder: str) -> Path:
    """Fit for this embedder and for any, and write both with their run into the file of constants; return its path."""
    cases = [case for one in collected for case in one.cases]
    share = share_of(cases)
    run = {
        "command": "kb eval duplicates --write DIR...",
        "date": datetime.now(UTC).date().isoformat(),
        "answerwell": version("answerwell"),
        "half": "tune",
        "pairs": {one.name: sum(case.tuning for case in one.cases) for one in collected},
        "share": round(share, 4),
    }

    def part(*, any_scale: bool) -> dict[str, Any]:
        return {name: asdict(model) for name, model in models(cases, share, any_scale=any_scale).items()}

    return update("duplicates", {embedder: part(any_scale=False), ANY: part(any_scale=True), "run": run})


def lines(path: Path, *fields: str) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file. Raises UnreadableSource for one that lacks a field."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            for name in fields:
                row[name]
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableSource(f"{path.name}, line {number} cannot be read: {error}") from error
        rows.append(row)
    return rows
