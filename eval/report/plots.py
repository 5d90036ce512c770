"""The report's pictures as SVG that goes into a page or a file as it is. matplotlib draws them."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's font
    "svg.hashsalt": "answerwell",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a8f98",
    "text.color": "#57606a",
    "axes.labelcolor": "#57606a",
    "xtick.color": "#57606a",
    "ytick.color": "#57606a",
    "axes.grid": True,
    "grid.color": "#8a8f98",
    "grid.alpha": 0.25,
}
COLOURS = ("#0969da", "#bc4c00", "#8250df", "#1a7f37", "#9a6700", "#cf222e", "#57606a")

_SIZES = [size * 10**power for power in range(8) for size in (1, 2, 5)]

Points = Sequence[tuple[float, float]]


def bars(values: Mapping[str, Mapping[str, float]], *, label: str) -> str:
    """Draw one group of bars a set, one bar a system. `values`: set -> system -> value."""
    systems = list(dict.fromkeys(name for of in values.values() for name in of))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 0.34 * len(values) * 1.5 + 1.0), layout="constrained")
        axes = figure.add_subplot()
        tall = 0.8 / len(systems)
        for number, system in enumerate(systems):
            places = [row + number * tall for row in range(len(values))]
            axes.barh(
                places,
                [of.get(system, 0.0) for of in values.values()],
                tall * 0.92,
                label=system,
                color=COLOURS[number % len(COLOURS)],
            )
        axes.set_yticks([row + 0.4 - tall / 2 for row in range(len(values))], list(values))
        axes.invert_yaxis()
        axes.set_xlabel(label)
        axes.grid(visible=False, axis="y")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        return _svg(figure, label)


def lines(series: Mapping[str, Points], *, x: str, y: str, diagonal: bool = False, level: float | None = None) -> str:
    """Draw a line a name. `diagonal`: where x is y; `level`: a dashed line at this y."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        if diagonal:
            axes.plot([0, 1], [0, 1], color="#8a8f98", linewidth=1, linestyle=":")
        if level is not None:
            axes.axhline(level, color="#8a8f98", linewidth=1, linestyle="--")
        for number, (name, points) in enumerate(series.items()):
            style = "-" if number < len(COLOURS) else "--"
            axes.plot(
                [a for a, _ in points],
                [b for _, b in points],
                style,
                label=name,
                color=COLOURS[number % len(COLOURS)],
                linewidth=1.6,
                marker="o" if diagonal else None,
                markersize=3,
            )
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        return _svg(figure, f"{y} by {x}")


def ranges(series: Mapping[str, Sequence[tuple[float, float, float]]], *, x: str, y: str) -> str:
    """Draw (x, y, end of a bar up from y) of each name, both axes logarithmic, names beside one another."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 4.2), layout="constrained")
        axes = figure.add_subplot(xscale="log", yscale="log")
        for number, (name, points) in enumerate(series.items()):
            beside = 1 + 0.025 * (number - (len(series) - 1) / 2)
            colour = COLOURS[number % len(COLOURS)]
            axes.vlines(
                [at * beside for at, _, _ in points],
                [low for _, low, _ in points],
                [high for _, _, high in points],
                color=colour,
                linewidth=1,
                alpha=0.6,
            )
            axes.plot(
                [at * beside for at, _, _ in points],
                [low for _, low, _ in points],
                linestyle="none",
                marker="o",
                markersize=4,
                label=name,
                color=colour,
            )
        sizes = [at for points in series.values() for at, _, _ in points]
        least, most = min(sizes, default=1), max(sizes, default=1)
        axes.set_xticks([size for size in _SIZES if least / 2 <= size <= most * 2])
        axes.minorticks_off()
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:,g}")
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        return _svg(figure, f"{y} by {x}")


def _svg(figure: Figure, label: str) -> str:
    """Return the picture without what differs from run to run, labelled for those who do not see it."""
    with io.StringIO() as out:
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
        text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{label}" ', text, count=1)
