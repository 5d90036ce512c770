"""The gate before a switch of generations: the judged questions must not be answered worse than they are now.

Judged questions are those of folders in the BEIR layout whose documents are items (by external id), and those of the
event log (`ingest.own`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from ingest import own
from ingest.judged import JudgedQuery, load_questions
from kb import items
from kb.access import SYSTEM
from kb.db import Database
from kb.models import Item
from retrieval.measures import mean, measure
from retrieval.search import Searcher

ENOUGH = 20
"""Fewer judged questions decide nothing."""
_MEASURE = "ndcg@10"


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with its relevant items: external id -> grade."""

    query: JudgedQuery
    relevant: dict[str, int]


@dataclass(frozen=True, slots=True)
class Changed:
    """A question that is answered otherwise, nDCG@10 before and after."""

    question: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate measured: mean nDCG@10 over the judged questions."""

    questions: int
    before: float | None
    """None: what is searched now could not be asked."""
    after: float
    worse: tuple[Changed, ...] = ()
    """Largest loss first."""
    better: tuple[Changed, ...] = ()
    """Largest gain first."""

    @property
    def refusal(self) -> str | None:
        """Why the switch is refused, None if it is not."""
        if self.questions < ENOUGH:
            return f"too few questions are judged: {self.questions}, at least {ENOUGH} are needed"
        if self.before is None:
            return "the present generation cannot be asked, so there is nothing to compare with"
        if self.after < self.before:
            fall = f"from {self.before:.4f} to {self.after:.4f}"
            return f"nDCG@10 over {self.questions} judged questions would fall {fall}"
        return None

    def as_json(self) -> dict[str, Any]:
        return {
            "questions": self.questions,
            "measure": _MEASURE,
            "before": self.before,
            "after": self.after,
            "worse": len(self.worse),
            "better": len(self.better),
            "refusal": self.refusal,
        }


def questions(db: Database, folders: Sequence[Path]) -> list[Judged]:
    """Return the judged questions of these folders and of the event log. Raises UnreadableSource for a bad folder."""
    found: list[Judged] = []
    for folder in folders:
        judged = load_questions(folder, folder.name)
        found += [Judged(query, judged.qrels[query.id]) for query in judged.judged()]
    return found + _own(db)


def compare(before: Searcher | None, after: Searcher, judged: Sequence[Judged]) -> Verdict:
    """Ask both all questions, as one who may read everything."""
    new = ndcg(after, judged)
    old = ndcg(before, judged) if before is not None else None
    changed = [
        Changed(one.query.text, old[one.query.id], new[one.query.id])
        for one in judged
        if old is not None and old[one.query.id] != new[one.query.id]
    ]
    return Verdict(
        questions=len(judged),
        before=round(mean(old), 6) if old is not None else None,
        after=round(mean(new), 6),
        worse=tuple(sorted((c for c in changed if c.after < c.before), key=lambda c: c.after - c.before)),
        better=tuple(sorted((c for c in changed if c.after > c.before), key=lambda c: c.before - c.after)),
    )


def ndcg(searcher: Searcher, judged: Sequence[Judged]) -> dict[str, float]:
    """Return nDCG@10 by question id, asked as one who may read everything."""
    rankings = {}
    for one in judged:
        hits = searcher.search(one.query.text, reader=SYSTEM, filters=one.query.filters, limit=10).hits
        rankings[one.query.id] = [hit.found.external_id for hit in hits]
    return measure(rankings, {one.query.id: one.relevant for one in judged})[_MEASURE] if judged else {}


def _own(db: Database) -> list[Judged]:
    """Return the questions of the event log, their items by external id."""
    judged = own.questions(db)
    names: dict[int, str] = {}
    with db.read() as session:
        for some in items.batched(sorted({item for one in judged for item in one.grades}), 500):
            statement = select(Item.id, Item.external_id).where(col(Item.id).in_(some))
            names.update((int(item or 0), name) for item, name in session.exec(statement))
    return [
        Judged(one.query, {names[item]: grade for item, grade in one.grades.items() if item in names}) for one in judged
    ]
