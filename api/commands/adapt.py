"""kb adapt: questions are moved towards what answered such questions before, where that is measured to help."""

import time
from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import FAULTS, OK, DataOption, JsonOption, emit, out, say, services, settings
from api.services import open_database
from ingest.adapting import Adoption, adapt
from ingest.gate import questions
from kb import generations
from kb.errors import NotFound
from retrieval.adapted import Adapter, AdapterFile, write


def register(root: typer.Typer) -> None:
    root.command("adapt")(command)


def command(
    judged: Annotated[
        list[Path] | None,
        typer.Option(
            "--judged",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Judged questions beside those of the event log (queries.jsonl, qrels.tsv); may be repeated.",
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Search without an adapter from now on.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn from links, votes and dismissals how questions are asked here; adopt it if it wins on what it has not seen.

    Learns from one half of the questions and is measured on the other. Servers follow by themselves. Leaves with 4 if
    it is not adopted; what was adopted before then stays.
    """
    if remove:
        _remove(data, as_json)
        return
    started = time.monotonic()
    with services(data) as opened:
        asked = questions(opened.db, judged or [])
        found = adapt(opened.db, opened.index, opened.embedder, asked, tell=(lambda _: None) if as_json else say)
        file = AdapterFile(opened.settings.adapters_folder, opened.embedder.fingerprint)
        if found.adapter is not None and found.refusal is None:
            write(file.path, found.adapter)
        stays = found.refusal is not None and file() is not None
    seconds = time.monotonic() - started
    if as_json:
        emit({**found.as_json(), "stays": stays, "seconds": round(seconds, 3)})
    else:
        _tell(found, stays, seconds)
    raise typer.Exit(OK if found.refusal is None else FAULTS)


def said(adapter: Adapter) -> str:
    """Return in a line what is known of an adapter."""
    learnt = adapter.learnt
    return (
        f"learnt from {learnt['learnt_from']} questions at {learnt['at']}, moves those in {', '.join(adapter.langs)}; "
        f"nDCG@10 {learnt['before']:.4f} to {learnt['after']:.4f} on {learnt['questions']} others (p {learnt['p']:.4f})"
    )


def _remove(data: Path | None, as_json: bool) -> None:
    loaded = settings(data)
    with open_database(loaded).read() as session:
        active = generations.active(session)
    file = AdapterFile(loaded.adapters_folder, active.fingerprint) if active is not None else None
    if file is None or not file.path.exists():
        raise NotFound("there is no adapter: what is searched is searched without one")
    file.path.unlink()
    if as_json:
        emit({"removed": str(file.path)})
    else:
        out.print("The adapter is removed; servers search without it from the next question on.")


def _tell(found: Adoption, stays: bool, seconds: float) -> None:
    if found.adapter is not None:
        line = f"nDCG@10 {found.before:.4f} without, {found.after:.4f} with it, on {found.questions} questions"
        out.print(f"{line} (p {found.p:.4f}); learnt from {found.learnt_from}, {seconds:.1f} s", highlight=False)
        for lang, (count, before, after) in found.langs.items():
            out.print(f"  {lang}: {before:.4f} to {after:.4f} on {count}", highlight=False)
    if found.refusal is None:
        out.print("Adopted: servers search with it from the next question on. Back: kb adapt --remove")
        return
    out.print(f"Not adopted: {found.refusal}.", markup=False, highlight=False)
    if stays:
        out.print("The adapter that was adopted before stays; kb adapt --remove takes it away.")
