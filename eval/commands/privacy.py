"""kb eval redaction: how well personal data is found."""

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from eval.redaction import measure, over, sentences
from ingest.redaction import find
from ingest.redaction.find import LANGUAGES
from kb.errors import NotFound, shown
from retrieval.language import language


def redaction_command(
    half: Annotated[
        str, typer.Option(help="Which sentences: all, tune or report (halves by hash of the id).")
    ] = "report",
    faults: Annotated[bool, typer.Option("--faults", help="Show what was missed and what is none.")] = False,
    folder: Annotated[
        list[Path] | None,
        typer.Option("--over", metavar="DIR", help="Count the finds in a corpus.jsonl instead; repeatable."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Texts of each corpus, drawn with a fixed seed.")] = 1000,
    sample: Annotated[int, typer.Option(min=0, help="Finds of each kind shown with --over.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find personal data in labelled sentences of invented persons: recall and precision by kind and language."""
    if folder:
        _over(folder, most, sample, as_json)
        return
    labelled = sentences(half)
    rows, wrong = measure(labelled, find)
    if as_json:
        results = [{**asdict(row), "recall": row.recall, "precision": row.precision} for row in rows]
        document = {"half": half, "sentences": len(labelled), "results": results, "faults": [asdict(f) for f in wrong]}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table("lang", "kind", "spans", "recall", "hidden", "findings", "precision")
    for r in rows:
        hidden = f"{r.hidden / r.spans:.3f}" if r.spans else "-"
        table.add_row(r.lang, r.kind, str(r.spans), f"{r.recall:.3f}", hidden, str(r.findings), f"{r.precision:.3f}")
    Console().print(table)
    for fault in wrong if faults else ():
        what = "missed" if fault.missed else "none"
        Console().print(f"{fault.id} {fault.kind} {what}: {fault.text}", markup=False, highlight=False)


def _over(folders: list[Path], most: int, sample: int, as_json: bool) -> None:
    document = {}
    for folder in folders:
        texts = list(_texts(folder, most))
        found = over(texts, find)
        rate = {kind.value: round(1000 * len(finds) / max(1, len(texts)), 1) for kind, finds in sorted(found.items())}
        shown_finds = {k.value: random.Random(0).sample(f, min(sample, len(f))) for k, f in sorted(found.items())}
        document[folder.resolve().name] = {"texts": len(texts), "per_1000": rate, "sample": shown_finds}
    if as_json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    for name, result in document.items():
        Console().print(f"{name}: {result['texts']} texts, finds per 1,000: {result['per_1000']}", highlight=False)
        for kind, finds in dict(result["sample"]).items():  # type: ignore[call-overload]
            for line in finds:
                Console().print(f"  {kind}: {line}", markup=False, highlight=False, soft_wrap=True)


def _texts(folder: Path, most: int) -> Iterator[tuple[str, str]]:
    """Yield texts of a corpus in languages that can be read, with their language."""
    path = folder / "corpus.jsonl"
    if not path.is_file():
        raise NotFound(f"there is no corpus.jsonl in {shown(str(folder))}")
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in random.Random(0).sample(lines, min(most, len(lines))):
        text = str(json.loads(line)["text"])
        if (lang := language(text)) in LANGUAGES:
            yield text, lang


def register(app: typer.Typer) -> None:
    app.command("redaction")(redaction_command)
