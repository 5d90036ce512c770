"""Flags: readers report what is wrong with an item; those who write there settle each as fixed or dismissed.

A newer revision settles none by itself: whether it mends what was reported is for a person to say
(docs/decisions/0035-flags.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from kb import editorial, items
from kb.access import Principal, Role, scope_of
from kb.content import storable
from kb.errors import Conflict, InvalidInput, NotFound, TooLarge, TooManyAttempts
from kb.items import ItemView
from kb.models import Flag, FlagReason, FlagState, Item, Revision, now

MAX_TEXT = 1000
WINDOW = timedelta(minutes=15)
MOST = 20
"""Flags that one person, or key, may raise within the window."""


@dataclass(frozen=True, slots=True)
class Raised:
    """A flag, with the number of the revision that it is of."""

    flag: Flag
    revision: int


def report(
    session: Session,
    view: ItemView,
    reason: FlagReason,
    *,
    actor: Principal,
    comment: str = "",
    revision: int | None = None,
) -> Raised:
    """Flag an item that the caller has read, as revision `revision` (default: what readers see) says it.

    For customers and above. Raises InvalidInput for `other` without a comment, TooLarge, NotFound for a revision newer
    than the one shown, TooManyAttempts, Forbidden for who is not signed in.
    """
    actor.require(Role.CUSTOMER, "report problems with articles (sign in)")
    text = _checked(comment, "comment")
    if reason is FlagReason.OTHER and not text:
        raise InvalidInput("say in the comment what is wrong", field="comment")
    read = _read(session, view, revision)
    _not_too_many(session, actor)
    flag = Flag(
        item_id=read.item_id,
        revision_id=int(read.id or 0),
        reason=reason,
        comment=text,
        raised_by=actor.subject,
    )
    session.add(flag)
    session.flush()
    said = {"flag": flag.id, "reason": reason.value, "revision": read.n}
    editorial.audited(session, view.item, actor, "flag", after=said)
    return Raised(flag, read.n)


def listed(session: Session, item: Item, *, actor: Principal) -> Sequence[Raised]:
    """Return all flags of an item that the caller has read already, the newest first.

    Raises Forbidden for who may not write there.
    """
    actor.require_in(session, Role.CONTRIBUTOR, item.space_id, "read what was reported")
    statement = (
        select(Flag, Revision.n)
        .join(Revision, col(Revision.id) == col(Flag.revision_id))
        .where(col(Flag.item_id) == item.id)
        .order_by(col(Flag.id).desc())
    )
    return [Raised(*row) for row in session.exec(statement)]


def settle(session: Session, number: int, state: FlagState, *, actor: Principal, answer: str = "") -> Raised:
    """Say that a flag's problem is fixed, or dismiss it with an answer that says why. For contributors.

    Raises NotFound alike whether there is none or its item may not be read; Conflict for one that is settled, Forbidden
    for who may not write the item, InvalidInput to open it or to dismiss it without an answer, TooLarge.
    """
    actor.require(Role.CONTRIBUTOR, "settle what was reported")
    flag = session.get(Flag, number, with_for_update=True)
    missing = NotFound(f"there is no flag {number} that you may read", field="number")
    if flag is None:
        raise missing
    try:
        item = items.get(session, flag.item_id, scope_of(session, actor))
    except NotFound:
        raise missing from None
    editorial.require_writable(session, item, actor, Role.CONTRIBUTOR, "settle what was reported")
    if flag.state is not FlagState.OPEN:
        raise Conflict(f"flag {number} is {flag.state.value} already, by {flag.decided_by or 'somebody'}")
    if state is FlagState.OPEN:
        raise InvalidInput("a flag is settled as fixed or dismissed", field="state")
    text = _checked(answer, "answer")
    if state is FlagState.DISMISSED and not text:
        raise InvalidInput("say why there is nothing to mend", field="answer")
    flag.state, flag.answer, flag.decided_by, flag.decided_at = state, text, actor.subject, now()
    session.add(flag)
    session.flush()
    was, is_ = {"flag": number, "state": FlagState.OPEN.value}, {"flag": number, "state": state.value}
    editorial.audited(session, item, actor, "settle_flag", was, is_)
    return Raised(flag, session.get_one(Revision, flag.revision_id).n)


def _read(session: Session, view: ItemView, n: int | None) -> Revision:
    """Return the revision that was read. What is newer than the one shown is not said to be there."""
    if n is None or n == view.revision.n:
        return view.revision
    wanted = select(Revision).where(col(Revision.item_id) == view.item.id, col(Revision.n) == n)
    found = session.exec(wanted).first() if n < view.revision.n else None
    if found is None:
        raise NotFound(f"{view.item.number} has no revision {n} that readers saw", field="revision")
    return found


def _not_too_many(session: Session, actor: Principal) -> None:
    lately = select(func.count(), func.min(col(Flag.raised_at))).where(
        col(Flag.raised_by) == actor.subject, col(Flag.raised_at) > now() - WINDOW
    )
    number, oldest = session.exec(lately).one()
    if number >= MOST:
        wait = max(1, int((oldest + WINDOW - now()).total_seconds()) + 1)
        raise TooManyAttempts(f"that is {number} reports lately; try again in {-(-wait // 60)} minutes", wait=wait)


def _checked(text: str, field: str) -> str:
    kept = storable(text).strip()
    if len(kept) > MAX_TEXT:
        raise TooLarge(f"it has at most {MAX_TEXT} characters, not {len(kept)}", field=field)
    return kept
