"""The manifest: one file that names all that the index is made of. Replacing it is the commit."""

import json
import re
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kb.errors import shown
from retrieval.local import storage
from retrieval.local.errors import IndexDamaged, IndexMismatch
from retrieval.local.segment import ARRAYS, Bools, Segment

NAME = "manifest.json"
VERSION = 1
_META = "meta.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """What an index was made from. Two indexes of different identity do not mix."""

    dim: int
    generation: int
    fingerprint: str
    analyzer: str
    database_id: str


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A segment's folder, its files with size and CRC-32, and the file of its dead rows."""

    name: str
    rows: int
    files: Mapping[str, tuple[int, int]]
    dead: str | None = None
    dead_crc: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    identity: Identity
    watermark: int = 0
    serial: int = 0
    """Grows with every commit; names of new files hold it, so that none is ever used twice."""
    segments: tuple[SegmentEntry, ...] = field(default_factory=tuple)


def read(folder: Path) -> Manifest | None:
    """Return the manifest of a folder, None if it has none yet. Raises IndexDamaged."""
    path = folder / NAME
    try:
        document = json.loads(path.read_bytes())
        if document["version"] != VERSION:
            raise IndexDamaged(
                f"{shown(str(path))} has version {shown(document['version'])}, this program reads {VERSION}"
            )
        if document.pop("crc") != _crc(document):
            raise IndexDamaged(f"{shown(str(path))} is not what was written")
        return Manifest(
            identity=Identity(**document["identity"]),
            watermark=int(document["watermark"]),
            serial=int(document["serial"]),
            segments=tuple(entry_of(entry) for entry in document["segments"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexDamaged(f"{shown(str(path))} cannot be read: {error}") from error


def commit(folder: Path, manifest: Manifest) -> None:
    """Make `manifest` the state of the folder, at once and durably."""
    document = {
        "version": VERSION,
        "identity": asdict(manifest.identity),
        "watermark": manifest.watermark,
        "serial": manifest.serial,
        "segments": [asdict(entry) for entry in manifest.segments],
    }
    storage.write_json(folder / NAME, {**document, "crc": _crc(document)})


def entry_of(document: Mapping[str, Any]) -> SegmentEntry:
    """Return the entry that `asdict` made this of, by way of JSON. Raises what a wrong document raises."""
    return SegmentEntry(
        name=document["name"],
        rows=int(document["rows"]),
        files={name: (int(size), int(crc)) for name, (size, crc) in document["files"].items()},
        dead=document["dead"],
        dead_crc=int(document["dead_crc"]),
    )


def last_serial(folder: Path) -> int:
    """Return the highest serial that anything in the folder has, its manifest may be damaged; 0 where there is none."""
    names = (re.match(r"(?:segment|dead)-(\d+)-", path.name) for path in folder.iterdir())
    serials = [int(name[1]) for name in names if name is not None]
    try:
        found = read(folder)
    except IndexDamaged:
        found = None
    return max([*serials, found.serial if found is not None else 0])


def is_there(folder: Path, entry: SegmentEntry) -> bool:
    """Return whether the files of an entry are in the folder, each of its size. Their content is not read."""
    sizes = {f"{entry.name}/{name}": size for name, (size, _) in entry.files.items()}
    if entry.dead is not None:
        sizes[entry.dead] = (entry.rows + 7) // 8
    try:
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except OSError:
        return False


def _crc(document: dict[str, Any]) -> int:
    """Return the CRC-32 of what a manifest says, whatever the order of its keys."""
    return zlib.crc32(json.dumps(document, ensure_ascii=True, sort_keys=True).encode())


def check_identity(folder: Path, found: Identity, wanted: Identity) -> None:
    """Raise IndexMismatch, naming what differs, unless the index is one of this kind."""
    different = [name for name, value in asdict(wanted).items() if getattr(found, name) != value]
    if different:
        name = different[0]
        raise IndexMismatch(
            f"the index in {shown(str(folder))} was made with {name} {shown(getattr(found, name))}, "
            f"not {shown(getattr(wanted, name))}"
        )


def write_segment(folder: Path, name: str, segment: Segment) -> SegmentEntry:
    """Write a segment's folder under a temporary name, make it durable, give it its name."""
    partial = folder / (name + storage.PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for array in ARRAYS:
        np.save(partial / f"{array}.npy", getattr(segment, array), allow_pickle=False)
        storage.sync_file(partial / f"{array}.npy")
    meta = {"words": segment.words, "labels": segment.labels}
    (partial / _META).write_text(json.dumps(meta, ensure_ascii=True), encoding="ascii")
    storage.sync_file(partial / _META)
    storage.sync_folder(partial)
    storage.replace(partial, folder / name)
    files = {path.name: (path.stat().st_size, storage.checksum(path)) for path in sorted((folder / name).iterdir())}
    return SegmentEntry(name=name, rows=len(segment), files=files)


def open_segment(folder: Path, entry: SegmentEntry, *, check: bool = True, coarse: bool = False) -> Segment:
    """Return a segment memory-mapped, to be scanned coarsely or not.

    Raises IndexDamaged, naming the file, if it is not what was written.
    """
    place = folder / entry.name
    wanted = {f"{array}.npy" for array in ARRAYS} | {_META}
    if set(entry.files) != wanted:
        raise IndexDamaged(f"the manifest of {shown(str(folder))} does not name the files of {entry.name}")
    for name, (size, crc) in entry.files.items():
        path = place / name
        try:
            if path.stat().st_size != size or (check and storage.checksum(path) != crc):
                raise IndexDamaged(f"{shown(str(path))} is not what was written")
        except OSError as error:
            raise IndexDamaged(f"{shown(str(path))} cannot be read: {error.strerror}") from error
    try:
        arrays: dict[str, Any] = {name: _load(place / f"{name}.npy") for name in ARRAYS}
        meta = json.loads((place / _META).read_bytes())
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{shown(str(place))} cannot be read: {error}") from error
    return Segment(
        **arrays,
        words=tuple(meta["words"]),
        labels=tuple((facet, value) for facet, value in meta["labels"]),
        coarse=coarse,
    )


def _load(path: Path) -> Any:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    return np.asarray(array) if array.nbytes else np.array(array)


def write_dead(folder: Path, name: str, dead: Bools) -> int:
    """Write the bitmap of dead rows; return its CRC-32."""
    path = folder / name
    storage.write_whole(path, np.packbits(dead).tobytes())
    return storage.checksum(path)


def read_dead(folder: Path, entry: SegmentEntry) -> Bools | None:
    """Return which rows are dead, None for none. Raises IndexDamaged."""
    if entry.dead is None:
        return None
    path = folder / entry.dead
    try:
        data = path.read_bytes()
        if len(data) != (entry.rows + 7) // 8 or storage.checksum(path) != entry.dead_crc:
            raise IndexDamaged(f"{shown(str(path))} is not what was written")
    except OSError as error:
        raise IndexDamaged(f"{shown(str(path))} cannot be read: {error.strerror}") from error
    return np.unpackbits(np.frombuffer(data, np.uint8), count=entry.rows).astype(np.bool_)
