"""JSON Lines: one record a line, its keys mapped to fields by name or by option."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.document import Document, Failure, ReadOptions
from ingest.fields import checked_columns
from ingest.reading import is_text, text_lines
from ingest.records import document_of
from kb.errors import KBError, UnreadableSource, shown


class JsonlSource:
    """Reads `.jsonl` and `.ndjson`."""

    name = "jsonl"
    endings = (".jsonl", ".ndjson")

    def recognises(self, path: Path) -> bool:
        return path.suffix.lower() in self.endings and path.is_file()

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield a document a line, or a failure that names the line.

        Raises TooLarge or UnreadableSource for the file, InvalidInput for an option that names no field.
        """
        checked_columns(options)
        place = options.place(path)
        for number, line in text_lines(path, options.limits):
            if not line.strip():
                continue
            try:
                yield document_of(record_of(line), options, place=place)
            except KBError as error:
                yield Failure(f"{place}:{number}", error.message)


def record_of(line: str) -> dict[str, Any]:
    """Return the JSON object of a line. Raises UnreadableSource if it holds none."""
    if not is_text(line):
        raise UnreadableSource("the line holds bytes that are not in the encoding of the file: save it as UTF-8")
    try:
        record = json.loads(line.removeprefix("\ufeff"))
    except RecursionError as error:
        raise UnreadableSource("the record is nested too deep to be read") from error
    except ValueError as error:
        raise UnreadableSource(f"the line is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise UnreadableSource(f"a record is a JSON object, not {shown(record)}")
    return record
