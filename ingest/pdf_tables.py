"""Tables that ruling lines show: lines that touch make a grid, words fall into its cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.pdf_page import Rule, Word

_NEAR = 3.0
"""Points that two ends may be apart and still meet."""
_MOST_RULES = 3_000


@dataclass(frozen=True, slots=True)
class Grid:
    """Ruling lines that make cells: where its columns and rows are parted, and by which lines."""

    xs: list[float]
    ys: list[float]
    upright: list[Rule]

    def holds(self, word: Word) -> bool:
        x, y = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
        return self.xs[0] - _NEAR < x < self.xs[-1] + _NEAR and self.ys[0] - _NEAR < y < self.ys[-1] + _NEAR

    def parted(self, column: int, row: int) -> bool:
        """Say whether a line stands before a column in this row."""
        x, middle = self.xs[column], (self.ys[row] + self.ys[row + 1]) / 2
        return any(abs(rule.x0 - x) <= _NEAR and rule.top <= middle <= rule.bottom for rule in self.upright)


def grids(rules: Sequence[Rule]) -> list[Grid]:
    """Return the grids that the lines of a page make; single boxes and underlines make none."""
    if len(rules) > _MOST_RULES:
        return []
    found = []
    for group in _touching(rules):
        level = [rule for rule in group if rule.horizontal]
        upright = [rule for rule in group if not rule.horizontal]
        xs = _places(rule.x0 for rule in upright)
        ys = _places(rule.top for rule in level)
        # A table may be open at its sides: then its horizontal lines say where they are.
        if len(ys) >= 3 and upright:
            xs = _places([*xs, min(rule.x0 for rule in level), max(rule.x1 for rule in level)])
        if len(xs) >= 3 and len(ys) >= 3:
            found.append(Grid(xs, ys, upright))
    return found


def rows_of(grid: Grid, words: Iterable[Word]) -> list[list[list[Word]]]:
    """Return the words of each cell by row; a cell that spans columns has its words in the first of them."""
    rows: list[list[list[Word]]] = [[[] for _ in grid.xs[1:]] for _ in grid.ys[1:]]
    for word in words:
        row = _slot(grid.ys, (word.top + word.bottom) / 2)
        column = _slot(grid.xs, (word.x0 + word.x1) / 2)
        while column > 0 and not grid.parted(column, row):
            column -= 1
        rows[row][column].append(word)
    return rows


def _touching(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Return the lines in groups of those that meet, directly or over others."""
    groups: list[list[Rule]] = []
    boxes: list[tuple[float, float, float, float]] = []
    for rule in sorted(rules, key=lambda rule: (rule.top, rule.x0)):
        box = (rule.x0 - _NEAR, rule.x1 + _NEAR, rule.top - _NEAR, rule.bottom + _NEAR)
        meets = [
            at
            for at, other in enumerate(boxes)
            if box[0] <= other[1] and other[0] <= box[1] and box[2] <= other[3] and other[2] <= box[3]
            if any(_meet(rule, member) for member in groups[at])
        ]
        merged = [rule]
        for at in reversed(meets):
            merged += groups.pop(at)
            other = boxes.pop(at)
            box = (min(box[0], other[0]), max(box[1], other[1]), min(box[2], other[2]), max(box[3], other[3]))
        groups.append(merged)
        boxes.append(box)
    return groups


def _meet(one: Rule, two: Rule) -> bool:
    return (
        one.x0 - _NEAR <= two.x1
        and two.x0 - _NEAR <= one.x1
        and one.top - _NEAR <= two.bottom
        and two.top - _NEAR <= one.bottom
    )


def _places(values: Iterable[float]) -> list[float]:
    """Return the distinct places, those nearer than _NEAR as one."""
    places: list[float] = []
    for value in sorted(values):
        if not places or value - places[-1] > _NEAR:
            places.append(value)
    return places


def _slot(borders: Sequence[float], at: float) -> int:
    return next((n for n, end in enumerate(borders[1:]) if at < end), len(borders) - 2)
