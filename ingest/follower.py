"""Keeps a process level with the change log, and with the generation that is active, in threads of its own."""

import logging
import threading
import time
from collections.abc import Callable

from ingest.generations import Generations, Opened
from ingest.keeper import Keeper
from kb.errors import KBError
from retrieval.search import Searcher

log = logging.getLogger(__name__)

_RETRY_SECONDS = 30.0
"""After a generation could not be opened."""
_CLEAR_SECONDS = 600.0
"""How often what ended generations have left is looked for."""
_DUE_SECONDS = 1.0
"""How often it is asked whether something planned is due."""


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
        do_due: Callable[[], object] | None = None,
    ) -> None:
        """`opened` is what `searcher` searches now; it is closed by `close`. `do_due` does what is planned for now."""
        self._generations = generations
        self._searcher = searcher
        self._current = opened
        self._poll = poll_seconds
        self._flush_seconds = flush_seconds
        self._keeper = Keeper(opened.index, seconds=flush_seconds)
        self._wake = threading.Event()
        self._advanced = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._next: _Opening | None = None
        self._step_error: str | None = None
        self._do_due = do_due
        self._due_at = 0.0
        self._due_error: str | None = None
        self.switch_error: str | None = None
        """Why the active generation could not be gone over to; None when it could. What is searched is then the old."""

    @property
    def error(self) -> str | None:
        """Why the last step, flush or look at plans failed; None when none did. Readiness shows it."""
        return self._step_error or self._keeper.error or self._due_error

    @property
    def current(self) -> Opened:
        """The generation that is searched here."""
        return self._current

    def start(self) -> None:
        """Begin following; does nothing where it has begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)
            self._thread.start()
            self._keeper.start()

    def wake(self) -> None:
        self._wake.set()

    def wait_for(self, seq: int, timeout: float) -> bool:
        """Wait until change `seq` is searchable in this process; return whether it is. `timeout` in seconds."""
        with self._advanced:
            return self._advanced.wait_for(lambda: self._current.index.watermark >= seq, timeout)

    def close(self) -> None:
        """Stop after the step at hand, flush if this has followed, and close what is open."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._keeper.close()
        if self._next is not None:
            self._next.discard()
        self._current.close()

    def _run(self) -> None:
        cleared_at = -_CLEAR_SECONDS  # at the first rest, however long the machine has been up
        while not self._stopping.is_set():
            self._look_at_plans()
            try:
                moved = self._step()
                self._follow()
                self._step_error = None
                if not moved and time.monotonic() - cleared_at >= _CLEAR_SECONDS:
                    self._generations.clear()
                    cleared_at = time.monotonic()
            except KBError as error:
                moved, self._step_error = False, error.message
                log.error("indexing stopped, trying again: %s", error)
            except Exception as error:  # a defect must not end indexing for good
                moved, self._step_error = False, f"{type(error).__name__}: {error}"
                log.exception("indexing failed, trying again")
            if not moved:
                self._wake.wait(self._poll if self._step_error is None else max(self._poll, 2.0))
                self._wake.clear()

    def _look_at_plans(self) -> None:
        """Do what is due. Whatever fails there, indexing goes on."""
        if self._do_due is None or time.monotonic() < self._due_at:
            return
        try:
            self._do_due()
            self._due_error = None
        except Exception as error:
            self._due_error = error.message if isinstance(error, KBError) else f"{type(error).__name__}: {error}"
            log.exception("what is planned was not done, trying again")
        self._due_at = time.monotonic() + (_DUE_SECONDS if self._due_error is None else _RETRY_SECONDS)

    def _step(self) -> bool:
        moved = self._current.indexer.step().changes > 0
        if moved:
            self._keeper.changed()
            with self._advanced:
                self._advanced.notify_all()
        return moved

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
        self._keeper.close()
        old.close()
        self._keeper = Keeper(new.index, seconds=self._flush_seconds)
        self._keeper.start()
        self._keeper.changed()


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
