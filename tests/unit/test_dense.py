"""The scan finds exactly the best allowed rows, whatever is allowed, in one slice or several; coarse codes nearly."""

import gc
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import pytest

from retrieval.local.dense import DenseScan, cut
from retrieval.local.manifest import open_segment, write_segment
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


@pytest.fixture(scope="module")
def like_text() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """30,000 vectors and 60 questions laid out as text embeddings are: all in one direction, in clusters, a few axes
    much longer than the others, so that 8 bits have to tell cosines apart that differ little."""
    rng = np.random.default_rng(4)
    common = rng.standard_normal(DIM_OF_TEXT) * np.where(np.arange(DIM_OF_TEXT) % 96 == 0, 6, 1)
    centres = 2 * common + rng.standard_normal((300, DIM_OF_TEXT))
    vectors = centres[rng.integers(300, size=30_060)] + 0.6 * rng.standard_normal((30_060, DIM_OF_TEXT))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return vectors[60:], vectors[:60]


DIM_OF_TEXT = 384


@pytest.mark.parametrize("share", [0.003, 0.05, 0.5, 1.0])
def test_coarse_codes_lose_less_than_one_in_a_hundred(
    like_text: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr("retrieval.local.dense._FEW", 0)
    vectors, questions = like_text
    segment = build(((n, ABOUT, PassageDoc(n, ["a"], v)) for n, v in enumerate(vectors)), DIM_OF_TEXT)
    coarse = DenseScan(replace(segment, coarse=True))
    allowed = np.random.default_rng(5).random(len(vectors)) < share
    for limit in (10, 50):
        found = [
            len(exact(segment, q, allowed, limit) & set(coarse.best(q, allowed, limit).tolist())) for q in questions
        ]
        assert sum(found) >= 0.99 * limit * len(questions)


def test_coarse_codes_keep_what_ties(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.local.dense._FEW", 0)
    scan = DenseScan(replace(segment, coarse=True))
    everything = np.ones(ROWS, np.bool_)
    found = scan.best(segment.vectors[7_000].astype(np.float32), everything, 20)
    assert set(found.tolist()) == set(range(7_000, 7_050))


def test_vectors_are_scanned_where_they_lie(segment: Segment, tmp_path: Path) -> None:
    entry = write_segment(tmp_path, "s", segment)
    mapped = open_segment(tmp_path, entry)
    scan = DenseScan(mapped)
    scan.warm()
    for piece in scan._slices:
        codes = faiss.rev_swig_ptr(piece._index.codes.data(), piece._index.codes.size())
        assert np.shares_memory(codes, mapped.vectors)
    assert not mapped.vectors.flags.writeable


@pytest.mark.parametrize("coarse", [False, True])
def test_a_scan_outlives_all_else_that_knows_its_files(segment: Segment, tmp_path: Path, coarse: bool) -> None:
    """A reader may hold a snapshot after a merge has removed its files."""
    entry = write_segment(tmp_path, "s", segment)
    scan = DenseScan(open_segment(tmp_path, entry, coarse=coarse))
    for path in (tmp_path / "s").iterdir():
        path.unlink()
    gc.collect()
    vector = segment.vectors[7_000].astype(np.float32)
    assert set(scan.best(vector, np.ones(ROWS, np.bool_), 20).tolist()) == set(range(7_000, 7_050))


def test_codes_of_a_mapped_segment_are_those_of_one_in_memory(segment: Segment, tmp_path: Path) -> None:
    mapped = DenseScan(open_segment(tmp_path, write_segment(tmp_path, "s", segment), coarse=True))
    in_memory = DenseScan(replace(segment, coarse=True))
    for a, b in zip(mapped._slices, in_memory._slices, strict=True):
        assert np.array_equal(a._codes, b._codes)


def test_a_vector_of_zeros_is_no_trouble() -> None:
    vectors = np.zeros((3_000, DIM), np.float32)
    empty = build(((n, ABOUT, PassageDoc(n, ["a"], v)) for n, v in enumerate(vectors)), DIM)
    for coarse in (False, True):
        scan = DenseScan(replace(empty, coarse=coarse))
        scan.warm()
        assert len(scan.best(vectors[0], np.ones(3_000, np.bool_), 5)) >= 5


@pytest.mark.parametrize("coarse", [False, True])
def test_more_ties_than_a_scan_takes_at_once(monkeypatch: pytest.MonkeyPatch, coarse: bool) -> None:
    monkeypatch.setattr("retrieval.local.dense._cores", lambda: 2)
    monkeypatch.setattr("retrieval.local.dense._SLICE", 1_000)
    vectors = np.random.default_rng(6).standard_normal((9_000, DIM)).astype(np.float32)
    vectors[1_000:2_500] = vectors[0]  # all in the first slice, as many as there are others in it that are near
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    segment = build(((n, ABOUT, PassageDoc(n, ["a"], vectors[n])) for n in range(9_000)), DIM)
    allowed = np.ones(9_000, np.bool_)
    allowed[::7] = False
    found = DenseScan(replace(segment, coarse=coarse)).best(vectors[0], allowed, 10)
    assert set(found.tolist()) == set((np.flatnonzero(allowed[1_000:2_500]) + 1_000).tolist())
