"""The scan finds exactly the best allowed rows, whatever is allowed, in one slice or several."""

import numpy as np
import numpy.typing as npt
import pytest

from retrieval.local.dense import DenseScan, cut
from retrieval.local.segment import Segment, build
from retrieval.types import Attributes, PassageDoc

DIM = 16
ROWS = 40_000
ABOUT = Attributes("article", "public", 1, "en", frozenset())


@pytest.fixture(scope="module")
def segment() -> Segment:
    vectors = np.random.default_rng(1).standard_normal((ROWS, DIM)).astype(np.float32)
    vectors[7_000:7_050] = vectors[7_000]  # equal vectors: ties at any border
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return build(((n, ABOUT, PassageDoc(n, ["a"], vectors[n])) for n in range(ROWS)), DIM)


def exact(segment: Segment, vector: npt.NDArray[np.float32], allowed: npt.NDArray[np.bool_], limit: int) -> set[int]:
    rows = np.flatnonzero(allowed)
    scores = DenseScan(segment).scores(vector, rows)
    return set(cut(rows, scores, limit).tolist())


@pytest.mark.parametrize("cores", [1, 2, 3])
@pytest.mark.parametrize("share", [0.0, 0.0002, 0.04, 0.2, 0.35, 0.75, 1.0])
def test_the_best_allowed_rows_are_found(
    segment: Segment, monkeypatch: pytest.MonkeyPatch, share: float, cores: int
) -> None:
    monkeypatch.setattr("retrieval.local.dense._cores", lambda: cores)
    monkeypatch.setattr("retrieval.local.dense._SLICE", 1_000)
    rng = np.random.default_rng(2)
    scan = DenseScan(segment)
    for turn in range(12):
        vector = segment.vectors[7_000 if turn < 2 else rng.integers(ROWS)].astype(np.float32)
        allowed = rng.random(ROWS) < share
        assert set(scan.best(vector, allowed, 20).tolist()) == exact(segment, vector, allowed, 20)


@pytest.mark.parametrize("forbidden", [500, 15_000])
def test_the_nearest_may_all_be_forbidden(segment: Segment, monkeypatch: pytest.MonkeyPatch, forbidden: int) -> None:
    """Much is allowed, and nothing of what a scan without the bitmap finds first."""
    monkeypatch.setattr("retrieval.local.dense._SLICE", 10_000)
    scan = DenseScan(segment)
    for row in (0, 123, 7_000):
        vector = segment.vectors[row].astype(np.float32)
        near = np.argsort(-scan.scores(vector, np.arange(ROWS)))
        allowed = np.ones(ROWS, np.bool_)
        allowed[near[:forbidden]] = False
        assert set(scan.best(vector, allowed, 20).tolist()) == exact(segment, vector, allowed, 20)
