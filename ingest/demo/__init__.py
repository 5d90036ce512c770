"""The demo: a fictional operator's knowledge, in English and Chinese, and judged questions about it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from ingest.judged import JudgedSet, load_questions
from ingest.pipeline import Report, ingest
from kb.access import Principal
from kb.db import Database

SOURCE = "vellamo"
"""Name of the source that the demo's items are kept under."""

NAME = "demo"
"""Name of its judged set."""

_CONTENT = ("articles", "cases.jsonl", "lessons.jsonl")


@contextmanager
def folder() -> Iterator[Path]:
    """Give the folder of the demo content as files."""
    with as_file(files(__package__)) as path:
        yield path


def questions() -> JudgedSet:
    """Return its judged questions."""
    with folder() as path:
        return load_questions(path / "judged", NAME)


def load(db: Database, *, actor: Principal, on_progress: Callable[[Report], None] | None = None) -> Report:
    """Ingest the demo content; a second time changes nothing. The caller makes it searchable."""
    report = Report()
    with folder() as path:
        for name in _CONTENT:
            ingest(db, [path / name], actor=actor, name=SOURCE, report=report, on_progress=on_progress)
    return report
