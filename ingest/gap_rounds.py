"""Gaps kept level with the event log by a running server, in a thread of its own: a refresh takes seconds.

Of several processes, whoever looks first when a refresh is due does it. Gaps that wait for proof are looked for every
second or so, so that a gap closes soon after what answers it was published.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from ingest.gaps import prove, refresh
from ingest.generations import Opened
from kb import changes
from kb.db import Database
from kb.errors import KBError
from kb.models import Meta, now
from retrieval.search import Searcher

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=10)
_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 30.0
_REFRESHED = "gaps_refreshed_at"


class GapRounds:
    """Proves and refreshes gaps until closed."""

    def __init__(
        self, db: Database, searcher: Searcher, opened: Callable[[], Opened], *, rest: timedelta = EVERY
    ) -> None:
        """`opened` gives the generation that is searched at present; `rest` is the time from here to the first refresh:
        what has just been started has better things to do."""
        self._db = db
        self._searcher = searcher
        self._opened = opened
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._first = now() + rest

    def start(self) -> None:
        """Begin; does nothing where it has begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gaps", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop after the round at hand."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Do what is due: proofs, and a refresh where the last is `EVERY` ago."""
        prove(self._db, self._opened(), self._searcher)
        if self._mine():
            done = refresh(self._db, self._opened(), self._searcher)
            log.info("%d questions failed lately: %d new gaps, %d closed", done.failed, done.opened, done.closed)

    def _run(self) -> None:
        wait = _LOOK_SECONDS
        while not self._stopping.wait(wait):
            try:
                self.look()
                wait = _LOOK_SECONDS
            except Exception as error:  # whatever it is, searches go on, and it is tried again
                wait = _RETRY_SECONDS
                if isinstance(error, KBError):
                    log.error("gaps were not looked at, trying again: %s", error)
                else:
                    log.exception("gaps were not looked at, trying again")

    def _mine(self) -> bool:
        """Say whether a refresh is due and no other process has taken it; then it is taken."""
        moment = now()
        if moment < self._first:
            return False
        with self._db.read() as session:
            if not _due(session.get(Meta, _REFRESHED), moment):
                return False
        with self._db.write() as session:
            changes.in_order(session)
            row = session.get(Meta, _REFRESHED)
            if not _due(row, moment):
                return False
            row = row or Meta(key=_REFRESHED, value="")
            row.value = moment.isoformat()
            session.add(row)
        return True


def _due(row: Meta | None, moment: datetime) -> bool:
    return row is None or moment - datetime.fromisoformat(row.value) >= EVERY
