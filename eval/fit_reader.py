"""Fit the weights of the reader's clues: python -m eval.fit_reader DIR... [--across]

A conditional logit model of which sentence of the gold document holds the answer, on the tuning halves, each set
weighing the same, ridge penalty RIDGE with the clues scaled to one spread. Where several sentences hold an answer any
of them is right. Questions that a report half of another of the sets has in the same words are left out.

`--across`: also the sharpness of cosines, for pairs of sets with the same questions in two languages.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.reading import Asked, asked_across, load_answers
from eval.vectors import embedder_of
from ingest.judged import load
from kb.settings import load_settings
from retrieval.clues import CLUES, Floats, clues
from retrieval.embed import Embedder
from retrieval.extract import nearness_of
from retrieval.segments import segments

RIDGE = 0.001
ROUNDS = 60
SHARPNESS = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 120.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """One question: clues of each sentence, and which sentences hold an answer."""

    set: str
    clues: Floats
    right: Floats


def choices(name: str, asked: Sequence[Asked]) -> list[Choice]:
    """Return the questions that one sentence answers by itself, in a document of at least two."""
    found = []
    for one in asked:
        parts = segments(one.text)
        right = np.array([any(part.start <= a and b <= part.end for a, b in one.spans) for part in parts], np.float64)
        if len(parts) > 1 and right.any():
            said = [one.text[part.start : part.end] for part in parts]
            found.append(Choice(name, clues(one.question, said, title=one.title), right))
    return found


def fit(found: Sequence[Choice], ridge: float = RIDGE) -> Floats:
    """Return the weights, shape (number of clues,).

    By Newton's method, the right sentences of a question weighed by what the weights so far make of them.
    """
    x = np.concatenate([choice.clues for choice in found])
    right = np.concatenate([choice.right for choice in found])
    sizes = {name: sum(choice.set == name for choice in found) for name in {choice.set for choice in found}}
    starts = np.cumsum([0, *(len(choice.right) for choice in found)])[:-1]
    row = np.repeat(np.arange(len(found)), [len(choice.right) for choice in found])
    weight = np.array([1 / len(sizes) / sizes[choice.set] for choice in found])[row]
    spread = x.std(axis=0)
    spread[spread == 0] = 1.0
    z = x / spread
    beta = np.zeros(z.shape[1])
    for _ in range(ROUNDS):
        odds = np.exp(z @ beta)
        p = odds / np.add.reduceat(odds, starts)[row]
        target = odds * right / np.add.reduceat(odds * right, starts)[row]
        mean = np.add.reduceat(p[:, None] * z, starts)[row]
        gradient = z.T @ (weight * (target - p)) - 2 * ridge * beta
        hessian = (z - mean).T @ ((weight * p)[:, None] * (z - mean)) + 2 * ridge * np.eye(len(beta))
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    return np.asarray(beta / spread)


def surprise(asked: Sequence[Asked], embedder: Embedder) -> dict[float, float]:
    """Return the mean of -log(chance of the right sentences) for each sharpness."""
    lost: dict[float, list[float]] = {sharpness: [] for sharpness in SHARPNESS}
    for one in asked:
        parts = segments(one.text)
        right = np.array([any(part.start <= a and b <= part.end for a, b in one.spans) for part in parts])
        if len(parts) > 1 and right.any():
            near = nearness_of(embedder, one.question)([one.text[part.start : part.end] for part in parts])
            for sharpness in SHARPNESS:
                odds = np.exp(sharpness * (near - near.max()))
                lost[sharpness].append(-float(np.log(odds[right].sum() / odds.sum())))
    return {sharpness: round(float(np.mean(values)), 4) for sharpness, values in lost.items()}


def main() -> None:
    """Print the weights of the clues that the sets have; with --across the surprise of each sharpness too."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--across", action="store_true", help="also the sharpness of cosines")
    given = parser.parse_args()
    sets = [load(folder) for folder in given.folders]
    reported = {one.question for judged in sets for one in load_answers(judged, "report")}
    tuning = {
        judged.name: [one for one in load_answers(judged, "tune") if one.question not in reported] for judged in sets
    }
    found = [choice for name, asked in tuning.items() for choice in choices(name, asked)]
    print(f"{len(found)} questions", file=sys.stderr)
    weights = {name: round(float(weight), 3) for name, weight in zip(CLUES, fit(found), strict=True)}
    print(json.dumps({name: weight for name, weight in weights.items() if weight}, indent=2))
    if given.across:
        with embedder_of(load_settings()) as embedder:
            for one, two in itertools.permutations(tuning, 2):
                if asked := asked_across(tuning[one], tuning[two]):
                    print(json.dumps({"questions": one, "documents": two, "surprise": surprise(asked, embedder)}))


if __name__ == "__main__":
    main()
