"""The queue of likely near duplicates: found by a scan, decided by people, shown to who may read both items."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from kb import items
from kb.access import Principal, Role, Scope, readable
from kb.errors import Conflict, InvalidInput, NotFound, shown
from kb.models import DuplicatePair, Item, Meta, PairState, State, now

_SCANNED = "duplicates_scanned"


@dataclass(frozen=True, slots=True)
class Found:
    """A pair as a scan found it; `low` is the item with the lower id."""

    low: int
    high: int
    low_revision: int
    high_revision: int
    probability: float
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """A pair with both of its items."""

    pair: DuplicatePair
    low: Item
    high: Item

    @property
    def current(self) -> bool:
        """Whether what was compared is what readers see now. Evidence of other revisions is not to be shown."""
        compared = (self.pair.low_revision_id, self.pair.high_revision_id)
        return compared == (self.low.live_revision_id, self.high.live_revision_id)


def scanned(session: Session) -> int:
    """Return the change-log number up to which items were compared."""
    row = session.get(Meta, _SCANNED)
    return int(row.value) if row is not None else 0


def keep(session: Session, looked_at: Collection[int], found: Sequence[Found], *, since: int, upto: int) -> bool:
    """Write down what a scan of the changes after `since` up to `upto` found of the items `looked_at`.

    Open pairs of these items that were not found again go. What was said to be no duplicate stays that. Returns False,
    and writes nothing, if another scan has been there meanwhile. Doing it again does nothing more.
    """
    row = session.get(Meta, _SCANNED)
    if (int(row.value) if row is not None else 0) != since:
        return False
    wanted = {(one.low, one.high): one for one in found if _still(session, one)}
    for pair in _pairs_of(session, looked_at):
        again = wanted.pop((pair.low_id, pair.high_id), None)
        if pair.state == PairState.NOT_DUPLICATE or (pair.state == PairState.MERGED and again is None):
            continue
        if again is None:
            session.delete(pair)
        else:
            _set(pair, again)
            settle(session, pair, PairState.OPEN, actor=None)  # both are published: what was merged is so no more
    for one in wanted.values():
        pair = DuplicatePair(
            low_id=one.low, high_id=one.high, low_revision_id=0, high_revision_id=0, probability=one.probability
        )
        _set(pair, one)
        session.add(pair)
    if row is None:
        row = Meta(key=_SCANNED, value="")
    row.value = str(upto)
    session.add(row)
    session.flush()
    return True


def rewind(session: Session) -> None:
    """Let the next scan compare all items again; what was decided stays."""
    row = session.get(Meta, _SCANNED)
    if row is not None:
        session.delete(row)
        session.flush()


def partners(session: Session, item: int) -> list[int]:
    """Return the ids of the items that open pairs of `item` are with."""
    return [
        pair.high_id if pair.low_id == item else pair.low_id
        for pair in _pairs_of(session, [item])
        if pair.state == PairState.OPEN
    ]


def listing(
    session: Session,
    scope: Scope,
    *,
    actor: Principal,
    state: PairState = PairState.OPEN,
    limit: int = 50,
    offset: int = 0,
) -> list[Listed]:
    """Return the pairs in a state of which both items may be read, likeliest first. Raises Forbidden."""
    actor.require(Role.EDITOR, "see the queue of duplicates")
    low, high = aliased(Item), aliased(Item)
    statement = (
        select(DuplicatePair, low, high)
        .join(low, col(low.id) == col(DuplicatePair.low_id))
        .join(high, col(high.id) == col(DuplicatePair.high_id))
        .where(*_listed(scope, state))
        .order_by(col(DuplicatePair.probability).desc(), col(DuplicatePair.id))
        .limit(limit)
        .offset(offset)
    )
    return [Listed(pair, one, other) for pair, one, other in session.exec(statement)]


def count(session: Session, scope: Scope, state: PairState) -> int:
    """Return how many pairs `listing` has in a state."""
    return session.exec(select(func.count(col(DuplicatePair.id))).where(*_listed(scope, state))).one()


def _listed(scope: Scope, state: PairState) -> list[ColumnElement[bool]]:
    """Return the conditions on pairs: in the state, and both items may be read."""
    seen = select(Item.id).where(readable(scope))
    if state == PairState.OPEN:  # a retired one is nobody's duplicate, whether or not a scan has seen that
        seen = seen.where(col(Item.state) == State.PUBLISHED)
    return [
        col(DuplicatePair.state) == state,
        col(DuplicatePair.low_id).in_(seen),
        col(DuplicatePair.high_id).in_(seen),
    ]


def get(session: Session, number: int, scope: Scope, *, actor: Principal) -> Listed:
    """Return a pair. Raises Forbidden, and NotFound alike for one that is not there and one that may not be read."""
    actor.require(Role.EDITOR, "see the queue of duplicates")
    pair = session.get(DuplicatePair, number)
    try:
        if pair is None:
            raise NotFound("")
        return Listed(pair, items.get(session, pair.low_id, scope), items.get(session, pair.high_id, scope))
    except NotFound:
        raise NotFound(f"there is no pair {shown(number)} that you may read", field="number") from None


def decide(session: Session, row: Listed, state: PairState, *, actor: Principal) -> DuplicatePair:
    """Say that two items are no duplicates, or open the question again.

    Raises InvalidInput for `merged`, which merging says, and Conflict for a pair that is merged: undo that first.
    """
    for item in (row.low, row.high):
        actor.require_in(session, Role.EDITOR, item.space_id, "decide about duplicates")
    if state == PairState.MERGED:
        raise InvalidInput("a pair is merged by merging its items, not by saying so", field="state")
    pair = row.pair
    if pair.state == PairState.MERGED:
        raise Conflict(f"{row.low.number} and {row.high.number} are merged; take that back first")
    settle(session, pair, state, actor=actor.subject)
    return pair


def settle(session: Session, pair: DuplicatePair, state: PairState, *, actor: str | None) -> None:
    """Set a pair's state with who set it and when; an open one has neither. For callers that have checked rights."""
    decided = state != PairState.OPEN
    pair.state = state
    pair.decided_by, pair.decided_at = (actor, now()) if decided else (None, None)
    session.add(pair)
    session.flush()


def between(session: Session, one: int, other: int) -> DuplicatePair | None:
    """Return the pair of two items, if there is one."""
    return session.exec(
        select(DuplicatePair).where(
            col(DuplicatePair.low_id) == min(one, other), col(DuplicatePair.high_id) == max(one, other)
        )
    ).first()


def forget(session: Session, item: Item) -> None:
    """Remove the pairs of an item that is about to be deleted for good."""
    session.exec(
        sql_delete(DuplicatePair).where(
            or_(col(DuplicatePair.low_id) == item.id, col(DuplicatePair.high_id) == item.id)
        )
    )


def _pairs_of(session: Session, ids: Collection[int]) -> Sequence[DuplicatePair]:
    some = sorted(ids)
    return session.exec(
        select(DuplicatePair).where(or_(col(DuplicatePair.low_id).in_(some), col(DuplicatePair.high_id).in_(some)))
    ).all()


def _still(session: Session, one: Found) -> bool:
    """Say whether both items are as they were compared; what has changed since has a change of its own to be seen."""
    for item, revision in ((one.low, one.low_revision), (one.high, one.high_revision)):
        row = session.get(Item, item)
        if row is None or row.state != State.PUBLISHED or row.live_revision_id != revision:
            return False
    return True


def _set(pair: DuplicatePair, found: Found) -> None:
    pair.low_revision_id, pair.high_revision_id = found.low_revision, found.high_revision
    pair.probability, pair.evidence = found.probability, found.evidence
