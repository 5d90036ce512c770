"""Judged sets in the BEIR layout: corpus.jsonl, queries.jsonl, qrels.tsv (query, document, grade)."""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kb.errors import NotFound, UnreadableSource, shown
from retrieval.types import Filters


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    id: str
    text: str
    answerable: bool
    target_lang: str | None
    """Only documents in this language are ranked (cross-language sets)."""

    @property
    def filters(self) -> Filters:
        """What a search for it is restricted to."""
        return Filters(langs=frozenset({self.target_lang})) if self.target_lang else Filters()


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Queries with their judgments. `qrels`: query id -> document id -> grade (above 0: relevant)."""

    name: str
    corpus: Path
    queries: tuple[JudgedQuery, ...]
    qrels: dict[str, dict[str, int]]

    def judged(self) -> list[JudgedQuery]:
        """Return the queries that have a relevant document."""
        return [query for query in self.queries if any(grade > 0 for grade in self.qrels.get(query.id, {}).values())]


def load(folder: Path) -> JudgedSet:
    """Read a judged set. Raises NotFound for a missing file, UnreadableSource for a line that cannot be read.

    `A@B` are the questions and judgments of A over the documents of B: for sets that are translations of one another.
    """
    questions, at, documents = str(folder).partition("@")
    if at and not folder.exists():
        _require(Path(documents), "corpus.jsonl")
        names = (Path(path).resolve().name for path in (questions, documents))
        return replace(load_questions(Path(questions), "@".join(names)), corpus=Path(documents) / "corpus.jsonl")
    _require(folder, "corpus.jsonl")
    return load_questions(folder, folder.resolve().name)


def load_questions(folder: Path, name: str) -> JudgedSet:
    """Read the questions and judgments of a set whose documents are elsewhere. Raises as `load` does."""
    _require(folder, "queries.jsonl", "qrels.tsv")
    queries = tuple(
        JudgedQuery(
            id=str(record["_id"]),
            text=str(record["text"]),
            answerable=bool(record.get("answerable", True)),
            target_lang=record.get("target_lang"),
        )
        for record in _records(folder / "queries.jsonl")
    )
    return JudgedSet(name, folder / "corpus.jsonl", queries, _qrels(folder / "qrels.tsv"))


def _require(folder: Path, *names: str) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise NotFound(f"{shown(str(folder))} is not a judged set in the BEIR layout: it has no {name}")


def tuning_half(query_id: str) -> bool:
    """Say whether a query is in the half that may be tuned on: by the first bit of the SHA-256 of its id."""
    return hashlib.sha256(query_id.encode()).digest()[0] < 128


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                record["_id"], record["text"]
            except (ValueError, KeyError, TypeError) as error:
                raise UnreadableSource(f"{path.name}, line {number} cannot be read: {error}") from error
            yield record


def _qrels(path: Path) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter="\t"), start=1):
            if not row or (number == 1 and not row[-1].lstrip("-").isdigit()):
                continue
            try:
                query, document, grade = row
                qrels.setdefault(query, {})[document] = int(grade)
            except ValueError as error:
                raise UnreadableSource(
                    f"{path.name}, line {number} is not query, document, grade: {shown(row)}"
                ) from error
    return qrels
