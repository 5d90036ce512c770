"""kb eval: how good it is, on judged sets."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from eval import calibrate, followups
from eval.answers import run_demo, summary
from eval.compare import compare, regrets
from eval.own import database_of, live, run_own
from eval.reading import MEASURES, OURS, asked_across, found_passages, load_answers, read_all, timed
from eval.reading import Outcome as Reading
from eval.report.command import report_command
from eval.run import SYSTEMS, Outcome, Ranker, run, unhurried
from eval.tune import chosen, grid, record, tune
from eval.variants import Row, variants
from eval.vectors import embedder_of
from ingest import own
from ingest.judged import JudgedSet, load, load_questions
from kb.errors import InvalidInput, shown
from kb.settings import load_settings
from retrieval.abstain import RISK, probability, threshold
from retrieval.embed import load_embedder
from retrieval.titled import TitledEmbedder
from retrieval.tuned import TUNED, confidence

SystemsOption = Annotated[
    str, typer.Option(help=f"Comma-separated: {', '.join(SYSTEMS)}, or rerank (with KB_RERANKER).")
]

app = typer.Typer(help="Measure retrieval on judged sets.", no_args_is_help=True)
app.command("report")(report_command)


@app.callback()
def root() -> None:
    """Measure retrieval on judged sets."""


@app.command("run")
def run_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Judged sets in the BEIR layout.")],
    systems: SystemsOption = "bm25,dense,hybrid",
    half: Annotated[str, typer.Option(help="Which queries: all, tune or report (halves by hash of the id).")] = "all",
    most: Annotated[int | None, typer.Option(min=1, help="Queries of each set, drawn by a hash of the id.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Ingest each set into a throw-away data folder, rank its queries, print the measures."""
    outcomes = [outcome for _, found in _outcomes(folders, systems, half, most) for outcome in found]
    _show(outcomes, load_settings().embedder, as_json)


@app.command("own")
def own_command(
    systems: SystemsOption = "bm25,dense,hybrid",
    half: Annotated[str, typer.Option(help="Which queries: all, tune or report (halves by hash of the id).")] = "all",
    export: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the set in the BEIR layout instead, for kb eval run and compare."),
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Data folder (default: KB_DATA).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Ask the questions of the event log whose items are known (votes, links, dismissals) of the live index."""
    settings = load_settings(data)
    if export is not None:
        judged = own.export(database_of(settings), export)
        count = {"folder": str(export), "queries": len(judged.queries)}
        if as_json:
            sys.stdout.write(json.dumps(count, ensure_ascii=False) + "\n")
        else:
            Console().print(f"{count['queries']} questions written to {export}", markup=False, highlight=False)
        return
    with live(settings) as kb:
        outcomes = run_own(kb, _names(systems), half=half, reranking=unhurried(settings))
    _show(outcomes, kb.opened.recipe.embedder, as_json)


@app.command("compare")
def compare_command(
    before: Annotated[str, typer.Argument(metavar="A", help=f"One system of: {', '.join(SYSTEMS)}, rerank.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Judged sets in the BEIR layout.")],
    half: Annotated[str, typer.Option(help="Which queries: all, tune or report (halves by hash of the id).")] = "all",
    most: Annotated[int, typer.Option(min=0, help="Questions shown of those won and of those lost.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compare two systems question by question: what B wins and loses against A, why, and whether it may be chance."""
    systems = ",".join(dict.fromkeys(["bm25", "dense", before, after]))
    found = [compare(judged, outcomes, before, after) for judged, outcomes in _outcomes(folders, systems, half)]
    if as_json:
        document = {"half": half, "comparisons": [one.as_json(most) for one in found]}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    console = Console()
    for one in found:
        console.print(
            f"{one.set}, {one.queries} questions: nDCG@10 {one.a} {one.mean_a:.4f}, {one.b} {one.mean_b:.4f} "
            f"(p {one.p:.4f}); {one.b} wins {len(one.won)}, loses {len(one.lost)}",
            highlight=False,
        )
        for word, some in (("won", one.won), ("lost", one.lost)):
            for d in some[:most]:
                console.print(f"  {word} {d.before:.2f} to {d.after:.2f}: {d.text}", markup=False, highlight=False)
                console.print(f"      {d.why}", markup=False, highlight=False, style="dim")


def _names(systems: str) -> list[str]:
    return [name.strip() for name in systems.split(",") if name.strip()]


def _show(outcomes: list[Outcome], embedder: str, as_json: bool) -> None:
    """Print the measures, and what each fusion costs against the better leg."""
    costs = regrets(outcomes)
    if as_json:
        rows = [outcome.as_json() for outcome in outcomes]
        regret = [{**asdict(one), "regret": round(one.regret, 4)} for one in costs]
        document = {"embedder": embedder, "results": rows, "regret": regret}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table("set", "system", "nDCG@10", "recall@10", "MRR@10", "recall@100", "queries", "documents")
    for o in outcomes:
        v = o.values
        numbers = (f"{v[name]:.4f}" for name in ("ndcg@10", "recall@10", "mrr@10", "recall@100"))
        table.add_row(o.set, o.system, *numbers, str(o.queries), str(o.documents))
    Console().print(table)
    for one in costs:
        line = f"{one.set}: {one.system} against the better leg, {one.better}: {-one.regret:+.4f} (p {one.p:.3f})"
        Console().print(line, highlight=False)


def _outcomes(
    folders: list[Path], systems: str | Mapping[str, Ranker], half: str, most: int | None = None
) -> Iterator[tuple[JudgedSet, list[Outcome]]]:
    """Run the systems over each set; yields when a set is done."""
    settings = load_settings()
    err = Console(stderr=True)
    names = _names(systems) if isinstance(systems, str) else systems
    sets = [load(folder) for folder in folders]
    with embedder_of(settings) as embedder:
        for judged in sets:
            yield (
                judged,
                run(
                    judged,
                    names,
                    embedder,
                    half=half,
                    most=most,
                    max_tokens=settings.passage_tokens,
                    reranking=unhurried(settings),
                    on_progress=lambda message: err.print(message, highlight=False),
                ),
            )


@app.command("tune")
def tune_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Judged sets; A@B: questions of A over B.")],
    most: Annotated[int | None, typer.Option(min=1, help="Queries of each set, drawn by a hash of the id.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write what was found into retrieval/tuned.json.")] = False,
) -> None:
    """Tune the fusion of the two legs on the tuning halves of judged sets."""
    tried = list(tune(_outcomes(folders, grid(), "tune", most)))
    best = chosen(tried)
    table = Table("weight", "damping", "mean gain", "worst", "")
    for one in sorted(tried, key=lambda one: -one.mean_gain):
        mark = "chosen" if one is best else ""
        table.add_row(str(one.weight), str(one.damping), f"{one.mean_gain:+.4f}", f"{one.worst:+.4f}", mark)
    Console().print(table)
    if write:
        Console().print(str(record(best, load_settings().embedder)))


@app.command("calibrate")
def calibrate_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Judged sets; A@B: questions of A over B.")],
    as_is: Annotated[
        list[Path] | None,
        typer.Option("--as-is", help="A set with unanswerable questions, reported with all its documents; repeatable."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Questions of each set, drawn by a hash of the id.")] = 700,
    risk: Annotated[float, typer.Option(min=0.001, max=0.999, help="Share of wrong answers that is borne.")] = RISK,
    write: Annotated[bool, typer.Option("--write", help="Fit anew and write retrieval/tuned.json.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say how far the confidence of answers can be trusted, on report halves; fit it on the others with --write.

    The documents that answer half of a set's questions are taken away, so these have no answer.
    """
    settings = load_settings()
    err = Console(stderr=True)

    def tell(message: str) -> None:
        err.print(message, highlight=False)

    sets, whole = [calibrate.shipped(), *(load(folder) for folder in folders)], [load(folder) for folder in as_is or []]
    with embedder_of(settings) as embedder:
        cases = [case for judged in sets for case in calibrate.collect(judged, embedder, most=most, tell=tell)]
        others = [c for j in whole for c in calibrate.collect(j, embedder, most=most, whole=True, tell=tell)]
    known = confidence(calibrate.calibrated(cases)) if write else TUNED.confidence_of(settings.embedder)
    least = probability(threshold(known, risk, settings.answerable))
    score = partial(calibrate.confidences, by_group=known.models)
    found = [
        *calibrate.by_set_and_group(cases, score, least),
        *calibrate.by_set_and_group(others, score, least, together=False),
    ]
    if write:
        tell(f"written: {calibrate.record(cases, settings.embedder)}")
    if as_json:
        document = {
            "risk": risk,
            "answerable": settings.answerable,
            "threshold": least,
            "trust": [asdict(one) for one in found],
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table(
        "report half", "questions", "right", "ECE", "AUROC in/out", "AUROC right", "answered", "wrong", "out, answered"
    )
    for t in found:
        numbers = (t.right, t.calibration_error, t.told_apart, t.told_right, t.answered, t.wrong, t.withheld_answered)
        table.add_row(t.name, str(t.cases), *("" if n is None else f"{n:.3f}" for n in numbers))
    Console(width=120).print(table)


@app.command("variants")
def variants_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Judged sets in the BEIR layout.")],
    half: Annotated[
        str, typer.Option(help="Which queries: all, tune or report (halves by hash of the id).")
    ] = "report",
    most: Annotated[int | None, typer.Option(min=1, help="Short queries of each set, by a hash of the id.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Ask short questions with typos, in pinyin, in other widths and scripts, with and without correction."""
    settings = load_settings()
    err = Console(stderr=True)
    rows: list[Row] = []
    with embedder_of(settings) as embedder:
        for judged in [load(folder) for folder in folders]:
            rows += variants(
                judged,
                embedder,
                half=half,
                most=most,
                max_tokens=settings.passage_tokens,
                tell=lambda message: err.print(message, highlight=False),
            )
    if as_json:
        document = {"half": half, "results": [row.as_json() for row in rows]}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table("set", "variant", "queries", "changed", "restored", "as written", "variant", "corrected", "p")
    for r in rows:
        numbers = (f"{value:.4f}" for value in (r.written, r.plain, r.corrected))
        table.add_row(r.set, r.variant, str(r.queries), str(r.changed), str(r.restored), *numbers, f"{r.p:.3f}")
    Console().print(table)


@app.command("demo")
def demo_command(
    half: Annotated[str, typer.Option(help="Which queries: all, tune or report (halves by hash of the id).")] = "all",
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every question.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Ask the shipped demo's judged questions: ranking, and what the three bands did."""
    with embedder_of(load_settings()) as embedder:
        judged, said = run_demo(embedder, on_progress=lambda message: Console(stderr=True).print(message))
    measures = summary(judged, said, half)
    if as_json:
        sys.stdout.write(json.dumps(measures, indent=2) + "\n")
        return
    console = Console()
    if verbose:
        for s in said:
            right = "" if not s.query.answerable else ("right" if s.right else "wrong") if s.band == "answer" else "-"
            top = ", ".join(s.ranking[:3])
            mark = "" if s.query.answerable else "UNANSWERABLE "
            line = f"{s.confidence:.3f} {s.band:12} {right:5} {mark}{s.query.text} -> {top}"
            console.print(line, markup=False, highlight=False)
    for name, value in measures.items():
        console.print(f"{name}: {value}", highlight=False)


@app.command("followups")
def followups_command(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DIR...]", help="Judged sets whose questions stand alone: how many are changed?"),
    ] = None,
    half: Annotated[
        str, typer.Option(help="Which conversations: all, tune or report (halves by hash of the id).")
    ] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Hold the shipped conversations about the demo: follow-up questions completed, new topics left as they are."""
    err = Console(stderr=True)
    sets = [load_questions(folder, folder.resolve().name) for folder in folders or ()]
    with embedder_of(load_settings()) as embedder:
        rows = followups.run(embedder, half=half, tell=lambda message: err.print(message, highlight=False))
    alone = [followups.changed_alone(judged, half) for judged in sets]
    if as_json:
        document = {"half": half, "results": [asdict(row) for row in rows], "stand_alone": alone}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table("", "searched", "follow-ups", "nDCG@10", "answered", "right", "new topics", "nDCG@10", "changed")
    for row in rows:
        shares = (f"{value:.3f}" for value in (row.ndcg, row.answered, row.right))
        table.add_row(
            row.lang,
            row.system,
            str(row.follow_ups),
            *shares,
            str(row.alone),
            f"{row.ndcg_alone:.3f}",
            str(row.changed),
        )
    Console().print(table)
    for one in alone:
        line = f"{one['set']}: {one['changed']} of {one['questions']} stand-alone questions changed"
        Console().print(line, highlight=False)


@app.command("answers")
def answers_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Judged sets with answers.jsonl.")],
    setting: Annotated[
        str, typer.Option(help="given (the gold document), found (what the search puts first), across (two languages).")
    ] = "given",
    half: Annotated[
        str, typer.Option(help="Which queries: all, tune or report (halves by hash of the id).")
    ] = "report",
    time: Annotated[bool, typer.Option("--time", help="Only what reading takes a question, in ms, as JSON.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """How often the gold answer lies in the extract, at equal length, beside simple ways of choosing sentences."""
    if setting not in ("given", "found", "across"):
        raise InvalidInput(f"the setting is given, found or across, not {shown(setting)}", field="setting")
    settings = load_settings()
    sets = [load(folder) for folder in folders]
    asked = {judged.name: load_answers(judged, half) for judged in sets}
    if time:
        embedder = TitledEmbedder(load_embedder(settings.embedder, settings.cache, settings.threads))
        taken = {name: timed(some, embedder) for name, some in asked.items()}
        sys.stdout.write(json.dumps(taken, indent=2) + "\n")
        return
    outcomes: list[Reading] = []
    with embedder_of(settings) as remembering:
        if setting == "across":
            pairs = {(one, two): asked_across(asked[one], asked[two]) for one, two in permutations(asked, 2)}
            asked = {f"{one} on {two}": some for (one, two), some in pairs.items() if some}
        elif setting == "found":
            for judged in sets:
                asked[judged.name] = found_passages(
                    judged,
                    asked[judged.name],
                    remembering,
                    max_tokens=settings.passage_tokens,
                    tell=lambda message: Console(stderr=True).print(message, highlight=False),
                )
        for name, some in asked.items():
            outcomes += read_all(name, setting, half, some, remembering)
    if as_json:
        rows = [outcome.as_json() for outcome in outcomes]
        sys.stdout.write(json.dumps({"setting": setting, "half": half, "results": rows}, indent=2) + "\n")
        return
    table = Table("set", "questions", "way", *MEASURES, "as shown", "characters")
    for outcome in outcomes:
        cells = [
            f"{outcome.share(measure):.3f}" + ("*" if outcome.way != OURS and outcome.p[measure] < 0.05 else "")
            for measure in outcome.per_question
        ]
        cells += [""] * (len(MEASURES) + 1 - len(cells))
        table.add_row(
            outcome.set, str(outcome.questions), outcome.way, *cells, f"{[*outcome.characters.values()][-1]:.0f}"
        )
    Console(width=160).print(table)
    Console().print(f"*: not the same as {OURS}, p below .05 (Fisher's randomisation test)", highlight=False)
