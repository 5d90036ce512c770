"""What a ranking looks up in the database, under one reader's scope: as it is, or as it would be with a draft in it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from sqlmodel import Session

from kb import items
from kb.access import Scope
from kb.items import Found


class Shelf(Protocol):
    """The reads of `kb.items` that a search makes."""

    def recheck(self, passage_ids: Collection[int]) -> dict[int, Found]:
        """Return those of the passages that are live and readable now, by id."""

    def titled(self, key: str) -> list[int]:
        """Return the ids of the readable published items whose title folds to `key`."""

    def first_passages(self, ids: Collection[int]) -> dict[int, int]:
        """Return the id of the first live passage of each item, by item id."""

    def family_members(self, families: Collection[str], lang: str) -> dict[str, int]:
        """Return the id of a readable published item in `lang` of each family that has one."""


@dataclass(frozen=True, slots=True)
class Readable:
    """The database as it is."""

    session: Session
    scope: Scope
    generation: int

    def recheck(self, passage_ids: Collection[int]) -> dict[int, Found]:
        return items.recheck(self.session, self.scope, passage_ids)

    def titled(self, key: str) -> list[int]:
        return items.titled(self.session, self.scope, key)

    def first_passages(self, ids: Collection[int]) -> dict[int, int]:
        return items.first_passages(self.session, ids, self.generation)

    def family_members(self, families: Collection[str], lang: str) -> dict[str, int]:
        return items.family_members(self.session, self.scope, families, lang)
