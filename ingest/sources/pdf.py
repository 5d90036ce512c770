"""PDF files that hold text: headings, paragraphs, lists and tables as far as the page shows them."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pypdfium2 as pdfium

from ingest.document import Document, Failure, ReadOptions
from ingest.language_paths import told_by_path
from ingest.parse import tidy
from ingest.pdf_lines import content
from ingest.pdf_page import RawPage, read_page
from ingest.pdf_text import Text, markdown_of
from ingest.reading import file_bytes
from ingest.records import page_of
from kb.errors import TooLarge, UnreadableSource, shown

_PDFIUM = threading.Lock()
"""PDFium may be used by one thread at a time."""
_FEW_UNMAPPED = 50
_MOST_UNMAPPED = 0.05
"""Largest share of characters that the fonts may leave without Unicode."""
_NO_TITLE = re.compile(r"(?:untitled|microsoft word|document\d*|slide \d+|\S+\.\w{3,4})\b", re.IGNORECASE)


class PdfSource:
    """Reads `.pdf`."""

    name = "pdf"
    endings = (".pdf",)

    def recognises(self, path: Path) -> bool:
        return path.suffix.lower() in self.endings and path.is_file()

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield the file's document.

        Raises TooLarge over the limits, UnreadableSource for a file that is encrypted, scanned, damaged or whose fonts
        do not say which characters they show.
        """
        data = file_bytes(path, options.limits.file_bytes)
        if b"%PDF-" not in data[:1024]:
            raise UnreadableSource(f"{shown(path.name)} is not a PDF file")
        title, pages = _pages(data, path.name, options.limits.pages)
        text = markdown_of([content(page) for page in pages])
        _check(text.markdown, pages, path.name)
        place = options.place(path)
        empty = sum(1 for page in pages if not page.words)
        yield page_of(
            tidy(text.markdown),
            options,
            place=place,
            name=path.stem,
            known={"title": _title(title, text), **told_by_path(place)},
            warnings=(f"{empty} of {len(pages)} pages hold no text",) if empty else (),
        )


def _pages(data: bytes, name: str, most: int) -> tuple[str, list[RawPage]]:
    """Return the title in the file's metadata and what its pages hold."""
    with _PDFIUM:
        try:
            pdf = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            if "password" in str(error).lower():
                raise UnreadableSource(f"{shown(name)} is encrypted: save it without a password") from error
            raise UnreadableSource(f"{shown(name)} is not a sound PDF file: {error}") from error
        try:
            if len(pdf) > most:
                raise TooLarge(f"{shown(name)} has {len(pdf):,} pages; the limit is {most:,}: split it")
            return str(pdf.get_metadata_dict().get("Title") or "").strip(), [_page(pdf, at) for at in range(len(pdf))]
        except (pdfium.PdfiumError, ValueError, OverflowError) as error:
            raise UnreadableSource(f"{shown(name)} is not a sound PDF file: {error}") from error
        finally:
            pdf.close()


def _page(pdf: pdfium.PdfDocument, at: int) -> RawPage:
    page = pdf[at]
    try:
        return read_page(page)
    finally:
        page.close()


def _check(markdown: str, pages: list[RawPage], name: str) -> None:
    unmapped = sum(page.unmapped for page in pages)
    if unmapped > max(_FEW_UNMAPPED, _MOST_UNMAPPED * len(markdown)):
        raise UnreadableSource(
            f"the fonts of {shown(name)} do not say which characters they show: print it to a new PDF, or run OCR on it"
        )
    if not any(map(str.isalnum, markdown)):
        scanned = any(page.images for page in pages)
        why = "it is scanned: run text recognition (OCR) on it first" if scanned else "it is empty or drawn"
        raise UnreadableSource(f"{shown(name)} holds no text: {why}")


def _title(given: str, text: Text) -> str:
    """Return the title in the metadata unless a program left it there, else the largest line, else the header."""
    return given if given and not _NO_TITLE.match(given) else text.largest or text.header
