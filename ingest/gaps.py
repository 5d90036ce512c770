"""From the event log to gaps: what failed is put together by sense, asked again, and closed where it is answered now.

A refresh looks at the failures of the last days. A question that is answered when asked again opens nothing; one that
is not joins the gap of its space that it is nearest to, or opens one. Then every gap is settled by its questions
(`kb.gaps.settle`). A proof does that for gaps that wait for it alone. Both may run at any time, and several at once:
what they write is decided anew under the order of writers.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from sqlalchemy import delete as sql_delete
from sqlmodel import Session, col, select

from ingest.failed import Asker, Failed, asked, asker, cases
from ingest.generations import Opened
from ingest.question_vectors import QuestionVectors
from ingest.replaying import state_now
from kb import changes, gaps, items
from kb.access import SYSTEM, root_space_id, scope_of
from kb.db import Database
from kb.models import Gap, GapQuestion, GapState, Kind, now
from retrieval.abstain import Band
from retrieval.adapted import AdaptedEmbedder
from retrieval.clusters import Clusters
from retrieval.language import language
from retrieval.search import Searcher
from retrieval.tuned import TUNED, Nearness
from retrieval.types import Filters, Vector

DAYS = 30
"""Failures of so many days are looked back at."""
MOST = 2000
"""New questions looked at by one refresh; of more, those that failed most."""
KEPT = timedelta(days=365)
"""How long a question is kept after it failed last."""
_AT_ONCE = 200
"""Questions asked again in one reading of the database."""
_SOLVERS = Filters(kinds=frozenset(kind.value for kind in Kind if kind is not Kind.CASE))
"""What may solve a case: another case is no answer to it."""

Again = tuple[str, Asker, bool]
"""A question, who asks, and whether it is a case's issue."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh, or a proof, did."""

    failed: int
    """Questions that failed by the log, cases included."""
    answered: int
    """Of those, answered now."""
    opened: int
    """Gaps."""
    closed: int
    reopened: int
    embedded: int
    """Questions that had to be embedded; the others were remembered."""
    took_ms: float


def refresh(
    db: Database,
    opened: Opened,
    searcher: Searcher,
    *,
    days: int = DAYS,
    most: int = MOST,
    near: Nearness | None = None,
) -> Refreshed:
    """Bring the gaps level with the event log. `near`: default, as was tuned for the embedder."""
    started = time.perf_counter()
    with db.read() as session:
        failed = {_place(one): one for one in [*asked(session, days), *cases(session, days)]}
        there = {_row_place(row): row for row in session.exec(select(GapQuestion))}
    new = [one for place, one in failed.items() if place not in there][:most]
    looked_at = [*new, *(failed[place] for place in failed.keys() & there.keys())]
    plain = opened.embedder.plain if isinstance(opened.embedder, AdaptedEmbedder) else opened.embedder
    vectors = QuestionVectors(db, plain)
    known = vectors(list({one.text for one in looked_at} | {row.text for row in there.values()}))
    again = {_again(one) for one in looked_at} | {_row_again(row) for row in there.values()}
    watermark, answered = opened.index.watermark, asked_again(db, opened, searcher, again)
    clusters: dict[int, Clusters] = {}
    with db.write() as session:
        changes.in_order(session)
        kept = _kept(session, failed)
        rows = [row for row in kept if _row_again(row) in again]  # others came by another refresh, meanwhile
        spaces = _spaces(session)
        nearness = near or TUNED.nearness_of(plain.name)
        for row in rows:
            row.answered = _row_again(row) in answered
            session.add(row)
            near_here = clusters.setdefault(spaces[row.gap_id], Clusters(nearness))
            near_here.add(row.gap_id, known[row.text], row.lang)
        taken = {_row_place(row) for row in kept}
        made = 0
        for one in new:
            if _again(one) in answered or _place(one) in taken:
                continue
            space = one.asker.space if one.asker.space is not None else root_space_id(session)
            lang = language(one.text)
            near_here = clusters.setdefault(space, Clusters(nearness))
            number = near_here.nearest(known[one.text], lang)
            if number is None:
                gap = Gap(space_id=space)
                session.add(gap)
                session.flush()
                number, made = int(gap.id or 0), made + 1
            near_here.add(number, known[one.text], lang)
            rows.append(_question(session, number, one, lang))
        closed, reopened = _settled(session, rows, known, watermark)
    return Refreshed(
        failed=len(failed),
        answered=sum(_again(one) in answered for one in looked_at),
        opened=made,
        closed=closed,
        reopened=reopened,
        embedded=vectors.embedded,
        took_ms=round((time.perf_counter() - started) * 1000, 3),
    )


def prove(db: Database, opened: Opened, searcher: Searcher) -> Refreshed | None:
    """Ask the questions of the gaps that wait for proof again, and close or reopen these; None: none waits.

    Where the index has not all changes yet, they go on waiting.
    """
    started = time.perf_counter()
    with db.read() as session:
        numbers = gaps.waiting(session)
        if not numbers or opened.index.watermark < changes.latest(session):
            return None
        again = {_row_again(row) for row in _of(session, numbers)}
    watermark, answered = opened.index.watermark, asked_again(db, opened, searcher, again)
    with db.write() as session:
        changes.in_order(session)
        rows = _of(session, numbers)
        for row in rows:
            row.answered = _row_again(row) in answered
            session.add(row)
        closed, reopened = _settled(session, rows, {}, watermark)
    took = round((time.perf_counter() - started) * 1000, 3)
    return Refreshed(len(again), len(again & answered), 0, closed, reopened, 0, took)


def asked_again(db: Database, opened: Opened, searcher: Searcher, questions: Collection[Again]) -> set[Again]:
    """Return those of the questions that are answered now, as those who asked them are told."""
    vectors = QuestionVectors(db, opened.embedder)
    groups: dict[tuple[Asker, bool], list[str]] = {}
    for text, who, case in questions:
        groups.setdefault((who, case), []).append(text)
    found: set[Again] = set()
    for (who, case), texts in groups.items():
        for some in items.batched(sorted(texts), _AT_ONCE):
            with db.read() as session:
                scope = scope_of(session, who.principal).published_only()
                filters = _SOLVERS if case else Filters()
                state = state_now(session, opened, searcher, scope, some, filters)
                told = state.seen(some, vectors)
            found |= {(text, who, case) for text, seen in zip(some, told, strict=True) if seen.band is Band.ANSWER}
    return found


def _kept(session: Session, failed: dict[tuple[object, ...], Failed]) -> list[GapQuestion]:
    """Bring the questions that there are level with what failed; return them. Old ones go, and gaps without any."""
    kept = []
    for row in session.exec(select(GapQuestion).order_by(col(GapQuestion.id))).all():
        again = failed.get(_row_place(row))
        if again is not None:
            row.text, row.key, row.times, row.last_at = again.text, again.key, again.times, again.last_at
            row.lang = language(again.text)
        elif row.case_id is not None or row.last_at < now() - KEPT:
            session.delete(row)  # the case is solved, retired or old
            continue
        else:
            row.times = 0
        kept.append(row)
    session.flush()
    session.exec(sql_delete(Gap).where(col(Gap.id).not_in(select(GapQuestion.gap_id))))
    return kept


def _settled(
    session: Session, rows: Iterable[GapQuestion], vectors: dict[str, Vector], watermark: int
) -> tuple[int, int]:
    """Settle the gaps of these questions; return how many closed and how many reopened."""
    by_gap: dict[int, list[GapQuestion]] = {}
    for row in rows:
        by_gap.setdefault(row.gap_id, []).append(row)
    level = watermark >= changes.latest(session)
    ends = {GapState.CLOSED: 0, GapState.REOPENED: 0}
    for number, questions in by_gap.items():
        _centre([one for one in questions if one.text in vectors], vectors)
        gap = session.get_one(Gap, number)
        if gaps.settle(session, gap, questions, actor=SYSTEM, level=level) and gap.state in ends:
            ends[gap.state] += 1
    return ends[GapState.CLOSED], ends[GapState.REOPENED]


def _centre(questions: Sequence[GapQuestion], vectors: dict[str, Vector]) -> None:
    """Set how central each question of a gap is."""
    if not questions:
        return
    matrix = np.stack([vectors[one.text] for one in questions])
    middle = matrix.sum(axis=0)
    cosines = matrix @ (middle / max(float(np.linalg.norm(middle)), 1e-9))
    for one, cosine in zip(questions, cosines, strict=True):
        one.central = round(float(cosine), 4)


def _question(session: Session, gap: int, one: Failed, lang: str) -> GapQuestion:
    row = GapQuestion(
        gap_id=gap,
        key=one.key,
        text=one.text,
        lang=lang,
        role=one.asker.role.value,
        space_id=one.asker.space,
        case_id=one.case,
        times=one.times,
        last_at=one.last_at,
    )
    session.add(row)
    return row


def _of(session: Session, numbers: Collection[int]) -> list[GapQuestion]:
    return list(session.exec(select(GapQuestion).where(col(GapQuestion.gap_id).in_(sorted(numbers)))))


def _spaces(session: Session) -> dict[int, int]:
    return {int(number or 0): space for number, space in session.exec(select(Gap.id, Gap.space_id))}


def _place(one: Failed) -> tuple[object, ...]:
    """Return what makes a question of a gap the same as before: its readers and folded text, or its case."""
    return (one.case,) if one.case is not None else (one.key, one.asker)


def _row_place(row: GapQuestion) -> tuple[object, ...]:
    return (row.case_id,) if row.case_id is not None else (row.key, asker(row.role, row.space_id))


def _again(one: Failed) -> Again:
    return one.text, one.asker, one.case is not None


def _row_again(row: GapQuestion) -> Again:
    return row.text, asker(row.role, row.space_id), row.case_id is not None
