"""What waits for the people who write: each queue is a condition on items, counted and listed under one rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, false, func, or_, true
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from kb import translations
from kb.access import Principal, Role, readable, scope_of
from kb.content import title_key
from kb.models import Flag, FlagState, Item, Review, Revision, Significance, State, now

OLD = timedelta(days=30)
"""A draft that nobody touched for so long is old."""
SOON = timedelta(days=30)
"""What expires within it is expiring."""
_OPEN = aliased(Review)
"""The open review of an item: it has one at most."""


class Queue(StrEnum):
    IN_REVIEW = "in_review"
    """Submitted and not decided: drafts, and staged edits of what is live."""
    FLAGGED = "flagged"
    """Readers reported a problem that nobody has settled."""
    STAGED = "staged"
    """Live, with a newer revision that readers do not see."""
    DUE = "due"
    """Needs to be looked at again."""
    EXPIRING = "expiring"
    TRANSLATIONS = "translations"
    """Behind the text that they are translated from by more than slips; what misleads most comes first."""
    OLD_DRAFTS = "old_drafts"
    MINE = "mine"
    """Owned or last written by who asks."""
    DRAFTS = "drafts"
    RETIRED = "retired"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Row:
    """An item with its newest revision, as a queue shows it."""

    item: Item
    title: str
    revision: int
    author: str | None
    written_at: str
    """ISO 8601, UTC: of the newest revision."""
    review: Review | None
    """The one that is open."""
    behind: Significance | None = None
    """Of a translation: how far its newest revision is behind its source."""


def counts(session: Session, actor: Principal) -> dict[Queue, int]:
    """Return how many items wait in each queue, where the actor may write. Raises Forbidden below contributor."""
    columns = [func.sum(case((_condition(queue, actor), 1), else_=0)) for queue in Queue]
    statement = select(*columns).join(Revision, _newest()).where(_writable(session, actor))
    found = session.exec(statement).one()
    return {queue: int(number or 0) for queue, number in zip(Queue, found, strict=True)}


def listed(
    session: Session, actor: Principal, queue: Queue, *, text: str = "", limit: int = 50, offset: int = 0
) -> Sequence[Row]:
    """Return the items of a queue, last written first (in review: longest waiting; translations: furthest behind).

    `text`: only those with it in their title, or of that number.
    Raises Forbidden below contributor.
    """
    statement = (
        select(Item, Revision, _OPEN)
        .join(Revision, _newest())
        .outerjoin(_OPEN, and_(col(_OPEN.item_id) == Item.id, col(_OPEN.outcome).is_(None)))
        .where(_writable(session, actor), _condition(queue, actor))
        .order_by(*_order(queue))
        .limit(limit)
        .offset(offset)
    )
    if text.strip():
        statement = statement.where(_named(text))
    rows = session.exec(statement).all()
    behind = translations.behind(session, [int(item.id or 0) for item, _, _ in rows], newest=True)
    return [
        Row(
            item,
            revision.title,
            revision.n,
            revision.author,
            revision.created_at.isoformat(timespec="seconds"),
            review,
            behind.get(int(item.id or 0)),
        )
        for item, revision, review in rows
    ]


def _order(queue: Queue) -> list[ColumnElement[Any]]:
    if queue is Queue.IN_REVIEW:
        return [col(_OPEN.id).asc()]
    first = [translations.rank_behind().desc()] if queue is Queue.TRANSLATIONS else []
    return [*first, col(Revision.id).desc()]


def _newest() -> ColumnElement[bool]:
    return col(Revision.id) == translations.newest_id()


def _named(text: str) -> ColumnElement[bool]:
    plain = text.strip().upper().removeprefix("KB-")
    number = int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 19 else None
    key = title_key(text)
    titled = col(Revision.title_key).contains(key, autoescape=True) if key else false()
    return or_(titled, col(Item.id) == number) if number is not None else titled


def _writable(session: Session, actor: Principal) -> ColumnElement[bool]:
    actor.require(Role.CONTRIBUTOR, "see what waits to be written")
    spaces = actor.spaces_of(session, Role.CONTRIBUTOR)
    mine = true() if spaces is None else col(Item.space_id).in_(sorted(spaces))
    return and_(readable(scope_of(session, actor)), mine)


def _condition(queue: Queue, actor: Principal) -> ColumnElement[bool]:
    live = col(Item.state) == State.PUBLISHED
    draft = col(Item.state) == State.DRAFT
    moment = now()
    conditions: dict[Queue, ColumnElement[bool]] = {
        Queue.IN_REVIEW: exists().where(col(Review.item_id) == Item.id, col(Review.outcome).is_(None)),
        Queue.FLAGGED: exists().where(col(Flag.item_id) == Item.id, col(Flag.state) == FlagState.OPEN),
        Queue.STAGED: and_(live, col(Item.draft_revision_id).is_not(None)),
        Queue.DUE: and_(live, col(Item.review_at) <= moment),
        Queue.EXPIRING: and_(live, col(Item.expires_at) <= moment + SOON),
        Queue.TRANSLATIONS: translations.needs_work(),
        Queue.OLD_DRAFTS: and_(draft, col(Revision.created_at) <= moment - OLD),
        Queue.MINE: or_(col(Item.owner) == actor.subject, col(Revision.author) == actor.subject),
        Queue.DRAFTS: draft,
        Queue.RETIRED: col(Item.state) == State.RETIRED,
        Queue.ALL: true(),
    }
    return conditions[queue]
