"""The terms of one segment: which of another's they are, and in which order they were first said.

All of it depends on the segment alone and is kept for as long as the segment lives, so that a new snapshot, which comes
with every write, has little to do.
"""

from collections.abc import Sequence
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from retrieval.local.segment import Bools, Longs, Segment, gather

_CHUNK = 1 << 20
"""Entries of the forward index that are looked at together."""
_ROWS = 1 << 14
"""Dead rows that are looked at together."""
_PRIME = np.uint64(0x9E3779B97F4A7C15)


class Vocabulary:
    """The terms of one segment, by their numbers."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._numbers: WeakKeyDictionary[Vocabulary, Longs] = WeakKeyDictionary()
        self._live: tuple[Bools, tuple[Longs, Longs, Longs]] | None = None

    def warm(self) -> None:
        """Do now what the first question that needs the mean idf would wait for."""
        _ = self._first, self._by_hash

    @cached_property
    def longest(self) -> int:
        """Terms of the longest row."""
        return int(self.segment.lengths.max(initial=0))

    def seen(self, dead: Bools | None) -> tuple[Longs, Longs, Longs]:
        """Return the terms of live rows in the order in which these first say them; of all terms that row, and df."""
        segment = self.segment
        terms, at = self._first
        rows, df = segment.posting_rows[segment.posting_starts[:-1]].astype(np.int64), np.diff(segment.posting_starts)
        if dead is None:
            return terms, rows, df
        live = self._live  # once: other threads may replace it
        if live is not None and live[0] is dead:
            return live[1]
        gone = np.flatnonzero(dead)
        for start in range(0, len(gone), _ROWS):
            entries, _ = gather(segment.forward_starts, gone[start : start + _ROWS])
            df = df - np.bincount(segment.forward_terms[entries], minlength=segment.terms)
        moved = dead[rows]
        stay = terms[~moved[terms]]
        later = np.flatnonzero(moved & (df > 0))
        places = np.empty(len(later), np.int64)
        for n, number in enumerate(later.tolist()):
            having, _ = segment.postings(number)
            row = rows[number] = having[np.argmin(dead[having])]
            start, end = segment.forward_starts[row : row + 2]
            places[n] = start + np.flatnonzero(segment.forward_terms[start:end] == number)[0]
        order = np.argsort(places)
        terms = np.insert(stay, np.searchsorted(at[stay], places[order]), later[order])
        self._live = dead, (terms, rows, df)
        return terms, rows, df

    def numbers(self, terms: "Vocabulary") -> Longs:
        """Return the number here of each term there, -1 where there is none. Kept for as long as both live."""
        found = self._numbers.get(terms)
        if found is None:
            found = self._numbers[terms] = self._found(terms)
        return found

    def find(self, names: Sequence[bytes]) -> list[int]:
        """Return the number of each of these terms, -1 where there is none: all at once, and none is remembered."""
        hashes, whose = self._by_hash
        if not len(hashes) or not names:
            return [-1] * len(names)
        starts = np.cumsum([0, *map(len, names)], dtype=np.int64)
        asked = _hashes(starts, np.frombuffer(b"".join(names), np.uint8))
        places = np.minimum(np.searchsorted(hashes, asked), len(hashes) - 1)
        numbers = np.full(len(names), -1, np.int64)
        for at in np.flatnonzero(hashes[places] == asked).tolist():
            number = int(whose[places[at]])
            numbers[at] = number if self.segment.term(number) == names[at] else self.segment.find(names[at])
        return numbers.tolist()

    @cached_property
    def _first(self) -> tuple[Longs, Longs]:
        """Terms in the order in which rows first say them, and where in the forward index each is first said."""
        segment = self.segment
        at = np.empty(segment.terms, np.int64)
        end = len(segment.forward_terms)
        for start in range((end - 1) // _CHUNK * _CHUNK, -1, -_CHUNK):
            stop = min(end, start + _CHUNK)
            # Backwards, so that of several places the first is what stays.
            at[segment.forward_terms[start:stop][::-1]] = np.arange(stop - 1, start - 1, -1)
        return np.argsort(at), at

    @cached_property
    def _by_hash(self) -> tuple[npt.NDArray[np.uint64], Longs]:
        """A number made of each term's bytes, sorted, and whose they are."""
        hashes = _hashes(self.segment.term_starts, self.segment.term_bytes)
        order = np.argsort(hashes)
        return hashes[order], order

    def _found(self, other: "Vocabulary") -> Longs:
        mine, whose = self._by_hash
        theirs, of = other._by_hash
        if not len(mine) or not len(theirs):
            return np.full(other.segment.terms, -1, np.int64)
        places = np.minimum(np.searchsorted(mine, theirs), len(mine) - 1)
        found = np.full(other.segment.terms, -1, np.int64)
        for there, here in zip(*(a[mine[places] == theirs].tolist() for a in (of, whose[places])), strict=True):
            term = other.segment.term(there)
            found[there] = here if self.segment.term(here) == term else self.segment.find(term)
        return found


def _hashes(starts: Longs, bytes_: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Return a number made of the bytes of each term; `starts` are n + 1 offsets into them."""
    lengths = np.diff(starts)
    hashes = lengths.astype(np.uint64)
    for place in range(int(lengths.max(initial=0))):
        some = np.flatnonzero(lengths > place)
        mixed = (hashes[some] ^ bytes_[starts[some] + place]) * _PRIME
        hashes[some] = mixed ^ (mixed >> np.uint64(29))
    return hashes


def frequencies(vocabularies: Sequence[Vocabulary], dead: Sequence[Bools | None]) -> Longs:
    """Return the document frequencies of the terms of live rows, in the order in which passages first say them."""
    order = sorted(range(len(vocabularies)), key=lambda place: -vocabularies[place].segment.terms)
    known: list[tuple[Vocabulary, Longs]] = []
    count = 0
    parts: list[tuple[Longs, Longs, Longs]] = []
    for place in order:
        vocabulary = vocabularies[place]
        ids = np.full(vocabulary.segment.terms, -1, np.int64)
        for other, theirs in known:
            numbers = other.numbers(vocabulary)
            ids = np.where((ids < 0) & (numbers >= 0), theirs[numbers] if len(theirs) else -1, ids)
        new = np.flatnonzero(ids < 0)
        ids[new] = np.arange(count, count + len(new))
        count += len(new)
        known.append((vocabulary, ids))
        terms, rows, df = vocabulary.seen(dead[place])
        parts.append((ids[terms], vocabulary.segment.passages[rows[terms]], df[terms]))
    total = np.zeros(count, np.int64)
    for ids, _, df in parts:
        total[ids] += df
    ids = np.concatenate([np.zeros(0, np.int64), *(ids for ids, _, _ in parts)])
    if len(parts) > 1:
        # Within a passage the order stays: the sort is stable, and a passage lives in one segment.
        ids = ids[np.argsort(np.concatenate([passages for _, passages, _ in parts]), kind="stable")]
        first = np.empty(count, np.int64)
        first[ids[::-1]] = np.arange(len(ids) - 1, -1, -1)
        ids = ids[first[ids] == np.arange(len(ids))]
    return total[ids]
