"""The problems that readers reported: those open, to settle, and what became of the others."""

from collections.abc import Mapping
from typing import Any

from api.web.panels.desk import Desk
from kb import flags
from kb.models import FlagState


def values(desk: Desk) -> Mapping[str, Any] | None:
    """Return the flags of an item; None where there was none yet."""
    rows = flags.listed(desk.session, desk.item, actor=desk.reader)
    if not rows:
        return None
    waiting = [row for row in rows if row.flag.state is FlagState.OPEN]
    return {"open": waiting, "past": [row for row in rows if row not in waiting]}
