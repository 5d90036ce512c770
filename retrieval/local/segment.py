"""A segment: passages that never change, as arrays. In memory for what is new, memory-mapped for what was flushed.

Rows are in ascending order of passage id. Terms are sorted by their UTF-8 bytes; a term's postings are rows with term
frequencies. The forward index keeps each row's terms in the order in which the passage first says them: merging and
rank_bm25's mean idf need it. No Python object exists for a passage or a term.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.types import Attributes, PassageDoc

Ints = npt.NDArray[np.int32]
Counts = npt.NDArray[np.integer]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ARRAYS = (
    "passages", "items", "lengths", "kinds", "audiences", "langs", "spaces", "label_starts", "label_codes",
    "term_starts", "term_bytes", "posting_starts", "posting_rows", "posting_counts",
    "forward_starts", "forward_terms", "forward_counts", "vectors", "vector_sum", "vector_moment",
)  # fmt: skip
"""Names of the arrays, which are also the names of their files."""


_REMEMBERED = 20_000
"""Terms of questions whose place is remembered, a segment."""


@dataclass(frozen=True, eq=False)
class Segment:
    """n passages, t terms, p postings, v dimensions."""

    passages: Longs
    """(n,) ids, ascending."""
    items: Longs
    """(n,)"""
    lengths: Ints
    """(n,) number of terms, repeats counted."""
    kinds: Ints
    audiences: Ints
    langs: Ints
    """(n,) codes into `words`."""
    spaces: Ints
    """(n,) ids of spaces."""
    label_starts: Longs
    """(n + 1,) offsets into `label_codes`."""
    label_codes: Ints
    """Codes into `labels`."""
    term_starts: Longs
    """(t + 1,) offsets into `term_bytes`."""
    term_bytes: npt.NDArray[np.uint8]
    posting_starts: Longs
    """(t + 1,) offsets into the postings."""
    posting_rows: Ints
    """(p,) rows, ascending within a term."""
    posting_counts: Counts
    """(p,) term frequencies, in as few bytes as they need."""
    forward_starts: Longs
    """(n + 1,)"""
    forward_terms: Ints
    """(p,) terms of a row, in order of first occurrence."""
    forward_counts: Counts
    """(p,)"""
    vectors: npt.NDArray[np.float16]
    """(n, v)"""
    vector_sum: npt.NDArray[np.float64]
    """(v,) sum of the vectors."""
    vector_moment: npt.NDArray[np.float64]
    """(v, v) sum of the outer products of the vectors with themselves."""
    words: tuple[str, ...]
    """Values of kinds, audiences and langs."""
    labels: tuple[tuple[str, str], ...]
    """(facet, value) pairs."""
    coarse: bool = False
    """Whether scans read codes of 8 bits, made of the vectors when they are first needed, instead of the vectors."""
    _asked: dict[bytes, int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.passages)

    @property
    def terms(self) -> int:
        return len(self.term_starts) - 1

    def term(self, number: int) -> bytes:
        return self.term_bytes[self.term_starts[number] : self.term_starts[number + 1]].tobytes()

    def find(self, term: bytes) -> int:
        """Return the number of a term, -1 if no passage here has it. A binary search; what was asked is remembered."""
        known = self._asked.get(term)
        if known is None:
            if len(self._asked) >= _REMEMBERED:
                self._asked.clear()
            known = self._asked[term] = self._search(term)
        return known

    def _search(self, term: bytes) -> int:
        low, high = 0, self.terms
        while low < high:
            middle = (low + high) // 2
            if self.term(middle) < term:
                low = middle + 1
            else:
                high = middle
        return low if low < self.terms and self.term(low) == term else -1

    def postings(self, number: int) -> tuple[Ints, Counts]:
        """Return rows and term frequencies of a term."""
        part = slice(self.posting_starts[number], self.posting_starts[number + 1])
        return self.posting_rows[part], self.posting_counts[part]

    @property
    def bytes(self) -> int:
        return sum(getattr(self, name).nbytes for name in ARRAYS)


def build(docs: Iterable[tuple[int, Attributes, PassageDoc]], dim: int) -> Segment:
    """Make a segment of (item, attributes, passage). Terms with lone surrogates are kept apart from all others."""
    rows = sorted(docs, key=lambda row: row[2].id)
    vocabulary: dict[str, int] = {}
    forward_terms: list[int] = []
    forward_counts: list[int] = []
    forward_starts = [0]
    words: dict[str, int] = {}
    labels: dict[tuple[str, str], int] = {}
    label_codes: list[int] = []
    label_starts = [0]
    codes: list[tuple[int, int, int, int]] = []
    for _, attributes, doc in rows:
        for term, count in Counter(doc.terms).items():
            forward_terms.append(vocabulary.setdefault(term, len(vocabulary)))
            forward_counts.append(count)
        forward_starts.append(len(forward_terms))
        label_codes += (labels.setdefault(label, len(labels)) for label in sorted(attributes.labels))
        label_starts.append(len(label_codes))
        kind, audience, lang = (
            words.setdefault(word, len(words)) for word in (attributes.kind, attributes.audience, attributes.lang)
        )
        codes.append((kind, audience, lang, attributes.space))
    vectors = np.array([doc.vector for _, _, doc in rows], np.float32).reshape(len(rows), dim).astype(np.float16)
    columns = np.array(codes, np.int32).reshape(len(rows), 4)
    return _assemble(
        passages=np.array([doc.id for _, _, doc in rows], np.int64),
        items=np.array([item for item, _, _ in rows], np.int64),
        lengths=np.array([len(doc.terms) for _, _, doc in rows], np.int32),
        columns=columns,
        label_starts=np.array(label_starts, np.int64),
        label_codes=np.array(label_codes, np.int32),
        terms=[encode(term) for term in vocabulary],
        forward_starts=np.array(forward_starts, np.int64),
        forward_terms=np.array(forward_terms, np.int32),
        forward_counts=np.array(forward_counts, np.int32),
        vectors=vectors,
        words=tuple(words),
        labels=tuple(labels),
    )


def merge(segments: Sequence[Segment], dead: Sequence[Bools], dim: int) -> Segment:
    """Make one segment of the rows of several that are not dead."""
    live = [np.flatnonzero(~gone) for gone in dead]
    passages = np.concatenate(
        [s.passages[rows] for s, rows in zip(segments, live, strict=True)] or [np.zeros(0, np.int64)]
    )
    order = np.argsort(passages, kind="stable")
    vocabulary: dict[bytes, int] = {}
    words: dict[str, int] = {}
    labels: dict[tuple[str, str], int] = {}
    parts: dict[str, list[Any]] = {}
    for segment, rows in zip(segments, live, strict=True):
        lookup = _numbers((segment.term(n) for n in range(segment.terms)), vocabulary)
        word_codes, label_numbers = _numbers(segment.words, words), _numbers(segment.labels, labels)
        forward, forward_lengths = gather(segment.forward_starts, rows)
        label_at, label_lengths = gather(segment.label_starts, rows)
        columns = [word_codes[getattr(segment, name)[rows]] for name in ("kinds", "audiences", "langs")]
        for name, value in {
            "items": segment.items[rows],
            "lengths": segment.lengths[rows],
            "columns": np.stack([*columns, segment.spaces[rows]], axis=1),
            "vectors": segment.vectors[rows],
            "forward_lengths": forward_lengths,
            "forward_terms": lookup[segment.forward_terms[forward]],
            "forward_counts": segment.forward_counts[forward],
            "label_lengths": label_lengths,
            "label_codes": label_numbers[segment.label_codes[label_at]],
        }.items():
            parts.setdefault(name, []).append(value)
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    forward, forward_lengths = gather(_starts(joined["forward_lengths"]), order)
    label_at, label_lengths = gather(_starts(joined["label_lengths"]), order)
    used, forward_terms = np.unique(joined["forward_terms"][forward], return_inverse=True)
    terms = list(vocabulary)
    return _assemble(
        passages=passages[order],
        items=joined["items"][order],
        lengths=joined["lengths"][order],
        columns=joined["columns"][order],
        label_starts=_starts(label_lengths),
        label_codes=joined["label_codes"][label_at],
        terms=[terms[number] for number in used],
        forward_starts=_starts(forward_lengths),
        forward_terms=forward_terms.astype(np.int32),
        forward_counts=joined["forward_counts"][forward],
        vectors=joined["vectors"][order],
        words=tuple(words),
        labels=tuple(labels),
    )


def encode(term: str) -> bytes:
    """Return the form in which a term is stored and compared."""
    return term.encode("utf-8", "surrogatepass")


def gather(starts: Longs, rows: Longs) -> tuple[Longs, Longs]:
    """Return, for rows of a compressed sparse layout, the places of their entries, in order, and their lengths."""
    lengths = starts[rows + 1] - starts[rows]
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts[rows] - (ends - lengths), lengths), lengths


def _assemble(
    *,
    passages: Longs,
    items: Longs,
    lengths: Ints,
    columns: Ints,
    label_starts: Longs,
    label_codes: Ints,
    terms: list[bytes],
    forward_starts: Longs,
    forward_terms: Ints,
    forward_counts: Counts,
    vectors: npt.NDArray[np.float16],
    words: tuple[str, ...],
    labels: tuple[tuple[str, str], ...],
) -> Segment:
    """Sort the terms, invert the forward index, sum up the vectors."""
    by_name = sorted(range(len(terms)), key=terms.__getitem__)
    renumber = np.empty(len(terms), np.int32)
    renumber[by_name] = np.arange(len(terms), dtype=np.int32)
    forward_terms = renumber[forward_terms] if len(terms) else forward_terms
    inverted = np.argsort(forward_terms, kind="stable")
    forward_counts = forward_counts.astype(np.min_scalar_type(int(forward_counts.max(initial=0))))
    rows = np.repeat(np.arange(len(passages), dtype=np.int32), np.diff(forward_starts))
    wide = vectors.astype(np.float32)
    return Segment(
        passages=passages,
        items=items,
        lengths=lengths,
        kinds=np.ascontiguousarray(columns[:, 0]),
        audiences=np.ascontiguousarray(columns[:, 1]),
        langs=np.ascontiguousarray(columns[:, 2]),
        spaces=np.ascontiguousarray(columns[:, 3]),
        label_starts=label_starts,
        label_codes=label_codes,
        term_starts=_starts(np.array([len(terms[n]) for n in by_name], np.int64)),
        term_bytes=np.frombuffer(b"".join(terms[n] for n in by_name), np.uint8),
        posting_starts=_starts(np.bincount(forward_terms, minlength=len(terms)).astype(np.int64)),
        posting_rows=rows[inverted],
        posting_counts=forward_counts[inverted],
        forward_starts=forward_starts,
        forward_terms=forward_terms,
        forward_counts=forward_counts,
        vectors=vectors,
        vector_sum=wide.sum(axis=0, dtype=np.float64),
        vector_moment=(wide.T @ wide).astype(np.float64),
        words=words,
        labels=labels,
    )


def _starts(lengths: Longs) -> Longs:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _numbers(values: Iterable[Any], known: dict[Any, int]) -> Ints:
    """Return the number of each value, giving new ones to those not known yet."""
    return np.fromiter((known.setdefault(value, len(known)) for value in itertools.chain(values)), np.int32)
