"""Learning the map of an adapter from questions and the passages that answer them: ridge regression, in closed form.

Each question is drawn to the best passages of its relevant items and away from the passages most like it that are not
relevant, while W is held to 0:

    target = unit(relevant - weight * hard negatives)         W = argmin |Q W - (T - Q)|^2 + ridge |W|^2

How many negatives, their weight and the ridge are chosen by cross-validation among the questions given. numpy only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from retrieval.measures import ndcg

Floats = npt.NDArray[np.float32]

NEGATIVES = ((0, 0.0), (5, 0.5), (5, 1.0), (20, 0.5), (20, 0.7))
"""Hard negatives and their weight, to choose from."""
RIDGES = (3.0, 10.0, 30.0, 100.0, 300.0)
FOLDS = 4
_DEPTH = 10
_BATCH = 256
_FAR = np.float32(-9.0)
"""Below any cosine."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """Questions, and passages with what is known of them.

    `questions` (n, dim) and `passages` (m, dim) hold unit vectors, `item` (m,) the item of each passage, ascending,
    from 0; `relevant` the grades above 0 by item of each question, `dismissed` items known not to help;
    `lang` (m,) and `wanted` (n,) a language as a number: a question with one above -1 is asked of that language alone.
    """

    questions: Floats
    passages: Floats
    item: npt.NDArray[np.intp]
    relevant: Sequence[dict[int, int]]
    dismissed: Sequence[set[int]]
    lang: npt.NDArray[np.intp]
    wanted: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Learnt:
    """The map, and what cross-validation said of it."""

    map: Floats
    negatives: int
    weight: float
    ridge: float
    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]
    """nDCG@10 of the dense leg for each question, without the map and with one learnt from the other folds."""
    scale: float
    offset: float
    """Bring the best cosine of moved questions to the mean and spread of those not moved."""


def learn(lesson: Lesson, *, seed: int = 0) -> Learnt:
    """Return the map that cross-validation found best. Takes seconds for a thousand questions."""
    questions = lesson.questions
    fold = np.random.default_rng(seed).permutation(len(questions)) % FOLDS
    before, best_before = _judged(lesson, questions)
    chosen: tuple[float, int, float, float, Floats] | None = None
    after, best_after = before, best_before
    for (negatives, weight), ridge in product(NEGATIVES, RIDGES):
        if ridge == RIDGES[0]:
            pull = _targets(lesson, negatives, weight) - questions
        moved = np.empty_like(questions)
        for held in range(FOLDS):
            out = fold == held
            # Of fewer questions by as much less ridge: maps as strong as the one that is kept.
            kept = _solved(questions[~out], pull[~out], ridge * float(np.mean(~out)))
            moved[out] = _moved(questions[out], kept)
        values, best = _judged(lesson, moved)
        if chosen is None or values.mean() > chosen[0]:
            chosen = float(values.mean()), negatives, weight, ridge, pull
            after, best_after = values, best
    assert chosen is not None
    _, negatives, weight, ridge, pull = chosen
    scale = float(best_before.std() / max(best_after.std(), 1e-6))
    offset = float(best_before.mean() - scale * best_after.mean())
    return Learnt(_solved(questions, pull, ridge), negatives, weight, ridge, before, after, scale, offset)


def _solved(questions: Floats, pull: Floats, ridge: float) -> Floats:
    wide = questions.astype(np.float64)
    gram = wide.T @ wide + ridge * np.eye(wide.shape[1])
    return np.linalg.solve(gram, wide.T @ pull).astype(np.float32)


def _moved(questions: Floats, map_: Floats) -> Floats:
    return _unit(questions + questions @ map_)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


def _targets(lesson: Lesson, negatives: int, weight: float) -> Floats:
    """Return where each question should be, unit vectors (n, dim)."""
    targets = np.empty_like(lesson.questions)
    for rows, cosine in _scored(lesson, lesson.questions):
        for at, scores in zip(rows, cosine, strict=True):
            relevant = lesson.relevant[at]
            target = np.zeros(lesson.questions.shape[1], np.float32)
            for item, grade in relevant.items():
                first, end = np.searchsorted(lesson.item, (item, item + 1))
                target += grade * lesson.passages[first + np.argmax(scores[first:end])] / sum(relevant.values())
                scores[first:end] = _FAR
            if negatives:
                for item in lesson.dismissed[at]:
                    first, end = np.searchsorted(lesson.item, (item, item + 1))
                    scores[first + np.argmax(scores[first:end])] = -_FAR  # known not to help: among them in any case
                most = min(negatives, int(np.count_nonzero(scores > _FAR)))
                if most:
                    target -= weight * lesson.passages[np.argpartition(-scores, most - 1)[:most]].mean(axis=0)
            targets[at] = target
    return _unit(targets)


def _judged(lesson: Lesson, questions: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return nDCG@10 over items, and the best cosine, of each question; both of shape (n,)."""
    found, best = np.zeros(len(questions)), np.zeros(len(questions))
    starts = np.flatnonzero(np.diff(lesson.item, prepend=-1))
    items = lesson.item[starts]
    most = min(_DEPTH, len(items))
    for rows, cosine in _scored(lesson, questions):
        by_item = np.maximum.reduceat(cosine, starts, axis=1)
        top = np.argpartition(-by_item, most - 1, axis=1)[:, :most]
        top = np.take_along_axis(top, np.argsort(-np.take_along_axis(by_item, top, 1), axis=1, kind="stable"), 1)
        best[rows] = by_item.max(axis=1)
        for at, ranked in zip(rows, top, strict=True):
            grades = lesson.relevant[at]
            found[at] = ndcg([grades.get(int(items[n]), 0) for n in ranked], grades.values(), _DEPTH)
    return found, best


def _scored(lesson: Lesson, questions: Floats) -> Iterator[tuple[npt.NDArray[np.intp], Floats]]:
    """Yield, in batches, rows of questions with their cosine to each passage; far for languages not asked of."""
    for start in range(0, len(questions), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(questions)))
        cosine = questions[rows] @ lesson.passages.T
        wanted = lesson.wanted[rows, None]
        cosine[(wanted >= 0) & (wanted != lesson.lang[None, :])] = _FAR
        yield rows, cosine
