"""What the reader typed before and did not save, and who else is writing on the same item now."""

from collections.abc import Mapping
from typing import Any

from api.web.panels.desk import Desk
from kb import drafts
from kb.access import scope_of
from kb.content import Content


def values(desk: Desk) -> Mapping[str, Any]:
    """Return the reader's own draft where it differs from the newest revision, its version, and who else."""
    number = desk.item.number
    mine = next(
        (
            row
            for row in drafts.mine(desk.session, scope_of(desk.session, desk.reader), actor=desk.reader)
            if row.key == number
        ),
        None,
    )
    differs = mine is not None and drafts.content_of(mine) != Content.of(desk.revision)
    return {
        "version": mine.version if mine is not None else 0,
        "above": mine if differs else None,
        "others": [one.person for one in drafts.others(desk.session, desk.item, actor=desk.reader)],
    }
