"""The dense leg: an exact scan over float16 vectors under a bitmap. The only module that imports faiss.

faiss reads the vectors where they lie, in the memory-mapped file: there is no second copy. A segment that is to be
scanned coarsely gets codes of 8 bits in memory instead, half as large; what they find is scored from the file.

Why no graph: with a filter that allows 1 % of the passages, HNSW finds less than half of what it should, and it cannot
delete. An exact scan of scalar-quantised vectors costs milliseconds at 100,000 passages: docs/decisions/0005.
"""

import itertools
import mmap
import os
from collections.abc import Iterator
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

_ROOM = 32
"""So many rows more than asked for are taken from a scan: for what ties with the last, or rounds otherwise there."""
_BLOCK = 1_024
"""Vectors that are made wide at once while codes are made of them."""

Floats32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DenseScan:
    """The vectors of one segment, ready to be scanned."""

    segment: Segment

    def scores(self, vector: Vector, rows: npt.NDArray[np.int64]) -> Floats32:
        """Return the cosine of `vector` to the rows, shape (len(rows),). A row's score depends on itself alone."""
        found: Floats32 = np.einsum("ij,j->i", self.segment.vectors[rows].astype(np.float32), vector)
        if self.segment.coarse:
            _give_back(self.segment.vectors)
        return found

    def warm(self) -> None:
        """Do now what the first search would wait for: make the codes, or map the vectors."""
        if len(self.segment):
            list(_threads().map(_Slice.touch, self._slices))

    def best(self, vector: Vector, allowed: Bools, limit: int) -> npt.NDArray[np.int64]:
        """Return the allowed rows with the `limit` highest cosines and all that tie with the last, in no order."""
        rows = np.flatnonzero(allowed)
        if len(rows) <= max(limit, _FEW):
            return rows if len(rows) <= limit else cut(rows, self.scores(vector, rows), limit)
        count = len(rows)
        wanted = (2 * limit if self.segment.coarse else limit) + _ROOM
        while True:
            found = self._found(vector, allowed, min(count, wanted))
            rows = np.sort(np.concatenate(found))
            best = cut(rows, self.scores(vector, rows), limit)
            # If the last that a slice found is among the best, more of it may be: many that tie, or codes too coarse.
            if wanted >= count or not any(len(piece) >= wanted and piece[-1] in best for piece in found):
                return best
            wanted *= 4

    def _found(self, vector: Vector, allowed: Bools, wanted: int) -> list[npt.NDArray[np.int64]]:
        """Return, a slice, the `wanted` allowed rows that the scan finds best, best first."""
        if len(self._slices) == 1:
            return [self._slices[0].best(vector, allowed, wanted)]
        return list(_threads().map(lambda piece: piece.best(vector, allowed, wanted), self._slices))

    @cached_property
    def _slices(self) -> tuple["_Slice", ...]:
        """The vectors in as many slices as there are cores, made when first asked for."""
        rows = len(self.segment)
        count = max(1, min(_cores(), rows // _SLICE))
        borders = [rows * n // count for n in range(count + 1)]
        return tuple(_threads().map(lambda ends: _Slice(self.segment, *ends), itertools.pairwise(borders)))


class _Slice:
    """A stretch of rows that one thread scans. Holds the codes for as long as the index that only looks at them."""

    def __init__(self, segment: Segment, start: int, end: int) -> None:
        self._start, self._end = start, end
        self._coarse = segment.coarse
        vectors = segment.vectors[start:end]
        self._codes = _coded(vectors) if segment.coarse else np.ascontiguousarray(vectors).view(np.uint8)
        kinds = faiss.ScalarQuantizer
        kind = kinds.QT_8bit_direct_signed if segment.coarse else kinds.QT_fp16
        self._index = _over(self._codes, segment.vectors.shape[1], kind)

    def touch(self) -> None:
        """Read all codes once."""
        self._scan(np.zeros(self._index.d, np.float32), 1, None)

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
        asked = np.rint(vector * _scale(vector)) if self._coarse else vector
        _, found = self._index.search(asked[None, :], wanted, params=params)
        rows: npt.NDArray[np.int64] = found[0][found[0] >= 0]
        return rows


def _over(codes: Bytes, dim: int, kind: int) -> faiss.IndexScalarQuantizer:
    """Return an index that scans `codes` where they lie. It does not own them: the caller keeps them for its lifetime.

    faiss has no function for this in Python. Its code vectors can be views (`is_owned`), as its zero-copy reader makes
    them; assigning such a vector copies the view, not what it looks at. Nothing here writes to the codes.
    """
    view = faiss.MaybeOwnedVectorUInt8()
    view.is_owned = False
    view.view_data = faiss.swig_ptr(codes.reshape(-1))  # type: ignore[attr-defined]
    view.view_size = codes.size  # type: ignore[attr-defined]
    index = faiss.IndexScalarQuantizer(dim, kind, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True
    index.codes = view  # type: ignore[assignment]
    index.ntotal = len(codes)
    return index


def _coded(vectors: npt.NDArray[np.float16]) -> Bytes:
    """Return codes of 8 bits a value: one scale for all, so that the order of their products is that of the cosines.

    faiss multiplies such codes with a question of whole numbers from -128 to 127, without floating point.
    """
    most = max((float(np.abs(wide).max()) for _, wide in _blocks(vectors)), default=0.0)
    codes = np.empty(vectors.shape, np.uint8)
    for start, wide in _blocks(vectors):
        wide *= np.float32(127 / most if most else 1.0)
        codes[start : start + len(wide)] = np.rint(wide, out=wide) + 128
    return codes


def _blocks(vectors: npt.NDArray[np.float16]) -> Iterator[tuple[int, Floats32]]:
    """Yield rows and their vectors widened, some at a time, holding no more of a mapped file than that."""
    for start in range(0, len(vectors), _BLOCK):
        yield start, vectors[start : start + _BLOCK].astype(np.float32)
        _give_back(vectors)


def _scale(vector: Vector) -> np.float32:
    most = np.abs(vector).max()
    return np.float32(127 / most if most else 1.0)


def _give_back(array: npt.NDArray[np.generic]) -> None:
    """Give back the memory that a mapped array was read into; what is read again comes from its file again."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap):
        owner.madvise(mmap.MADV_DONTNEED)


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
