"""kb eval run, own, compare, tune: how items are ranked."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from eval.compare import compare, regrets
from eval.own import database_of, live, run_own
from eval.run import SYSTEMS, Outcome, Ranker, run, unhurried
from eval.tune import chosen, grid, record, tune
from eval.vectors import embedder_of
from ingest import own
from ingest.judged import JudgedSet, load
from kb.settings import load_settings

SystemsOption = Annotated[
    str, typer.Option(help=f"Comma-separated: {', '.join(SYSTEMS)}, or rerank (with KB_RERANKER).")
]


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


def register(app: typer.Typer) -> None:
    app.command("run")(run_command)
    app.command("own")(own_command)
    app.command("compare")(compare_command)
    app.command("tune")(tune_command)
