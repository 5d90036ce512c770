"""The folder of an index as one process uses it: the right to write it, what it holds, how that is replaced.

Nothing here is safe to call from two threads at once; LocalIndex sees to that.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

from filelock import FileLock, Timeout

from kb.errors import Unavailable
from retrieval.local import manifest as manifests
from retrieval.local import states, storage
from retrieval.local.errors import IndexDamaged
from retrieval.local.manifest import Identity, Manifest, SegmentEntry
from retrieval.local.results import MOST
from retrieval.local.snapshot import Part, Snapshot

log = logging.getLogger(__name__)

LOCK = "writer.lock"


class Folder:
    """What a process knows of the folder, and what it does there."""

    def __init__(self, path: Path, identity: Identity, *, coarse: bool = False, results: int = MOST) -> None:
        """`coarse`: as `LocalIndex.open` has it. `results`: how many results each snapshot keeps."""
        self._coarse = coarse
        self.path = path
        self.identity = identity
        self.manifest = Manifest(identity)
        """The last manifest that this process wrote or took over, less what is not in the folder any more."""
        self.kept = states.empty(identity.dim, identity.generation, results=results)
        """What `manifest` names, part by part."""
        self.durable = False
        """Whether the manifest in the folder is `manifest`; known to the owner."""
        self.serial = 0
        """The highest seen in the folder or tried."""
        self.underway: frozenset[str] = frozenset()
        """Names of what a merge reads and writes that no manifest may name."""
        self._lock = FileLock(path / LOCK, thread_local=False)  # the process has it, whichever thread took it
        self._locked: tuple[int, int] | None = None
        """The lock file as it was when locked: of a folder that was removed since, the lock is worth nothing."""

    @property
    def owned(self) -> bool:
        """Whether this process has the right to write."""
        return self._lock.is_locked and self._lock_file() == self._locked

    def own(self) -> bool:
        """Take the right to write, or say that another process has it."""
        self.release()
        with self.writing():
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                return False
        self._locked = self._lock_file()
        return True

    def release(self) -> None:
        self._lock.release(force=True)

    def entries(self) -> dict[Part, SegmentEntry]:
        """Return the entries of the parts that are on disk."""
        return dict(zip(self.kept.parts, self.manifest.segments, strict=True))

    def newer(self) -> tuple[Manifest, Snapshot] | None:
        """Return the state in the folder if it is newer than all seen there, whole, and not behind `manifest`.

        Raises IndexMismatch if it is one of another make.
        """
        try:
            found = manifests.read(self.path)
            if found is None or found.serial <= self.serial:
                return None
            manifests.check_identity(self.path, found.identity, self.identity)
            self.serial = found.serial  # one that is refused is not read again
            if found.watermark < self.manifest.watermark:
                return None
            found, state = self.whole(found)
            self.serial = found.serial
        except IndexDamaged as error:
            log.warning("%s; what is in memory stays in use", error.message)
            return None
        return (found, state) if found.watermark >= self.manifest.watermark else None

    def whole(self, found: Manifest) -> tuple[Manifest, Snapshot]:
        """Return the state that a manifest names, or that of a newer one. Raises IndexDamaged, IndexMismatch.

        The owner may merge and remove files after the manifest was read; then there is a newer one.
        """
        while True:
            manifests.check_identity(self.path, found.identity, self.identity)
            try:
                return found, self._load(found)
            except IndexDamaged:
                newer = manifests.read(self.path)
                if newer is None or newer == found:
                    raise
                found = newer

    def _load(self, manifest: Manifest) -> Snapshot:
        """Open what a manifest names; parts that are open already are shared."""
        have = {
            entry.name: (entry.files, part) for entry, part in zip(self.manifest.segments, self.kept.parts, strict=True)
        }
        dim, generation = self.identity.dim, self.identity.generation
        state = states.empty(dim, generation, manifest.watermark, results=self.kept.most_results)
        for entry in manifest.segments:
            files, part = have.get(entry.name, (None, None))
            if part is None or files != entry.files:
                part = self.opened(entry)
            state = states.added(state, part, manifests.read_dead(self.path, entry))
        return state

    def opened(self, entry: SegmentEntry, *, check: bool = True) -> Part:
        return Part(manifests.open_segment(self.path, entry, check=check, coarse=self._coarse))

    def look(self) -> None:
        """See whether the folder holds what this process thinks; what it does not hold will be written again."""
        try:
            found = manifests.read(self.path) or Manifest(self.identity)
        except IndexDamaged as error:
            log.warning("%s; it will be written again", error.message)
            found = None
        self.durable = found == self.manifest
        there = [manifests.is_there(self.path, entry) for entry in self.manifest.segments]
        if not all(there):
            log.warning("segments are missing in %r; they will be written again", str(self.path))
            here = [place for place, is_there in enumerate(there) if is_there]
            self.durable = False
            self.manifest = replace(self.manifest, segments=tuple(self.manifest.segments[at] for at in here))
            self.kept = replace(
                self.kept,
                parts=tuple(self.kept.parts[at] for at in here),
                dead=tuple(self.kept.dead[at] for at in here),
            )

    def name(self, kind: str) -> str:
        """Return a name for a file that no other has: another process may have died at this same serial."""
        return f"{kind}-{self.serial + 1:08}-{token_hex(4)}"

    def commit(self, state: Snapshot, entries: Mapping[Part, SegmentEntry]) -> Manifest:
        """Make `state`, of which all parts are on disk, what the folder holds. Readers see what they saw."""
        before = dict(zip(self.kept.parts, self.kept.dead, strict=True))
        named: list[SegmentEntry] = []
        with self.writing():
            for part, dead in zip(state.parts, state.dead, strict=True):
                entry = entries[part]
                if dead is not None and dead is not before.get(part):
                    bitmap = self.name("dead")
                    entry = replace(entry, dead=bitmap, dead_crc=manifests.write_dead(self.path, bitmap, dead))
                named.append(entry)
            # Not the serial of an attempt that failed: its manifest may be the one on disk.
            self.serial += 1
            manifest = Manifest(self.identity, state.watermark, self.serial, tuple(named))
            manifests.commit(self.path, manifest)
        return manifest

    def remove_orphans(self) -> None:
        """Remove files that the manifest does not name: of a crash, or of the state before. Only the owner may."""
        if not self.durable:
            return  # the manifest in the folder is another: its files are needed until it is replaced
        named = {manifests.NAME, LOCK, *self.underway}
        for entry in self.manifest.segments:
            named |= {entry.name, *([entry.dead] if entry.dead else [])}
        for path in self.path.iterdir():
            if path.name not in named and path.name.startswith(("segment-", "dead-", manifests.NAME)):
                storage.remove(path)

    @contextmanager
    def writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"the index in {str(self.path)!r} could not be written: {error.strerror or error}; nothing is lost"
            ) from error

    def _lock_file(self) -> tuple[int, int] | None:
        try:
            status = (self.path / LOCK).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino
