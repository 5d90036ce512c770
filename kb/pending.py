"""What waits on an item: the review that is open, plans, drafts. They end here when the item changes under them."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update
from sqlmodel import Session, col, select

from kb.access import Principal
from kb.models import (
    Draft,
    Gap,
    GapQuestion,
    Item,
    Plan,
    PlannedAction,
    PlanOutcome,
    Review,
    ReviewOutcome,
    State,
    now,
)


def open_review(session: Session, item: Item) -> Review | None:
    """Return the review that waits for a decision, if there is one."""
    return session.exec(select(Review).where(col(Review.item_id) == item.id, col(Review.outcome).is_(None))).first()


def reviews(session: Session, ids: Collection[int]) -> dict[int, list[Review]]:
    """Return all reviews by item id, oldest first. For items the caller has read already."""
    found: dict[int, list[Review]] = {}
    statement = select(Review).where(col(Review.item_id).in_(sorted(ids))).order_by(col(Review.id))
    for review in session.exec(statement):
        found.setdefault(review.item_id, []).append(review)
    return found


def end_review(
    session: Session, item: Item, outcome: ReviewOutcome, *, actor: Principal, answer: str = ""
) -> Review | None:
    """End the open review, if there is one, and return it. An item that was only in review is a draft again."""
    review = open_review(session, item)
    if review is not None:
        review.outcome, review.decided_by, review.decided_at = outcome, actor.subject, now()
        review.answer = answer
        session.add(review)
    if item.state == State.IN_REVIEW:
        item.state = State.DRAFT
        session.add(item)
    session.flush()
    return review


def drop_draft(session: Session, item: Item, *, actor: Principal) -> None:
    """Remove what the actor was writing on an item: it is saved as a revision."""
    session.exec(sql_delete(Draft).where(col(Draft.item_id) == item.id, col(Draft.person) == actor.subject))


def open_plans(session: Session, item: Item) -> Sequence[Plan]:
    """Return what is to happen with an item at a moment, soonest first."""
    statement = select(Plan).where(col(Plan.item_id) == item.id, col(Plan.outcome).is_(None))
    return session.exec(statement.order_by(col(Plan.at), col(Plan.id))).all()


def end_plan(session: Session, plan: Plan, outcome: PlanOutcome, *, actor: Principal, reason: str = "") -> None:
    plan.outcome, plan.ended_by, plan.ended_at, plan.reason = outcome, actor.subject, now(), reason[:1000]
    session.add(plan)
    session.flush()


def end_plans_of_published(session: Session, item: Item, revision_id: int, *, actor: Principal) -> None:
    """Cancel plans to publish what is live by now, or older."""
    for plan in open_plans(session, item):
        if plan.action == PlannedAction.PUBLISH and (plan.revision_id or 0) <= revision_id:
            end_plan(session, plan, PlanOutcome.CANCELLED, actor=actor, reason="it was published before")


def end_plans_of_retired(session: Session, item: Item, *, actor: Principal) -> None:
    """Cancel every plan: what a person retires does not come back by itself."""
    for plan in open_plans(session, item):
        end_plan(session, plan, PlanOutcome.CANCELLED, actor=actor, reason="it was retired before")


def forget_gaps(session: Session, item: Item) -> None:
    """Take an item that is about to be deleted for good out of the gaps: as their answer, and as a case of theirs."""
    session.exec(sql_update(Gap).where(col(Gap.item_id) == item.id).values(item_id=None, revision_id=None))
    session.exec(sql_delete(GapQuestion).where(col(GapQuestion.case_id) == item.id))
