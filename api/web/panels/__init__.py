"""The panels beside the text in the editor. One a file: what it shows here, how in templates/panels of the same name.

A panel's template finds its own values as `panel`, beside all that the page has (`item`, `revision`, `form`, ...). It
lies outside the form of the text: what belongs to that says `form="editor"`, and a panel may have forms of its own.
Where its values have `above`, and that is true, its template NAME_above.html is shown above the text.
"""

from collections.abc import Callable, Mapping
from typing import Any

from api.web.panels import draft, flags, review
from api.web.panels.desk import Desk
from kb.models import State

Values = Callable[[Desk], Mapping[str, Any] | None]
"""What a panel shows of an item; None: nothing, it is left out."""


def _template_alone(_: Desk) -> Mapping[str, Any]:
    return {}


def _unless_retired(desk: Desk) -> Mapping[str, Any] | None:
    return None if desk.item.state is State.RETIRED else {}


PANELS: tuple[tuple[str, Values], ...] = (
    ("draft", draft.values),
    ("review", review.values),
    ("flags", flags.values),
    ("attach", _template_alone),
    ("duplicates", _template_alone),
    ("replay", _unless_retired),
    ("properties", _template_alone),
    ("preview", _template_alone),
)
"""In the order in which they stand, below what can be done with the text."""
NEW = frozenset({"attach", "duplicates", "properties", "preview"})
"""Those that an item which is not there yet has, too."""


def shown(desk: Desk | None) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the panels with their values; without a desk, those of an item that is not there yet."""
    if desk is None:
        return [(name, {}) for name, _ in PANELS if name in NEW]
    return [(name, values) for name, of in PANELS if (values := of(desk)) is not None]
