"""The questions to replay: those of the event log, each once with how often it was asked, and the judged ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlmodel import Session, col, select

from ingest.gate import questions as judged_questions
from kb import items
from kb.content import title_key
from kb.db import Database
from kb.models import Event, EventKind, Item, State, now
from retrieval.replay import Question

MOST = 1000
"""Questions replayed; of more, those asked most."""


@dataclass(slots=True)
class _Asked:
    text: str
    times: int = 0


def logged(session: Session, days: int) -> dict[str, tuple[str, int]]:
    """Return (wording used last, times asked) by folded text, of what was searched or asked in the last `days` days.

    Trials (`test`) and what a page searched while it was being typed (`instant`) count for nothing; an answer to a
    search is the same question, asked once.
    """
    asked: dict[str, _Asked] = {}
    statement = (
        select(Event.text, Event.data, Event.kind, Event.parent)
        .where(col(Event.kind).in_([EventKind.SEARCH, EventKind.ANSWER]), col(Event.at) >= now() - timedelta(days=days))
        .order_by(col(Event.id).desc())
    )
    for text, data, kind, parent in session.exec(statement):
        if kind is EventKind.ANSWER and parent is not None:
            continue
        key = title_key(text)
        if key and not data.get("test") and not data.get("instant"):
            asked.setdefault(key, _Asked(text)).times += 1
    return {key: (one.text, one.times) for key, one in asked.items()}


def questions(db: Database, folders: Sequence[Path], *, days: int, most: int = MOST) -> list[Question]:
    """Return the questions to replay: those that are judged first, then the ones asked most, `most` at most.

    `folders` hold judged questions whose documents are items, by external id; those of the event log
    (`ingest.own`) are judged too. Raises UnreadableSource for a folder that cannot be read.
    """
    judged = judged_questions(db, folders)
    with db.read() as session:
        asked = logged(session, days)
        numbers = _numbers(session, {name for one in judged for name in one.relevant})
    found: dict[str, Question] = {}
    for one in judged:
        key = title_key(one.query.text)
        relevant = {numbers[name] for name, grade in one.relevant.items() if grade > 0 and name in numbers}
        if key and relevant:
            before = found.get(key)
            also = before.relevant if before is not None else frozenset()
            found[key] = Question(one.query.text, asked[key][1] if key in asked else 0, also | relevant)
    for key, (text, times) in sorted(asked.items(), key=lambda pair: -pair[1][1]):
        found.setdefault(key, Question(text, times))
    return list(found.values())[:most]


def _numbers(session: Session, names: set[str]) -> dict[str, int]:
    """Return the ids of published items by external id; where sources share one, the newest."""
    found: dict[str, int] = {}
    for some in items.batched(sorted(names), 500):
        statement = (
            select(Item.external_id, Item.id)
            .where(col(Item.external_id).in_(some), col(Item.state) == State.PUBLISHED)
            .order_by(col(Item.id))
        )
        found.update((name, int(item or 0)) for name, item in session.exec(statement))
    return found
