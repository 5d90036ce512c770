"""Replay of an item's newest revision before it is published: its passages are made in memory, then questions asked."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlmodel import Session, col, select

from ingest.asked_before import MOST, questions
from ingest.generations import Opened
from ingest.indexer import attributes_of
from ingest.question_vectors import QuestionVectors
from kb import editorial, items
from kb.access import Principal, Role, Scope, scope_of, scope_of_readers
from kb.applies import Applies
from kb.content import title_key
from kb.db import Database
from kb.errors import Conflict, InvalidInput
from kb.items import Found
from kb.models import Item, Kind, Revision, State, Wording
from retrieval.fixed import fixed_answer
from retrieval.replay import Draft, Outcome, Remembering, Replayed, Seen, WithDraft, folded, replay
from retrieval.replay import State as IndexState
from retrieval.search import Searcher
from retrieval.shelf import Readable
from retrieval.text import analyzer
from retrieval.types import Change, Filters, PassageDoc

DAYS = 30
"""Questions of so many days are replayed where nothing else is asked for."""
MOST_DAYS = 365
_ABOVE_ALL = 1 << 62
"""Ids of a draft's passages begin here: like those that publishing gives them, they are above all that there are."""

Fixed = Callable[[str], tuple[int, str] | None]


@dataclass(frozen=True, slots=True)
class DraftReplay:
    """What publishing an item's newest revision would change."""

    number: str
    revision: int
    live: bool
    """Whether the item has a live revision, which the draft is in the place of."""
    passages: int
    """Of the draft."""
    days: int
    replayed: tuple[Replayed, ...]
    """What the caller may not read is without title, `item` None. Most asked first, an outcome after the other."""
    embedded: int
    """Questions that had to be embedded; the others were remembered."""
    took_ms: dict[str, float]

    def of(self, outcome: Outcome) -> list[Replayed]:
        return [one for one in self.replayed if one.outcome is outcome]

    def counts(self) -> dict[str, int]:
        """Return the number of questions by outcome."""
        return {outcome.value: len(self.of(outcome)) for outcome in Outcome}


def replay_item(
    db: Database,
    opened: Opened,
    searcher: Searcher,
    ref: str | int,
    *,
    actor: Principal,
    folders: Sequence[Path] = (),
    days: int = DAYS,
    most: int = MOST,
) -> DraftReplay:
    """Replay what was asked in the last `days` days, and the judged questions, for those that the item is meant for.

    `folders`: judged sets beside the organisation's own. At most `most` questions, judged and most asked ones first.
    Raises NotFound for an item that `actor` may not read, Forbidden for less than a contributor in its space, Conflict
    for a retired item, InvalidInput for impossible numbers, UnreadableSource for a folder that cannot be read.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput(f"days is 1 to {MOST_DAYS}, not {days}", field="days")
    if not 1 <= most <= 10 * MOST:
        raise InvalidInput(f"limit is 1 to {10 * MOST}, not {most}", field="limit")
    started = time.perf_counter()
    with db.read() as session:
        mine = scope_of(session, actor)
        item = items.get(session, ref, mine)
        actor.require_in(session, Role.CONTRIBUTOR, item.space_id, "replay what a draft would change")
        if item.state is State.RETIRED:
            raise Conflict(f"{item.number} is retired: what is not going to be published cannot be replayed")
        revision = editorial.newest_revision(session, item)
    asked = questions(db, folders, days=days, most=most)
    read = time.perf_counter()
    vectors = QuestionVectors(db, opened.embedder)
    vectors([question.text for question in asked])
    embedded = time.perf_counter()
    with db.read() as session:
        draft = drafted(session, opened, item, revision)
        scope = scope_of_readers(session, item)
        before, after = _states(session, opened, searcher, scope, draft, revision, [one.text for one in asked])
        made = time.perf_counter()
        found = replay(asked, draft, before, after, vectors=vectors)
        found = _for_reader(session, mine, item, found)
    return DraftReplay(
        number=item.number,
        revision=revision.n,
        live=item.live_revision_id is not None and item.state is State.PUBLISHED,
        passages=len(draft.passages),
        days=days,
        replayed=tuple(sorted(found, key=lambda one: (_ORDER[one.outcome], -one.question.times, one.question.text))),
        embedded=vectors.embedded,
        took_ms={
            "questions": round((read - started) * 1000, 3),
            "embed": round((embedded - read) * 1000, 3),
            "draft": round((made - embedded) * 1000, 3),
            "replay": round((time.perf_counter() - made) * 1000, 3),
            "total": round((time.perf_counter() - started) * 1000, 3),
        },
    )


_ORDER = {outcome: place for place, outcome in enumerate(Outcome)}


def drafted(session: Session, opened: Opened, item: Item, revision: Revision) -> Draft:
    """Return a revision as publishing it would put it into the index, its vectors made now."""
    number = int(item.id or 0)
    rows = opened.indexer.passages_of(item, revision)
    vectors = opened.embedder.embed_passages([row["search_text"] for row in rows])
    terms_of = analyzer(opened.index.analyzer)
    labels = items.labels(session, [number]).get(number, frozenset())
    docs = [
        PassageDoc(_ABOVE_ALL + place, terms_of(row["search_text"]), vector.astype(np.float16).astype(np.float32))
        for place, (row, vector) in enumerate(zip(rows, vectors, strict=True))
    ]
    return Draft(
        change=Change(opened.index.watermark + 1, number, attributes_of(item, labels), tuple(docs)),
        passages={
            doc.id: Found.of(
                item,
                revision,
                passage_id=doc.id,
                ordinal=row["ordinal"],
                path=row["path"],
                text=row["text"],
                applies=Applies.read(row["applies"]),
                updated_at=revision.created_at,
            )
            for doc, row in zip(docs, rows, strict=True)
        },
        title_key=revision.title_key,
        family=item.family,
        lang=item.lang,
        wordings=folded([revision.title, *revision.similar_questions]) if item.kind is Kind.FIXED else frozenset(),
    )


def _states(
    session: Session,
    opened: Opened,
    searcher: Searcher,
    scope: Scope,
    draft: Draft,
    revision: Revision,
    texts: Sequence[str],
) -> tuple[IndexState, IndexState]:
    """Return the engine as it is and as it would be, for readers of `scope`."""
    before = state_now(session, opened, searcher, scope, texts)

    def fixed_then(question: str) -> tuple[int, str] | None:
        if title_key(question) in draft.wordings:
            return draft.item, revision.title
        found = before.fixed(question)
        return found if found is not None and found[0] != draft.item else None

    index, shelf = opened.index.preview([draft.change]), WithDraft(before.shelf, draft)
    return before, replace(before, index=index, shelf=shelf, fixed=fixed_then)


def state_now(
    session: Session,
    opened: Opened,
    searcher: Searcher,
    scope: Scope,
    texts: Collection[str],
    filters: Filters = Filters(),
) -> IndexState:
    """Return the engine as it is, for readers of `scope` who ask these questions."""
    shelf = Remembering(Readable(session, scope, opened.index.generation))
    fixed = fixed_now(session, scope, texts, opened.index.generation, filters)
    embedder, risk, answerable = opened.embedder, searcher.risk, searcher.answerable
    return IndexState(opened.index.preview(), shelf, scope, embedder, risk, answerable, fixed, filters)


def fixed_now(
    session: Session, scope: Scope, texts: Collection[str], generation: int, filters: Filters = Filters()
) -> Fixed:
    """Return what gives item and title of the answer that is fixed for one of these questions."""
    worded: set[str] = set()
    for some in items.batched(sorted(folded(texts)), 500):
        worded.update(session.exec(select(Wording.key).where(col(Wording.key).in_(some))))

    def fixed(question: str) -> tuple[int, str] | None:
        if title_key(question) not in worded:
            return None
        found = fixed_answer(session, scope, question, filters=filters, lang=None, generation=generation)
        return (found[0].item_id, found[0].title) if found is not None else None

    return fixed


def _for_reader(session: Session, scope: Scope, item: Item, found: Sequence[Replayed]) -> list[Replayed]:
    """Return the same without what this reader may not read: the draft may be meant for others than its writer."""
    shown = {seen.item for one in found for seen in (one.before, one.after) if seen.item is not None}
    readable = items.titles(session, scope, shown).keys() | {item.id}

    def cut(seen: Seen) -> Seen:
        return seen if seen.item in readable else replace(seen, item=None, title="")

    return [replace(one, before=cut(one.before), after=cut(one.after)) for one in found]


def as_json(found: DraftReplay) -> dict[str, Any]:
    """Return what was found as one document, without the questions that nothing changes for."""

    def told(seen: Seen) -> dict[str, Any]:
        return {
            "band": seen.band.value,
            "confidence": seen.confidence,
            "item": f"KB-{seen.item}" if seen.item is not None else None,
            "title": seen.title,
        }

    return {
        "item": found.number,
        "revision": found.revision,
        "live": found.live,
        "passages": found.passages,
        "days": found.days,
        "questions": len(found.replayed),
        "counts": found.counts(),
        "changes": [
            {
                "question": one.question.text,
                "times": one.question.times,
                "judged": bool(one.question.relevant),
                "outcome": one.outcome.value,
                "before": told(one.before),
                "after": told(one.after),
            }
            for one in found.replayed
            if one.outcome is not Outcome.UNAFFECTED
        ],
        "embedded": found.embedded,
        "took_ms": found.took_ms,
    }
