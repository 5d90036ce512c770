"""Markdown files, one document each, with or without front matter."""

from collections.abc import Iterator
from pathlib import Path

from ingest import front_matter
from ingest.document import Document, Failure, ReadOptions
from ingest.language_paths import told_by_path
from ingest.markdown_html import cleaned
from ingest.parse import tidy
from ingest.reading import file_text
from ingest.records import page_of


class MarkdownSource:
    """Reads `.md` and `.markdown`."""

    name = "markdown"
    endings = (".md", ".markdown", ".mdown")

    def recognises(self, path: Path) -> bool:
        return path.suffix.lower() in self.endings and path.is_file()

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield the file's document. Raises TooLarge or UnreadableSource if it cannot be read."""
        text, warnings = file_text(path, options.limits)
        front, body = front_matter.split(text)
        place = options.place(path)
        known = told_by_path(place)
        yield page_of(
            tidy(cleaned(body)), options, place=place, name=path.stem, front=front, known=known, warnings=warnings
        )
