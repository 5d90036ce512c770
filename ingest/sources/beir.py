"""The BEIR layout (Thakur et al. 2021, arXiv:2104.08663): corpus.jsonl with `_id`, `title` and `text`."""

from collections.abc import Iterator
from pathlib import Path

from ingest.document import Document, Failure, ReadOptions
from ingest.sources.jsonl import JsonlSource

_CORPUS = "corpus.jsonl"


class BeirSource:
    """Reads a corpus.jsonl, or a judged set (a folder): of it the corpus, since queries and judgments say nothing."""

    name = "beir"

    def __init__(self) -> None:
        self._lines = JsonlSource()

    def recognises(self, path: Path) -> bool:
        if path.is_dir():
            judged = any((path / name).exists() for name in ("qrels", "qrels.tsv"))
            return judged and (path / "queries.jsonl").is_file()
        return path.name == _CORPUS and path.is_file()

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield a document a line. A judged set without a corpus yields none. Raises as JsonlSource."""
        corpus = path / _CORPUS if path.is_dir() else path
        if corpus.is_file():
            yield from self._lines.read(corpus, options)
