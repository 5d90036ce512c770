"""Generations: with which embedder, size of passages and analyzer the knowledge base is searched, and which come next.

    building ──activate──> active ──another is activated──> kept ──a third is──> removing ──cleared──> removed
        └──────────────────────────── remove ─────────────────┴─────────────────────┘

The rules of their rows. Making, opening and following them is in `ingest.generations`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, text, update
from sqlmodel import Session, col, select

from kb.errors import Conflict, NotFound
from kb.models import Generation, GenerationState, Passage, StoredVector, now

_LOCK = 7210003
_ENDED = (GenerationState.REMOVING, GenerationState.REMOVED)

GRACE = timedelta(minutes=10)
"""How long after its end the passages of a generation stay: a server may still be loading the model of the next."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a generation is made with."""

    embedder: str
    """The name that the embedding model is loaded by."""
    fingerprint: str
    passage_tokens: int
    analyzer: str


def recipe(row: Generation) -> Recipe:
    return Recipe(row.embedder, row.fingerprint, row.passage_tokens, row.analyzer)


def active(session: Session) -> Generation | None:
    """Return the generation that is searched, None for a knowledge base that was never opened."""
    return session.exec(select(Generation).where(col(Generation.state) == GenerationState.ACTIVE)).first()


def get(session: Session, number: int) -> Generation:
    """Return a generation. Raises NotFound."""
    found = session.get(Generation, number)
    if found is None or found.state in _ENDED:
        raise NotFound(f"there is no generation {number}: kb generation list shows those there are", field="generation")
    return found


def every(session: Session) -> Sequence[Generation]:
    """Return all generations there ever were, oldest first."""
    return session.exec(select(Generation).order_by(col(Generation.number))).all()


def first(session: Session, made_with: Recipe) -> Generation:
    """Return the active generation; a knowledge base without one gets it, made with `made_with`."""
    _serialize(session)
    return active(session) or _add(session, made_with, GenerationState.ACTIVE)


def begin(session: Session, made_with: Recipe, *, again: bool = False) -> Generation:
    """Return a generation to bring level and switch to: one of this recipe that was begun or kept, else a new one.

    `again`: the active one is to be made anew, so only what was begun goes on. Else raises Conflict if the active one
    is made with just this.
    """
    _serialize(session)
    same = [row for row in every(session) if recipe(row) == made_with]
    if not again and any(row.state == GenerationState.ACTIVE for row in same):
        raise Conflict("the active generation is made with just this: there is nothing to build")
    useful = (GenerationState.BUILDING,) if again else (GenerationState.BUILDING, GenerationState.KEPT)
    for row in same:
        if row.state in useful:
            return row
    return _add(session, made_with, GenerationState.BUILDING)


def activate(session: Session, number: int, *, judged: dict[str, Any] | None = None, keep: bool = True) -> None:
    """Make a generation the one that is searched, in the caller's transaction.

    The one before is kept for going back, and what was kept before that is removed; without `keep` the one before is
    removed and what was kept stays. Raises NotFound.
    """
    _serialize(session)
    row = get(session, number)
    if row.state == GenerationState.ACTIVE:
        return
    if keep and active(session) is not None:
        _move(session, GenerationState.KEPT, GenerationState.REMOVING, but=number)
    _move(session, GenerationState.ACTIVE, GenerationState.KEPT if keep else GenerationState.REMOVING)
    session.connection().execute(
        update(Generation)
        .where(col(Generation.number) == number)
        .values(state=GenerationState.ACTIVE, changed_at=now(), judged=judged or {})
    )
    session.expire_all()


def remove(session: Session, number: int) -> None:
    """Mark a generation for removal. Raises NotFound, and Conflict for the active one."""
    _serialize(session)
    row = get(session, number)
    if row.state == GenerationState.ACTIVE:
        raise Conflict(
            f"generation {number} is searched: switch to another first (kb generation switch)", field="generation"
        )
    row.state, row.changed_at = GenerationState.REMOVING, now()
    session.add(row)


def previous(session: Session) -> Generation:
    """Return the generation that was active before the present one. Raises NotFound."""
    row = session.exec(select(Generation).where(col(Generation.state) == GenerationState.KEPT)).first()
    if row is None:
        raise NotFound("there is no generation to go back to: none is kept", field="generation")
    return row


def ended(session: Session) -> list[int]:
    """Return the numbers of generations being removed that no reader can hold any more, oldest first."""
    return [
        int(row.number or 0)
        for row in every(session)
        if row.state == GenerationState.REMOVING and row.changed_at < now() - GRACE
    ]


def clear(session: Session, number: int, most: int) -> int:
    """Delete up to `most` passages of a generation; return how many went. With the last of them it is removed."""
    some = select(Passage.id).where(col(Passage.generation) == number).limit(most)
    gone = session.connection().execute(delete(Passage).where(col(Passage.id).in_(some))).rowcount
    if gone < most:
        session.connection().execute(
            update(Generation)
            .where(col(Generation.number) == number)
            .values(state=GenerationState.REMOVED, changed_at=now())
        )
    return int(gone)


def clear_vectors(session: Session, most: int) -> int:
    """Delete up to `most` vectors of embedders that no generation is made with; return how many went."""
    used = {row.fingerprint for row in every(session) if row.state != GenerationState.REMOVED}
    some = select(StoredVector.embedding_hash).where(col(StoredVector.fingerprint).not_in(used)).limit(most)
    return int(
        session.connection()
        .execute(
            delete(StoredVector).where(
                col(StoredVector.fingerprint).not_in(used), col(StoredVector.embedding_hash).in_(some)
            )
        )
        .rowcount
    )


def _add(session: Session, made_with: Recipe, state: GenerationState) -> Generation:
    """Add a row. A number is given once: rows of removed generations stay, so no folder of an index is met again."""
    last = session.exec(select(func.max(Generation.number))).one() or 0
    row = Generation(
        number=last + 1,
        embedder=made_with.embedder,
        fingerprint=made_with.fingerprint,
        passage_tokens=made_with.passage_tokens,
        analyzer=made_with.analyzer,
        state=state,
    )
    session.add(row)
    session.flush()
    return row


def _move(session: Session, old: GenerationState, new: GenerationState, but: int = 0) -> None:
    session.connection().execute(
        update(Generation)
        .where(col(Generation.state) == old, col(Generation.number) != but)
        .values(state=new, changed_at=now())
    )


def _serialize(session: Session) -> None:
    """Let one transaction at a time change generations (SQLite has one writer anyway)."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
