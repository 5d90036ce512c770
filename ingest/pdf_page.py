"""What a PDF page holds as PDFium sees it: words with their places and type, and the ruling lines.

Places are in points from the top left corner of the page as it is shown.
"""

import ctypes
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ingest.plain import is_wide

_THIN = 2.0
"""Widest that a ruling line may be, in points."""
_MOST_SEGMENTS = 20_000
"""Path segments looked at on one page: a map or drawing has more than any table."""
_WRONG_ANGLE = 0.2
"""Radians that a word may lean: what leans more is a watermark or a label in a drawing."""
# Ligatures and Kangxi radicals look like letters and characters and are not found as them.
_LOOKALIKES = re.compile("[\ufb00-\ufb06\u2e80-\u2fdf]")
_FAR = 3.0
"""Distance between two characters of a word, in parts of the font size, beyond which they are two words."""
_HYPHEN = 2
"""What PDFium gives for a hyphen that divides a word at the end of a line."""


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    size: float
    bold: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal or vertical line: of the two extents one is (nearly) none."""

    x0: float
    x1: float
    top: float
    bottom: float

    @property
    def horizontal(self) -> bool:
        return self.x1 - self.x0 > self.bottom - self.top


@dataclass(frozen=True, slots=True)
class RawPage:
    words: list[Word]
    rules: list[Rule]
    width: float
    height: float
    images: int
    unmapped: int
    """Characters whose font does not say what they are."""


class _Frame:
    """Turns PDF coordinates (from the bottom left, unrotated) into places on the page as it is shown."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        self.rotation = page.get_rotation() % 360
        self._left, self._bottom, self._right, self._top = page.get_cropbox()
        self.width, self.height = page.get_size()

    def place(self, x: float, y: float) -> tuple[float, float]:
        match self.rotation:
            case 90:
                return y - self._bottom, x - self._left
            case 180:
                return self._right - x, y - self._bottom
            case 270:
                return self._top - y, self._right - x
        return x - self._left, self._top - y


def read_page(page: pdfium.PdfPage) -> RawPage:
    """Return what a page holds."""
    frame = _Frame(page)
    text = page.get_textpage()
    try:
        words, unmapped = _words(text, frame)
    finally:
        text.close()
    objects = list(page.get_objects(max_depth=1))
    images = sum(item.type == raw.FPDF_PAGEOBJ_IMAGE for item in objects)
    return RawPage(words, list(_rules(objects, frame)), frame.width, frame.height, images, unmapped)


def _words(text: Any, frame: _Frame) -> tuple[list[Word], int]:
    words: list[Word] = []
    unmapped = 0
    letters: list[str] = []
    first = last = 0
    size, bold = 1.0, False
    before = (0.0, 0.0)
    for at in range(text.count_chars()):
        code = raw.FPDFText_GetUnicode(text.raw, at)
        if code in (0, 0xFFFD) or 0xE000 <= code <= 0xF8FF:
            unmapped += 1
            continue
        blank = (code <= 32 and code != _HYPHEN) or code in (0xA0, 0x3000)
        place = before if blank else _origin(text, at)
        # PDFium puts a divided word together over the end of the line; here lines are put together later.
        if letters and (blank or _apart(before, place, size, frame)):
            words += _word(text, "".join(letters), first, last, size, bold, frame)
            letters = []
        if blank:
            continue
        if not letters:
            first = at
            size, bold = _type(text, at)
        last, before = at, place
        letters.append("-" if code in (_HYPHEN, 0xFFFE) else chr(code))
    if letters:
        words += _word(text, "".join(letters), first, last, size, bold, frame)
    return words, unmapped


def _apart(one: tuple[float, float], two: tuple[float, float], size: float, frame: _Frame) -> bool:
    """Say whether two characters in a row stand on different lines, or far apart on one."""
    along, across = abs(two[0] - one[0]), abs(two[1] - one[1])
    if frame.rotation in (90, 270):
        along, across = across, along
    return across > size / 2 or along > _FAR * size


def _word(text: Any, letters: str, first: int, last: int, size: float, bold: bool, frame: _Frame) -> Iterator[Word]:
    """Yield the word of the characters from `first` to `last`, unless it leans."""
    lean = math.remainder(raw.FPDFText_GetCharAngle(text.raw, first) + math.radians(frame.rotation), math.tau)
    if abs(lean) > _WRONG_ANGLE:
        return
    # The glyph of a full-width comma fills half of its width: the width counts, or full lines look short.
    width = size if is_wide(letters[-1]) else None
    x0, base = frame.place(*_origin(text, first))
    x1, _ = frame.place(*_far_side(text, last, width))
    spelled = letters.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    spelled = _LOOKALIKES.sub(lambda found: unicodedata.normalize("NFKC", found[0]), spelled)
    yield Word(spelled, min(x0, x1), max(x0, x1), base - 0.8 * size, base + 0.2 * size, size, bold)


def _origin(text: Any, at: int) -> tuple[float, float]:
    x, y = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharOrigin(text.raw, at, x, y)
    return x.value, y.value


def _far_side(text: Any, at: int, width: float | None) -> tuple[float, float]:
    """Return where a character ends on its base line; `width` in points if it is known."""
    angle = raw.FPDFText_GetCharAngle(text.raw, at)
    if width is None:
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        raw.FPDFText_GetCharBox(text.raw, at, left, right, bottom, top)
        width = right.value - left.value if abs(math.cos(angle)) > 0.5 else top.value - bottom.value
    x, y = _origin(text, at)
    return x + math.cos(angle) * width, y - math.sin(angle) * width


def _type(text: Any, at: int) -> tuple[float, bool]:
    """Return the size in points of a character's type, and whether it is bold."""
    item = raw.FPDFText_GetTextObject(text.raw, at)
    size, matrix = ctypes.c_float(), raw.FS_MATRIX()
    if not item or not raw.FPDFTextObj_GetFontSize(item, size) or not raw.FPDFPageObj_GetMatrix(item, matrix):
        return max(1.0, raw.FPDFText_GetFontSize(text.raw, at)), False
    font = raw.FPDFTextObj_GetFont(item)
    name = ctypes.create_string_buffer(128)
    raw.FPDFFont_GetBaseFontName(font, name, len(name))
    bold = b"bold" in name.value.lower() or b"heavy" in name.value.lower() or raw.FPDFFont_GetWeight(font) >= 700
    return max(1.0, round(size.value * math.hypot(matrix.c, matrix.d), 1)), bold


def _rules(objects: list[Any], frame: _Frame) -> Iterator[Rule]:
    left = _MOST_SEGMENTS
    for item in objects:
        if item.type != raw.FPDF_PAGEOBJ_PATH:
            continue
        x0, y0, x1, y1 = item.get_bounds() if hasattr(item, "get_bounds") else item.get_pos()
        if min(x1 - x0, y1 - y0) <= _THIN:
            if max(x1 - x0, y1 - y0) > _THIN:
                yield _rule(frame.place(x0, y0), frame.place(x1, y1))
            continue
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        raw.FPDFPath_GetDrawMode(item.raw, fill, stroke)
        if stroke.value and left > 0:
            segments = raw.FPDFPath_CountSegments(item.raw)
            left -= segments
            yield from _segments(item, min(segments, _MOST_SEGMENTS), frame)


def _segments(item: Any, count: int, frame: _Frame) -> Iterator[Rule]:
    """Yield the straight sides of a stroked path that run along the page."""
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(item.raw, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    start = previous = (0.0, 0.0)
    for at in range(count):
        segment = raw.FPDFPath_GetPathSegment(item.raw, at)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = frame.place(
            matrix.a * x.value + matrix.c * y.value + matrix.e, matrix.b * x.value + matrix.d * y.value + matrix.f
        )
        if raw.FPDFPathSegment_GetType(segment) == raw.FPDF_SEGMENT_LINETO:
            yield from _straight(previous, point)
            if raw.FPDFPathSegment_GetClose(segment):
                yield from _straight(point, start)
        else:
            start = point
        previous = point


def _straight(one: tuple[float, float], two: tuple[float, float]) -> Iterator[Rule]:
    wide, high = abs(one[0] - two[0]), abs(one[1] - two[1])
    if min(wide, high) <= _THIN < max(wide, high):
        yield _rule(one, two)


def _rule(one: tuple[float, float], two: tuple[float, float]) -> Rule:
    return Rule(min(one[0], two[0]), max(one[0], two[0]), min(one[1], two[1]), max(one[1], two[1]))
