"""A pause after several failures in a row: readers do not wait for a server that is down, and it is left to recover."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from retrieval.generate.outcome import Failed, Outcome

FAILURES = 3
"""Failures of the server in a row before a pause."""
PAUSE = 10.0
"""Seconds of the first pause; each next one in a row is twice as long."""
LONGEST_PAUSE = 300.0


class Breaker:
    """The state of one process towards one server. Safe to share between threads.

    After FAILURES failures in a row nothing is asked for PAUSE seconds; then one question is let through. If that
    fails too, the pause doubles, up to LONGEST_PAUSE; if not, all is as it was. A server that says how long to wait
    (Retry-After) is taken at its word at once, up to LONGEST_PAUSE. A server that answers at all has not failed: a
    refusal or an unsupported sentence is no reason for a pause.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pauses = 0
        self._until = 0.0
        self._trying = False

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Guard one question. Raises Failed (`paused`) instead of letting it through; sees what comes of it."""
        trial = self._admit()
        try:
            yield
        except Failed as failed:
            self._failed(failed) if failed.outcome.of_the_server else self._answered()
            raise
        else:
            self._answered()
        finally:  # also where the reader went away, which tells nothing about the server
            if trial:
                with self._lock:
                    self._trying = False

    def _admit(self) -> bool:
        with self._lock:
            if not self._pauses and self._clock() >= self._until:
                return False
            if self._clock() < self._until or self._trying:
                raise Failed(Outcome.PAUSED)
            self._trying = True
            return True

    def _failed(self, failed: Failed) -> None:
        with self._lock:
            now = self._clock()
            self._failures += 1
            if (
                self._failures >= FAILURES and now >= self._until
            ):  # those under way when a pause began do not lengthen it
                self._until = now + min(PAUSE * 2**self._pauses, LONGEST_PAUSE)
                self._pauses += 1
            if failed.retry_after:
                self._until = max(self._until, now + min(failed.retry_after, LONGEST_PAUSE))

    def _answered(self) -> None:
        with self._lock:
            self._failures = self._pauses = 0
            self._until = 0.0
