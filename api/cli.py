"""The command line `kb`. Commands live in api/commands/; those of other packages join through entry points."""

import sys
from importlib.metadata import entry_points
from typing import Annotated

import typer
from sqlalchemy.exc import DatabaseError

from api.commands import (
    accounts,
    adapt,
    answers,
    ask,
    backup,
    common,
    content,
    duplicates,
    files,
    gaps,
    generation,
    keys,
    mail,
    maintain,
    redact,
    replay,
    serve,
)
from kb.errors import KBError, Misconfigured

app = typer.Typer(
    name="kb",
    help="Answerwell: a knowledge base that answers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=True,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"answerwell {version('answerwell')}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Answerwell: a knowledge base that answers."""


for module in (
    content,
    ask,
    answers,
    replay,
    serve,
    maintain,
    mail,
    backup,
    generation,
    adapt,
    duplicates,
    files,
    gaps,
    redact,
    keys,
    accounts,
):
    module.register(app)

for found in sorted(entry_points(group="answerwell.commands"), key=lambda found: found.name):
    app.add_typer(found.load(), name=found.name)


def main() -> None:
    """Run the command line; end with an exit code, never with a traceback for what was foreseen."""
    as_json = "--json" in sys.argv
    try:
        app()
    except KBError as error:
        _leave(error, as_json)
    except DatabaseError as error:
        _leave(Misconfigured(f"the database cannot be used: {error.orig}; kb doctor tells more"), as_json)
    except KeyboardInterrupt:
        common.say("interrupted; what was done is kept, run the same command again to go on")
        sys.exit(common.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(common.FAILED)


def _leave(error: KBError, as_json: bool) -> None:
    try:
        common.fail(error, as_json=as_json)
    except typer.Exit as leaving:
        sys.exit(leaving.exit_code)


if __name__ == "__main__":
    main()
