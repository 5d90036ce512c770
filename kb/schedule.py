"""Plans: publish or retire an item at a moment. Done by whichever process looks first, once, with the rights of then.

A server looks every second (`ingest.follower`); a plan whose moment passed while none ran is done when one does.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from kb import accounts, changes, editorial, keys, pending
from kb.access import SYSTEM, Principal, Role, Scope, readable
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput, KBError, NotFound, StaleRevision
from kb.models import Account, AccountState, Item, Kind, Plan, PlannedAction, PlanOutcome, Revision, State, now

BATCH = 100
"""Most plans done at one look."""
_NEEDS = {
    PlannedAction.PUBLISH: (Role.PUBLISHER, "plan to publish"),
    PlannedAction.RETIRE: (Role.EDITOR, "plan to retire items"),
}


def plan(
    session: Session,
    item: Item,
    action: PlannedAction,
    at: datetime,
    *,
    actor: Principal,
    revision: int | None = None,
) -> Plan:
    """Plan to publish a revision (`revision`: its number, default the newest), or to retire the item, at a moment.

    It takes the place of an open plan of the same action. Rights are those of doing it now, and are asked for again
    then. Raises InvalidInput for a moment that has passed, Conflict where doing it could not be right, StaleRevision,
    NotFound, Forbidden.
    """
    editorial.require_writable(session, item, actor, *_NEEDS[action])
    if at <= now():
        raise InvalidInput(f"{at.isoformat()} has passed: plan for a moment to come, or do it now", field="at")
    chosen = _publishable(session, item, revision) if action == PlannedAction.PUBLISH else None
    if action == PlannedAction.RETIRE and item.state == State.RETIRED:
        raise Conflict(f"{item.number} is retired already")
    for open_one in pending.open_plans(session, item):
        if open_one.action == action:
            pending.end_plan(session, open_one, PlanOutcome.CANCELLED, actor=actor, reason="planned anew")
    made = Plan(
        item_id=int(item.id or 0),
        action=action,
        revision_id=chosen.id if chosen is not None else None,
        at=at,
        asked_by=actor.subject,
    )
    session.add(made)
    session.flush()
    after = {"action": action.value, "at": at.isoformat(), **({"revision": chosen.n} if chosen is not None else {})}
    editorial.audited(session, item, actor, "plan", after=after)
    return made


def cancel(session: Session, item: Item, action: PlannedAction, *, actor: Principal) -> Plan:
    """Cancel the open plan of an action. Raises NotFound where there is none; rights are those of planning it."""
    editorial.require_writable(session, item, actor, *_NEEDS[action])
    for found in pending.open_plans(session, item):
        if found.action == action:
            pending.end_plan(session, found, PlanOutcome.CANCELLED, actor=actor)
            before = {"action": action.value, "at": found.at.isoformat()}
            editorial.audited(session, item, actor, "cancel_plan", before=before)
            return found
    raise NotFound(f"nothing is planned for {item.number} that would {action.value} it", field="action")


def history(session: Session, item: Item, *, actor: Principal) -> Sequence[Plan]:
    """Return all plans of an item that the caller has read already, newest first.

    Raises Forbidden for who may not write there.
    """
    actor.require_in(session, Role.CONTRIBUTOR, item.space_id, "read plans")
    return session.exec(select(Plan).where(col(Plan.item_id) == item.id).order_by(col(Plan.id).desc())).all()


def coming(
    session: Session, scope: Scope, *, actor: Principal, limit: int = 100, offset: int = 0
) -> list[tuple[Plan, Item]]:
    """Return open plans for readable items in spaces where the actor may write, soonest first.

    Raises Forbidden below contributor.
    """
    actor.require(Role.CONTRIBUTOR, "read plans")
    statement = (
        select(Plan, Item)
        .join(Item, col(Item.id) == col(Plan.item_id))
        .where(col(Plan.outcome).is_(None), readable(scope))
        .order_by(col(Plan.at), col(Plan.id))
        .limit(limit)
        .offset(offset)
    )
    spaces = actor.spaces_of(session, Role.CONTRIBUTOR)
    if spaces is not None:
        statement = statement.where(col(Item.space_id).in_(sorted(spaces)))
    return list(session.exec(statement))


def run_due(db: Database, at: datetime | None = None) -> int:
    """Do what is due at a moment (default: now), each plan in a transaction of its own; return how many were done.

    What is not possible any more ends as failed, with the reason. Run by several processes at once, each is done once.
    Raises Unavailable where the database cannot be used; what was done until then is done.
    """
    moment = at if at is not None else now()
    with db.read() as session:
        due = session.exec(
            select(Plan.id)
            .where(col(Plan.outcome).is_(None), col(Plan.at) <= moment)
            .order_by(col(Plan.at), col(Plan.id))
            .limit(BATCH)
        ).all()
    done = 0
    for plan_id in due:
        with db.write() as session:
            done += _run(session, int(plan_id or 0), moment)
    return done


def _run(session: Session, plan_id: int, moment: datetime) -> bool:
    changes.in_order(session)
    found = session.get(Plan, plan_id)
    if found is None or found.outcome is not None or found.at > moment:
        return False  # another process was first, or it was changed meanwhile
    item = session.get_one(Item, found.item_id)
    pending.end_plan(session, found, PlanOutcome.DONE, actor=SYSTEM)
    try:
        with session.begin_nested():
            actor = _planner(session, found)
            if found.action == PlannedAction.RETIRE:
                editorial.retire(session, item, actor=actor, planned=True)
            else:
                revision = session.get_one(Revision, found.revision_id)
                editorial.publish(session, item, revision, actor=actor)
    except KBError as error:
        pending.end_plan(session, found, PlanOutcome.FAILED, actor=SYSTEM, reason=error.message)
        after = {"action": found.action.value, "reason": error.message}
        editorial.audited(session, item, SYSTEM, "plan_failed", after=after)
        return False
    return True


def _planner(session: Session, found: Plan) -> Principal:
    """Return who planned it, with the rights that they have now. Raises Forbidden where they have none any more."""
    subject = found.asked_by or ""
    if subject == SYSTEM.subject:
        return SYSTEM
    key = keys.named(session, subject)
    if key is not None:
        return key
    account = session.exec(select(Account).where(col(Account.email) == subject)).first()
    if account is None or account.state is not AccountState.ACTIVE:
        raise Forbidden(f"{subject!r}, who planned it, may do nothing here any more: plan it anew")
    return accounts.known(session, account).principal


def _publishable(session: Session, item: Item, n: int | None) -> Revision:
    """Return the revision that is to be published. Raises Conflict, StaleRevision or NotFound."""
    if item.kind == Kind.FIXED:
        raise Conflict(f"{item.number} is a fixed answer: it is published by being approved")
    chosen = editorial.newest_revision(session, item)
    if n is not None and n != chosen.n:
        statement = select(Revision).where(col(Revision.item_id) == item.id, col(Revision.n) == n)
        numbered = session.exec(statement).first()
        if numbered is None:
            raise NotFound(f"{item.number} has no revision {n}; its newest is {chosen.n}", field="revision")
        chosen = numbered
    review = pending.open_review(session, item)
    if review is not None and review.revision_id == chosen.id:
        raise Conflict(f"revision {chosen.n} of {item.number} is in review: approve it, or withdraw the review")
    if (item.live_revision_id or 0) > (chosen.id or 0):
        raise StaleRevision(f"{item.number} has a newer live revision than {chosen.n}: revise it instead")
    if item.state == State.PUBLISHED and item.live_revision_id == chosen.id:
        raise Conflict(f"readers see revision {chosen.n} of {item.number} already")
    return chosen
