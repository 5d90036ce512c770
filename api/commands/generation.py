"""kb generation: another embedding model, size of passages or analyzer, without a moment in which nothing is found."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.common import FAULTS, OK, DataOption, JsonOption, emit, judged_option, out, progress, say, settings
from api.services import open_database, open_generations
from ingest.gate import Changed, Judged, Verdict, compare, questions
from ingest.generations import Generations, Opened
from kb import changes, generations
from kb.db import Database
from kb.errors import Conflict, KBError
from kb.generations import Recipe
from kb.models import Generation, GenerationState
from kb.settings import Settings
from retrieval.local.engine import peek
from retrieval.search import Searcher
from retrieval.text import ANALYZER_VERSION

app = typer.Typer(
    help="What the knowledge base is searched with: embedding model, size of passages, analyzer.", no_args_is_help=True
)

JudgedOption = Annotated[
    list[Path] | None,
    judged_option("(queries.jsonl, qrels.tsv); may be repeated (default: judged/ in the data folder)."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Switch even if the judged questions fare worse.")]
NumberArgument = Annotated[int, typer.Argument(metavar="NUMBER", help="As kb generation list shows it.")]

_STEP = 64
"""Changes a step while building: progress is shown, and kept, after each."""
_NICE = 10
_SHOWN = 5


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="generation")


@app.command("list")
def list_(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the generations: which is searched, which is kept for going back, how far one is built."""
    loaded = settings(data)
    db = open_database(loaded)
    with db.read() as session:
        rows, latest = generations.every(session), changes.latest(session)
    shown = [_row(loaded, row, latest) for row in rows if row.state != GenerationState.REMOVED]
    if as_json:
        emit({"generations": shown, "latest": latest})
        return
    for row in shown:
        out.print(
            f"{row['number']}  {row['state']}  {row['embedder']}, {row['passage_tokens']} tokens a passage, "
            f"analyzer {row['analyzer']}; {row['passages']} passages, {row['percent']} % of the change log",
            markup=False,
            highlight=False,
        )
    if not shown:
        out.print("None yet: the first one is made when the knowledge base is first opened.")


@app.command()
def build(
    embedder: Annotated[
        str | None, typer.Option(metavar="NAME", help="Embedding model (default: KB_EMBEDDER).")
    ] = None,
    passage_tokens: Annotated[
        int | None, typer.Option(min=64, max=4096, help="Most tokens of a passage (default: KB_PASSAGE_TOKENS).")
    ] = None,
    analyzer: Annotated[
        str, typer.Option(metavar="VERSION", help="Analyzer (default: the newest).")
    ] = ANALYZER_VERSION,
    judged: JudgedOption = None,
    switch: Annotated[bool, typer.Option("--switch/--no-switch", help="Search with it when it is built.")] = True,
    force: ForceOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build the next generation beside the present one and switch to it. Searches go on; interrupted, it is resumed.

    The switch is made only if the judged questions do not fare worse. Servers follow by themselves.
    """
    loaded = settings(data)
    if embedder is not None or passage_tokens is not None:
        wished = {"embedder": embedder, "passage_tokens": passage_tokens}
        loaded = loaded.model_copy(update={name: value for name, value in wished.items() if value is not None})
    with _parts(loaded) as (db, opening):
        asked = _asked(loaded, db, judged)
        first = not opening.active_number()
        opened = opening.open_active() if first else opening.begin(opening.wanted(analyzer))
        try:
            _build(opened)
            if switch and not first:
                result = _switch(db, opening, opened, asked, force=force)
            else:
                result = {"generation": opened.number, "switched": first, "judged": None}
        finally:
            opened.close()
    _tell(result, as_json)


@app.command("switch")
def switch_(
    number: NumberArgument,
    judged: JudgedOption = None,
    force: ForceOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search with a generation that is built, or kept, if the judged questions do not fare worse."""
    _go_to(number, judged, force, data, as_json)


@app.command()
def rollback(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Go back to the generation that was searched before."""
    loaded = settings(data)
    with open_database(loaded).read() as session:
        number = int(generations.previous(session).number or 0)
    _go_to(number, None, True, data, as_json)


@app.command()
def remove(number: NumberArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Remove a generation that is not searched. What it has left is deleted ten minutes later."""
    with _parts(settings(data)) as (db, opening):
        with db.write() as session:
            generations.remove(session, number)
        opening.clear()
    if as_json:
        emit({"generation": number, "state": "removing"})
    else:
        out.print(f"generation {number} is being removed", highlight=False)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    generation: int
    passages: int


def rebuild(data: Path | None) -> Rebuilt:
    """Make the active generation anew as another one of the same recipe, switch to it, drop the old one."""
    with _parts(settings(data)) as (db, opening):
        with db.read() as session:
            row = generations.active(session)
        opened = opening.open_active() if row is None else opening.begin(generations.recipe(row), again=True)
        try:
            _build(opened)
            with db.write() as session:
                generations.activate(session, opened.number, keep=False)
            return Rebuilt(opened.number, opened.index.stats().passages)
        finally:
            opened.close()


def _go_to(number: int, judged: list[Path] | None, force: bool, data: Path | None, as_json: bool) -> None:
    loaded = settings(data)
    with _parts(loaded) as (db, opening):
        if number == opening.active_number():
            raise Conflict(f"generation {number} is searched already", field="generation")
        asked = _asked(loaded, db, judged)
        opened = opening.open(number)
        try:
            _build(opened)
            result = _switch(db, opening, opened, asked, force=force)
        finally:
            opened.close()
    _tell(result, as_json)


@contextmanager
def _parts(loaded: Settings) -> Iterator[tuple[Database, Generations]]:
    db = open_database(loaded)
    try:
        yield db, open_generations(loaded, db, on_progress=say)
    finally:
        db.dispose()


def _build(opened: Opened) -> None:
    """Bring it level with the change log, leaving the processor to whoever answers questions meanwhile."""
    os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    with progress(f"Generation {opened.number}", total=opened.indexer.behind()) as advance:
        opened.indexer.catch_up(lambda step: advance(step.changes), limit=_STEP)
        opened.indexer.flush()


def _asked(loaded: Settings, db: Database, judged: list[Path] | None) -> list[Judged]:
    """Return the judged questions: read before anything is built, so that a bad folder costs nothing."""
    return questions(db, judged or loaded.judged_folders)


def _switch(db: Database, opening: Generations, opened: Opened, asked: list[Judged], *, force: bool) -> dict[str, Any]:
    """Ask the judged questions; if they allow it, or by force, make it the active generation in one transaction."""
    verdict = _verdict(db, opening, opened, asked)
    if verdict.refusal is None or force:
        opened.indexer.catch_up()  # what was published while it was built and judged
        opened.indexer.flush()
        with db.write() as session:
            generations.activate(session, opened.number, judged=verdict.as_json())
    return {
        "generation": opened.number,
        "switched": verdict.refusal is None or force,
        "forced": force and verdict.refusal is not None,
        "judged": verdict.as_json(),
        "worse": [_changed(one) for one in verdict.worse[:_SHOWN]],
        "better": [_changed(one) for one in verdict.better[:_SHOWN]],
    }


def _verdict(db: Database, opening: Generations, opened: Opened, asked: list[Judged]) -> Verdict:
    after = Searcher(db, opened.index, opened.embedder)
    try:
        present = opening.open_active()
    except KBError as error:
        say(f"the present generation cannot be asked: {error.message}")
        return compare(None, after, asked)
    try:
        present.indexer.catch_up()
        return compare(Searcher(db, present.index, present.embedder), after, asked)
    finally:
        present.close()


def _changed(one: Changed) -> dict[str, Any]:
    return {"question": one.question, "before": round(one.before, 4), "after": round(one.after, 4)}


def _tell(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(result)
    else:
        _print(result)
    raise typer.Exit(OK if result["switched"] or result["judged"] is None else FAULTS)


def _print(result: dict[str, Any]) -> None:
    number = result["generation"]
    judged = result["judged"]
    if judged is None:
        then = "it is searched" if result["switched"] else f"search with it: kb generation switch {number}"
        out.print(f"Generation {number} is built; {then}", highlight=False)
        return
    before = "unknown" if judged["before"] is None else f"{judged['before']:.4f}"
    out.print(
        f"{judged['questions']} judged questions: nDCG@10 {before} before, {judged['after']:.4f} after; "
        f"{judged['better']} fare better, {judged['worse']} worse",
        highlight=False,
    )
    for one in result["worse"]:
        out.print(f"  worse: {one['question']}  ({one['before']} to {one['after']})", markup=False, highlight=False)
    if result["switched"]:
        reason = f" although {judged['refusal']}" if result["forced"] else ""
        out.print(f"Searched is now generation {number}{reason}. Servers go over to it by themselves.", highlight=False)
        out.print("Back to the one before: kb generation rollback")
    else:
        out.print(f"Not switched: {judged['refusal']}.", markup=False, highlight=False)
        out.print(
            f"It is built and stays. With --judged DIR or --force: kb generation switch {number}", highlight=False
        )
        out.print(f"Or let it go: kb generation remove {number}", highlight=False)


def _row(loaded: Settings, row: Generation, latest: int) -> dict[str, Any]:
    try:
        found = peek(loaded.index_folder / str(row.number))
        passages, watermark = found.passages, found.watermark
    except KBError:
        passages, watermark = 0, 0
    made: Recipe = generations.recipe(row)
    return {
        "number": row.number,
        "state": row.state.value,
        "embedder": made.embedder,
        "fingerprint": made.fingerprint,
        "passage_tokens": made.passage_tokens,
        "analyzer": made.analyzer,
        "changed_at": row.changed_at.isoformat(timespec="seconds"),
        "passages": passages,
        "watermark": watermark,
        "percent": round(100 * watermark / latest) if latest else 100,
        "judged": row.judged,
    }
