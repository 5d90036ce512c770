"""Fixed answers: written by an editor for a question, reviewed, returned as they are until they expire.

A fixed answer is an `Item` of kind `fixed`: its title is the question, its similar questions are further wordings, its
body is the answer. So revisions, spaces, audiences, groups, the change log and the one access rule are those of items.
What is here is the rest: review, expiry, and finding one by the question (docs/decisions/0015-fixed-answers.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete as sql_delete
from sqlalchemy import or_
from sqlmodel import Session, col, select

from kb import editorial, items
from kb.access import NARROW_FIRST, Principal, Role, Scope, path_to_root, readable
from kb.content import title_key
from kb.editorial import Published
from kb.errors import Conflict, InvalidInput, NotFound, shown
from kb.items import ItemView
from kb.models import Item, Kind, Review, Revision, State, Wording, now

AHEAD = timedelta(days=14)
"""How long before its expiry an answer is due for review, where no day was named for that."""
_REVIEWED = (State.IN_REVIEW, State.PUBLISHED)


@dataclass(frozen=True, slots=True)
class FixedAnswer:
    """A fixed answer as a reader may see it now, with the review that it is in force by."""

    view: ItemView
    review: Review


@dataclass(frozen=True, slots=True)
class Listed:
    """One row for its editors: the newest revision, and its newest review if it was ever asked for one."""

    item: Item
    revision: Revision
    review: Review | None
    live: int | None
    """Number of the revision that readers see; None: they see none."""


def submit(
    session: Session,
    item: Item,
    *,
    actor: Principal,
    review_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> Review:
    """Ask for a review of the newest revision; readers go on seeing the live one.

    `review_at` is the moment it is due to be looked at again (default: AHEAD before `expires_at`), `expires_at` the one
    from which on it is returned no longer. Raises Conflict for another kind of item or while a review is asked for
    already, InvalidInput for an answer without text or dates that cannot be, Forbidden below editor.
    """
    editorial.require_writable(session, item, actor, Role.EDITOR, "change fixed answers")
    _require_fixed(item)
    revision = editorial.newest_revision(session, item)
    if not revision.body.strip():
        raise InvalidInput(f"{item.number} answers nothing yet: its text is empty", field="body")
    if (pending := _pending(session, revision)) is not None:
        if item.state in _REVIEWED:
            raise Conflict(f"{item.number} is in review already: approve it, or change it and submit it again")
        session.delete(pending)  # it was opened to others, or retired, since
    review_at = review_at or (max(expires_at - AHEAD, now()) if expires_at is not None else None)
    _check_dates(review_at, expires_at)
    review = Review(
        item_id=revision.item_id,
        revision_id=int(revision.id or 0),
        asked_by=actor.subject,
        review_at=review_at,
        expires_at=expires_at,
    )
    session.add(review)
    if item.state != State.PUBLISHED:
        item.state = State.IN_REVIEW
        session.add(item)
    session.flush()
    return review


def approve(session: Session, item: Item, *, actor: Principal, revision: int | None = None) -> Published:
    """Approve the review that was asked for, and publish its revision.

    `revision` is the number of the one that the approver has read: raises Conflict if another one is in review, or
    none. Whoever may publish may approve the own text; the review says so (`by_author`).
    """
    editorial.require_writable(session, item, actor, Role.EDITOR, "change fixed answers")
    _require_fixed(item)
    newest = editorial.newest_revision(session, item)
    review = _pending(session, newest)
    if review is None or item.state not in _REVIEWED:
        raise Conflict(f"revision {newest.n} of {item.number} is not in review: submit it first")
    if revision is not None and revision != newest.n:
        raise Conflict(f"{item.number} has revision {newest.n} in review, not {revision}: read that one")
    _check_dates(None, review.expires_at)
    review.approved_by = actor.subject
    review.approved_at = now()
    review.by_author = actor.subject in (newest.author, review.asked_by)
    item.review_at, item.expires_at = review.review_at, review.expires_at
    session.add(review)
    published = editorial.publish(session, item, newest, actor=actor, approved=True)
    reword(session, published.item_id, newest)
    return published


def reword(session: Session, item_id: int, live: Revision) -> None:
    """Make the wordings of the live revision the ones that the item is found by."""
    session.exec(sql_delete(Wording).where(col(Wording.item_id) == item_id))
    keys = {key for text in (live.title, *live.similar_questions) if (key := title_key(text))}
    session.add_all(Wording(item_id=item_id, key=key) for key in sorted(keys))
    session.flush()


def get(session: Session, ref: str | int, scope: Scope) -> Item:
    """Return a fixed answer. Raises NotFound alike whether it is not there, may not be read or is another kind."""
    item = items.get(session, ref, scope)
    if item.kind != Kind.FIXED:
        raise NotFound(f"there is no fixed answer {shown(ref)} that you may read", field="item")
    return item


def listing(
    session: Session,
    scope: Scope,
    *,
    actor: Principal,
    state: State | None = None,
    due: datetime | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Listed]:
    """Return fixed answers for their editors, those due for review soonest first, then by number.

    `state`: only those in it; `due`: only published ones whose review or expiry is due by then.
    Raises Forbidden below editor.
    """
    actor.require(Role.EDITOR, "list fixed answers")
    statement = (
        select(Item)
        .where(col(Item.kind) == Kind.FIXED, readable(scope))
        .order_by(col(Item.review_at).is_(None), col(Item.review_at), col(Item.id))
        .limit(limit)
        .offset(offset)
    )
    if state is not None:
        statement = statement.where(col(Item.state) == state)
    if due is not None:
        statement = statement.where(
            col(Item.state) == State.PUBLISHED, or_(col(Item.review_at) <= due, col(Item.expires_at) <= due)
        )
    return [listed(session, item) for item in session.exec(statement)]


def listed(session: Session, item: Item) -> Listed:
    """Return the row of one fixed answer that the caller has read already."""
    newest = editorial.newest_revision(session, item)
    review = session.exec(
        select(Review).where(col(Review.revision_id) == newest.id).order_by(col(Review.id).desc()).limit(1)
    ).first()
    live = session.get(Revision, item.live_revision_id) if item.state == State.PUBLISHED else None
    return Listed(item, newest, review, live.n if live is not None else None)


def lookup(session: Session, scope: Scope, question: str) -> list[FixedAnswer]:
    """Return the fixed answers whose wordings fold to what `question` folds to, and that may be read; closest first.

    Where several are fixed for one question, that of the reader's own space comes before those above it, then the one
    for the narrower audience, then the one approved last.
    """
    key = title_key(question)
    if not key:
        return []
    worded = session.exec(select(Wording.item_id).where(col(Wording.key) == key)).all()
    if not worded:
        return []
    found = session.exec(
        select(Item, Review)
        .join(Review, col(Review.item_id) == col(Item.id))
        .where(
            col(Item.id).in_(worded),
            col(Item.kind) == Kind.FIXED,
            col(Review.revision_id) == col(Item.live_revision_id),
            col(Review.approved_at).is_not(None),
            readable(scope.published_only()),
        )
    ).all()
    newest: dict[int, tuple[Item, Review]] = {}
    for item, review in sorted(found, key=lambda row: int(row[1].id or 0)):
        newest[int(item.id or 0)] = (item, review)
    # Staff of all spaces: what holds everywhere first.
    near = 1 if any(area.spaces is None for area in scope.areas) else -1

    def rank(row: tuple[Item, Review]) -> tuple[int, int, int]:
        item, review = row
        depth = len(path_to_root(session, item.space_id))
        return near * depth, NARROW_FIRST[item.audience], -int(review.id or 0)

    return [
        FixedAnswer(items.view(session, item.id or 0, scope.published_only()), review)
        for item, review in sorted(newest.values(), key=rank)
    ]


def reviews(session: Session, item: Item) -> Sequence[Review]:
    """Return all reviews of an item that the caller has read already, oldest first; only fixed answers have any."""
    if item.kind != Kind.FIXED:
        return []
    return session.exec(select(Review).where(col(Review.item_id) == item.id).order_by(col(Review.id))).all()


def _pending(session: Session, revision: Revision) -> Review | None:
    return session.exec(
        select(Review).where(col(Review.revision_id) == revision.id, col(Review.approved_at).is_(None))
    ).first()


def _require_fixed(item: Item) -> None:
    if item.kind != Kind.FIXED:
        raise Conflict(f"{item.number} is of kind {item.kind.value!r}, not a fixed answer")


def _check_dates(review_at: datetime | None, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= now():
        raise InvalidInput(f"an answer cannot expire in the past, on {expires_at.isoformat()}", field="expires_at")
    if review_at is not None and expires_at is not None and review_at > expires_at:
        raise InvalidInput(
            f"the review, on {review_at.isoformat()}, comes after the expiry, on {expires_at.isoformat()}",
            field="review_at",
        )
