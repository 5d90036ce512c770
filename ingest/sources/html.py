"""Saved web pages, one document each; the same page in two languages is one family where the path shows it."""

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.document import Document, Failure, ReadOptions
from ingest.html_page import page
from ingest.language_paths import told_by_path
from ingest.parse import tidy
from ingest.reading import decoded, file_bytes
from ingest.records import page_of

_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]{2,30})", re.IGNORECASE)
_HEAD = 4096
"""Bytes in which a page says its encoding."""


class HtmlSource:
    """Reads `.html`, `.htm` and `.xhtml`."""

    name = "html"
    endings = (".html", ".htm", ".xhtml")

    def recognises(self, path: Path) -> bool:
        return path.suffix.lower() in self.endings and path.is_file()

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield the page's document. Raises TooLarge or UnreadableSource if it cannot be read."""
        data = file_bytes(path, options.limits.file_bytes)
        charset = _CHARSET.search(data[:_HEAD])
        text, warnings = decoded(data, path.name, encoding=charset[1].decode("ascii").lower() if charset else None)
        found = page(text)
        place = options.place(path)
        told = told_by_path(place)
        known = {
            "title": found.title,
            "lang": found.lang or told.get("lang"),
            "family": told.get("family"),
            "url": found.url,
            "updated": found.updated,
        }
        if found.images_dropped:
            warnings = (*warnings, f"{found.images_dropped} images that cannot be shown were left out")
        yield page_of(tidy(found.body), options, place=place, name=path.stem, known=known, warnings=warnings)
