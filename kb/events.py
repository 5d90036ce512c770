"""The event log: what was asked, opened, voted on, linked. Requests hand events over; one thread writes them."""

import hashlib
import hmac
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, select

from kb.content import storable
from kb.db import Database
from kb.errors import KBError
from kb.models import Event, EventKind, new_uid, now

log = logging.getLogger(__name__)

MAX_TEXT = 1000
MAX_WAITING = 100_000
"""Events that may wait for a slow or locked database before new ones are dropped (and counted in `lost`)."""
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Happened:
    """One event, as the request that saw it describes it."""

    kind: EventKind
    role: str
    visitor: str | None = None
    """A pseudonym made by `pseudonym()`."""
    text: str = ""
    parent: str | None = None
    item_id: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    uid: str = field(default_factory=new_uid)
    at: datetime = field(default_factory=now)
    space: int | None = None
    """Where it has that role, as `kb.access.Principal.space`."""

    def row(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "kind": self.kind,
            "at": self.at,
            "role": self.role,
            "space_id": self.space,
            "visitor": self.visitor,
            "parent": self.parent,
            "item_id": self.item_id,
            "text": storable(self.text)[:MAX_TEXT],
            "data": self.data,
        }


def pseudonym(key: str, name: str) -> str:
    """Return a stable pseudonym: HMAC-SHA-256 of `name` under the database's own key, 32 hexadecimal digits."""
    return hmac.new(bytes.fromhex(key), name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


class EventLog:
    """Takes events without waiting for the database. `close()` writes what is left."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: queue.Queue[Happened | None] = queue.Queue(MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.lost = 0
        """Events dropped because the database could not be written for too long."""

    def add(self, happened: Happened) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="event-log", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(happened)
        except queue.Full:
            self.lost += 1

    def flush(self) -> None:
        """Wait until all that was added so far is written (or lost)."""
        self._waiting.join()

    def close(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _run(self) -> None:
        while True:
            batch: list[Happened | None] = [self._waiting.get()]
            while len(batch) < _BATCH and not self._waiting.empty():
                batch.append(self._waiting.get())
            events = [happened for happened in batch if happened is not None]
            try:
                if events:
                    write(self._db, events)
            except KBError as error:
                self.lost += len(events)
                log.error("%d events were lost: %s", len(events), error)
            finally:
                for _ in batch:
                    self._waiting.task_done()
            if None in batch:
                return


def write(db: Database, events: Sequence[Happened]) -> None:
    """Write events at once, in one transaction. Raises Unavailable."""
    with db.write() as session:
        record(session, events)


def record(session: Session, events: Sequence[Happened]) -> None:
    """Write events in the caller's transaction."""
    session.connection().execute(insert(Event), [happened.row() for happened in events])


def recent(session: Session, kind: EventKind, *, limit: int = 100) -> Sequence[Event]:
    return session.exec(select(Event).where(col(Event.kind) == kind).order_by(col(Event.id).desc()).limit(limit)).all()
