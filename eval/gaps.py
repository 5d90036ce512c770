"""Gaps: are questions in one sense put together, within a language and across two? Thresholds are tuned on halves.

Two kinds of set. Labelled questions in one language (`test.jsonl`: _id, text, label): those with one label belong
together. And the questions of two judged sets that are translations of one another: those with one id belong together.
Halves by a hash of the id.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.duplicates import lines
from eval.tune import update
from ingest.judged import load_questions, tuning_half
from retrieval.clusters import Clusters
from retrieval.embed import Embedder
from retrieval.language import language
from retrieval.tuned import ANY, Nearness, read
from retrieval.types import Vector

GRID = tuple(round(0.7 + step / 100, 2) for step in range(28))
"""Thresholds tried: .7 to .97."""
ORDERS = 4
"""Orders in which the questions come, at random: what comes first decides what others join."""
_MEANS = ("clusters", "precision", "recall", "f1", "rand")


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    text: str
    lang: str
    sense: str
    """Those of one sense belong together."""
    vector: Vector


@dataclass(frozen=True, slots=True)
class Measured:
    """How well one half of a set was put together."""

    set: str
    questions: int
    senses: int
    clusters: float
    precision: float
    """Share of the pairs put together that belong together."""
    recall: float
    """Share of the pairs that belong together that were put together. Of a set in two languages, both are of pairs of
    one question in each."""
    f1: float
    rand: float
    """Adjusted Rand index of the whole."""


def labelled(folder: Path, embedder: Embedder) -> list[Question]:
    """Return labelled questions. Raises UnreadableSource for lines that lack a field."""
    rows = lines(folder / "test.jsonl", "_id", "text", "label")
    return [
        Question(row["_id"], row["text"], language(row["text"]), row["label"], embedder.embed_query(row["text"]))
        for row in rows
    ]


def translated(one: Path, other: Path, embedder: Embedder) -> list[Question]:
    """Return the questions of two judged sets with the same ids. Raises as `ingest.judged.load_questions`."""
    return [
        Question(query.id, query.text, folder.name, query.id, embedder.embed_query(query.text))
        for folder in (one, other)
        for query in load_questions(folder, folder.name).queries
    ]


def put_together(questions: Sequence[Question], near: Nearness) -> npt.NDArray[np.int64]:
    """Return the number of the cluster of each question, as the product would number them one after another."""
    clusters, numbers, made = Clusters(near), [], 0
    for one in questions:
        number = clusters.nearest(one.vector, one.lang)
        if number is None:
            number, made = made, made + 1
        clusters.add(number, one.vector, one.lang)
        numbers.append(number)
    return np.array(numbers, np.int64)


def measured(name: str, questions: Sequence[Question], near: Nearness) -> Measured:
    """Put questions together in several orders and say how well: means, of the number of clusters too."""
    runs = [_measured(name, random.Random(seed).sample(questions, len(questions)), near) for seed in range(ORDERS)]
    means = {name: round(sum(getattr(run, name) for run in runs) / ORDERS, 4) for name in _MEANS}
    return replace(runs[0], **means)


def _measured(name: str, questions: Sequence[Question], near: Nearness) -> Measured:
    from sklearn.metrics import adjusted_rand_score  # seconds to import

    numbers = put_together(questions, near)
    senses = np.unique([one.sense for one in questions], return_inverse=True)[1]
    langs = np.unique([one.lang for one in questions], return_inverse=True)[1]
    pairs = np.triu(np.ones((len(questions),) * 2, np.bool_), 1)
    if len({one.lang for one in questions}) > 1:
        pairs &= langs[:, None] != langs[None, :]
    together = (numbers[:, None] == numbers[None, :]) & pairs
    belong = (senses[:, None] == senses[None, :]) & pairs
    right, said, there = (int(one.sum()) for one in (together & belong, together, belong))
    precision, recall = right / max(said, 1), right / max(there, 1)
    return Measured(
        set=name,
        questions=len(questions),
        senses=len(set(senses.tolist())),
        clusters=len(set(numbers.tolist())),
        precision=precision,
        recall=recall,
        f1=f_score(precision, recall, 1.0),
        rand=float(adjusted_rand_score(senses, numbers)),
    )


def f_score(precision: float, recall: float, beta: float) -> float:
    """Return F-beta, in which recall weighs `beta` times as much as precision."""
    square = beta * beta
    return (1 + square) * precision * recall / max(square * precision + recall, 1e-9)


def fit(within: Sequence[Question], across: Sequence[Question]) -> Nearness:
    """Return the thresholds of the best F0.5: first that of one language, then with it that of two.

    Precision weighs more: an article answers no more than one of two senses, and two gaps for one cost another glance.
    """

    def best(questions: Sequence[Question], tried: Iterable[Nearness]) -> Nearness:
        def score(near: Nearness) -> float:
            found = measured("", questions, near)
            return f_score(found.precision, found.recall, 0.5)

        return max(tried, key=score)

    own = best(within, (Nearness(least, least) for least in GRID)).within
    return best(across, (Nearness(own, least) for least in GRID if least <= own))


def half(questions: Sequence[Question], *, tuning: bool) -> list[Question]:
    return [one for one in questions if tuning_half(one.id) is tuning]


def record(near: Nearness, embedder: str, sets: dict[str, int]) -> Path:
    """Write the thresholds of an embedder, with their run, into the file of constants; return its path."""
    run = {
        "command": "kb eval gaps --write INTENTS ONE OTHER",
        "date": datetime.now(UTC).date().isoformat(),
        "answerwell": version("answerwell"),
        "half": "tune",
        "questions": sets,
    }
    before: dict[str, Any] = read()["gaps"]
    return update(
        "gaps", {**before, embedder: {"within": near.within, "across": near.across}, "run": run, ANY: before[ANY]}
    )
