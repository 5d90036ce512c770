"""Files of what was learnt from use: whole or refused by name, and followed while a server runs.

A file is a line of magic, version and SHA-256, then the body.
"""

import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from kb.errors import Misconfigured
from retrieval.local.storage import write_whole

log = logging.getLogger(__name__)

_VERSION = b"1"

T = TypeVar("T")


def seal(path: Path, magic: bytes, body: bytes) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, b" ".join([magic, _VERSION, hashlib.sha256(body).hexdigest().encode()]) + b"\n" + body)


def unseal(path: Path, magic: bytes, kind: str) -> bytes:
    """Return the body.

    Raises Misconfigured, naming the file as a `kind`, for one that is damaged, of another sort or version, and
    FileNotFoundError.
    """
    first, _, body = path.read_bytes().partition(b"\n")
    words = first.split(b" ")
    if len(words) != 3 or words[0] != magic:
        raise refused(path, kind, f"it is not an {kind}")
    if words[1] != _VERSION:
        raise refused(path, kind, f"it has version {words[1].decode('ascii', 'replace')}, this program reads 1")
    if hashlib.sha256(body).hexdigest().encode() != words[2]:
        raise refused(path, kind, "it is damaged: its checksum does not fit")
    return body


def refused(path: Path, kind: str, why: str) -> Misconfigured:
    """Return the error for a file that is not used."""
    return Misconfigured(f"the {kind} {str(path)!r} is refused: {why}; learn it anew with: kb adapt")


class LearntFile(Generic[T]):
    """What a file holds now: read again when the file has changed. Safe to share between threads."""

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        """`read` raises Misconfigured for a file that is refused."""
        self.path = path
        self._reads = read
        self._lock = threading.Lock()
        self._known: tuple[tuple[int, ...] | None, T | None] = (None, None)

    def __call__(self) -> T | None:
        """Return what it holds, None for no file or one that is refused; why is logged once."""
        seen = self._seen()
        known = self._known
        if seen == known[0]:
            return known[1]
        with self._lock:
            if seen != self._known[0]:
                self._known = (seen, self._read())
            return self._known[1]

    def _seen(self) -> tuple[int, ...] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> T | None:
        try:
            return self._reads(self.path)
        except FileNotFoundError:
            return None
        except (Misconfigured, OSError) as error:
            log.warning("questions are searched without it: %s", error)
            return None
