"""What all commands share: options, output, exit codes, the person at the command line."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.logging import RichHandler

from api.services import Services, open_services
from kb.access import Principal, Role
from kb.content import choice
from kb.errors import KBError
from kb.settings import Settings, load_settings

OK, FAILED, USAGE, PARTLY, FAULTS, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit codes: done; an error; a wrong call; done but for some files; faults found; stopped by Ctrl-C."""

_LINE_SECONDS = 10.0

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data folder (default: KB_DATA, else ./answerwell-data).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")]
RoleOption = Annotated[
    str,
    typer.Option(
        "--as",
        metavar="ROLE",
        help=f"Read as: {', '.join(Role)}.",
    ),
]


def judged_option(which: str) -> Any:
    """Return the option that names folders of judged questions; `which` ends its help."""
    return typer.Option("--judged", metavar="DIR", exists=True, file_okay=False, help=f"Judged questions {which}")


err = Console(stderr=True)
out = Console()


def settings(data: Path | None) -> Settings:
    """Load settings and set up logging."""
    loaded = load_settings(data)
    level = loaded.log_level.upper()
    if loaded.log_format == "json":
        handler: logging.Handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonFormatter())
    else:
        handler = RichHandler(console=err, show_path=False, markup=False, log_time_format="%H:%M:%S")
        handler.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("kb", "retrieval", "ingest", "api"):
        logging.getLogger(name).setLevel(level)
    return loaded


class JsonFormatter(logging.Formatter):
    """One JSON document a line: time, level, logger, message, and what was given as `extra={'fields': {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


@contextmanager
def services(data: Path | None, *, level: bool = True) -> Iterator[Services]:
    """Open all parts, saying on standard error what takes long. `level`: bring the index level first."""
    opened = open_services(settings(data), on_progress=say)
    try:
        if level and opened.indexer.behind():
            index_all(opened)
        yield opened
    finally:
        opened.close()


def index_all(opened: Services) -> int:
    """Bring the index level with the database, with progress; return the number of passages made searchable."""
    with progress("Indexing", total=opened.indexer.behind()) as advance:
        done = opened.indexer.catch_up(lambda step: advance(step.changes))
        opened.indexer.flush()
    return done.passages


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar with rate and time left on standard error; where that is no terminal, a line now and then."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    if not err.is_terminal:
        yield _Lines(what, total).advance
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.update(task, advance=count)


class _Lines:
    """Progress for a log: a line each ten seconds, with the time left where the total is known."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what, self._total, self._done = what, total, 0
        self._began = self._said = time.monotonic()

    def advance(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._said >= _LINE_SECONDS:
            self._said = now
            say(f"{self._what}: {progress_line(self._done, self._total, now - self._began)}")


def progress_line(done: int, total: int | None, seconds: float) -> str:
    """Return how far it is after so many seconds, and about how long it takes yet."""
    if not total:
        return f"{done:,}"
    left = seconds * (total - done) / done if done else 0.0
    return f"{done:,} of {total:,}" + (f", about {max(1, round(left))} s left" if 0 < done < total else "")


def say(message: str) -> None:
    err.print(message, markup=False, highlight=False)


def emit(document: Any) -> None:
    """Print the one JSON document of a --json call."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")
    sys.stdout.flush()


def reader(role: str) -> Principal:
    """Return the principal that `--as` names. Raises InvalidInput."""
    return Principal(role=choice(Role, role, "--as"), subject="command line")


OPERATOR = Principal(role=Role.ADMIN, subject="command line")
"""Who runs a command has the data folder in hand: all rights."""


def fail(error: KBError, *, as_json: bool) -> NoReturn:
    """Report an error in the form asked for and leave with FAILED."""
    if as_json:
        emit({"error": {"code": error.code, "message": error.message, "field": error.field}})
    else:
        err.print(f"[bold red]error:[/] {_plain(error.message)}", highlight=False)
    raise typer.Exit(FAILED)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text.encode("utf-8", "backslashreplace").decode())
