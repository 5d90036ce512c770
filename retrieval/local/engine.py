"""The embedded index: an immutable snapshot for readers, an in-memory delta for what is new, segments on disk.

    apply   change -> a small segment in memory, the item's old rows dead, a new snapshot
    flush   what is in memory -> one segment on disk, dead rows, then the manifest: the commit
    merge   several small segments on disk -> one, without their dead rows, then the manifest

The database is the truth: what was applied and not flushed is applied again from the change log at the next start. Any
number of processes may open one folder; each has its own delta, and the one that holds the lock writes.
"""

import logging
import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from kb.access import Scope
from kb.errors import InvalidInput, Unavailable
from retrieval.local import manifest as manifests
from retrieval.local import storage
from retrieval.local.errors import IndexDamaged, IndexMismatch
from retrieval.local.manifest import Identity, Manifest, SegmentEntry
from retrieval.local.segment import Bools, Longs, Segment, build, merge
from retrieval.local.snapshot import Part, Snapshot
from retrieval.types import Candidates, Change, Filters, Query, Vector

__all__ = ["IndexDamaged", "IndexMismatch", "LocalIndex", "Stats", "peek"]

log = logging.getLogger(__name__)

LOCK = "writer.lock"
_TIER = 4
"""So many segments of about one size become one; each tier holds segments about this many times larger."""
_SMALLEST = 1024
"""Segments below this number of rows are all of the smallest tier."""
_MOST_DEAD = 0.3
"""A segment of which more is dead is written anew."""


@dataclass(frozen=True, slots=True)
class Stats:
    passages: int
    segments: int
    bytes: int
    watermark: int


class LocalIndex:
    """A SearchIndex in a folder. Reads need no lock; writes (apply, flush, merge, refresh) queue."""

    def __init__(self, folder: Path, identity: Identity, *, coarse: bool = False) -> None:
        self._folder = folder
        self._identity = identity
        self._coarse = coarse
        self._writing = threading.RLock()
        self._lock = FileLock(folder / LOCK)
        self._manifest = Manifest(identity)
        self._serial = 0
        """Of the last attempt to commit."""
        self._delta: dict[int, int] = {}
        """Items changed since the manifest, with the number of their last change."""
        self._snapshot = self._load(self._manifest)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        dim: int,
        generation: int,
        fingerprint: str,
        analyzer: str,
        database_id: str,
        coarse: bool = False,
    ) -> "LocalIndex":
        """Open the index in `folder`, which is made if it is not there.

        `coarse`: scan what is on disk by codes of 8 bits, which take half the memory; what they find is scored from the
        vectors. The files are the same.

        Raises IndexMismatch if it was made with another embedder or analyzer or from another database, IndexDamaged,
        naming the file, if one is torn, missing or altered, Unavailable if the folder cannot be used.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"the index folder {str(folder)!r} cannot be made: {error.strerror}") from error
        index = cls(folder, Identity(dim, generation, fingerprint, analyzer, database_id), coarse=coarse)
        found = manifests.read(folder)
        if found is not None:
            manifests.check_identity(folder, found.identity, index._identity)
            index._snapshot = index._load(found)
            index._manifest = found
        return index

    @property
    def watermark(self) -> int:
        return self._snapshot.watermark

    @property
    def generation(self) -> int:
        return self._identity.generation

    def search(self, query: Query, *, scope: Scope, filters: Filters, limit: int) -> Candidates:
        if query.vector is not None:
            self._check_vector(query.vector)
        return self._snapshot.search(query, scope=scope, filters=filters, limit=limit)

    def apply(self, changes: Sequence[Change]) -> int:
        for change in changes:
            for passage in change.passages:
                self._check_vector(passage.vector)
        with self._writing:
            before = self._snapshot
            latest: dict[int, Change] = {}
            watermark = before.watermark
            for change in changes:
                if change.seq > watermark:
                    watermark = change.seq
                    latest[change.item] = change
            if watermark == before.watermark:
                return watermark
            new = build(
                (
                    (change.item, change.attributes, passage)
                    for change in latest.values()
                    if change.attributes is not None
                    for passage in change.passages
                ),
                self._identity.dim,
            )
            snapshot = _without(before, list(latest), watermark)
            self._snapshot = _folded(_with(snapshot, Part(new)), self._identity.dim)
            self._delta.update((item, change.seq) for item, change in latest.items())
            return watermark

    def try_own(self) -> bool:
        """Take the right to write the folder, or say that another process has it. A killed owner's right is free."""
        with self._writing:
            if self._lock.is_locked:
                return True
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                return False
            self.refresh()
            self._remove_orphans()
            return True

    def flush(self) -> int:
        """Make all that was applied durable; return the durable watermark.

        Raises Unavailable if another process writes this folder, or if the disk does not take it; then the state on
        disk is the one before.
        """
        with self._writing:
            self._require_ownership()
            snapshot, dim = self._snapshot, self._identity.dim
            if snapshot.watermark == self._manifest.watermark:
                return snapshot.watermark
            fresh = [place for place, part in enumerate(snapshot.parts) if part.name is None]
            self._commit(_merged(snapshot, fresh, dim))
            self._delta.clear()
            return snapshot.watermark

    def merge(self) -> bool:
        """Merge small segments on disk, and rewrite those that are mostly dead; return whether there was any to do."""
        with self._writing:
            self._require_ownership()
            done = False
            while places := _mergeable(self._snapshot):
                if any(part.name is None for part in self._snapshot.parts):
                    self.flush()
                    continue
                self._commit(_merged(self._snapshot, places, self._identity.dim))
                done = True
            return done

    def refresh(self) -> bool:
        """Take over a newer state that another process has written; return whether there was one."""
        with self._writing:
            found = manifests.read(self._folder)
            if found is None or found.serial <= self._manifest.serial:
                return False
            manifests.check_identity(self._folder, found.identity, self._identity)
            try:
                state = self._load(found)
            except IndexDamaged:
                # The owner may have merged and removed these files since the manifest was read.
                newer = manifests.read(self._folder)
                if newer is None or newer.serial == found.serial:
                    raise
                return self.refresh()
            own = {item: seq for item, seq in self._delta.items() if seq > found.watermark}
            if own:
                state = self._carried(state, own)
            self._snapshot, self._manifest, self._delta = state, found, own
            return True

    def live(self) -> Iterator[tuple[int, int]]:
        """Yield (passage id, item id) of all live passages."""
        snapshot = self._snapshot
        for part, dead in zip(snapshot.parts, snapshot.dead, strict=True):
            rows = np.arange(len(part.segment)) if dead is None else np.flatnonzero(~dead)
            passages, items = part.segment.passages[rows].tolist(), part.segment.items[rows].tolist()
            yield from zip(passages, items, strict=True)

    def lexical_scores(self, terms: Sequence[str]) -> dict[int, float]:
        """Return the BM25 score of every live passage that has any of the terms, by id."""
        snapshot = self._snapshot
        idfs = {term: snapshot.lexical.idf(term) for term in dict.fromkeys(terms)}
        found: dict[int, float] = {}
        scored = snapshot.lexical.scores(terms, idfs)
        for part, dead, (score, touched) in zip(snapshot.parts, snapshot.dead, scored, strict=True):
            rows = np.flatnonzero(touched if dead is None else touched & ~dead)
            found.update(zip(part.segment.passages[rows].tolist(), score[rows].tolist(), strict=True))
        return found

    def stats(self) -> Stats:
        snapshot = self._snapshot
        return Stats(
            passages=snapshot.passages,
            segments=len(snapshot.parts),
            bytes=sum(part.segment.bytes for part in snapshot.parts),
            watermark=snapshot.watermark,
        )

    def close(self) -> None:
        with self._writing:
            self._lock.release(force=True)

    def _check_vector(self, vector: Vector) -> None:
        if vector.shape != (self._identity.dim,):
            raise InvalidInput(f"a vector has the shape ({self._identity.dim},), not {vector.shape}")
        if not np.isfinite(vector).all():
            raise InvalidInput("a vector has a value that is not finite")

    def _require_ownership(self) -> None:
        if not self.try_own():
            raise Unavailable(f"another process writes the index in {str(self._folder)!r}; it will flush what is new")

    def _load(self, manifest: Manifest) -> Snapshot:
        parts = tuple(
            Part(manifests.open_segment(self._folder, entry, coarse=self._coarse), entry.name)
            for entry in manifest.segments
        )
        dead = tuple(manifests.read_dead(self._folder, entry) for entry in manifest.segments)
        snapshot = _empty(self._identity, manifest.watermark)
        for part, gone in zip(parts, dead, strict=True):
            snapshot = _with(snapshot, part, gone)
        return snapshot

    def _carried(self, state: Snapshot, own: dict[int, int]) -> Snapshot:
        """Return `state` with what this process has applied beyond it."""
        mine = self._snapshot
        masks: list[Bools] = []
        segments: list[Segment] = []
        for part, gone in zip(mine.parts, mine.dead, strict=True):
            keep = np.zeros(len(part.segment), np.bool_)
            keep[part.rows_of(own)] = True
            if gone is not None:
                keep &= ~gone
            if keep.any():
                segments.append(part.segment)
                masks.append(~keep)
        state = _without(state, list(own), max(mine.watermark, state.watermark))
        return _with(state, Part(merge(segments, masks, self._identity.dim))) if segments else state

    def _commit(self, snapshot: Snapshot) -> None:
        """Write what of `snapshot` is not on disk, then its manifest; then it is what readers see."""
        before = {entry.name: entry for entry in self._manifest.segments}
        # Not that of an attempt that failed: its files may be there, and a manifest on disk may even name them.
        serial = self._serial = max(self._serial, self._manifest.serial) + 1
        parts: list[Part] = []
        entries: list[SegmentEntry] = []
        try:
            for number, (part, dead) in enumerate(zip(snapshot.parts, snapshot.dead, strict=True)):
                name = part.name or f"segment-{serial:08}-{number:02}"
                entry = before.get(name) or manifests.write_segment(self._folder, name, part.segment)
                if dead is not None:
                    bitmap = f"dead-{serial:08}-{number:02}"
                    entry = replace(entry, dead=bitmap, dead_crc=manifests.write_dead(self._folder, bitmap, dead))
                if part.name is None:
                    part = Part(manifests.open_segment(self._folder, entry, check=False, coarse=self._coarse), name)
                parts.append(part)
                entries.append(entry)
            manifest = Manifest(self._identity, snapshot.watermark, serial, tuple(entries))
            manifests.commit(self._folder, manifest)
        except OSError as error:
            raise Unavailable(
                f"the index in {str(self._folder)!r} could not be written: {error.strerror or error}; nothing is lost"
            ) from error
        self._manifest = manifest
        self._snapshot = replace(snapshot, parts=tuple(parts))
        self._remove_orphans()

    def _remove_orphans(self) -> None:
        """Remove files that the manifest does not name: of a crash, or of the state before. Only the owner may."""
        named = {manifests.NAME, LOCK}
        for entry in self._manifest.segments:
            named |= {entry.name, *([entry.dead] if entry.dead else [])}
        for path in self._folder.iterdir():
            if path.name not in named and path.name.startswith(("segment-", "dead-", manifests.NAME)):
                storage.remove(path)


def peek(folder: Path) -> Stats:
    """Return what the manifest says, without opening the index. Raises IndexDamaged."""
    found = manifests.read(folder)
    if found is None:
        return Stats(0, 0, 0, 0)
    dead = [manifests.read_dead(folder, entry) for entry in found.segments]
    return Stats(
        passages=sum(
            e.rows - (int(d.sum()) if d is not None else 0) for e, d in zip(found.segments, dead, strict=True)
        ),
        segments=len(found.segments),
        bytes=sum(size for entry in found.segments for size, _ in entry.files.values()),
        watermark=found.watermark,
    )


def _empty(identity: Identity, watermark: int) -> Snapshot:
    dim = identity.dim
    return Snapshot((), (), watermark, identity.generation, 0, 0, np.zeros(dim), np.zeros((dim, dim)))


def _with(snapshot: Snapshot, part: Part, dead: Bools | None = None) -> Snapshot:
    """Return the snapshot with one more part."""
    if not len(part.segment):
        return snapshot
    segment = part.segment
    added = replace(
        snapshot,
        parts=(*snapshot.parts, part),
        dead=(*snapshot.dead, None),
        passages=snapshot.passages + len(segment),
        total_length=snapshot.total_length + int(segment.lengths.sum(dtype=np.int64)),
        vector_sum=snapshot.vector_sum + segment.vector_sum,
        vector_moment=snapshot.vector_moment + segment.vector_moment,
    )
    return added if dead is None else _killed(added, len(added.parts) - 1, np.flatnonzero(dead))


def _without(snapshot: Snapshot, items: Sequence[int], watermark: int) -> Snapshot:
    """Return the snapshot with all rows of these items dead."""
    snapshot = replace(snapshot, watermark=watermark)
    for place, part in enumerate(snapshot.parts):
        rows = part.rows_of(items)
        gone = snapshot.dead[place]
        snapshot = _killed(snapshot, place, rows if gone is None else rows[~gone[rows]])
    return snapshot


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


def _merged(snapshot: Snapshot, places: Sequence[int], dim: int) -> Snapshot:
    """Return the snapshot with these parts as one, without their dead rows, and without parts that are all dead."""
    if not places:
        return snapshot
    dead = [_dead(snapshot, place) for place in places]
    whole = merge([snapshot.parts[place].segment for place in places], dead, dim)
    rest = [place for place in range(len(snapshot.parts)) if place not in places]
    parts = tuple(snapshot.parts[place] for place in rest) + ((Part(whole),) if len(whole) else ())
    gone = tuple(snapshot.dead[place] for place in rest) + ((None,) if len(whole) else ())
    return replace(snapshot, parts=parts, dead=gone)


def _dead(snapshot: Snapshot, place: int) -> Bools:
    gone = snapshot.dead[place]
    return np.zeros(len(snapshot.parts[place].segment), np.bool_) if gone is None else gone


def _folded(snapshot: Snapshot, dim: int) -> Snapshot:
    """Return the snapshot with the newest parts in memory merged while there are several of a size."""
    while True:
        fresh = [place for place, part in enumerate(snapshot.parts) if part.name is None]
        if len(fresh) < 2:
            return snapshot
        last, other = (len(snapshot.parts[place].segment) for place in (fresh[-1], fresh[-2]))
        if other > 2 * last:
            return snapshot
        snapshot = _merged(snapshot, fresh[-2:], dim)


def _mergeable(snapshot: Snapshot) -> list[int]:
    """Return the parts to merge next: several of one tier, or one that is mostly dead; none if all is well."""
    tiers: dict[int, list[int]] = {}
    for place, part in enumerate(snapshot.parts):
        rows = len(part.segment)
        gone = int(np.count_nonzero(_dead(snapshot, place)))
        if gone > _MOST_DEAD * rows:
            return [place]
        tiers.setdefault(math.floor(math.log(max(rows - gone, _SMALLEST), _TIER)), []).append(place)
    return next((places for places in tiers.values() if len(places) >= _TIER), [])
