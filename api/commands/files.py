"""kb files: images and attachments, and clearing away what nothing uses."""

from typing import Annotated

import typer

from api.commands.common import OPERATOR, DataOption, JsonOption, emit, out, settings
from api.services import open_database
from kb import attachments
from kb.file_store import FileStore

files_app = typer.Typer(help="Images and attachments of items.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(files_app, name="files")


@files_app.callback()
def root() -> None:
    """Images and attachments of items."""


@files_app.command("count")
def count_command(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Count the files, and those that no revision and no draft names."""
    with open_database(settings(data)).read() as session:
        found = attachments.count(session)
    if as_json:
        emit({"files": found.files, "bytes": found.size, "unused": found.unused})
    else:
        out.print(f"{found.files:,} files, {found.size:,} bytes; {found.unused:,} are used by nothing", highlight=False)


@files_app.command("clean")
def clean_command(
    days: Annotated[int, typer.Option(min=1, help="Days for which nothing has used a file.")] = 30,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove the files that nothing has used for some days: never one that a revision names, as those are forever.

    May run beside a server: make it a weekly job.
    """
    loaded = settings(data)
    gone = attachments.clean(open_database(loaded), FileStore(loaded.files_folder), days=days, actor=OPERATOR)
    size = sum(one.size for one in gone)
    if as_json:
        emit({"removed": [one.digest for one in gone], "bytes": size})
    else:
        out.print(f"{len(gone):,} files removed, {size:,} bytes", highlight=False)
