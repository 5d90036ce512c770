"""The result of a bench as Markdown that can be pasted as it is."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from eval.bench.corpus import SHARES
from eval.bench.peers import PEERS

Row = dict[str, Any]

_QUIET = 0.1
"""Share of the machine that others may take without a warning."""


def markdown(result: dict[str, Any]) -> str:
    """Return tables of all sizes, with ratios to the peers where any were measured."""
    rows: Sequence[Row] = result["results"]
    parts = [
        _others(rows),
        _origin(result["about"], rows),
        _table(_COLUMNS, rows),
        _table(_MEMORY, rows),
        _table(_WRITES, rows),
    ]
    if any("peers" in row for row in rows):
        parts += [_beside(rows, hybrid=True), _beside(rows, hybrid=False), _skipped(rows)]
    return "\n".join(part for part in parts if part)


def _origin(about: dict[str, Any], rows: Sequence[Row]) -> str:
    base = about["base"]
    sources = ", ".join(f"{name} ({count:,})" for name, count in base["passages_by_source"].items())
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    terms = "/".join(str(row["grow"]["terms_per_passage"]) for row in rows)
    return (
        f"`{about['command']}`, {about['cores']} cores ({about['processor']}), {versions}, commit {about['commit']}.\n"
        f"Grown from {base['passages']:,} real passages: {sources}; {base['questions']} real questions;"
        f" {base['embedder']} vectors; {terms} terms a passage.\n"
    )


def _others(rows: Sequence[Row]) -> str:
    """Return a warning where other work on the machine stretched what was measured."""
    measured = [
        *(row["serve"][leg]["others"] for row in rows for leg in ("hybrid_ms", "lexical_ms")),
        *(peer["ms"]["others"] for row in rows for peer in row.get("peers", {}).values() if "ms" in peer),
    ]
    most = max(measured)
    if most <= _QUIET:
        return ""
    return (
        f"**The machine was not idle:** other processes took up to {most:.0%} of it meanwhile."
        " Compare processor time, which that stretches least.\n"
    )


_COLUMNS: dict[str, Callable[[Row], str]] = {
    "passages": lambda row: f"{row['passages']:,}",
    "hybrid p50 / p95 / p99 ms": lambda row: _ms(row["serve"]["hybrid_ms"]),
    "processor ms": lambda row: _number(row["serve"]["hybrid_ms"]["cpu_ms"]),
    "questions/s, 1 / 4 threads": lambda row: " / ".join(
        f"{value:,.0f}" for value in row["serve"]["queries_per_second"].values()
    ),
    f"filtered to {', '.join(f'{100 * share:g}' for share in SHARES)} %: recall@10": lambda row: _each(
        row["check"]["filtered_recall@10"].values()
    ),
    "filtered, p50 ms": lambda row: _each(_number(of["p50"]) for of in row["serve"]["filtered_ms"].values()),
    "BM25 scores compared, largest relative difference": lambda row: (
        f"{row['check']['lexical_scores']['compared']:,} with {row['check']['lexical_scores']['beside']}, "
        + (
            "equal to the bit"
            if row["check"]["lexical_scores"]["equal_to_the_bit"]
            else f"{row['check']['lexical_scores']['largest_relative_difference']:.0e}"
        )
    ),
}

_MEMORY: dict[str, Callable[[Row], str]] = {
    "passages": lambda row: f"{row['passages']:,}",
    "built in s (passages/s)": lambda row: f"{row['build']['seconds']:.0f} ({row['build']['passages_per_second']:,})",
    "index files MB (bytes a passage)": lambda row: (
        f"{row['build']['index_bytes'] / 1e6:,.0f} ({row['build']['index_bytes'] / row['passages']:,.0f})"
    ),
    "open from disk / first answer, s": lambda row: (
        f"{_number(row['serve']['open_seconds'])} / {_number(row['serve']['first_answer_seconds'])}"
    ),
    "resident after opening MB (own + mapped)": lambda row: _resident(row["serve"]["memory"]["after_open"]),
    "after asking": lambda row: _resident(row["serve"]["memory"]["after_asking"]),
    "bytes a passage": lambda row: f"{row['serve']['memory']['bytes_per_passage']:,}",
    "most while building MB": lambda row: f"{row['build']['peak_bytes'] / 1e6:,.0f}",
}

_WRITES: dict[str, Callable[[Row], str]] = {
    "passages": lambda row: f"{row['passages']:,}",
    "publish to found, p50 / p95 / p99 ms": lambda row: _ms(row["publish"]["publish_to_found_ms"]),
    "changes": lambda row: f"{row['publish']['changes']:,}",
    "questions/s meanwhile": lambda row: f"{row['publish']['questions_per_second']:g}",
    "a question meanwhile, p50 / p95 / longest ms": lambda row: _longest(row["publish"]["question_ms"]),
    "without changes": lambda row: _longest(row["publish"]["question_ms_without_changes"]),
    "deleted, gone at the next question": lambda row: (
        f"{row['publish']['delete']['gone_at_the_next_question']} of {row['publish']['delete']['deletes']}"
    ),
}


def _beside(rows: Sequence[Row], *, hybrid: bool) -> str:
    """Return a table of peers: p50 and p95, and how many times ours each takes."""
    kind, leg = ("hybrid", "hybrid_ms") if hybrid else ("lexical leg alone", "lexical_ms")
    lines = [
        f"| {kind}: p50 / p95 ms, processor ms (times ours, each) | "
        + " | ".join(f"{row['passages']:,}" for row in rows)
        + " |",
        "| --- |" + " --- |" * len(rows),
        "| Answerwell | " + " | ".join(_cost(row["serve"][leg]) + " (1, 1)" for row in rows) + " |",
    ]
    for name, peer in PEERS.items():
        if peer.hybrid != hybrid:
            continue
        cells, version = [], ""
        for row in rows:
            found = row.get("peers", {}).get(name, {"skipped": "not asked for"})
            if "skipped" in found:
                cells.append("-")
            else:
                version = f" {found['version']}"
                cells.append(f"{_cost(found['ms'])} ({_times(found['ms'], row['serve'][leg])})")
        lines.append(f"| {peer.name}{version} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _skipped(rows: Sequence[Row]) -> str:
    lines = [
        f"- {PEERS[name].name} at {row['passages']:,}: {found['skipped']}"
        for row in rows
        for name, found in row.get("peers", {}).items()
        if "skipped" in found
    ]
    return "Not measured:\n\n" + "\n".join(lines) + "\n" if lines else ""


def _table(columns: dict[str, Callable[[Row], str]], rows: Iterable[Row]) -> str:
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    lines += [f"| {' | '.join(cell(row) for cell in columns.values())} |" for row in rows]
    return "\n".join(lines) + "\n"


def _ms(spread: dict[str, float]) -> str:
    return " / ".join(_number(spread[name]) for name in ("p50", "p95", "p99"))


def _pair(spread: dict[str, float]) -> str:
    return f"{_number(spread['p50'])} / {_number(spread['p95'])}"


def _longest(spread: dict[str, float]) -> str:
    return f"{_pair(spread)} / {_number(spread['longest'])}"


def _cost(spread: dict[str, float]) -> str:
    return f"{_pair(spread)}, {_number(spread['cpu_ms'])}"


def _times(theirs: dict[str, float], ours: dict[str, float]) -> str:
    return ", ".join(_number(theirs[name] / max(ours[name], 1e-3)) for name in ("p50", "cpu_ms"))


def _resident(memory: dict[str, int]) -> str:
    own, mapped = memory["anonymous"] / 1e6, memory["file"] / 1e6
    return f"{own + mapped:,.0f} ({own:,.0f} + {mapped:,.0f})"


def _each(values: Iterable[object]) -> str:
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def _number(value: float) -> str:
    """Return a figure with about three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
