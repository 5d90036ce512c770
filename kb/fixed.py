"""Fixed answers: written by an editor for a question, reviewed, returned as they are until they expire.

A fixed answer is an `Item` of kind `fixed`: its title is the question, its similar questions are further wordings, its
body is the answer. So revisions, spaces, audiences, groups, the change log and the one access rule are those of items.
Reviews are those of items (`kb.review`). What is here is the rest: finding one by the question
(docs/decisions/0015-fixed-answers.md).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete as sql_delete
from sqlalchemy import or_
from sqlmodel import Session, col, select

from kb import editorial, items
from kb.access import NARROW_FIRST, Principal, Role, Scope, path_to_root, readable
from kb.content import title_key
from kb.errors import NotFound, shown
from kb.items import ItemView
from kb.models import Item, Kind, Review, ReviewOutcome, Revision, State, Wording


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
            col(Review.outcome) == ReviewOutcome.APPROVED,
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
