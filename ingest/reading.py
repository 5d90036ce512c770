"""Bytes and lines of files, within limits, as text: what all sources share."""

import codecs
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

from ingest.document import Limits
from kb.errors import TooLarge, UnreadableSource, shown

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 1 << 18
"""Bytes that an encoding is told from."""
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\xfe]")
_COMMON = {"gb18030": range(0xB0, 0xD8), "big5": range(0xA4, 0xC7)}
"""First bytes of the common characters of an encoding of Chinese."""
_MOSTLY = 0.9
_FEW = 0.2
_SURELY_KOREAN = 400
_KOREAN = ("cp949", "euc_kr", "johab")


def checked_size(path: Path, limit: int) -> int:
    """Return the size of a file in bytes. Raises TooLarge over `limit`, UnreadableSource if it is no file."""
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableSource(f"{shown(path.name)} cannot be read: {error.strerror or error}") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableSource(f"{shown(path.name)} is not a regular file")
    if status.st_size > limit:
        raise TooLarge(
            f"{shown(path.name)} has {status.st_size:,} bytes; the limit is {limit:,}: split it, or raise the limit"
        )
    return status.st_size


def file_bytes(path: Path, limit: int) -> bytes:
    """Return the content of a file. Raises TooLarge over `limit` bytes, UnreadableSource for an empty file."""
    checked_size(path, limit)
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UnreadableSource(f"{shown(path.name)} cannot be read: {error.strerror or error}") from error
    if len(data) > limit:
        raise TooLarge(f"{shown(path.name)} has more than {limit:,} bytes: split it, or raise the limit")
    if not data.strip():
        raise UnreadableSource(f"{shown(path.name)} is empty")
    return data


def file_text(path: Path, limits: Limits) -> tuple[str, tuple[str, ...]]:
    """Return a file as text with newlines as \\n, and what there is to say about its encoding.

    Raises TooLarge, or UnreadableSource if it is empty, holds NUL bytes or is in no encoding that can be told.
    """
    return decoded(file_bytes(path, limits.file_bytes), path.name)


def decoded(data: bytes, name: str, *, encoding: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Return bytes as text, and a warning if they are not UTF-8.

    The encoding is UTF-8, or what a byte order mark says, or `encoding` (what the file says of itself), or what
    charset-normalizer finds. Raises UnreadableSource naming `name`.
    """
    if encoding is None or _marked(data) or _fits(data, "utf-8", whole=True):
        encoding = encoding_of(data[:_SAMPLE], name, whole=len(data) <= _SAMPLE)
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise UnreadableSource(f"{shown(name)} is not {encoding} throughout: save it as UTF-8") from error
    if "\0" in text:
        raise UnreadableSource(f"{shown(name)} holds NUL bytes: it is not a text file")
    warnings = () if encoding.startswith("utf") else (f"not UTF-8: read as {encoding}",)
    return text.replace("\r\n", "\n").replace("\r", "\n"), warnings


def encoding_of(sample: bytes, name: str, *, whole: bool) -> str:
    """Return the encoding of a text that starts with `sample` (`whole`: that is all of it).

    Raises UnreadableSource if none can be told.
    """
    if marked := _marked(sample):
        return marked
    if _fits(sample, "utf-8", whole):
        return "utf-8"
    if b"\0" in sample:
        raise UnreadableSource(f"{shown(name)} holds NUL bytes: it is not a text file")
    best = from_bytes(sample, threshold=0.1).best()
    # Short Chinese texts are often taken for Korean: their bytes overlap. This product's own languages come first.
    if best is None or best.encoding not in _KOREAN or len(sample) < _SURELY_KOREAN:
        for encoding in _COMMON:
            if _share_common(sample, encoding) > _MOSTLY and _fits(sample, encoding, whole):
                return encoding
    if best is None:
        raise UnreadableSource(f"{shown(name)} is in no encoding that can be told: save it as UTF-8")
    # A few accented letters among ASCII are too little to tell the Latin code pages apart: the common one it is.
    beyond = sum(byte >= 0x80 for byte in sample)
    return "cp1252" if beyond < len(sample) * _FEW and _fits(sample, "cp1252", whole) else best.encoding


def text_lines(path: Path, limits: Limits) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line with its newline) of an export, as a stream.

    Bytes that the file's encoding does not know come as lone surrogates, so that one bad record is told apart from the
    rest. Raises TooLarge for the file or a line over the limits, UnreadableSource if nothing can be read.
    """
    checked_size(path, limits.export_bytes)
    # Most characters that a record may have: its text, escaped (\\uXXXX), and as much again around it.
    longest = limits.document_characters * 8
    try:
        with path.open("rb") as file:
            sample = file.read(_SAMPLE)
        if not sample.strip():
            raise UnreadableSource(f"{shown(path.name)} is empty")
        encoding = encoding_of(sample, path.name, whole=len(sample) < _SAMPLE)
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as lines:
            number = 0
            while line := lines.readline(longest + 1):
                number += 1
                if len(line) > longest:
                    raise TooLarge(
                        f"line {number} of {shown(path.name)} has more than {longest:,} characters: split the record"
                    )
                yield number, line
    except OSError as error:
        raise UnreadableSource(f"{shown(path.name)} cannot be read: {error.strerror or error}") from error


def is_text(line: str) -> bool:
    """Say whether a line from `text_lines` was in the file's encoding throughout."""
    if line.isascii():
        return True
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _marked(data: bytes) -> str | None:
    return next((encoding for mark, encoding in _BOMS if data.startswith(mark)), None)


def _fits(sample: bytes, encoding: str, whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _share_common(sample: bytes, encoding: str) -> float:
    """Return how many of the two-byte characters, Chinese punctuation aside, are common ones of this encoding."""
    pairs = [pair[0] for pair in _PAIR.findall(sample) if pair[0] not in range(0xA1, 0xA4)]
    return sum(first in _COMMON[encoding] for first in pairs) / len(pairs) if pairs else 0.0


def head(path: Path, ending: str, most: int) -> str:
    """Return the first `most` bytes of a file of this ending as text, to tell its format by; nothing for any other."""
    if path.suffix.lower() != ending or not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(most).decode("utf-8", "ignore")
