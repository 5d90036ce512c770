"""Keeps a process level with the change log, and with the generation that is active, in threads of its own."""

import logging
import threading
import time

from ingest.generations import Generations, Opened
from kb.errors import KBError, Unavailable
from retrieval.search import Searcher

log = logging.getLogger(__name__)

_RETRY_SECONDS = 30.0
"""After a generation could not be opened."""
_CLEAR_SECONDS = 600.0
"""How often what ended generations have left is looked for."""


class Follower:
    """Steps the indexer when told of a change, and looks by itself. Goes over to another generation when it is active.

    The next generation is opened and brought level in a second thread, while this one goes on with the present one;
    then `searcher` is switched. No search waits for it, and none sees less than before.
    """

    def __init__(
        self,
        generations: Generations,
        searcher: Searcher,
        opened: Opened,
        *,
        poll_seconds: float = 0.25,
        flush_seconds: float = 5.0,
    ) -> None:
        """`opened` is what `searcher` searches now; it is closed by `close`."""
        self._generations = generations
        self._searcher = searcher
        self._current = opened
        self._poll = poll_seconds
        self._flush = flush_seconds
        self._wake = threading.Event()
        self._advanced = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._next: _Opening | None = None
        self._merging: threading.Thread | None = None
        self.error: str | None = None
        """Why the last step failed; None when it did not. Readiness shows it."""
        self.switch_error: str | None = None
        """Why the active generation could not be gone over to; None when it could. What is searched is then the old."""

    @property
    def current(self) -> Opened:
        """The generation that is searched here."""
        return self._current

    def start(self) -> None:
        """Begin following; does nothing where it has begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def wait_for(self, seq: int, timeout: float) -> bool:
        """Wait until change `seq` is searchable in this process; return whether it is. `timeout` in seconds."""
        with self._advanced:
            return self._advanced.wait_for(lambda: self._current.index.watermark >= seq, timeout)

    def close(self) -> None:
        """Stop after the step at hand, flush, and close what is open."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._end_merging()
        if self._next is not None:
            self._next.discard()
        self._current.close()

    def _run(self) -> None:
        unflushed, flushed_at, cleared_at = False, time.monotonic(), 0.0
        while not self._stopping.is_set():
            try:
                moved = self._step()
                unflushed |= moved
                self.error = None
                if (unflushed and not moved) or (unflushed and time.monotonic() - flushed_at > self._flush):
                    if self._current.indexer.flush(merge=False):
                        self._merge()
                    unflushed, flushed_at = False, time.monotonic()
                self._follow()
                if not moved and time.monotonic() - cleared_at > _CLEAR_SECONDS:
                    self._generations.clear()
                    cleared_at = time.monotonic()
            except KBError as error:
                moved, self.error = False, error.message
                log.error("indexing stopped, trying again: %s", error)
            except Exception as error:  # a defect must not end indexing for good
                moved, self.error = False, f"{type(error).__name__}: {error}"
                log.exception("indexing failed, trying again")
            if not moved:
                self._wake.wait(self._poll if self.error is None else max(self._poll, 2.0))
                self._wake.clear()
        if unflushed:
            self._flush_last(self._current)

    def _step(self) -> bool:
        moved = self._current.indexer.step().changes > 0
        if moved:
            with self._advanced:
                self._advanced.notify_all()
        return moved

    def _merge(self) -> None:
        """Merge in a thread of its own: what is published meanwhile waits for no merge."""
        if self._merging is None or not self._merging.is_alive():
            self._merging = threading.Thread(target=_merged, args=(self._current,), name="merge", daemon=True)
            self._merging.start()

    def _end_merging(self) -> None:
        self._current.index.end_merges()
        if self._merging is not None:
            self._merging.join()

    def _follow(self) -> None:
        """Go over to the generation that is active now, as far as it is ready."""
        number = self._generations.active_number()
        if number == self._current.number or not number:
            if self._next is not None:  # switched back before this process had followed
                self._next.discard()
                self._next, self.switch_error = None, None
            return
        if self._next is None or self._next.number != number or self._next.failed_for(_RETRY_SECONDS):
            if self._next is not None:
                self._next.discard()
            log.info("generation %d is active: it is opened, while generation %d goes on", number, self._current.number)
            self._next = _Opening(self._generations, number)
            self._next.start()
        self.switch_error = self._next.error
        if self._next.ready is not None:
            self._go_over(self._next.ready)
            self._next = None

    def _go_over(self, new: Opened) -> None:
        old = self._current
        while new.indexer.watermark < old.indexer.watermark and new.indexer.step().changes:
            pass
        self._searcher.switch(new.index, new.embedder)
        with self._advanced:
            self._current = new
            self._advanced.notify_all()
        log.info("generation %d is searched", new.number)
        old.index.end_merges()
        self._flush_last(old)
        old.close()

    @staticmethod
    def _flush_last(opened: Opened) -> None:
        try:
            opened.indexer.flush(merge=False)
        except Unavailable as error:
            log.warning("the index was not flushed: %s; the change log replays at the next start", error)


def _merged(opened: Opened) -> None:
    try:
        opened.index.merge()
    except Unavailable as error:
        log.warning("the index was not merged: %s; it is tried again after the next flush", error)


class _Opening(threading.Thread):
    """Opens a generation and brings it level with the log."""

    def __init__(self, generations: Generations, number: int) -> None:
        super().__init__(name=f"generation-{number}", daemon=True)
        self._generations = generations
        self._discarded = threading.Event()
        self._deciding = threading.Lock()
        self._failed_at = 0.0
        self.number = number
        self.ready: Opened | None = None
        self.error: str | None = None

    def failed_for(self, seconds: float) -> bool:
        """Say whether it failed at least so long ago."""
        return self.error is not None and time.monotonic() - self._failed_at >= seconds

    def discard(self) -> None:
        """It is not wanted any more: what it opened is closed, by itself if it is still at it."""
        with self._deciding:
            self._discarded.set()
            ready, self.ready = self.ready, None
        if ready is not None:
            ready.close()

    def run(self) -> None:
        try:
            opened = self._generations.open(self.number)
            while not self._discarded.is_set() and opened.indexer.step().changes:
                pass
            with self._deciding:
                if not self._discarded.is_set():
                    self.ready = opened
                    return
            opened.close()
        except Exception as error:  # whatever it is, what is searched goes on, and it is tried again
            self._failed_at = time.monotonic()
            self.error = error.message if isinstance(error, KBError) else f"{type(error).__name__}: {error}"
            log.exception("generation %d could not be opened, trying again", self.number)
