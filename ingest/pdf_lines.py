"""The lines of a PDF page in reading order: words put together, columns told apart, tables taken out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingest.pdf_page import RawPage, Word
from ingest.pdf_tables import grids, rows_of
from ingest.plain import is_wide

_SPACE = 0.2
"""Gap between two words, in parts of the font size, from which a space stands between them."""
_GUTTER = 1.5
"""Gap inside a line, in parts of the font size, that may separate two columns."""
_FEWEST = 8
"""Lines with text on both sides that it takes to call a page two-columned."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text. Positions in points from the page's top left corner."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    size: float
    """Font size of most of it, in points."""
    bold: bool
    right: float = 0.0
    """Where full lines of its column end."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that ruling lines show, as rows of cells."""

    rows: list[list[str]]
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class PageContent:
    """What a page holds, in reading order."""

    items: list[Line | Table]
    height: float
    images: int


def content(page: RawPage) -> PageContent:
    """Return the content of a page in reading order."""
    tables: list[Table] = []
    rest = page.words
    for grid in grids(page.rules):
        inside = [word for word in rest if grid.holds(word)]
        rows = [[_cell(words) for words in row] for row in rows_of(grid, inside)]
        cells = [cell for row in rows for cell in row]
        # A frame around text has a cell or two that say anything: it is no table.
        if sum(map(bool, cells)) >= max(3, len(cells) / 3):
            tables.append(Table([row for row in rows if any(row)], grid.ys[0], grid.ys[-1]))
            taken = set(map(id, inside))
            rest = [word for word in rest if id(word) not in taken]
    items: list[Line | Table] = list(_ordered(_rows(rest), page.width))
    for table in tables:
        at = next((n for n, item in enumerate(items) if item.top >= table.top), len(items))
        items.insert(at, table)
    return PageContent(items, page.height, page.images)


def joined(left: str, right: str) -> str:
    """Return two lines of one paragraph as one: no space between Chinese characters, a hyphenated word made whole."""
    if left.endswith("\u00ad") or (left.endswith(("-", "‐")) and left[-2:-1].isalpha() and right[:1].islower()):
        return left[:-1] + right
    if is_wide(left[-1:]) and is_wide(right[:1]):
        return left + right
    return f"{left} {right}"


def _cell(words: list[Word]) -> str:
    whole = ""
    for row in _rows(words):
        line = _line(row).text
        whole = joined(whole, line) if whole else line
    return whole


def _rows(words: Iterable[Word]) -> list[list[Word]]:
    """Return words as rows: those that overlap by half of their height stand on one."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word.top + word.bottom, word.x0)):
        middle = (word.top + word.bottom) / 2
        if rows and min(w.top for w in rows[-1][-3:]) <= middle <= max(w.bottom for w in rows[-1][-3:]):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [sorted(row, key=lambda word: word.x0) for row in rows]


def _ordered(rows: list[list[Word]], width: float) -> list[Line]:
    """Return lines in reading order: where the page has two columns, the left one before the right one."""
    gutter = _gutter(rows, width)
    if gutter is None:
        return _with_right([_line(row) for row in rows])
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []

    def flush() -> None:
        ordered.extend([*_with_right(left), *_with_right(right)])
        left.clear()
        right.clear()

    for row in rows:
        if any(word.x0 < gutter < word.x1 for word in row):
            flush()
            ordered += _with_right([_line(row)])
            continue
        for side, part in (
            (left, [word for word in row if word.x1 <= gutter]),
            (right, [word for word in row if word.x0 >= gutter]),
        ):
            if part:
                side.append(_line(part))
    flush()
    return ordered


def _gutter(rows: list[list[Word]], width: float) -> float | None:
    """Return the middle of the empty strip between two columns, or None if the page has one column."""
    gaps = []
    for row in rows:
        for one, two in pairwise(row):
            middle = (one.x1 + two.x0) / 2
            if two.x0 - one.x1 > _GUTTER * one.size and 0.3 * width < middle < 0.7 * width:
                gaps.append(middle)
    if len(gaps) < _FEWEST:
        return None
    at = median(gaps)
    both = sum(any(w.x1 <= at for w in row) and any(w.x0 >= at for w in row) for row in rows)
    across = sum(any(w.x0 < at < w.x1 for w in row) for row in rows)
    return at if both >= _FEWEST and both > 2 * across else None


def _line(words: Sequence[Word]) -> Line:
    text = ""
    for previous, word in zip([None, *words], words, strict=False):
        gap = word.x0 - previous.x1 if previous else 0.0
        text += (" " if previous and gap > _SPACE * word.size else "") + word.text
    longest = max(words, key=lambda word: len(word.text))
    letters = sum(len(word.text) for word in words)
    bold = sum(len(word.text) for word in words if word.bold) > letters / 2
    return Line(
        text=text,
        x0=words[0].x0,
        x1=words[-1].x1,
        top=min(word.top for word in words),
        bottom=max(word.bottom for word in words),
        size=round(longest.size, 1),
        bold=bold,
    )


def _with_right(lines: list[Line]) -> list[Line]:
    """Return lines that know where full lines end: as far right as the longest tenth of them."""
    if not lines:
        return []
    ends = sorted(line.x1 for line in lines)
    right = ends[int(len(ends) * 0.9)] if len(ends) > 3 else ends[-1]
    return [
        Line(line.text, line.x0, line.x1, line.top, line.bottom, line.size, line.bold, max(right, line.x1))
        for line in lines
    ]
