"""kb eval variants, demo, followups, answers: what is made of questions as they are asked."""

import json
import sys
from dataclasses import asdict
from itertools import permutations
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from eval import followups
from eval.answers import run_demo, summary
from eval.reading import MEASURES, OURS, asked_across, found_passages, load_answers, read_all, timed
from eval.reading import Outcome as Reading
from eval.variants import Row, variants
from eval.vectors import embedder_of
from ingest.judged import load, load_questions
from kb.errors import InvalidInput, shown
from kb.settings import load_settings
from retrieval.embed import load_embedder
from retrieval.titled import TitledEmbedder


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


def register(app: typer.Typer) -> None:
    app.command("variants")(variants_command)
    app.command("demo")(demo_command)
    app.command("followups")(followups_command)
    app.command("answers")(answers_command)
