"""The report as Markdown, for docs/quality.md, and as one HTML file with its pictures in it."""

from collections.abc import Iterable, Sequence
from html import escape

from eval.calibrate import Trust
from eval.reading import MEASURES, OURS
from eval.report.measure import COMPARED, PARTS, REPORT, TIMED, TUNE, Measured
from eval.report.plots import bars, lines, ranges
from eval.run import Outcome

NAMES = {"bm25": "BM25", "dense": "dense", "rrf": "RRF", "convex": "convex .6/.4", "hybrid": "hybrid"}
_STYLE = """
:root { color-scheme: light dark; --line: #8a8f9855 }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-size: .85rem; display: block; overflow-x: auto; max-width: 100% }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left } svg { max-width: 100%; height: auto }
"""

SAME = 0.05
"""Least p from which two ways count as the same."""

Table = tuple[Sequence[str], list[list[str]]]


def pictures(found: Measured) -> dict[str, str]:
    """Return the report's pictures as SVG by name."""
    by_set: dict[str, dict[str, float]] = {}
    for outcome in _of_half(found, REPORT):
        by_set.setdefault(outcome.set, {})[NAMES[outcome.system]] = outcome.values["ndcg@10"]
    groups = {one.name.removeprefix("all "): one for one in found.trust if one.name.startswith("all")}
    sets = {one.name: one for one in found.trust if not one.name.startswith("all")}
    return {
        "quality-retrieval": bars(by_set, label="nDCG@10"),
        "quality-calibration": lines(
            {name: one.reliability for name, one in groups.items()},
            x="confidence",
            y="share of right first hits",
            diagonal=True,
        ),
        "quality-risk": lines(
            {name: one.risk_coverage for name, one in sets.items()},
            x="share of questions answered",
            y="share of answers that are wrong",
            level=found.about["risk"],
        ),
        "quality-latency": ranges(
            {name: _by_size(found, name) for name in TIMED}, x="passages of the set", y="ms, p50 up to p95"
        ),
    }


def _by_size(found: Measured, name: str) -> list[tuple[float, float, float]]:
    """Return (passages, p50, p95) of what was timed, smallest knowledge base first."""
    return sorted((one.passages, one.p50, one.p95) for one in found.costs if one.name == name)


def _of_half(found: Measured, half: str) -> list[Outcome]:
    return [outcome for outcome in found.outcomes if outcome.half == half]


def markdown(found: Measured) -> str:
    """Return the tables as Markdown."""
    parts: list[str] = []
    for title, text, table in _sections(found):
        parts += [f"### {title}", "", text, "", _markdown(table), ""]
    return "\n".join(parts)


def html(found: Measured) -> str:
    """Return the whole report as one page that needs nothing else."""
    drawn = pictures(found)
    after = {"Retrieval": "quality-retrieval", "Confidence": "quality-calibration", "Cost": "quality-latency"}
    parts = []
    for title, text, table in _sections(found):
        parts.append(f"<h2>{escape(title)}</h2><p>{_emphasised(text)}</p>{_html(table)}")
        if title in after:
            parts.append(drawn[after[title]])
        if title == "Confidence":
            parts.append(drawn["quality-risk"])
    about = ", ".join(f"{escape(str(name))} {escape(str(value))}" for name, value in found.about.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Answerwell: quality</title><style>{_STYLE}</style></head><body><h1>Quality</h1><p>{about}</p>"
        + "".join(parts)
        + "</body></html>\n"
    )


def _sections(found: Measured) -> Iterable[tuple[str, str, Table]]:
    about = found.about
    yield (
        "Retrieval",
        f"nDCG@10 on report halves, at most {about['most']} queries a set, one configuration for all. Gain: of the "
        f"hybrid over the better of its legs on the set (the oracle); p: that the two are the same, Fisher's "
        f"randomisation. {_gains(found, REPORT)}",
        _retrieval(found, REPORT),
    )
    yield (
        "Retrieval, tuning halves",
        f"The same on the other half of each set: **the constants of the fusion were chosen on these**, but for "
        f"sets that retrieval/tuned.json does not name. {_gains(found, TUNE)}",
        _retrieval(found, TUNE),
    )
    yield (
        "What each part of fusion buys",
        "nDCG@10 of the hybrid, of the hybrid with one part taken out, and of the rule that it replaced.",
        _parts(found),
    )
    yield (
        "Confidence",
        f"Half of each set's questions have their documents taken away. ECE: expected calibration error, 10 bins. "
        f"AUROC: between questions with and without their documents, and between right and other first hits. "
        f"Answered at a risk of {about['risk']} where {about['answerable']} of the questions have an answer.",
        _trust(found.trust),
    )
    yield (
        "Confidence, tuning halves",
        "The same on the other half of each set: **the models of confidence were fitted on these**.",
        _trust(found.trust_tuning),
    )
    if found.readings:
        yield (
            "Extracts",
            f"Share of questions whose gold answer lies in what is chosen of the gold document, at equal length, "
            f"at most {about['most']} questions a set. =: the same as the reader, for all that the questions tell "
            f"(p at least {SAME:.2f}).",
            _readings(found),
        )
    yield (
        "Cost",
        "Milliseconds for one question, p50 and p95, by set; search: all of it but for embedding the question.",
        _costs(found),
    )


def _gains(found: Measured, half: str) -> str:
    gains = [-one.regret for one in found.regrets[half] if one.system == "hybrid"]
    return f"Mean gain {sum(gains) / max(1, len(gains)):+.4f}, worst {min(gains, default=0):+.4f}."


def _retrieval(found: Measured, half: str) -> Table:
    rows = []
    gains = {one.set: one for one in found.regrets[half] if one.system == "hybrid"}
    outcomes = _of_half(found, half)
    for name in dict.fromkeys(outcome.set for outcome in outcomes):
        of = {outcome.system: outcome for outcome in outcomes if outcome.set == name}
        best = max(outcome.values["ndcg@10"] for outcome in of.values())
        row = [name, str(next(iter(of.values())).queries)]
        for system in COMPARED:
            value = of[system].values["ndcg@10"]
            row.append(f"**{_short(value)}**" if value == best else _short(value))
        row += [f"{-gains[name].regret:+.4f}", f"{gains[name].p:.3f}", _short(of["hybrid"].values["recall@10"])]
        rows.append(row)
    return ["set", "queries", *(NAMES[system] for system in COMPARED), "gain", "p", "hybrid recall@10"], rows


def _parts(found: Measured) -> Table:
    names = ["hybrid", *PARTS]
    rows = [[name, *(_short(of[part]) for part in names)] for name, of in found.parts.items()]
    means = [sum(of[part] for of in found.parts.values()) / len(found.parts) for part in names]
    return ["set", *names], [*rows, ["mean", *(f"{mean:.4f}" for mean in means)]]


def _trust(measured: Sequence[Trust]) -> Table:
    head = ["set", "questions", "without", "first right", "ECE", "AUROC in/out", "AUROC right", "answered", "wrong"]
    rows = [
        [
            one.name,
            str(one.cases),
            str(one.withheld),
            _short(one.right),
            f"{one.calibration_error:.3f}",
            _short(one.told_apart),
            _short(one.told_right),
            _short(one.answered),
            _short(one.wrong),
            _short(one.withheld_answered),
        ]
        for one in measured
    ]
    return [*head, "without, answered"], rows


def _readings(found: Measured) -> Table:
    rows = []
    for one in found.readings:
        cells = [
            _short(one.share(name)) + (" =" if one.way != OURS and one.p[name] >= SAME else "") for name in MEASURES
        ]
        rows.append([one.set, str(one.questions), f"**{one.way}**" if one.way == OURS else one.way, *cells])
    return ["set", "questions", "way", *MEASURES], rows


def _costs(found: Measured) -> Table:
    rows = []
    for name in dict.fromkeys(one.set for one in found.costs):
        of = {one.name: one for one in found.costs if one.set == name}
        some = next(iter(of.values()))
        cells = [f"{of[part].p50:.3g} / {of[part].p95:.3g}" if part in of else "" for part in TIMED]
        rows.append([name, f"{some.passages:,}", *cells])
    return ["set", "passages", *TIMED], rows


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}".removeprefix("0") if value < 1 else f"{value:.3f}"


def _emphasised(text: str) -> str:
    """Return HTML of a text whose only markup is **this**."""
    parts = enumerate(text.split("**"))
    return "".join(f"<strong>{escape(part)}</strong>" if n % 2 else escape(part) for n, part in parts)


def _markdown(table: Table) -> str:
    head, rows = table
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _html(table: Table) -> str:
    def cell(text: str) -> str:
        bold = text.startswith("**")
        return f"<strong>{escape(text.strip('*'))}</strong>" if bold else escape(text)

    head, rows = table
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
