"""The formats that can be read, one a file, and the walk over what is given on the command line.

A new source: docs/adding-a-source.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.document import Document, Failure, Gone, ReadOptions, Source
from ingest.sources.beir import BeirSource
from ingest.sources.bugzilla import BugzillaSource
from ingest.sources.confluence import ConfluenceSource
from ingest.sources.csv import CsvSource
from ingest.sources.discourse import DiscourseSource
from ingest.sources.dita import DitaSource
from ingest.sources.docx import DocxSource
from ingest.sources.github import GitHubSource
from ingest.sources.html import HtmlSource
from ingest.sources.jira import JiraSource
from ingest.sources.jsonl import JsonlSource
from ingest.sources.mallard import MallardSource
from ingest.sources.markdown import MarkdownSource
from ingest.sources.mbox import MboxSource
from ingest.sources.mediawiki import MediaWikiSource
from ingest.sources.pdf import PdfSource
from ingest.sources.stackexchange import StackExchangeSource
from ingest.sources.wordpress import WordPressSource
from ingest.sources.zendesk import ZendeskSource
from kb.errors import InvalidInput, KBError, UnreadableSource, shown

_ORDERED: tuple[Source, ...] = (
    StackExchangeSource(),
    BeirSource(),
    ZendeskSource(),
    ConfluenceSource(),
    JiraSource(),
    BugzillaSource(),
    MediaWikiSource(),
    WordPressSource(),
    MallardSource(),
    DitaSource(),
    GitHubSource(),
    DiscourseSource(),
    MboxSource(),
    MarkdownSource(),
    HtmlSource(),
    DocxSource(),
    PdfSource(),
    JsonlSource(),
    CsvSource(),
)
"""Asked in this order: what recognises a folder or a special file comes before what goes by the ending."""

SOURCES: dict[str, Source] = {source.name: source for source in _ORDERED}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder of a walk that was not read and is no fault: hidden, of no known format, a symbolic link."""

    path: str
    reason: str


def detect(path: Path) -> Source:
    """Return the source that reads `path`. Raises UnreadableSource if none does."""
    found = _recognising(path, _ORDERED)
    if found is None:
        known = ", ".join(SOURCES)
        raise UnreadableSource(f"no source reads {shown(path.name)}: convert it, or name one of {known}")
    return found


def source_name(path: Path) -> str:
    """Return the natural name of what is at `path`: the folder's name, or the file's without its ending."""
    resolved = path.resolve()
    return (resolved.name if resolved.is_dir() else resolved.stem) or "files"


def walk(
    path: Path, source: str = "auto", options: ReadOptions | None = None
) -> Iterator[Document | Failure | Gone | Skipped]:
    """Yield what is at `path`, a file or a folder of mixed formats, in sorted order.

    Ids of files are their paths relative to `path`, or the name where `path` is the file. With a `source` named, only
    what it recognises is read, and a file given by itself is read by it whatever its ending.
    What cannot be read is a Failure and the rest goes on, as is a second document with the same id. Hidden files, files
    of no known format and symbolic links are Skipped, each by name, for the caller to count.
    Raises UnreadableSource if there is nothing at `path` or nothing reads it, InvalidInput for an unknown source.
    """
    if source != "auto" and source not in SOURCES:
        raise InvalidInput(f"there is no source {shown(source)}; there are {', '.join(SOURCES)}", field="source")
    if not path.exists():
        raise UnreadableSource(f"there is nothing at {shown(str(path))}")
    path = path.resolve()
    chosen = _ORDERED if source == "auto" else (SOURCES[source],)
    options = replace(options or ReadOptions(), root=path if path.is_dir() else path.parent)
    if path.is_dir():
        yield from _unique(_folder(path, chosen, options, depth=0))
    else:
        yield from _unique(_file(path, SOURCES[source] if source != "auto" else detect(path), options))


def _recognising(path: Path, sources: tuple[Source, ...]) -> Source | None:
    return next((source for source in sources if source.recognises(path)), None)


def _folder(
    folder: Path, sources: tuple[Source, ...], options: ReadOptions, *, depth: int
) -> Iterator[Document | Failure | Gone | Skipped]:
    place = options.place(folder)
    if depth > options.limits.folder_depth:
        yield Failure(
            place, f"folders are nested more than {options.limits.folder_depth} deep: give this one by itself"
        )
        return
    if whole := _recognising(folder, sources):
        yield from _file(folder, whole, options)
        return
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        yield Failure(place, f"the folder cannot be listed: {error.strerror or error}")
        return
    for entry in entries:
        if reason := _not_followed(entry, options):
            yield Skipped(options.place(entry), reason)
        elif entry.is_dir():
            yield from _folder(entry, sources, options, depth=depth + 1)
        elif found := _recognising(entry, sources):
            yield from _file(entry, found, options)
        else:
            yield Skipped(options.place(entry), "no source reads this kind of file")


def _not_followed(entry: Path, options: ReadOptions) -> str | None:
    """Return why an entry of a folder is passed over, or None."""
    if entry.name.startswith((".", "~$")) or entry.name.endswith("~"):
        return "hidden"
    if not entry.is_symlink():
        return None
    assert options.root is not None
    target = entry.resolve()
    if not target.is_file() or not target.is_relative_to(options.root):
        return "a symbolic link to a folder, to nothing or out of the folder"
    # Mounted configuration is links to hidden files; other files inside are read where they lie.
    inside = target.relative_to(options.root).parts
    return (
        None if any(part.startswith(".") for part in inside) else "a symbolic link to a file that is read where it lies"
    )


def _file(path: Path, source: Source, options: ReadOptions) -> Iterator[Document | Failure | Gone]:
    place = options.place(path)
    try:
        yield from source.read(path, options)
    except InvalidInput as error:
        # A wrong option is wrong for every file: say it once, not for each.
        if error.field == "columns":
            raise
        yield Failure(place, error.message)
    except KBError as error:
        yield Failure(place, error.message)
    except OSError as error:
        yield Failure(place, f"it cannot be read: {error.strerror or error}")


def _unique(found: Iterator[Document | Failure | Gone | Skipped]) -> Iterator[Document | Failure | Gone | Skipped]:
    """Yield what is found, with a Failure for a second document of the same id."""
    seen: set[str] = set()
    for outcome in found:
        if isinstance(outcome, Document):
            if outcome.external_id in seen:
                reason = (
                    f"the id {shown(outcome.external_id)} is there twice; only the first was taken: give each its own"
                )
                yield Failure(outcome.external_id, reason)
                continue
            seen.add(outcome.external_id)
        yield outcome
