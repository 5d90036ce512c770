"""What moves beside items: a row a line, naming items, revisions, spaces and accounts as both databases know them.

Every table is in `MOVED` or `LEFT`, or said with its item: a table in none of them fails a test.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, true
from sqlmodel import Session, SQLModel, col, select

from kb.errors import InvalidInput, shown
from kb.models import (
    Account,
    AccountGrant,
    AuditRow,
    DuplicatePair,
    Event,
    Flag,
    Gap,
    GapQuestion,
    Item,
    Plan,
    Redirect,
    Revision,
    Space,
)
from kb.transfer.columns import columns, read, written


@dataclass(frozen=True, slots=True)
class Moved:
    """How the rows of a table move."""

    table: type[SQLModel]
    key: tuple[str, ...]
    """Columns that a row is known by: one that is there already is left as it is."""
    without: frozenset[str] = frozenset({"id"})
    """Columns that stay behind: numbers that are given anew, secrets."""
    names: Mapping[str, type[SQLModel]] = field(default_factory=dict)
    """What columns name that say so by no foreign key; what is not there any more is named no more."""
    which: ColumnElement[bool] = field(default_factory=true)
    numbered: bool = False
    """Keeps its numbers, as other rows name it by them; so it moves only where no such row is yet."""


MOVED = (
    Moved(Account, ("email",), without=frozenset({"id", "password_hash"})),
    Moved(AccountGrant, ("account_id", "space_id", "role")),
    Moved(Plan, ("item_id", "action", "asked_at")),
    Moved(Flag, ("item_id", "reason", "raised_by", "raised_at")),
    Moved(
        DuplicatePair,
        ("low_id", "high_id"),
        names={"low_revision_id": Revision, "high_revision_id": Revision},
    ),
    # Those of items that were merged are said with the item.
    Moved(Redirect, ("name",), without=frozenset(), which=col(Redirect.source_id).is_(None)),
    Moved(Event, ("uid",), names={"item_id": Item}),
    Moved(Gap, ("id",), without=frozenset(), names={"revision_id": Revision}, numbered=True),
    Moved(GapQuestion, ("id",), numbered=True),
    Moved(AuditRow, ("at", "actor", "action", "target"), names={"space_id": Space}),
)
"""In this order: what a row names comes before it."""
KEEP_NUMBERS = tuple(moved.table for moved in MOVED if "id" not in moved.without and "id" in columns(moved.table))
"""Those whose rows come with the numbers that they had."""

WITH_ITEMS = ("space", "item", "item_label", "revision", "review", "attachment_use")
LEFT = {
    "wording": "follows from fixed answers",
    "attachment": "a file, whose row stands for it: copy the folder `files`, or use a backup",
    "attachment_upload": "who sent a file that does not move",
    "letter": "sent where it was asked for",
    "draft": "its person's alone, and not saved yet",
    "passage": "made by the indexer",
    "vector": "made by the indexer",
    "question_vector": "made from events",
    "generation": "another knowledge base has its own",
    "change_log": "written anew, as items come in",
    "conversation": "ends by itself",
    "browser_session": "a secret: people sign in anew",
    "one_time_token": "a secret",
    "failed_attempts": "of the last minutes",
    "api_key": "a secret: keys are made anew",
    "meta": "a database's own",
}
"""Tables that do not move, and why. A backup has them all (kb.backup)."""


def lines(session: Session) -> Iterator[dict[str, Any]]:
    """Yield the rows of all tables that move, each as `{"table": ..., columns}`."""
    named = _Names(session)
    for moved in MOVED:
        table = columns(moved.table)
        order = [table["id"]] if "id" in table else [table[name] for name in moved.key]
        statement = select(moved.table).where(moved.which).order_by(*order)
        for row in session.exec(statement.execution_options(yield_per=1000)):
            record = written(row, moved.without)
            for name, kind in _named(moved).items():
                record[name] = named.said(kind, record[name])
            yield {"table": str(moved.table.__tablename__), **record}


class Reader:
    """Adds rows that an export describes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names = _Names(session)
        self._tables = {str(moved.table.__tablename__): moved for moved in MOVED}
        self._empty: dict[str, bool] = {}

    def add(self, record: Mapping[str, Any]) -> bool:
        """Add a row unless it is here; return whether it was added. Raises InvalidInput for one that cannot be."""
        name = str(record["table"])
        moved = self._tables.get(name)
        if moved is None:
            raise InvalidInput(f"there is no table {shown(name)} in an export")
        values = dict(record)
        for column, kind in _named(moved).items():
            values[column] = self._names.found(kind, values.get(column))
        row = read(moved.table, values, moved.without)
        if name not in self._empty:
            self._empty[name] = self._session.exec(select(moved.table).limit(1)).first() is None
        if not self._empty[name] and (moved.numbered or self._there(moved, row)):
            return False
        self._session.add(moved.table(**row))
        return True

    def _there(self, moved: Moved, row: Mapping[str, Any]) -> bool:
        table = columns(moved.table)
        same = [
            table[name].is_(None) if row.get(name) is None else table[name] == row[name]  # NULL equals nothing
            for name in moved.key
        ]
        return self._session.exec(select(moved.table).where(*same).limit(1)).first() is not None


def _named(moved: Moved) -> dict[str, type[SQLModel]]:
    """Return which columns name a row of which table."""
    tables = {str(table.__tablename__): table for table in (Item, Revision, Space, Account)}
    found = {
        name: tables[key.column.table.name]
        for name, column in columns(moved.table).items()
        for key in column.foreign_keys
        if name not in moved.without and key.column.table.name in tables
    }
    return {**found, **moved.names}


class _Names:
    """What items, revisions, spaces and accounts are called in an export, and which those are here."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._said: dict[tuple[type[SQLModel], int], Any] = {}
        self._found: dict[tuple[type[SQLModel], Any], int | None] = {}

    def said(self, kind: type[SQLModel], number: int | None) -> Any:
        """Return the name of what has an id here: uid, [uid, n], key or address; None where it is not there."""
        if number is None:
            return None
        if (kind, number) not in self._said:
            self._said[kind, number] = self._say(kind, number)
        return self._said[kind, number]

    def _say(self, kind: type[SQLModel], number: int) -> Any:
        row = self._session.get(kind, number)
        if isinstance(row, Item):
            return row.uid
        if isinstance(row, Revision):
            return [self.said(Item, row.item_id), row.n]
        if isinstance(row, Space):
            return row.key
        return row.email if isinstance(row, Account) else None

    def found(self, kind: type[SQLModel], name: Any) -> int | None:
        """Return the id that a name has here. Raises InvalidInput for one that is not here."""
        if name is None:
            return None
        known = (kind, tuple(name) if isinstance(name, list) else name)
        if known not in self._found:
            self._found[known] = self._find(kind, name)
        found = self._found[known]
        if found is None:
            raise InvalidInput(f"there is no {kind.__name__.lower()} {shown(name)}, here or in the export before it")
        return found

    def _find(self, kind: type[SQLModel], name: Any) -> int | None:
        if kind is Revision:
            uid, n = name
            item = self.found(Item, uid)
            statement = select(Revision.id).where(col(Revision.item_id) == item, col(Revision.n) == int(n))
        elif kind is Item:
            statement = select(Item.id).where(col(Item.uid) == str(name))
        elif kind is Space:
            statement = select(Space.id).where(col(Space.key) == str(name))
        else:
            statement = select(Account.id).where(col(Account.email) == str(name))
        return self._session.exec(statement).first()
