"""Makes an index durable, and merges it, in a thread of its own: nothing that is published waits for the disk."""

import logging
import threading

from kb.errors import KBError, Unavailable
from retrieval.local.engine import LocalIndex

log = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0


class Keeper:
    """Flushes and merges some seconds after a change. What is lost with the process is replayed from the change log."""

    def __init__(self, index: LocalIndex, *, seconds: float) -> None:
        """`seconds`: how long changes are gathered before they are flushed together."""
        self._index = index
        self._seconds = seconds
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self.error: str | None = None
        """Why the last flush or merge failed; None when it did not."""

    def start(self) -> None:
        self._thread.start()

    def changed(self) -> None:
        """Say that there is something to flush."""
        self._changed.set()

    def close(self) -> None:
        """Break off a merge that is under way, flush what is left, end."""
        self._stopping.set()
        self._index.end_merges()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self._index.keep(merge=False)
        except Unavailable as error:
            log.warning("the index was not flushed: %s; the change log replays at the next start", error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._changed.wait()
            if self._stopping.wait(self._seconds if self.error is None else _RETRY_SECONDS):
                return
            self._changed.clear()
            try:
                self._index.keep()
                self.error = None
            except KBError as error:
                self.error = error.message
                log.error("the index was not flushed, trying again: %s", error)
            except Exception as error:  # a defect must not end keeping for good
                self.error = f"{type(error).__name__}: {error}"
                log.exception("the index was not flushed, trying again")
            if self.error is not None:
                self._changed.set()
