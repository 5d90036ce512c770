"""kb ingest, kb export, kb import, kb space: what goes in and out."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import (
    OK,
    OPERATOR,
    PARTLY,
    DataOption,
    JsonOption,
    emit,
    err,
    index_all,
    out,
    progress,
    say,
    services,
    settings,
)
from api.services import Services, open_database
from ingest.document import ReadOptions
from ingest.pipeline import Defaults, Report
from ingest.pipeline import ingest as run_ingest
from kb import spaces
from kb.content import choice
from kb.errors import InvalidInput, NotFound, shown
from kb.models import Audience, Kind
from kb.transfer import export_lines, import_lines

space_app = typer.Typer(help="The tree of spaces.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command("ingest")(ingest)
    app.command("export")(export)
    app.command("import")(import_)
    app.add_typer(space_app, name="space")


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, folders or exports.")],
    source: Annotated[str, typer.Option(help="Format: auto, or a name from docs/adding-a-source.md.")] = "auto",
    name: Annotated[
        str | None, typer.Option(help="Name that the items are kept under (default: the file's or folder's).")
    ] = None,
    space: Annotated[str | None, typer.Option(help="Key of the space (default: the root).")] = None,
    audience: Annotated[
        str, typer.Option(help="For documents that name none: public, customer, partner or internal.")
    ] = "public",
    kind: Annotated[
        str | None, typer.Option(help="For documents that name none: article, case, lesson or answer.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=COLUMN", help="CSV and JSONL: where a field is, as in --column title=Subject."),
    ] = None,
    prune: Annotated[bool, typer.Option(help="Retire items whose document has gone.")] = False,
    redact: Annotated[
        bool, typer.Option("--redact", help="Replace personal data by placeholders, before anything is stored.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read documents and make them searchable. Run again, it changes only what changed."""
    for path in paths:
        if not path.exists():
            raise NotFound(f"there is no file or folder {shown(str(path))}")
    options = ReadOptions(columns=_columns(column or []), kind=kind)
    report = Report()
    with services(data, level=False) as opened:
        defaults = Defaults(
            space_id=_space_id(opened, space),
            audience=choice(Audience, audience, "--audience"),
            kind=choice(Kind, kind, "--kind") if kind else Kind.ARTICLE,
        )
        started = time.monotonic()
        try:
            with progress("Reading", total=None) as advance:
                seen = 0

                def tell(now: Report) -> None:
                    nonlocal seen
                    advance(now.seen - seen)
                    seen = now.seen

                run_ingest(
                    opened.db,
                    paths,
                    actor=OPERATOR,
                    format=source,
                    name=name,
                    defaults=defaults,
                    options=options,
                    prune=prune,
                    redact=opened.redactor.find if redact else None,
                    report=report,
                    on_progress=tell,
                )
            report.passages = index_all(opened)
        except KeyboardInterrupt:
            opened.indexer.flush()
            say(f"interrupted: {report.added} added, {report.updated} updated so far are kept; run it again to go on")
            raise
        finally:
            report.seconds = time.monotonic() - started
    if as_json:
        emit(report.as_json())
    else:
        _tell(report)
    raise typer.Exit(PARTLY if report.failed else OK)


def _tell(report: Report) -> None:
    for failure in report.failed:
        err.print(f"failed: {failure.path}: {failure.reason}", markup=False, highlight=False, style="red")
    for warning in report.warnings[:20]:
        err.print(f"note: {warning.path}: {warning.reason}", markup=False, highlight=False, style="yellow")
    if len(report.warnings) > 20:
        say(f"... and {len(report.warnings) - 20} more notes (all of them with --json)")
    changed = report.added + report.updated + report.retired
    out.print(
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {report.retired} retired, "
        f"{len(report.failed)} failed, {report.skipped} skipped; {report.passages} passages made searchable "
        f"in {report.seconds:.1f} s",
        highlight=False,
    )
    if not changed and not report.failed:
        out.print("Nothing has changed since the last time.")
    elif changed:
        out.print('Next: kb search "a question", or kb serve', highlight=False)


def _columns(given: list[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for text in given:
        field, sign, column = text.partition("=")
        if not sign or not field or not column:
            raise InvalidInput(f"--column is FIELD=COLUMN, as in title=Subject, not {shown(text)}")
        columns[field.strip()] = column.strip()
    return columns


def _space_id(opened: Services, key: str | None) -> int | None:
    if key is None:
        return None
    with opened.db.read() as session:
        return spaces.by_key(session, key).id


def export(
    to: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write (default: standard output).")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write all items and revisions as JSON Lines."""
    db = open_database(settings(data))
    if to is None:
        for line in export_lines(db, actor=OPERATOR):
            sys.stdout.write(line + "\n")
        return
    lines = 0
    partial = to.with_name(f".{to.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            for line in export_lines(db, actor=OPERATOR):
                file.write(line + "\n")
                lines += 1
            file.flush()
            os.fsync(file.fileno())
        partial.replace(to)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InvalidInput(f"{shown(str(to))} cannot be written: {error.strerror}") from error
    if as_json:
        emit({"file": str(to), "lines": lines})
    else:
        out.print(f"{lines} lines written to {to}", highlight=False)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export (JSON Lines).")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read an export: all of it or nothing."""
    with services(data, level=False) as opened:
        try:
            with file.open(encoding="utf-8") as lines:
                done = import_lines(opened.db, lines, actor=OPERATOR)
        except OSError as error:
            raise NotFound(f"{shown(str(file))} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{shown(str(file))} is not UTF-8 text: {error.reason} at byte {error.start}") from error
        passages = index_all(opened)
    counts = {
        "spaces": done.spaces,
        "items": done.items,
        "revisions": done.revisions,
        "unchanged": done.unchanged,
        "renumbered": done.renumbered,
        "passages": passages,
    }
    if as_json:
        emit(counts)
    else:
        out.print(", ".join(f"{count} {what}" for what, count in counts.items()), highlight=False)


@space_app.command("add")
def space_add(
    key: Annotated[str, typer.Argument(help="Short name: a-z, 0-9 and hyphens.")],
    name: Annotated[str, typer.Option(help="Name that people see.")],
    parent: Annotated[str | None, typer.Option(help="Key of the space above (default: the root).")] = None,
    data: DataOption = None,
) -> None:
    """Add a space."""
    with open_database(settings(data)).write() as session:
        spaces.add(session, key, name=name, parent=parent)
    out.print(f"added {key}", highlight=False)


@space_app.command("list")
def space_list(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the spaces."""
    with open_database(settings(data)).read() as session:
        found = spaces.all_spaces(session)
    keys = {space.id: space.key for space in found}
    rows = [{"key": s.key, "name": s.name, "parent": keys.get(s.parent_id) if s.parent_id else None} for s in found]
    if as_json:
        emit({"spaces": rows})
    else:
        for row in rows:
            out.print(
                f"{row['key']}  {row['name']}" + (f"  (below {row['parent']})" if row["parent"] else ""),
                highlight=False,
            )
