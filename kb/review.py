"""Review of an item: asked for, then approved, given back with a message, or withdrawn. One rule for every kind.

A live item goes on being shown while its staged edit, a newer revision, is in review (docs/decisions/0023-review.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from kb import editorial, fixed, pending
from kb.access import Principal, Role, Scope, readable
from kb.compose import FIELDS
from kb.content import storable
from kb.editorial import Published
from kb.errors import Conflict, InvalidInput, TooLarge
from kb.models import Item, Kind, Review, ReviewOutcome, Revision, Significance, State, now

AHEAD = timedelta(days=14)
"""How long before its expiry an item is due for review, where no day was named for that."""
MAX_MESSAGE = 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open review, with what it is of."""

    review: Review
    item: Item
    revision: Revision


def submit(
    session: Session,
    item: Item,
    *,
    actor: Principal,
    message: str = "",
    review_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> Review:
    """Ask for a review of the newest revision; readers go on seeing the live one. For contributors.

    `review_at` is the moment it is due to be looked at again (default: AHEAD before `expires_at`), `expires_at` the one
    from which on readers no longer see it. Raises Conflict while a review is open or where readers see this revision
    already (a fixed answer may be gone over again), InvalidInput for an item without text or dates that cannot be,
    Forbidden below contributor (of a fixed answer: below editor).
    """
    editorial.require_writable(session, item, actor, *_rights(item, Role.CONTRIBUTOR, "write items"))
    revision = editorial.newest_revision(session, item)
    if not any(getattr(revision, name).strip() for name in ("body", *(() if _fixed(item) else FIELDS))):
        raise InvalidInput(f"{item.number} answers nothing yet: its text is empty", field="body")
    if pending.open_review(session, item) is not None:
        raise Conflict(f"{item.number} is in review already: approve it, or change it and submit it again")
    if not _fixed(item) and item.state == State.PUBLISHED and item.live_revision_id == revision.id:
        raise Conflict(f"readers see revision {revision.n} of {item.number} already: change it, then submit it")
    _check_dates(review_at, expires_at)
    review_at = review_at or (max(expires_at - AHEAD, now()) if expires_at is not None else None)
    review = Review(
        item_id=revision.item_id,
        revision_id=int(revision.id or 0),
        asked_by=actor.subject,
        review_at=review_at,
        expires_at=expires_at,
        message=_checked(message),
    )
    session.add(review)
    before = item.state
    if item.state != State.PUBLISHED:
        item.state = State.IN_REVIEW
        session.add(item)
    session.flush()
    _audited(session, item, actor, "submit", revision, before)
    return review


def approve(
    session: Session,
    item: Item,
    *,
    actor: Principal,
    revision: int | None = None,
    message: str = "",
    significance: Significance | None = None,
) -> Published:
    """Approve the open review, and publish its revision. For coaches; of the own text, for whoever may publish.

    `revision` is the number of the one that the approver has read: raises Conflict if another one is in review, or
    none. Approving what one wrote or submitted oneself is marked (`by_author`). `significance` as in
    `editorial.publish`. A fixed answer takes an editor.
    """
    newest, review = _reviewed(session, item, actor, revision, Role.PUBLISHER, "approve items")
    own = actor.subject is not None and actor.subject == newest.author
    if not own:
        editorial.require_writable(session, item, actor, *_rights(item, Role.COACH, "approve what others wrote"))
    _check_dates(None, review.expires_at)
    before = item.state
    if _fixed(item) or review.expires_at is not None or review.review_at is not None:
        item.review_at, item.expires_at = review.review_at, review.expires_at
    published = editorial.publish(session, item, newest, actor=actor, approved=True, significance=significance)
    review.by_author = own or actor.subject == review.asked_by
    pending.end_review(session, item, ReviewOutcome.APPROVED, actor=actor, answer=_checked(message))
    _audited(session, item, actor, "approve", newest, before)
    if _fixed(item):
        fixed.reword(session, published.item_id, newest)
    return published


def defer(session: Session, item: Item, *, actor: Principal, message: str, revision: int | None = None) -> Review:
    """Give the text in review back to its author, with a message that says what is missing. For coaches.

    `revision` as in `approve`. Raises InvalidInput without a message.
    """
    newest, _ = _reviewed(session, item, actor, revision, Role.COACH, "defer what others wrote")
    if not message.strip():
        raise InvalidInput("say in the message what is missing: its author reads nothing else", field="message")
    before = item.state
    review = pending.end_review(session, item, ReviewOutcome.DEFERRED, actor=actor, answer=_checked(message))
    assert review is not None
    _audited(session, item, actor, "defer", newest, before)
    return review


def withdraw(session: Session, item: Item, *, actor: Principal) -> Review:
    """Take a review back. For who asked for it or wrote the text, and for coaches."""
    newest, review = _reviewed(session, item, actor, None, Role.CONTRIBUTOR, "withdraw reviews")
    if actor.subject is None or actor.subject not in (review.asked_by, newest.author):
        editorial.require_writable(session, item, actor, *_rights(item, Role.COACH, "withdraw what others submitted"))
    before = item.state
    pending.end_review(session, item, ReviewOutcome.WITHDRAWN, actor=actor)
    _audited(session, item, actor, "withdraw", newest, before)
    return review


def history(session: Session, item: Item, *, actor: Principal) -> Sequence[Review]:
    """Return all reviews of an item that the caller has read already, oldest first.

    Raises Forbidden for who may not write there.
    """
    actor.require_in(session, Role.CONTRIBUTOR, item.space_id, "read reviews")
    return pending.reviews(session, [int(item.id or 0)]).get(int(item.id or 0), [])


def queue(
    session: Session,
    scope: Scope,
    *,
    actor: Principal,
    asked_by: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Waiting]:
    """Return open reviews of readable items in spaces where the actor may write, longest waiting first.

    `asked_by`: only those that this person asked for. Raises Forbidden below contributor.
    """
    actor.require(Role.CONTRIBUTOR, "read reviews")
    statement = (
        select(Review, Item, Revision)
        .join(Item, col(Item.id) == col(Review.item_id))
        .join(Revision, col(Revision.id) == col(Review.revision_id))
        .where(col(Review.outcome).is_(None), readable(scope))
        .order_by(col(Review.id))
        .limit(limit)
        .offset(offset)
    )
    spaces = actor.spaces_of(session, Role.CONTRIBUTOR)
    if spaces is not None:
        statement = statement.where(col(Item.space_id).in_(sorted(spaces)))
    if asked_by is not None:
        statement = statement.where(col(Review.asked_by) == asked_by)
    return [Waiting(*row) for row in session.exec(statement)]


def _fixed(item: Item) -> bool:
    return item.kind == Kind.FIXED


def _rights(item: Item, role: Role, doing: str) -> tuple[Role, str]:
    """Return the role that it takes, and for what: of fixed answers, all takes an editor."""
    return (Role.EDITOR, "change fixed answers") if _fixed(item) else (role, doing)


def _reviewed(
    session: Session, item: Item, actor: Principal, read: int | None, role: Role, doing: str
) -> tuple[Revision, Review]:
    """Return the newest revision and its open review, once it is sure that nothing changes under them.

    Raises Forbidden below `role` before anything is said of the review.
    """
    editorial.require_writable(session, item, actor, *_rights(item, role, doing))
    newest = editorial.newest_revision(session, item)
    review = pending.open_review(session, item)
    if review is None or review.revision_id != newest.id:
        raise Conflict(f"revision {newest.n} of {item.number} is not in review: submit it first")
    if read is not None and read != newest.n:
        raise Conflict(f"{item.number} has revision {newest.n} in review, not {read}: read that one")
    return newest, review


def _checked(message: str) -> str:
    text = storable(message).strip()
    if len(text) > MAX_MESSAGE:
        raise TooLarge(f"a message has at most {MAX_MESSAGE} characters, not {len(text)}", field="message")
    return text


def _check_dates(review_at: datetime | None, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= now():
        raise InvalidInput(f"an answer cannot expire in the past, on {expires_at.isoformat()}", field="expires_at")
    if review_at is not None and expires_at is not None and review_at > expires_at:
        raise InvalidInput(
            f"the review, on {review_at.isoformat()}, comes after the expiry, on {expires_at.isoformat()}",
            field="review_at",
        )


def _audited(session: Session, item: Item, actor: Principal, action: str, revision: Revision, before: State) -> None:
    was, is_ = {"state": before.value}, {"state": item.state.value, "revision": revision.n}
    editorial.audited(session, item, actor, action, was, is_)
