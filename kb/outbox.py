"""E-mails that wait for the mail server. Put here in the transaction that decides on them, so none is lost or invented.

Whoever sends takes one with `claim`, and no other process takes it meanwhile; one that dies at it leaves it to be tried
again. A letter may so be sent twice, and is never sent not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import func
from sqlmodel import Session, col, select

from kb.db import Database
from kb.models import Letter, LetterKind, LetterState, now

LEASE = timedelta(minutes=10)
"""How long one process may be at a letter before another may: longer than all steps of handing it in."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
"""Between two tries; doubled each time."""
KEPT = timedelta(days=30)
"""How long what has ended is kept."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the outbox stands."""

    waiting: int
    late: int
    """Those of them that failed at least once."""
    given_up: int
    """Within the last seven days."""
    reason: str
    """Why the last that failed did."""


def put(
    session: Session,
    kind: LetterKind,
    address: str,
    *,
    lang: str,
    lives: timedelta,
    data: Mapping[str, Any] | None = None,
) -> Letter:
    """Decide on a letter, in the caller's transaction. `lives`: how long it is of use to anybody."""
    letter = Letter(kind=kind, address=address, lang=lang, data=dict(data or {}), expires_at=now() + lives)
    session.add(letter)
    session.flush()
    return letter


def claim(db: Database, moment: datetime | None = None) -> Letter | None:
    """Return the next letter that is due, for the caller to send; None if there is none."""
    at = moment if moment is not None else now()
    due = (
        select(Letter)
        .where(col(Letter.state) == LetterState.WAITING, col(Letter.next_at) <= at)
        .order_by(col(Letter.next_at), col(Letter.id))
        .limit(1)
    )
    with db.read() as session:
        if session.exec(due).first() is None:
            return None  # the usual case takes no lock
    with db.write() as session:
        while (letter := session.exec(due.with_for_update(skip_locked=True)).first()) is not None:
            if letter.expires_at > at:
                letter.next_at = at + LEASE
                letter.tries += 1
                session.add(letter)
                return letter
            _end(letter, LetterState.GIVEN_UP, letter.reason or "it could not be sent in time")
            session.add(letter)
            session.flush()
    return None


def sent(db: Database, letter: Letter) -> None:
    """Keep that the server has taken a letter."""
    _ended(db, letter, LetterState.SENT)


def failed(db: Database, letter: Letter, reason: str, *, for_good: bool, moment: datetime | None = None) -> None:
    """Keep why a letter was not taken: it is tried again later, unless that is `for_good`."""
    if for_good:
        _ended(db, letter, LetterState.GIVEN_UP, reason)
        return
    at = moment if moment is not None else now()
    with db.write() as session:
        row = session.get(Letter, letter.id)
        if row is not None and row.state is LetterState.WAITING:
            row.next_at = at + min(FIRST_WAIT * 2 ** min(row.tries - 1, 10), LONGEST_WAIT)
            row.reason = reason[:500]
            session.add(row)


def drop(db: Database, letter: Letter) -> None:
    """Forget a letter that nobody needs any more, or that is to nobody we know."""
    with db.write() as session:
        session.exec(sql_delete(Letter).where(col(Letter.id) == letter.id))


def clear(db: Database) -> None:
    """Forget what ended long ago."""
    with db.write() as session:
        session.exec(sql_delete(Letter).where(col(Letter.ended_at) <= now() - KEPT))


def standing(session: Session) -> Standing:
    """Return how the outbox stands. For admins of everything, and the operator."""
    waiting = col(Letter.state) == LetterState.WAITING
    lately = (col(Letter.state) == LetterState.GIVEN_UP) & (col(Letter.ended_at) > now() - timedelta(days=7))
    failing = select(Letter.reason).where(col(Letter.reason) != "").order_by(col(Letter.next_at).desc()).limit(1)
    return Standing(
        waiting=session.exec(select(func.count()).select_from(Letter).where(waiting)).one(),
        late=session.exec(select(func.count()).select_from(Letter).where(waiting, col(Letter.reason) != "")).one(),
        given_up=session.exec(select(func.count()).select_from(Letter).where(lately)).one(),
        reason=session.exec(failing.where(waiting | lately)).first() or "",
    )


def _ended(db: Database, letter: Letter, state: LetterState, reason: str = "") -> None:
    with db.write() as session:
        row = session.get(Letter, letter.id)
        if row is not None:
            _end(row, state, reason)
            session.add(row)


def _end(letter: Letter, state: LetterState, reason: str) -> None:
    letter.state, letter.ended_at, letter.data, letter.reason = state, now(), {}, reason[:500]
