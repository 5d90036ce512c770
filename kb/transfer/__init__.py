"""Moving a knowledge base: what people made and did, as JSON Lines, and back, with nothing lost between.

The first line is a header; then one line a space (parents first), one an item with its labels, revisions and reviews,
and one a row of what belongs to them: accounts and their roles (without secrets), plans, votes and links, the audit
log. Numbers (KB-1042) are kept where they are free; an item that is there already (by `uid`) is left as it is if it
is the same, and refused if it is not. For everything, secrets too, there is `kb.backup`.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from kb.access import Principal, Role
from kb.db import Database, count_on
from kb.errors import Conflict, InvalidInput, shown
from kb.models import Item, Space
from kb.transfer import items, rows
from kb.transfer.columns import table_of

FORMAT = "answerwell-export"
VERSION = 2
_BATCH = 100


@dataclass(slots=True)
class Imported:
    """Counts of an import. `renumbered`: items whose number was taken and that got a new one."""

    spaces: int = 0
    items: int = 0
    revisions: int = 0
    rows: int = 0
    """What belongs to items and spaces: accounts, roles, plans, events, the audit log."""
    unchanged: int = 0
    """Items that were here already."""
    renumbered: int = 0


def export_lines(db: Database, *, actor: Principal) -> Iterator[str]:
    """Yield the export, one JSON document a line, from one consistent state. Raises Forbidden below admin."""
    actor.require(Role.ADMIN, "export everything")
    with db.read() as session:
        yield _line({"format": FORMAT, "version": VERSION})
        for space in session.exec(select(Space).order_by(col(Space.id))):
            parent = session.get(Space, space.parent_id) if space.parent_id is not None else None
            yield _line({"space": {"key": space.key, "name": space.name, "parent": parent.key if parent else None}})
        last = 0
        while found := session.exec(select(Item).where(col(Item.id) > last).order_by(col(Item.id)).limit(_BATCH)).all():
            last = int(found[-1].id or 0)
            for record in items.records(session, found):
                yield _line({"item": record})
            session.expunge_all()
        for row in rows.lines(session):
            yield _line({"row": row})


def import_lines(db: Database, lines: Iterable[str], *, actor: Principal) -> Imported:
    """Read an export in one transaction: all of it or nothing; return the counts.

    Raises InvalidInput naming the line that cannot be read, Conflict for an item that differs from the one there,
    Forbidden below admin.
    """
    actor.require(Role.ADMIN, "import everything")
    with db.write() as session:
        reading = _Import(session, actor)
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                reading.take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise InvalidInput(f"line {number} cannot be read: {type(error).__name__}: {error}") from error
            except InvalidInput as error:
                raise InvalidInput(f"line {number}: {error.message}; nothing was imported") from error
            except Conflict as error:
                raise Conflict(f"line {number}: {error.message}; nothing was imported") from error
        reading.end_items()
        if not reading.begun:
            raise InvalidInput("this is not an Answerwell export: it is empty")
        session.flush()
        count_on(session.connection(), [table_of(Item), *map(table_of, rows.KEEP_NUMBERS)])
    return reading.counts


class _Import:
    """One reading of an export, line by line."""

    def __init__(self, session: Session, actor: Principal) -> None:
        self.counts = Imported()
        self.begun = False
        self._session = session
        self._actor = actor
        self._rows = rows.Reader(session)
        self._taken: list[dict[str, Any]] = []
        """Items whose number is taken: they get new ones when all those that keep theirs are in."""
        self._merged: list[dict[str, Any]] = []
        """Lead on when those that they lead to are in."""
        self._translated: list[dict[str, Any]] = []
        """Follow their sources when those are in."""

    def take(self, record: dict[str, Any]) -> None:
        """Read a line."""
        if not self.begun:
            _check_header(record)
            self.begun = True
        elif "space" in record:
            self._add_space(record["space"])
        elif "item" in record:
            self._add_item(record["item"])
        elif "row" in record:
            self.end_items()
            self.counts.rows += self._rows.add(record["row"])
        else:
            raise InvalidInput("neither a space nor an item nor a row")

    def end_items(self) -> None:
        """Do what waited for all items to be there."""
        for record in self._taken:
            free = self._session.exec(select(func.max(Item.id))).one() or 0
            self._count(items.add(self._session, {**record, "id": free + 1}, actor=self._actor))
            self.counts.renumbered += 1
        for record in self._merged:
            items.lead(self._session, record, actor=self._actor)
        for record in self._translated:
            items.follow(self._session, record)
        self._taken, self._merged, self._translated = [], [], []

    def _add_space(self, record: dict[str, Any]) -> None:
        session = self._session
        if session.exec(select(Space).where(col(Space.key) == str(record["key"]))).first() is not None:
            return
        if record["parent"] is None:
            raise Conflict(f"the export's root space {shown(record['key'])} is not this one's")
        parent = session.exec(select(Space).where(col(Space.key) == str(record["parent"]))).one()
        session.add(Space(key=str(record["key"]), name=str(record["name"]), parent_id=parent.id))
        session.flush()
        self.counts.spaces += 1

    def _add_item(self, record: dict[str, Any]) -> None:
        here = self._session.get(Item, int(record["id"]))
        if here is not None and here.uid != record["uid"] and not self._known(record["uid"]):
            self._taken.append(record)
        else:
            self._count(items.add(self._session, record, actor=self._actor))
        if record["merged_into"] is not None:
            self._merged.append(record)
        if any(revision["follows"] is not None for revision in record["revisions"]):
            self._translated.append(record)

    def _known(self, uid: str) -> bool:
        return self._session.exec(select(Item.id).where(col(Item.uid) == str(uid))).first() is not None

    def _count(self, revisions: int | None) -> None:
        if revisions is None:
            self.counts.unchanged += 1
        else:
            self.counts.items += 1
            self.counts.revisions += revisions


def _check_header(record: dict[str, Any]) -> None:
    if record.get("format") != FORMAT:
        raise InvalidInput(f"this is not an Answerwell export: its first line is {shown(record)}")
    if record.get("version") != VERSION:
        raise InvalidInput(
            f"the export has version {shown(record.get('version'))}; this program reads version {VERSION}"
        )


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))
