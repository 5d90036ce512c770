"""The geometry of a Pareto chart: bars, largest first, and the line of their share together."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 400, 200
"""Of the whole chart, in units of its own: it is drawn as wide as there is room."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 44, 14, 26


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    middle: float
    """Where its label and its point of the line stand."""
    line: float
    """Height of the line there."""


@dataclass(frozen=True, slots=True)
class Chart:
    bars: list[Bar]
    most: int
    """The count at the top of the left axis; the right one goes from 0 to 100 %."""
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    floor: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def points(self) -> str:
        """The line, as SVG has it."""
        return " ".join(f"{bar.middle},{bar.line}" for bar in self.bars)


def chart(counts: Sequence[int], cumulative: Sequence[float]) -> Chart:
    """Return where to draw counts, most first, and what share of the whole each makes up with those before (0 to 1)."""
    most, height = max([1, *counts]), HEIGHT - _TOP - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(counts))
    wide = min(step * 0.72, 48)

    def bar(place: int, count: int, share: float) -> Bar:
        tall, middle = height * count / most, _LEFT + step * (place + 0.5)
        ends = (middle - wide / 2, HEIGHT - _BOTTOM - tall, wide, tall, middle, HEIGHT - _BOTTOM - height * share)
        return Bar(*(round(end, 1) for end in ends))

    return Chart([bar(at, *pair) for at, pair in enumerate(zip(counts, cumulative, strict=True))], most)
