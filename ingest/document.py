"""What a source yields: documents in one shape, and failures by name and reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Document:
    """One item as a source gives it. Texts are Markdown; None means 'the source does not say'.

    `external_id` is unique inside a source and stable from run to run (a relative path with forward slashes,
    a record's id).
    """

    external_id: str
    title: str
    body: str = ""
    issue: str = ""
    environment: str = ""
    resolution: str = ""
    cause: str = ""
    kind: str | None = None
    lang: str | None = None
    """BCP 47 primary language, lower case (en, zh, de). None: to be detected."""
    audience: str | None = None
    confidence: str | None = None
    governance: str | None = None
    state: str | None = None
    """`draft` or `published`; None: published."""
    family: str | None = None
    """Shared by the translations of one another."""
    owner: str | None = None
    url: str | None = None
    updated: datetime | None = None
    products: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    similar_questions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What could not be carried over ('2 images without text'), for the report."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One file or record that could not be read."""

    path: str
    reason: str
    """A sentence that names what is wrong and the way out."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A document that the source itself says is no more: in its trash, deleted, hidden from all."""

    external_id: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what is read, so that no file can exhaust the machine."""

    file_bytes: int = 64 * 1024 * 1024
    """Largest plain file (Markdown, HTML, PDF, DOCX)."""
    export_bytes: int = 4 * 1024 * 1024 * 1024
    """Largest export (JSON, JSONL, CSV, XML), read as a stream where the format allows it."""
    document_characters: int = 2_000_000
    """Longest text of one document."""
    folder_depth: int = 32
    pages: int = 5_000
    """Most pages of a PDF."""
    unpacked_bytes: int = 512 * 1024 * 1024
    """Most bytes that a zip container (DOCX) may unpack to."""
    unpacked_ratio: int = 200
    """Most times that a zip member may grow."""
    nesting: int = 256
    """Deepest nesting of HTML, XML or JSON."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read, given on the command line or with an upload."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Field of `Document` -> column of a CSV or key of a JSONL record."""
    kind: str | None = None
    """What records become where the format leaves a choice (StackExchange: `case` or `answer`)."""
    limits: Limits = Limits()
    root: Path | None = None
    """Folder that the external ids of files are relative to. None: they are their names."""

    def place(self, path: Path) -> str:
        """Return the name of a file inside its source: its path from `root` with forward slashes."""
        return path.name if self.root is None else path.relative_to(self.root).as_posix()


class Source(Protocol):
    """One format. See docs/adding-a-source.md."""

    name: str

    def recognises(self, path: Path) -> bool:
        """Say whether this source reads `path` (a file or a folder); cheap: names and a first look only."""

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure | Gone]:
        """Yield all documents of `path` in a stable order, and a Failure for each that cannot be read.

        Raises UnreadableSource where nothing of `path` can be read at all.
        """
