"""The organisation's own judged set, from its event log: what was asked, and which items helped.

    linked to the case, as what solved it or as written from it   grade 2
    linked for reference, voted helpful                           grade 1
    voted unhelpful, dismissed                                    grade 0: known not to help

A person's last word on a question and an item counts, once. Where people differ, a link as the solution stands; of the
rest the greater number, and a tie says nothing. Questions that fold to the same text are one question. Nobody's name
or pseudonym is in the set; the questions stand as they were typed.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from ingest.judged import JudgedQuery, JudgedSet
from kb import items, redirects
from kb.compose import composed
from kb.content import title_key
from kb.db import Database
from kb.errors import Conflict, shown
from kb.models import Event, EventKind, Item, LinkKind, Revision, State

NAME = "own"
_SOLVED, _HELPED, _DID_NOT = 2, 1, 0


@dataclass(frozen=True, slots=True)
class OwnQuestion:
    """A question with what is known of items for it."""

    query: JudgedQuery
    grades: dict[int, int]
    """Item id -> grade; at least one is above 0."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What somebody said of an item for a question."""

    event: int
    who: str
    text: str
    item: int
    grade: int


@dataclass(slots=True)
class _Asked:
    text: str
    """In its first wording."""
    last: dict[tuple[int, str], int] = field(default_factory=dict)
    """(item, person) -> the grade last given."""


def questions(db: Database) -> list[OwnQuestion]:
    """Return the questions for which an item that is published now is known to help, by first asked.

    The id of a question is a hash of its folded text, so it is the same whenever it is derived.
    """
    with db.read() as session:
        leads = redirects.leads(session)  # what was said of an item that was merged counts for the one that stays
        heard = sorted([*_votes(session), *_links(session)], key=lambda one: one.event)
        said = [replace(one, item=leads.get(one.item, one.item)) for one in heard]
        published = _published(session, {one.item for one in said})
    asked: dict[str, _Asked] = {}
    for one in said:
        key = title_key(one.text)
        if key and one.item in published:
            asked.setdefault(key, _Asked(one.text)).last[one.item, one.who] = one.grade
    found = []
    for key, about in asked.items():
        grades = _grades(about.last)
        if any(grades.values()):
            name = f"{NAME}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
            found.append(OwnQuestion(JudgedQuery(name, about.text, answerable=True, target_lang=None), grades))
    return found


def judged_set(db: Database) -> JudgedSet:
    """Return the questions as a judged set whose documents are the items themselves, by number; it has no corpus."""
    return _as_set(questions(db), Path())


def export(db: Database, folder: Path) -> JudgedSet:
    """Write the set with all published items, in the BEIR layout. Raises Conflict if the folder holds anything.

    The items are written whoever may read them: the folder is for who may read everything.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{shown(str(folder))} is there already: name a folder that is new or empty")
    folder.mkdir(parents=True, exist_ok=True)
    found = questions(db)
    with db.read() as session:
        _write(folder / "corpus.jsonl", map(_line, _documents(session)))
    _write(folder / "queries.jsonl", (_line({"_id": one.query.id, "text": one.query.text}) for one in found))
    rows = (f"{one.query.id}\tKB-{item}\t{grade}" for one in found for item, grade in one.grades.items())
    _write(folder / "qrels.tsv", ("query-id\tcorpus-id\tscore", *rows))
    return _as_set(found, folder / "corpus.jsonl")


def _as_set(found: Iterable[OwnQuestion], corpus: Path) -> JudgedSet:
    some = list(found)
    qrels = {one.query.id: {f"KB-{item}": grade for item, grade in one.grades.items()} for one in some}
    return JudgedSet(NAME, corpus, tuple(one.query for one in some), qrels)


def _grades(last: dict[tuple[int, str], int]) -> dict[int, int]:
    by_item: dict[int, list[int]] = {}
    for (item, _), grade in last.items():
        by_item.setdefault(item, []).append(grade)
    grades = {}
    for item, given in by_item.items():
        balance = sum(1 if grade else -1 for grade in given)
        if _SOLVED in given:
            grades[item] = _SOLVED
        elif balance:
            grades[item] = _HELPED if balance > 0 else _DID_NOT
    return grades


def _votes(session: Session) -> Iterator[_Said]:
    """Yield what readers said of an item that they had found with a question."""
    asked, voted = aliased(Event), aliased(Event)
    statement = (
        select(voted.id, voted.visitor, asked.uid, asked.text, voted.item_id, voted.data, asked.data)  # type: ignore[call-overload]
        .join(asked, col(asked.uid) == col(voted.parent))
        .where(
            col(voted.kind) == EventKind.VOTE,
            col(voted.item_id).is_not(None),
            col(asked.kind).in_([EventKind.SEARCH, EventKind.ANSWER]),
        )
    )
    for event, visitor, uid, text, item, data, how in session.exec(statement):
        if not _is_test(data, how):
            yield _Said(event, visitor or uid, text, item, _HELPED if data.get("helpful") else _DID_NOT)


def _links(session: Session) -> Iterator[_Said]:
    """Yield what agents linked to cases and what they dismissed."""
    statement = select(Event).where(
        col(Event.kind).in_([EventKind.LINK, EventKind.DISMISS]), col(Event.item_id).is_not(None)
    )
    for event in session.exec(statement):
        if _is_test(event.data):
            continue
        if event.kind is EventKind.DISMISS:
            grade = _DID_NOT
        else:
            grade = _HELPED if event.data.get("link") == LinkKind.REFERENCE else _SOLVED
        yield _Said(int(event.id or 0), event.visitor or event.uid, event.text, int(event.item_id or 0), grade)


def _is_test(*data: dict[str, Any]) -> bool:
    """Say whether an event is marked as a trial that no measure counts."""
    return any(one.get("test") for one in data)


def _published(session: Session, ids: Collection[int]) -> set[int]:
    found: set[int] = set()
    for some in items.batched(sorted(ids), 500):
        statement = select(Item.id).where(col(Item.id).in_(some), col(Item.state) == State.PUBLISHED)
        found.update(int(item or 0) for item in session.exec(statement))
    return found


def _documents(session: Session) -> Iterator[dict[str, Any]]:
    statement = (
        select(Item, Revision)
        .join(Revision, col(Revision.id) == col(Item.live_revision_id))
        .where(col(Item.state) == State.PUBLISHED)
        .order_by(col(Item.id))
    )
    for item, revision in session.exec(statement):
        text = composed(item.lang, revision)
        yield {
            "_id": item.number,
            "title": revision.title,
            "text": text,
            "lang": item.lang,
            "kind": item.kind.value,
            "similar_questions": revision.similar_questions,
        }


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False)


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
