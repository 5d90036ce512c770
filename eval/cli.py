"""kb eval: how good it is, on judged sets."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from eval.answers import run_demo, summary
from eval.run import SYSTEMS, Outcome, run
from eval.vectors import embedder_of
from ingest.judged import load
from kb.settings import load_settings

app = typer.Typer(help="Measure retrieval on judged sets.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Measure retrieval on judged sets."""


@app.command("run")
def run_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Judged sets in the BEIR layout.")],
    systems: Annotated[str, typer.Option(help=f"Comma-separated: {', '.join(SYSTEMS)}.")] = "bm25,dense,hybrid",
    half: Annotated[str, typer.Option(help="Which queries: all, tune or report (halves by hash of the id).")] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Ingest each set into a throw-away data folder, rank its queries, print the measures."""
    settings = load_settings()
    err = Console(stderr=True)
    sets = [load(folder) for folder in folders]
    outcomes: list[Outcome] = []
    with embedder_of(settings) as embedder:
        for judged in sets:
            outcomes += run(
                judged,
                [name.strip() for name in systems.split(",") if name.strip()],
                embedder,
                half=half,
                max_tokens=settings.passage_tokens,
                on_progress=lambda message: err.print(message, highlight=False),
            )
    if as_json:
        rows = [outcome.as_json() for outcome in outcomes]
        sys.stdout.write(json.dumps({"embedder": embedder.name, "results": rows}, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table("set", "system", "nDCG@10", "recall@10", "MRR@10", "recall@100", "queries", "documents")
    for o in outcomes:
        v = o.values
        numbers = (f"{v[name]:.4f}" for name in ("ndcg@10", "recall@10", "mrr@10", "recall@100"))
        table.add_row(o.set, o.system, *numbers, str(o.queries), str(o.documents))
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
