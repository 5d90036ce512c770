"""kb eval duplicates, contradictions: are near duplicates found, and what they say differently?"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from eval import contradictions, duplicates
from eval.vectors import embedder_of
from kb.settings import load_settings
from retrieval.tuned import TUNED, read

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def duplicates_command(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Judged duplicates; with pairs.jsonl: labelled pairs."),
    ],
    write: Annotated[bool, typer.Option("--write", help="Fit anew and write retrieval/tuned.json.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say how well near duplicates are told, on report halves; fit the probability on the others with --write.

    Shown and queued: precision and recall at the probabilities from which on a writer is shown one, a pair is queued.
    """
    settings = load_settings()
    err = Console(stderr=True)

    def tell(message: str) -> None:
        err.print(message, highlight=False)

    with embedder_of(settings) as embedder:
        found = [duplicates.collect(folder, embedder, tell=tell) for folder in folders]
    cases = [case for one in found for case in one.cases]
    share = duplicates.share_of(cases) if write else read()["duplicates"]["run"]["share"]
    by_group = duplicates.models(cases, share) if write else TUNED.likeness_of(settings.embedder)
    rows = [duplicates.measured(one, by_group, share) for one in found]
    if write:
        tell(f"written: {duplicates.record(found, settings.embedder)}")
    if as_json:
        document = {"share": share, "sets": [asdict(row) for row in rows]}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table(
        "report half", "pairs", "duplicates", "missed", "AP", "cosine", "words", "p", "p", "ECE", "shown", "queued"
    )
    for row in rows:
        numbers = (row.average_precision, row.cosine, row.words, row.p_cosine, row.p_words, row.calibration_error)
        table.add_row(
            row.set,
            *map(str, (row.pairs, row.duplicates, row.missed)),
            *(f"{n:.3f}" for n in numbers),
            *(f"{precision or 0:.3f} / {recall:.3f}" for _, precision, recall in row.shown),
        )
    Console(width=140).print(table)


def contradictions_command(as_json: JsonOption = False) -> None:
    """Say how often written pairs are told to contradict each other, rightly, on their report half."""
    rows = [row for row in contradictions.judged() if not row.tuning]
    found = [contradictions.told(rows, lang) for lang in ("en", "zh")]
    if as_json:
        document = [{**asdict(one), "precision": one.precision, "recall": one.recall} for one in found]
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table("report half", "pairs", "contradictory", "found", "wrong", "same kind", "precision", "recall")
    for one in found:
        ratios = ("" if n is None else f"{n:.3f}" for n in (one.precision, one.recall))
        counts = (one.pairs, one.contradictory, one.found, one.wrong, one.same_kind)
        table.add_row(one.lang, *map(str, counts), *ratios)
    Console(width=100).print(table)


def register(app: typer.Typer) -> None:
    app.command("duplicates")(duplicates_command)
    app.command("contradictions")(contradictions_command)
