"""Which files are taken, told by what they hold and never by their name; and names that are safe to give them."""

import re
import unicodedata
from dataclasses import dataclass

from kb.errors import InvalidInput, shown

MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class FileType:
    """A type of files. `endings`: of their names, the usual one first."""

    media: str
    endings: tuple[str, ...]
    picture: bool = False
    """A browser shows it inside a page; all others are downloads."""


PNG = FileType("image/png", (".png",), picture=True)
JPEG = FileType("image/jpeg", (".jpg", ".jpeg"), picture=True)
GIF = FileType("image/gif", (".gif",), picture=True)
WEBP = FileType("image/webp", (".webp",), picture=True)
PDF = FileType("application/pdf", (".pdf",))
ZIP = FileType("application/zip", (".zip", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp"))
TEXT = FileType("text/plain", (".txt", ".csv", ".tsv", ".log", ".md", ".json", ".yaml", ".yml", ".ini", ".conf"))

TYPES = {kind.media: kind for kind in (PNG, JPEG, GIF, WEBP, PDF, ZIP, TEXT)}

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", PNG), (b"\xff\xd8\xff", JPEG), (b"GIF87a", GIF), (b"GIF89a", GIF), (b"%PDF-", PDF),
    (b"PK\x03\x04", ZIP), (b"PK\x05\x06", ZIP),
)  # fmt: skip
_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|svg|script)\b", re.IGNORECASE)
_MARKUP_WITHIN = 4096
_CONTROL = bytes(set(range(32)) - set(b"\t\n\f\r"))
_UNSAFE = re.compile(r"[^\w.-]+|\.{2,}")


def type_of(data: bytes, name: str) -> FileType:
    """Return the type of a file that holds `data`. Raises InvalidInput, naming the file, for one that is not taken.

    SVG and HTML are refused: both may hold scripts, and cleaning them would be a second sanitiser to keep sound.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data and _is_text(data):
        if _MARKUP.search(data[:_MARKUP_WITHIN]):
            raise InvalidInput(
                f"{shown(name)} is SVG or HTML, which may hold scripts: send a picture as PNG, a page as PDF",
                field="file",
            )
        return TEXT
    what = "is empty" if not data else "is of no type that is taken"
    raise InvalidInput(f"{shown(name)} {what}: send PNG, JPEG, GIF, WebP, PDF, ZIP or plain text", field="file")


def safe_name(name: str, kind: FileType) -> str:
    """Return the last part of a name in letters, digits, dots and hyphens, with an ending of its type.

    The ending is what a reader's system goes by: a text named `invoice.exe` becomes `invoice.exe.txt`.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    plain = _UNSAFE.sub("-", last).rstrip("-._")
    stem, dot, ending = plain.rpartition(".")
    if not dot or f".{ending.lower()}" not in kind.endings:
        stem, ending = plain, kind.endings[0].removeprefix(".")
    return f"{stem[: MAX_NAME - len(ending) - 1].strip('-._') or 'file'}.{ending.lower()}"


def _is_text(data: bytes) -> bool:
    """Say whether it is text in UTF-8, or in GB 18030 as Chinese spreadsheets still write it."""
    if len(data.translate(None, _CONTROL)) < len(data):
        return False
    for encoding in ("utf-8", "gb18030"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False
