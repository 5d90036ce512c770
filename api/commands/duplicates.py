"""kb duplicates: finds near duplicates for the queue that editors decide about."""

from typing import Annotated

import typer

from api.commands.common import OPERATOR, DataOption, JsonOption, emit, out, progress, services
from ingest.duplicates import behind, scan
from kb import duplicates
from kb.access import scope_of
from kb.models import PairState

duplicates_app = typer.Typer(help="Near duplicates among the items, for editors to decide about.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(duplicates_app, name="duplicates")


@duplicates_app.callback()
def root() -> None:
    """Near duplicates among the items, for editors to decide about."""


@duplicates_app.command("scan")
def scan_command(
    again: Annotated[
        bool, typer.Option("--again", help="Compare all items anew, as after going over to another model.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what was published since the last scan with its neighbours, and queue the likely near duplicates.

    May be interrupted and run again at any time, beside a server too: make it a nightly job.
    """
    with services(data) as opened:
        if again:
            with opened.db.write() as session:
                duplicates.rewind(session)
        with progress("Comparing", total=behind(opened.db)) as advance:
            done = scan(opened.db, opened.searcher, lambda step: advance(step.changes))
        with opened.db.read() as session:
            waiting = duplicates.count(session, scope_of(session, OPERATOR), PairState.OPEN)
    if as_json:
        emit({"changes": done.changes, "items": done.items, "open": waiting})
        return
    out.print(f"{done.items:,} items compared; {waiting:,} pairs wait for a decision")
