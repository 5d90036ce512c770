"""The embedded index: an immutable snapshot for readers, an in-memory delta for what is new, segments on disk.

    apply   change -> a small segment in memory, the item's old rows dead, a new snapshot
    flush   each part in memory -> a segment on disk, dead rows, then the manifest: the commit
    merge   several small segments on disk -> one, without their dead rows, then the manifest

The database is the truth: what was applied and not flushed is applied again from the change log at the next start. Any
number of processes may open one folder; each has its own delta, and the one that holds the lock writes.

Who waits for whom: readers for nobody. `apply` only for another apply and for the moment in which a flush, merge or
refresh puts its parts in place (`_swapping`): all that takes long is done before, on parts that do not change, and what
died meanwhile is carried over. A flush waits for another one and for the commit of a merge (`_writing`), not for
the merging itself.

What is on disk is taken over only if it is newer, whole and of at least the watermark this process began from. Else the
process keeps what it has, and when it may write, it writes what of that is not in the folder.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kb.access import Scope
from kb.errors import InvalidInput, Unavailable
from retrieval.local import manifest as manifests
from retrieval.local import states, storage
from retrieval.local.errors import IndexDamaged, IndexMismatch
from retrieval.local.folder import Folder
from retrieval.local.manifest import Identity, Manifest, SegmentEntry
from retrieval.local.merging import Apart, write_merged
from retrieval.local.preview import Preview
from retrieval.local.results import MOST
from retrieval.local.segment import Segment, build
from retrieval.local.snapshot import Part, Snapshot
from retrieval.types import Candidates, Change, Filters, Query, Vector

__all__ = ["IndexDamaged", "IndexMismatch", "LocalIndex", "Stats", "peek"]

_APART = 1024
"""A merge of more rows is done in a process of its own; below, starting one costs more than the merge."""

_FEW = 256
"""So many rows are folded into one part before a flush: a segment is 22 files, each made durable."""


@dataclass(frozen=True, slots=True)
class Stats:
    passages: int
    segments: int
    bytes: int
    watermark: int


class LocalIndex:
    """A SearchIndex in a folder. All may be called from any thread; reads need no lock."""

    def __init__(
        self, folder: Path, identity: Identity, *, apart: int = _APART, coarse: bool = False, results: int = MOST
    ) -> None:
        self._folder = Folder(folder, identity, coarse=coarse, results=results)
        self._identity = identity
        self._apart = apart
        self._merging = threading.Lock()
        self._writing = threading.RLock()
        self._swapping = threading.Lock()
        self._child: Apart | None = None
        self._ending = threading.Event()
        self._snapshot = self._folder.kept
        self._delta: dict[int, int] = {}
        """Items changed since the manifest of `_folder`, with the number of their last change."""
        self._fixed: frozenset[Part] = frozenset()
        """Parts that are on disk or being written: they are not folded."""

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
        fresh: bool = False,
        apart: int = _APART,
        coarse: bool = False,
        results: int = MOST,
    ) -> "LocalIndex":
        """Open the index in `folder`, which is made if it is not there.

        `fresh`: begin with nothing, whatever is in the folder; it stays as it is until the first flush replaces it.
        `apart`: merges of more rows than this are done in a process of their own.
        `coarse`: scan what is on disk by codes of 8 bits, which take half the memory; what they find is scored from the
        vectors. The files are the same.
        `results`: how many results are kept for the same question again; 0 where the time of a search is measured.
        Raises IndexMismatch if it was made with another embedder or analyzer or from another database, IndexDamaged,
        naming the file, if one is torn, missing or altered, Unavailable if the folder cannot be used.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"the index folder {str(folder)!r} cannot be made: {error.strerror}") from error
        index = cls(
            folder,
            Identity(dim, generation, fingerprint, analyzer, database_id),
            apart=apart,
            coarse=coarse,
            results=results,
        )
        if fresh:
            index._folder.serial = manifests.last_serial(folder)
        elif (found := manifests.read(folder)) is not None:
            index._open(*index._folder.whole(found))
        return index

    @property
    def watermark(self) -> int:
        return self._snapshot.watermark

    @property
    def generation(self) -> int:
        return self._identity.generation

    @property
    def analyzer(self) -> str:
        return self._identity.analyzer

    def search(self, query: Query, *, scope: Scope, filters: Filters, limit: int) -> Candidates:
        if query.vector is not None:
            self._check_vector(query.vector)
        return self._snapshot.search(query, scope=scope, filters=filters, limit=limit)

    def frequencies(self, terms: Sequence[str], *, scope: Scope) -> list[int]:
        return self._snapshot.frequencies(terms, scope)

    def apply(self, changes: Sequence[Change]) -> int:
        for change in changes:
            for passage in change.passages:
                self._check_vector(passage.vector)
        with self._swapping:
            before = self._snapshot
            latest: dict[int, Change] = {}
            watermark = before.watermark
            for change in changes:
                if change.seq > watermark:
                    watermark = change.seq
                    latest[change.item] = change
            if watermark == before.watermark:
                return watermark
            new = _segment(latest.values(), self._identity.dim)
            snapshot = states.added(states.without(before, list(latest), watermark), Part(new))
            self._snapshot = states.folded(snapshot, self._fixed, self._identity.dim)
            self._delta.update((item, change.seq) for item, change in latest.items())
            return watermark

    def preview(self, changes: Sequence[Change] = ()) -> Preview:
        """Return the index as it is now, or as it would be with these changes, for searching it and nothing else.

        What is searched here stays as it is. Raises InvalidInput as `apply` does.
        """
        for change in changes:
            for passage in change.passages:
                self._check_vector(passage.vector)
        before = self._snapshot
        if not changes:
            return Preview(before, self.analyzer)
        after = states.without(before, [change.item for change in changes], before.watermark)
        return Preview(states.added(after, Part(_segment(changes, self._identity.dim))), self.analyzer)

    def try_own(self) -> bool:
        """Take the right to write the folder, or say that another process has it. A killed owner's right is free.

        Raises IndexMismatch if an index of another make has taken the place of this one.
        """
        with self._writing:
            if self._folder.owned:
                return True
            if not self._folder.own():
                return False
            try:
                self._take_over()
            except IndexMismatch:
                self._folder.release()
                raise
            self._folder.serial = max(self._folder.serial, manifests.last_serial(self._folder.path))
            self._folder.look()
            self._folder.remove_orphans()
            return True

    def flush(self) -> int:
        """Make all that was applied durable; return the durable watermark.

        Raises Unavailable if another process writes this folder, or if the disk does not take it; then the state on
        disk is the one before.
        """
        with self._writing:
            self._require_ownership()
            with self._swapping:
                state = self._snapshot = states.folded(self._snapshot, self._fixed, self._identity.dim, few=_FEW)
                self._fixed = frozenset(state.parts)
            try:
                if not self._folder.durable or state.watermark != self._folder.manifest.watermark:
                    self._flush(state)
            finally:
                with self._swapping:
                    self._fixed = frozenset(self._folder.kept.parts)
            return state.watermark

    def merge(self) -> bool:
        """Merge small segments on disk, and rewrite those that are mostly dead; return whether there was any to do.

        Only what was flushed is merged. Flushes and applies go on meanwhile.
        Raises Unavailable if another process writes this folder, or if the new segment could not be written.
        """
        with self._merging:
            done = False
            while self._merge():
                done = True
            return done

    def refresh(self) -> bool:
        """Take over a newer state that another process has written; return whether there was one.

        A state that is not whole, or has a lower watermark than the one this process began from, is not taken.
        Raises IndexMismatch if it is one of another make; what this process has stays in use.
        """
        with self._writing:
            return not self._folder.owned and self._take_over()

    def keep(self, *, merge: bool = True) -> bool:
        """Flush, and merge, if this process may write; else take over what another has written. Return which it was.

        Raises Unavailable if the disk does not take it.
        """
        if not self.try_own():
            self.refresh()
            return False
        self.flush()
        if merge:
            self.merge()
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

    def end_merges(self) -> None:
        """Break off the merge that is under way, if any, and begin none any more; for closing without waiting."""
        self._ending.set()
        if (child := self._child) is not None:
            child.kill()

    def close(self) -> None:
        self.end_merges()
        with self._writing:
            self._folder.release()

    def _check_vector(self, vector: Vector) -> None:
        if vector.shape != (self._identity.dim,):
            raise InvalidInput(f"a vector has the shape ({self._identity.dim},), not {vector.shape}")
        if not np.isfinite(vector).all():
            raise InvalidInput("a vector has a value that is not finite")

    def _open(self, manifest: Manifest, state: Snapshot) -> None:
        self._folder.manifest, self._folder.kept, self._folder.serial = manifest, state, manifest.serial
        self._snapshot, self._fixed = state, frozenset(state.parts)

    # What follows is called with `_writing` held, except `_merge`.

    def _require_ownership(self) -> None:
        if not self.try_own():
            raise Unavailable(
                f"another process writes the index in {str(self._folder.path)!r}; it will flush what is new"
            )
        self._folder.look()

    def _take_over(self) -> bool:
        newer = self._folder.newer()
        if newer is None:
            return False
        found, state = newer

        def carried(mine: Snapshot, delta: Mapping[int, int]) -> Snapshot:
            return states.carried(state, mine, [item for item, seq in delta.items() if seq > found.watermark])

        self._swap(carried, found, state)
        return True

    def _flush(self, state: Snapshot) -> None:
        """Write the parts of `state` that are in memory only, one segment each, and make it the state on disk."""
        entries = self._folder.entries()
        exchange: dict[Part, Part | None] = {}
        with self._folder.writing():
            for part, dead in zip(state.parts, state.dead, strict=True):
                if part not in entries:
                    exchange[part] = None
                    if dead is None or not dead.all():
                        entry = manifests.write_segment(self._folder.path, self._folder.name("segment"), part.segment)
                        exchange[part] = new = self._folder.opened(entry, check=False)
                        entries[new] = entry

        def exchanged(snapshot: Snapshot, _: object = None) -> Snapshot:
            for part, new in exchange.items():
                snapshot = states.exchanged(snapshot, {part: None}, new)
            return snapshot

        kept = exchanged(state)
        self._swap(exchanged, self._folder.commit(kept, entries), kept)
        self._folder.remove_orphans()

    def _merge(self) -> bool:
        """Do one merge; return whether there was one to do. `_writing` is held at its beginning and its end only."""
        with self._writing:
            self._require_ownership()
            if not self._folder.durable:
                self.flush()
            old = states.mergeable(self._folder.kept)
            if not old or self._ending.is_set():
                return False
            entries = self._folder.entries()
            sources = [entries[part] for part in old]
            name = self._folder.name("segment")
            self._folder.underway = frozenset([name, name + storage.PARTIAL, *(entry.dead or "" for entry in sources)])
        try:
            alive = sum(len(part.segment) - (0 if gone is None else int(gone.sum())) for part, gone in old.items())
            with self._folder.writing():
                entry = self._merged(name, sources, alive) if alive else None
                new = self._folder.opened(entry, check=False) if entry is not None else None
            with self._writing:
                if self._ending.is_set():
                    return False
                self._require_ownership()
                if not old.keys() <= set(self._folder.kept.parts):
                    return False  # what was merged is not in the folder any more
                entries = self._folder.entries()
                if new is not None and entry is not None:
                    entries[new] = entry
                kept = states.exchanged(self._folder.kept, old, new)
                manifest = self._folder.commit(kept, entries)
                self._swap(lambda mine, _: states.exchanged(mine, old, new), manifest, kept)
                self._folder.underway = frozenset()
                self._folder.remove_orphans()
        except Unavailable:
            if self._ending.is_set():
                return False
            raise
        finally:
            self._folder.underway = frozenset()
        return True

    def _merged(self, name: str, sources: Sequence[SegmentEntry], rows: int) -> SegmentEntry:
        if rows <= self._apart:
            return write_merged(self._folder.path, name, sources, self._identity.dim)
        self._child = child = Apart(self._folder.path, name, sources, self._identity.dim)
        try:
            if self._ending.is_set():
                child.kill()
            return child.result()
        finally:
            self._child = None

    def _swap(
        self, change: Callable[[Snapshot, Mapping[int, int]], Snapshot], manifest: Manifest, kept: Snapshot
    ) -> None:
        """Put in place what `change` makes of the present snapshot and delta, and what the folder holds now.

        Its new parts are made ready before, so that no reader and no apply waits for it.
        """
        with self._swapping:
            before, delta = self._snapshot, dict(self._delta)
        after = change(before, delta)
        old = [part for part in before.parts if part not in after.parts]
        for part in after.parts:
            if part not in before.parts:
                part.warm(old)
        with self._swapping:
            if self._snapshot is not before:
                after = change(self._snapshot, self._delta)
            self._snapshot, self._folder.manifest, self._folder.kept, self._folder.durable = after, manifest, kept, True
            self._delta = {item: seq for item, seq in self._delta.items() if seq > manifest.watermark}
            self._fixed = frozenset(kept.parts)


def _segment(changes: Iterable[Change], dim: int) -> Segment:
    """Return the passages of changes, whose items differ, as a segment."""
    return build(
        (
            (change.item, change.attributes, passage)
            for change in changes
            if change.attributes is not None
            for passage in change.passages
        ),
        dim,
    )


def peek(folder: Path) -> Stats:
    """Return what the manifest says, without opening the index. Raises IndexDamaged."""
    found = manifests.read(folder)
    while found is not None:
        try:
            dead = [manifests.read_dead(folder, entry) for entry in found.segments]
            return Stats(
                passages=sum(entry.rows for entry in found.segments) - sum(int(d.sum()) for d in dead if d is not None),
                segments=len(found.segments),
                bytes=sum(size for entry in found.segments for size, _ in entry.files.values()),
                watermark=found.watermark,
            )
        except IndexDamaged:
            newer = manifests.read(folder)
            if newer == found:
                raise
            found = newer  # the owner has replaced it since
    return Stats(0, 0, 0, 0)
