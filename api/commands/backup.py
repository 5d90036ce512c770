"""kb backup, kb restore."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import DataOption, JsonOption, emit, out, settings
from api.services import open_database
from kb.backup import back_up
from kb.backup import restore as restore_backup
from kb.db import Database


def register(app: typer.Typer) -> None:
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="New folder to write the backup to.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy everything as it is at one moment into a new folder, while the servers run.

    The folder is a data folder: kb restore puts it back, and kb serve --data DIR serves it as it is.
    """
    loaded = settings(data)
    db = open_database(loaded)
    try:
        copied = back_up(db, loaded.data, target)
    finally:
        db.dispose()
    if as_json:
        emit({"backup": str(target), **asdict(copied)})
    else:
        out.print(f"Backed up to {target}: {copied.rows} rows, {copied.files} files", markup=False, highlight=False)


def restore(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that kb backup wrote.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup into an empty data folder, or into the empty PostgreSQL database of KB_DATABASE_URL.

    The index is made anew when it is served next; nothing is embedded again.
    """
    loaded = settings(data)
    db = Database(loaded.sqlalchemy_url)
    try:
        copied = restore_backup(source, db, loaded.data)
    finally:
        db.dispose()
    if as_json:
        emit({"restored": str(source), **asdict(copied)})
    else:
        out.print(f"Restored from {source}: {copied.rows} rows, {copied.files} files", markup=False, highlight=False)
