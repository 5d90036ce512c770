"""How well questions are put together: counted by hand, and thresholds tuned to what is there."""

import numpy as np

from eval.gaps import Question, fit, measured
from retrieval.tuned import Nearness
from retrieval.types import Vector


def at(degrees: float) -> Vector:
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def question(sense: str, degrees: float, lang: str = "en") -> Question:
    return Question(f"{sense} {degrees} {lang}", "", lang, sense, at(degrees))


ONE = [question("a", 0), question("a", 1), question("a", 60), question("b", 90), question("b", 91)]
"""Two of a are together, the third is alone; b is together."""
TWO = [
    question(sense, degrees, lang)
    for lang, off in (("en", 0), ("zh", 20))
    for sense, degrees in (("a", off), ("b", 90 + off))
]


def test_pairs_are_counted() -> None:
    found = measured("one", ONE, Nearness(0.99, 0.99))
    assert (found.questions, found.senses, found.clusters) == (5, 2, 3)
    assert (found.precision, found.recall) == (1.0, 0.5), "2 of the 4 pairs that belong together"
    assert (round(found.f1, 3), found.rand < 1) == (0.667, True)


def test_of_two_languages_pairs_across_count() -> None:
    apart, together = measured("two", TWO, Nearness(0.99, 0.99)), measured("two", TWO, Nearness(0.99, 0.9))
    assert (apart.recall, together.recall, together.precision, together.rand) == (0.0, 1.0, 1.0, 1.0)


def test_thresholds_are_those_of_the_best_score() -> None:
    near = fit(ONE, TWO)
    assert 0.5 < near.within <= 0.99, "a's third question is 60 degrees off"
    assert near.across <= 0.93, "20 degrees"
    assert measured("two", TWO, near).f1 == 1.0
