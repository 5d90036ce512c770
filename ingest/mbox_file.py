"""Where each mail of an mbox archive lies, plain or packed with gzip, without holding the archive in memory."""

import gzip
import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingest.document import Limits
from ingest.reading import checked_size
from kb.errors import TooLarge, UnreadableSource, shown

_ENVELOPE = re.compile(rb"From \S.*\d{1,2}:\d\d.*\d{4}")
"""The line before a mail: `From`, whoever sent it and when. Text that begins with `From` has no such end."""
_FIELD = re.compile(rb"[!-9;-~]+:|>From ")
_LONGEST_LINE = 1 << 20
_CHUNK = 1 << 20
_LOOK = 1 << 12


@dataclass(frozen=True, slots=True)
class Place:
    """A mail in its archive: line (from 1) and end of what is before it, and the bytes of the mail itself."""

    line: int
    start: int
    end: int
    envelope: bytes


def begins_with_mail(path: Path) -> bool:
    """Say whether a file, packed or not, begins as an mbox archive does."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            lines = file.read(_LOOK).lstrip(b"\r\n").split(b"\n", 2)
    except (OSError, EOFError, zlib.error):
        return False
    return len(lines) > 1 and bool(_ENVELOPE.match(lines[0]) and _FIELD.match(lines[1]))


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[BinaryIO]:
    """Open an archive for reading at any place; what is packed is unpacked into a temporary file.

    Raises TooLarge over the limits, UnreadableSource for what is broken.
    """
    if not checked_size(path, limits.export_bytes):
        raise UnreadableSource(f"{shown(path.name)} is empty")
    if path.suffix.lower() != ".gz":
        with path.open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as unpacked:
        try:
            with gzip.open(path) as packed:
                while chunk := packed.read(_CHUNK):
                    unpacked.write(chunk)
                    if unpacked.tell() > limits.unpacked_bytes:
                        raise TooLarge(
                            f"{shown(path.name)} unpacks to more than {limits.unpacked_bytes:,} bytes: unpack it first"
                        )
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UnreadableSource(f"{shown(path.name)} cannot be unpacked: {error}: pack it again") from error
        yield unpacked


def places(file: BinaryIO, name: str) -> Iterator[Place]:
    """Yield the place of each mail in order. Raises UnreadableSource, naming `name`, if the file begins otherwise.

    `From` begins a mail where it stands after an empty line, ends with a time and is followed by a field of a header.
    """
    file.seek(0)
    number, blank, whole = 0, True, True
    begun: Place | None = None
    told: Place | None = None
    while line := file.readline(_LONGEST_LINE):
        number += whole
        after = file.tell()
        if told and _FIELD.match(line):
            if begun:
                yield Place(begun.line, begun.start, told.end, begun.envelope)
            begun = told
        elif begun is None and (told or (line.strip() and not _ENVELOPE.match(line))):
            raise UnreadableSource(
                f"line {number} of {shown(name)} does not begin a mail ('From ' and a time, then its header): "
                "export it as mbox again"
            )
        starts = whole and blank and _ENVELOPE.match(line)
        told = Place(number, after, after - len(line), line.strip()) if starts else None
        blank, whole = not line.strip(), line.endswith(b"\n")
    if begun is None:
        raise UnreadableSource(f"{shown(name)} holds no mail: export it as mbox again")
    yield Place(begun.line, begun.start, file.tell(), begun.envelope)
