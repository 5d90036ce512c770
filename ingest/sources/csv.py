"""CSV and TSV: the first row names the columns, each other row is a record."""

import csv
from collections.abc import Iterator
from pathlib import Path

from ingest.document import Document, Failure, ReadOptions
from ingest.fields import checked_columns
from ingest.reading import is_text, text_lines
from ingest.records import document_of
from kb.errors import InvalidInput, KBError, UnreadableSource, shown

_DELIMITERS = ",;\t|"


class CsvSource:
    """Reads `.csv` and `.tsv`; the delimiter is the one of , ; tab and | that the first line has most of."""

    name = "csv"
    endings = (".csv", ".tsv")

    def recognises(self, path: Path) -> bool:
        return path.suffix.lower() in self.endings and path.is_file()

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield a document a row, or a failure that names the line it ends at.

        Raises TooLarge or UnreadableSource for the file, InvalidInput for an option that names no column.
        """
        checked_columns(options)
        place = options.place(path)
        # The module's own limit of 128 KiB a cell is below what a document may have; lines are bounded by text_lines.
        csv.field_size_limit(max(csv.field_size_limit(), options.limits.document_characters))
        lines = (line for _, line in text_lines(path, options.limits))
        first = next(lines, "").removeprefix("\ufeff")
        rows = csv.reader(_chained(first, lines), delimiter=max(_DELIMITERS, key=first.count))
        header = next(rows, [])
        _check_header(header, options, path.name)
        while True:
            try:
                row = next(rows, None)
                if row is None:
                    return
                if any(cell.strip() for cell in row):
                    yield document_of(_record(header, row), options, place=place)
            except csv.Error as error:
                yield Failure(f"{place}:{rows.line_num}", f"the row is not CSV: {error}")
            except KBError as error:
                yield Failure(f"{place}:{rows.line_num}", error.message)


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _check_header(header: list[str], options: ReadOptions, name: str) -> None:
    names = [cell.strip().casefold() for cell in header]
    if not any(names):
        raise UnreadableSource(f"{shown(name)} has no header row: name the columns in its first line")
    for field, column in options.columns.items():
        if column.strip().casefold() not in names:
            raise InvalidInput(
                f"there is no column {shown(column)} for {field}; there are {shown(header)}", field="columns"
            )


def _record(header: list[str], row: list[str]) -> dict[str, str]:
    if len(row) > len(header):
        raise UnreadableSource(
            f"the row has {len(row)} cells and the header {len(header)}: quote cells that hold the delimiter"
        )
    if not all(map(is_text, row)):
        raise UnreadableSource("the row holds bytes that are not in the encoding of the file: save it as UTF-8")
    return dict(zip(header, row, strict=False))
