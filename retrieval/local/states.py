"""How one snapshot follows from another. Nothing here changes a snapshot or knows of files, locks or threads."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from retrieval.local.results import MOST
from retrieval.local.segment import Bools, Longs, merge
from retrieval.local.snapshot import Part, Snapshot

_FOLD = 2048
"""Most rows of a part that `folded` makes: this bounds what an apply costs, however much is in memory."""
_TIER = 4
"""So many segments of about one size become one; each tier holds segments about this many times larger."""
_SMALLEST = 1024
"""Segments below this number of rows are all of the smallest tier."""
_MOST_DEAD = 0.3
"""A segment of which more is dead is written anew."""


def empty(dim: int, generation: int, watermark: int = 0, *, results: int = MOST) -> Snapshot:
    """Return a snapshot without passages; it and all that follow from it keep so many results."""
    return Snapshot((), (), watermark, generation, 0, 0, np.zeros(dim), np.zeros((dim, dim)), results)


def added(snapshot: Snapshot, part: Part, dead: Bools | None = None) -> Snapshot:
    """Return the snapshot with one more part."""
    if not len(part.segment):
        return snapshot
    segment = part.segment
    more = replace(
        snapshot,
        parts=(*snapshot.parts, part),
        dead=(*snapshot.dead, None),
        passages=snapshot.passages + len(segment),
        total_length=snapshot.total_length + int(segment.lengths.sum(dtype=np.int64)),
        vector_sum=snapshot.vector_sum + segment.vector_sum,
        vector_moment=snapshot.vector_moment + segment.vector_moment,
    )
    return more if dead is None else _killed(more, len(more.parts) - 1, np.flatnonzero(dead))


def without(snapshot: Snapshot, items: Sequence[int], watermark: int) -> Snapshot:
    """Return the snapshot with all rows of these items dead."""
    snapshot = replace(snapshot, watermark=watermark)
    for place, part in enumerate(snapshot.parts):
        rows = part.rows_of(items)
        gone = snapshot.dead[place]
        snapshot = _killed(snapshot, place, rows if gone is None else rows[~gone[rows]])
    return snapshot


def folded(snapshot: Snapshot, fixed: Collection[Part], dim: int, *, few: int = 0) -> Snapshot:
    """Return the snapshot with its newest small parts merged while there are several of a size, `fixed` ones aside.

    Of whatever size they are, as long as they are not more than `few` rows together.
    """
    while True:
        small = [p for p, part in enumerate(snapshot.parts) if part not in fixed and len(part.segment) <= _FOLD]
        if len(small) < 2:
            return snapshot
        last, other = (len(snapshot.parts[place].segment) for place in (small[-1], small[-2]))
        if (other > 2 * last and other + last > few) or other + last > _FOLD:
            return snapshot
        old = {snapshot.parts[place]: snapshot.dead[place] for place in small[-2:]}
        whole = merge([part.segment for part in old], [_bits(part, gone) for part, gone in old.items()], dim)
        snapshot = exchanged(snapshot, old, Part(whole) if len(whole) else None)


def exchanged(snapshot: Snapshot, old: Mapping[Part, Bools | None], new: Part | None) -> Snapshot:
    """Return the snapshot with `new` in place of the parts `old`, which are all in it.

    `new` holds the rows of `old` that were alive by the bitmaps given (None: all of them; `new` None: there were
    none). What has died since is dead in `new` as well, so that the same passages live before and after.
    """
    parts: list[Part] = []
    dead: list[Bools | None] = []
    died = [np.zeros(0, np.int64)]
    for part, gone in zip(snapshot.parts, snapshot.dead, strict=True):
        if part not in old:
            parts.append(part)
            dead.append(gone)
        elif gone is not None:
            then = old[part]
            died.append(part.segment.passages[gone if then is None else gone & ~then])
    if new is not None:
        ids = np.concatenate(died)
        bits = None
        if len(ids):
            bits = np.zeros(len(new.segment), np.bool_)
            bits[np.searchsorted(new.segment.passages, ids)] = True
        parts.append(new)
        dead.append(bits)
    after = replace(snapshot, parts=tuple(parts), dead=tuple(dead))
    after.same_statistics(snapshot)
    return after


def carried(state: Snapshot, mine: Snapshot, own: Collection[int]) -> Snapshot:
    """Return `state` with the items `own` as they are in `mine`, whose parts are shared and not copied."""
    before = frozenset(state.parts)
    state = without(state, list(own), max(mine.watermark, state.watermark))
    for part, gone in zip(mine.parts, mine.dead, strict=True):
        if part not in before:
            keep = np.zeros(len(part.segment), np.bool_)
            keep[part.rows_of(own)] = True
            keep &= ~_bits(part, gone)
            if keep.any():
                state = added(state, part, None if keep.all() else ~keep)
    return state


def mergeable(snapshot: Snapshot) -> dict[Part, Bools | None]:
    """Return the parts to merge next: several of one tier, or one that is mostly dead; none if all is well."""
    tiers: dict[int, list[int]] = {}
    for place, part in enumerate(snapshot.parts):
        rows = len(part.segment)
        gone = int(np.count_nonzero(_bits(part, snapshot.dead[place])))
        if gone > _MOST_DEAD * rows:
            return {part: snapshot.dead[place]}
        tiers.setdefault(math.floor(math.log(max(rows - gone, _SMALLEST), _TIER)), []).append(place)
    chosen = next((places for places in tiers.values() if len(places) >= _TIER), [])
    return {snapshot.parts[place]: snapshot.dead[place] for place in chosen}


def _killed(snapshot: Snapshot, place: int, rows: Longs) -> Snapshot:
    """Return the snapshot with these rows of a part, alive until now, dead."""
    if not len(rows):
        return snapshot
    segment = snapshot.parts[place].segment
    gone = snapshot.dead[place]
    dead = np.zeros(len(segment), np.bool_) if gone is None else gone.copy()
    dead[rows] = True
    wide = segment.vectors[rows].astype(np.float32)
    return replace(
        snapshot,
        dead=(*snapshot.dead[:place], dead, *snapshot.dead[place + 1 :]),
        passages=snapshot.passages - len(rows),
        total_length=snapshot.total_length - int(segment.lengths[rows].sum(dtype=np.int64)),
        vector_sum=snapshot.vector_sum - wide.sum(axis=0, dtype=np.float64),
        vector_moment=snapshot.vector_moment - wide.T @ wide,
    )


def _bits(part: Part, gone: Bools | None) -> Bools:
    return np.zeros(len(part.segment), np.bool_) if gone is None else gone
