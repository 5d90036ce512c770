"""What a panel is given."""

from dataclasses import dataclass

from sqlmodel import Session

from api.web import Page
from kb.access import Principal, Role
from kb.models import Item, Revision


@dataclass(frozen=True, slots=True)
class Desk:
    """What a panel may look at: an item that the reader may write, and its newest revision."""

    page: Page
    session: Session
    """To read with."""
    reader: Principal
    role: Role
    """The reader's in the item's space."""
    item: Item
    revision: Revision

    def at_least(self, role: Role) -> bool:
        return self.role.rank >= role.rank
