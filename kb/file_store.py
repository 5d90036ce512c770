"""Files on disk, each once, under the SHA-256 of what it holds: whole or not there, also after a power cut."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

_DIGEST = re.compile(r"[0-9a-f]{64}")


def digest_of(data: bytes) -> str:
    """Return the SHA-256, hexadecimal: the name that a file has here."""
    return hashlib.sha256(data).hexdigest()


class FileStore:
    """The folder of files. Which of them there should be, the database says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def alone(self) -> AbstractContextManager[object]:
        """Hold off whoever else adds or removes files, in any process: a file and its row come and go together."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / ".lock")

    def path(self, digest: str) -> Path:
        """Return where the file is, if it is there."""
        return self.folder / digest[:2] / digest

    def keep(self, data: bytes) -> str:
        """Write a file durably and return its digest. One that is there already is written anew, which mends it."""
        digest = digest_of(data)
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{uuid4().hex}.part")
        try:
            with partial.open("xb") as written:
                written.write(data)
                written.flush()
                os.fsync(written.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        for folder in (target.parent, self.folder):
            sync(folder)
        return digest

    def remove(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def sound(self, digest: str) -> bool:
        """Say whether the file holds what its name says. Raises FileNotFoundError."""
        with self.path(digest).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == digest

    def leftovers(self) -> Iterator[Path]:
        """Yield all files, those that a killed process has left half written among them."""
        for path in self.folder.glob("??/*"):
            if _DIGEST.fullmatch(path.name) or path.name.endswith(".part"):
                yield path


def sync(path: Path) -> None:
    """Make what a file holds, or a rename in a folder, outlive a power cut."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
