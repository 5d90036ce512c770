"""Questions put together: by mean cosine, in two languages with a threshold each, numbers kept."""

import numpy as np

from retrieval.clusters import Clusters
from retrieval.tuned import TUNED, Nearness
from retrieval.types import Vector

NEAR = Nearness(within=0.9, across=0.6)


def at(degrees: float) -> Vector:
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def test_a_question_joins_the_nearest_that_is_near_enough() -> None:
    clusters = Clusters(NEAR)
    assert clusters.nearest(at(0), "en") is None
    clusters.add(7, at(0), "en")
    clusters.add(8, at(60), "en")
    assert clusters.nearest(at(20), "en") == 7
    assert clusters.nearest(at(40), "en") == 8
    assert clusters.nearest(at(30), "en") is None, "cos 30 is .87: near to neither"
    assert clusters.nearest(at(100), "en") is None


def test_another_language_has_a_threshold_of_its_own() -> None:
    clusters = Clusters(NEAR)
    clusters.add(7, at(0), "en")
    assert clusters.nearest(at(45), "en") is None
    assert clusters.nearest(at(45), "zh") == 7
    clusters.add(7, at(45), "zh")
    assert clusters.nearest(at(60), "zh") == 7, "it is near to the cluster's Chinese questions now"


def test_a_large_cluster_does_not_draw_in_what_is_between_its_questions() -> None:
    """The middle of -25 and 25 degrees is 0 degrees, which both are too far from: their mean cosine says so."""
    clusters = Clusters(Nearness(0.95, 0.95))
    clusters.add(1, at(-25), "en")
    clusters.add(1, at(25), "en")
    assert clusters.nearest(at(0), "en") is None


def test_of_equally_near_ones_the_first() -> None:
    clusters = Clusters(NEAR)
    clusters.add(3, at(10), "en")
    clusters.add(2, at(-10), "en")
    assert clusters.nearest(at(0), "en") == 3


def test_an_unknown_embedder_puts_together_only_what_is_nearly_the_same() -> None:
    known, unknown = TUNED.nearness_of("e5-small"), TUNED.nearness_of("another")
    assert known.across < known.within < unknown.within
