"""The dense leg: an exact scan over float16 vectors under a bitmap. The only module that imports faiss.

Why no graph: with a filter that allows 1 % of the passages, HNSW finds less than half of what it should, and it cannot
delete. An exact scan of scalar-quantised vectors costs milliseconds at 100,000 passages: docs/decisions/0005.
"""

from dataclasses import dataclass, field

import faiss
import numpy as np
import numpy.typing as npt

from retrieval.local.segment import Bools, Segment
from retrieval.types import Vector

_FEW = 2048
"""Up to so many allowed rows the scores are computed directly: that is quicker than a scan, and exact to the bit."""

Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class DenseScan:
    """The vectors of one segment, ready to be scanned."""

    segment: Segment
    _scanner: list[faiss.IndexScalarQuantizer] = field(default_factory=list, repr=False)

    def scores(self, vector: Vector, rows: npt.NDArray[np.int64]) -> Floats32:
        """Return the cosine of `vector` to the rows, shape (len(rows),). A row's score depends on itself alone."""
        found: Floats32 = np.einsum("ij,j->i", self.segment.vectors[rows].astype(np.float32), vector)
        return found

    def best(self, vector: Vector, allowed: Bools, limit: int) -> npt.NDArray[np.int64]:
        """Return the allowed rows with the `limit` highest cosines and all that tie with the last, in no order."""
        rows = np.flatnonzero(allowed)
        if len(rows) <= max(limit, _FEW):
            return rows if len(rows) <= limit else cut(rows, self.scores(vector, rows), limit)
        wanted = min(len(rows), limit + 32)  # room for what ties with the last, or rounds otherwise in the scan
        # The signatures of faiss' generated part know nothing of its Python layer.
        selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg,arg-type]
        params = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        _, found = self._scan().search(vector[None, :], wanted, params=params)
        rows = np.sort(found[0][found[0] >= 0])
        return cut(rows, self.scores(vector, rows), limit)

    def _scan(self) -> faiss.IndexScalarQuantizer:
        if not self._scanner:
            dim = self.segment.vectors.shape[1]
            index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
            index.is_trained = True
            codes = np.ascontiguousarray(self.segment.vectors).view(np.uint8)
            index.add_sa_codes(codes)
            self._scanner.append(index)
        return self._scanner[0]


def cut(rows: npt.NDArray[np.int64], scores: npt.NDArray[np.floating], limit: int) -> npt.NDArray[np.int64]:
    """Return the rows whose score is among the `limit` highest, and all that tie with the last of them."""
    if len(rows) <= limit:
        return rows
    least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    found: npt.NDArray[np.int64] = rows[scores >= least]
    return found
