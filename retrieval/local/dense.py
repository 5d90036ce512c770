"""The dense leg: an exact scan over float16 vectors under a bitmap. The only module that imports faiss.

Why no graph: with a filter that allows 1 % of the passages, HNSW finds less than half of what it should, and it cannot
delete. An exact scan of scalar-quantised vectors costs milliseconds at 100,000 passages: docs/decisions/0005.
"""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property

import faiss
import numpy as np
import numpy.typing as npt

from retrieval.local.segment import Bools, Segment
from retrieval.types import Vector

_FEW = 2048
"""Up to so many allowed rows the scores are computed directly: that is quicker than a scan, and exact to the bit."""

_MUCH = 0.3
"""From this share of allowed rows on, scanning without a bitmap and dropping the others is quicker."""
_SLICE = 16_384
"""Least rows of a slice: below, waking a thread costs more than it saves."""

Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class DenseScan:
    """The vectors of one segment, ready to be scanned."""

    segment: Segment

    def scores(self, vector: Vector, rows: npt.NDArray[np.int64]) -> Floats32:
        """Return the cosine of `vector` to the rows, shape (len(rows),). A row's score depends on itself alone."""
        found: Floats32 = np.einsum("ij,j->i", self.segment.vectors[rows].astype(np.float32), vector)
        return found

    def warm(self) -> None:
        """Do now what the first search would wait for."""
        _ = self._slices

    def best(self, vector: Vector, allowed: Bools, limit: int) -> npt.NDArray[np.int64]:
        """Return the allowed rows with the `limit` highest cosines and all that tie with the last, in no order."""
        rows = np.flatnonzero(allowed)
        if len(rows) <= max(limit, _FEW):
            return rows if len(rows) <= limit else cut(rows, self.scores(vector, rows), limit)
        wanted = min(len(rows), limit + 32)  # room for what ties with the last, or rounds otherwise in the scan
        slices = self._slices
        if len(slices) == 1:
            found = [slices[0].best(vector, allowed, wanted)]
        else:
            found = list(_threads().map(lambda piece: piece.best(vector, allowed, wanted), slices))
        rows = np.sort(np.concatenate(found))
        return cut(rows, self.scores(vector, rows), limit)

    @cached_property
    def _slices(self) -> tuple["_Slice", ...]:
        """The vectors in as many slices as there are cores, made when first asked for."""
        rows = len(self.segment)
        count = max(1, min(_cores(), rows // _SLICE))
        borders = [rows * n // count for n in range(count + 1)]
        return tuple(_Slice(self.segment, a, b) for a, b in itertools.pairwise(borders))


class _Slice:
    """A stretch of rows that one thread scans."""

    def __init__(self, segment: Segment, start: int, end: int) -> None:
        self._start, self._end = start, end
        dim = segment.vectors.shape[1]
        self._index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._index.is_trained = True
        self._index.add_sa_codes(np.ascontiguousarray(segment.vectors[start:end]).view(np.uint8))

    def best(self, vector: Vector, allowed: Bools, wanted: int) -> npt.NDArray[np.int64]:
        """Return the allowed rows with the highest scores of the scan, at most `wanted`.

        A bitmap nearly doubles the cost of a scan. Where much is allowed, so many rows are taken without one that
        enough of them should be allowed; if they are, they are the best allowed ones, and if not, the bitmap decides.
        """
        mask = allowed[self._start : self._end]
        count = int(np.count_nonzero(mask))
        share = count / len(mask)
        wanted = min(wanted, count)
        if not wanted:
            return np.zeros(0, np.int64)
        if share >= _MUCH:
            rows = self._scan(vector, min(len(mask), int(1.3 * wanted / share) + 32), None)
            kept = rows[mask[rows]]
            if len(kept) >= wanted:
                return kept[:wanted] + self._start
        # The signatures of faiss' generated part know nothing of its Python layer.
        selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))  # type: ignore[call-arg,arg-type]
        return self._scan(vector, wanted, faiss.SearchParameters(sel=selector)) + self._start  # type: ignore[call-arg]

    def _scan(self, vector: Vector, wanted: int, params: faiss.SearchParameters | None) -> npt.NDArray[np.int64]:
        """Return rows of this slice, best first."""
        _, found = self._index.search(vector[None, :], wanted, params=params)
        rows: npt.NDArray[np.int64] = found[0][found[0] >= 0]
        return rows


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_cores(), thread_name_prefix="scan")


def cut(rows: npt.NDArray[np.int64], scores: npt.NDArray[np.floating], limit: int) -> npt.NDArray[np.int64]:
    """Return the rows whose score is among the `limit` highest, and all that tie with the last of them."""
    if len(rows) <= limit:
        return rows
    least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    found: npt.NDArray[np.int64] = rows[scores >= least]
    return found
