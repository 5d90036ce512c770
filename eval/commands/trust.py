"""kb eval calibrate: how far the confidence of answers can be trusted."""

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from eval import calibrate
from eval.vectors import embedder_of
from ingest import demo
from ingest.judged import load
from kb.settings import ANSWER_RISK, load_settings
from retrieval.abstain import probability, threshold
from retrieval.tuned import TUNED, confidence


def calibrate_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Judged sets; A@B: questions of A over B.")],
    as_is: Annotated[
        list[Path] | None,
        typer.Option("--as-is", help="A set with unanswerable questions, reported with all its documents; repeatable."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Questions of each set, drawn by a hash of the id.")] = 700,
    risk: Annotated[
        float, typer.Option(min=0.001, max=0.999, help="Share of wrong answers that is borne.")
    ] = ANSWER_RISK,
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

    sets, whole = [demo.questions(), *(load(folder) for folder in folders)], [load(folder) for folder in as_is or []]
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


def register(app: typer.Typer) -> None:
    app.command("calibrate")(calibrate_command)
