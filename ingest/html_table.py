"""Tables of HTML as pipe tables: cells over several columns or rows are laid out, so that each row reads by itself."""

import re
from collections import deque

from lxml.html import HtmlElement

from kb.errors import TooLarge

_BOLD = re.compile(r"\A\*\*([^*]+)\*\*\Z")
_LONGEST_HEADER = 60
_MOST_SPAN = 64
_MOST_CELLS = 100_000


def cells_of(table: HtmlElement) -> list[list[HtmlElement]]:
    """Return the cells of a table by row, without those of tables inside it."""
    rows = [row for row in table.iter("tr") if next(row.iterancestors("table"), None) is table]
    return [[cell for cell in row if cell.tag in ("td", "th")] for row in rows]


def pipe_table(cells: list[list[HtmlElement]], texts: list[list[str]]) -> str:
    """Return a table as Markdown, given what each cell says on one line; empty rows and columns are left out.

    A table that marks no header gets an empty one, since Markdown wants one. Raises TooLarge.
    """
    grid = [row for row in _grid(cells, texts) if any(row)]
    if not grid:
        return ""
    used = [at for at, _ in enumerate(grid[0]) if any(row[at] for row in grid)]
    grid = [[row[at] for at in used] for row in grid]
    header, body = (grid[0], grid[1:]) if _has_header(cells, grid) else ([""] * len(used), grid)
    header = [_BOLD.sub(r"\1", cell) for cell in header]
    return "\n".join([_row(header), _row(["---"] * len(used)), *map(_row, body)])


def _grid(cells: list[list[HtmlElement]], texts: list[list[str]]) -> list[list[str]]:
    """Return the rows, all of one length; a cell over several rows says itself in each of them."""
    grid: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}
    size = 0
    for row, said in zip(cells, texts, strict=True):
        line: list[str] = []
        todo = deque(zip(row, said, strict=True))
        while todo or len(line) in below:
            if len(line) in below:
                left, text = below.pop(len(line))
                if left > 1:
                    below[len(line)] = (left - 1, text)
                line.append(text)
                continue
            cell, text = todo.popleft()
            rows = _span(cell, "rowspan")
            for content in [text, *[""] * (_span(cell, "colspan") - 1)]:
                if rows > 1:
                    below[len(line)] = (rows - 1, content)
                line.append(content)
        grid.append(line)
        size += len(line)
        if size > _MOST_CELLS:
            raise TooLarge(f"a table has more than {_MOST_CELLS:,} cells: split it")
    width = max(map(len, grid), default=0)
    if width * len(grid) > _MOST_CELLS:
        raise TooLarge(f"a table has more than {_MOST_CELLS:,} cells: split it")
    return [line + [""] * (width - len(line)) for line in grid]


def _span(cell: HtmlElement, name: str) -> int:
    given = cell.get(name) or "1"
    return min(max(int(given), 1), _MOST_SPAN) if given.isdecimal() and len(given) < 6 else 1


def _has_header(cells: list[list[HtmlElement]], grid: list[list[str]]) -> bool:
    first = next((row for row in cells if row), [])
    if all(cell.tag == "th" for cell in first) or any(
        next(cell.iterancestors("thead"), None) is not None for cell in first
    ):
        return True
    if len(grid) < 2:
        return False
    # Editors of help centres make the first row bold instead of marking it; Word marks none. Two columns without any
    # mark may as well be names and values.
    return all(_BOLD.fullmatch(text) for text in grid[0] if text) or (
        len(grid) > 2 and len(grid[0]) > 2 and all(0 < len(text) <= _LONGEST_HEADER for text in grid[0])
    )


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
