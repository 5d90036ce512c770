"""kb eval gaps: are questions in one sense put together?"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from eval import gaps
from eval.vectors import embedder_of
from kb.settings import load_settings
from retrieval.tuned import TUNED


def gaps_command(
    intents: Annotated[Path, typer.Argument(help="Questions with labels: test.jsonl.", exists=True, file_okay=False)],
    one: Annotated[Path, typer.Argument(help="A judged set.", exists=True, file_okay=False)],
    other: Annotated[Path, typer.Argument(help="The same in another language.", exists=True, file_okay=False)],
    write: Annotated[bool, typer.Option("--write", help="Tune anew and write retrieval/tuned.json.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say how well questions in one sense are put together, on report halves; tune on the others with --write."""
    settings = load_settings()
    with embedder_of(settings) as embedder:
        sets = {
            intents.name: gaps.labelled(intents, embedder),
            f"{one.name} + {other.name}": gaps.translated(one, other, embedder),
        }
    near = TUNED.nearness_of(settings.embedder)
    if write:
        tuning = {name: gaps.half(questions, tuning=True) for name, questions in sets.items()}
        near = gaps.fit(*tuning.values())
        path = gaps.record(near, settings.embedder, {name: len(some) for name, some in tuning.items()})
        Console(stderr=True).print(f"written: {path}", highlight=False)
    rows = [gaps.measured(name, gaps.half(questions, tuning=False), near) for name, questions in sets.items()]
    if as_json:
        document = {**asdict(near), "sets": [asdict(row) for row in rows]}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table("report half", "questions", "senses", "clusters", "precision", "recall", "F1", "adjusted Rand")
    for row in rows:
        ratios = (f"{ratio:.3f}" for ratio in (row.precision, row.recall, row.f1, row.rand))
        table.add_row(row.set, *map(str, (row.questions, row.senses, round(row.clusters))), *ratios)
    Console(width=120).print(f"within {near.within}, across {near.across}", table)


def register(app: typer.Typer) -> None:
    app.command("gaps")(gaps_command)
