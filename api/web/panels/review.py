"""The review that is open, for those who may decide it; the ones before; what the last one said to the author."""

from collections.abc import Mapping
from typing import Any

from api.web.panels.desk import Desk
from kb import review
from kb.access import Role
from kb.models import Kind, ReviewOutcome, Revision


def values(desk: Desk) -> Mapping[str, Any] | None:
    """Return the reviews of an item and what the reader may do about the open one; None where there was none yet."""
    rows = review.history(desk.session, desk.item, actor=desk.reader)
    if not rows:
        return None
    last, me = rows[-1], desk.reader.subject
    waits = last if last.outcome is None else None
    fixed = desk.item.kind is Kind.FIXED
    decides = desk.at_least(Role.EDITOR if fixed else Role.COACH)
    wrote = me is not None and me == desk.revision.author
    answered = last.outcome is ReviewOutcome.DEFERRED and last.revision_id == desk.revision.id
    return {
        "open": waits,
        "approves": decides or (wrote and desk.at_least(Role.PUBLISHER) and not fixed),
        "defers": decides,
        "withdraws": decides or me in (last.asked_by, desk.revision.author),
        "own": wrote or me == last.asked_by,
        "past": [
            (row, desk.session.get_one(Revision, row.revision_id).n) for row in reversed(rows) if row is not waits
        ],
        "above": last if answered else None,
    }
