"""Cost against size as an SVG: two panels, both axes logarithmic, readable on a light and on a dark page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval.bench.peers import PEERS

_WIDTH, _HEIGHT, _TOP, _BOTTOM = 860, 380, 44, 40
_PANEL, _LEFT, _NAMES = 270, 52, 100
"""Widths of a panel's area, of the numbers left of it and of the names right of it."""
_STYLE = """
text { font: 12px sans-serif; fill: #24292f } .title { font-weight: bold } .grid { stroke: #d0d7de }
.line { fill: none; stroke-width: 1.5 } .ours { stroke-width: 3 } .dashed { stroke-dasharray: 4 3 }
.c0 { color: #0969da } .c1 { color: #bc4c00 } .c2 { color: #8250df } .c3 { color: #1a7f37 }
.line, .dot { stroke: currentColor } .name { fill: currentColor }
.dot { fill: #ffffff; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .grid { stroke: #3d444d } .dot { fill: #0d1117 }
  .c0 { color: #58a6ff } .c1 { color: #f0883e } .c2 { color: #bc8cff } .c3 { color: #3fb950 }
}
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A system's milliseconds by size; sizes at which it was not measured are not there."""

    name: str
    points: tuple[tuple[int, float], ...]
    ours: bool = False
    dashed: bool = False


def plot(rows: Sequence[dict[str, Any]]) -> str:
    """Return the picture: hybrid search left, the lexical leg alone right, p50 by size."""
    panels = {
        "a hybrid question, ms": _lines(rows, "hybrid_ms", hybrid=True),
        "the lexical leg alone, ms": _lines(rows, "lexical_ms", hybrid=False),
    }
    points = [point for lines in panels.values() for line in lines for point in line.points]
    sizes = sorted({size for size, _ in points})
    low = math.floor(math.log10(max(min(ms for _, ms in points), 1e-3)))
    high = max(low + 1, math.ceil(math.log10(max(ms for _, ms in points))))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        ' aria-label="Milliseconds of a question by number of passages, both logarithmic">',
        f"<style>{_STYLE}</style>",
    ]
    for place, (title, lines) in enumerate(panels.items()):
        parts += _panel(title, lines, sizes, low, high, left=_LEFT + place * (_WIDTH // 2))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _lines(rows: Sequence[dict[str, Any]], leg: str, *, hybrid: bool) -> list[Line]:
    ours = [
        Line(f"Answerwell {p}", tuple((row["passages"], row["serve"][leg][p]) for row in rows), True, p != "p50")
        for p in ("p50", "p95")
    ]
    theirs = [
        Line(
            peer.name,
            tuple(
                (row["passages"], row["peers"][name]["ms"]["p50"])
                for row in rows
                if "ms" in row.get("peers", {}).get(name, {})
            ),
        )
        for name, peer in PEERS.items()
        if peer.hybrid == hybrid
    ]
    return [line for line in (*ours, *theirs) if line.points]


def _panel(title: str, lines: Sequence[Line], sizes: Sequence[int], low: int, high: int, *, left: int) -> list[str]:
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])
    tall = _HEIGHT - _TOP - _BOTTOM

    def place(size: float, ms: float) -> tuple[float, float]:
        across = (math.log10(size) - first) / (last - first) if last > first else 0.5
        x = left + _PANEL * across
        y = _TOP + tall * (high - math.log10(max(ms, 1e-3))) / (high - low)
        return round(x, 1), round(y, 1)

    parts = [f'<text class="title" x="{left}" y="22">{title}</text>']
    for exponent in range(low, high + 1):
        y = place(sizes[0], 10.0**exponent)[1]
        parts.append(f'<path class="grid" d="M{left} {y}h{_PANEL}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{10.0**exponent:g}</text>')
    for size in sizes:
        x = place(size, 1)[0]
        parts.append(f'<path class="grid" d="M{x} {_TOP}v{tall}"/>')
        parts.append(f'<text x="{x}" y="{_HEIGHT - 16}" text-anchor="middle">{size:,}</text>')
    names: list[tuple[float, float, str, int]] = []
    colour = 0
    for line in lines:
        colour += not line.ours
        kind = f"c{colour} line{' ours' if line.ours else ''}{' dashed' if line.dashed else ''}"
        at = [place(size, ms) for size, ms in line.points]
        parts.append(f'<polyline class="{kind}" points="{" ".join(f"{x},{y}" for x, y in at)}"/>')
        if not line.dashed:
            parts += [f'<circle class="dot c{colour}" cx="{x}" cy="{y}" r="3.5"/>' for x, y in at]
        names.append((at[-1][1], at[-1][0], line.name, colour * (not line.ours)))
    lowest = float(_HEIGHT)
    for y, x, name, number in sorted(names, reverse=True):  # from the bottom up, no name over another
        lowest = min(y, lowest - 15)
        parts.append(f'<text class="name c{number}" x="{x + 8}" y="{lowest + 4:.1f}">{name}</text>')
    return parts
