"""`find` in a process of its own, so that a server does not hold what spaCy, Presidio and two models take."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Lock, Timer
from types import TracebackType
from typing import Any

import ingest
from ingest.redaction.findings import Finding, Kind
from kb.errors import InvalidInput, KBError, Misconfigured, TooLarge, Unavailable

IDLE_SECONDS = 300.0
"""How long the process waits for another text before it ends: an agent who reviews one case goes on to the next."""
MOST_SECONDS = 120.0
"""Longest that one text may take, several times what the longest takes."""
_RAISED: dict[str, type[KBError]] = {error.code: error for error in (InvalidInput, TooLarge, Misconfigured)}


class Redactor:
    """Finds personal data in a process that starts at the first text and ends when idle. Safe to use from threads.

    Use as a context manager, or call `close()`; after that, another text starts it again.
    """

    def __init__(self, idle: float = IDLE_SECONDS) -> None:
        self._idle = idle
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._timer: Timer | None = None
        self._used = 0.0

    def find(self, text: str, lang: str) -> list[Finding]:
        """Return what `ingest.redaction.find` returns, and raise what it raises; one text at a time.

        Raises Unavailable if the process ended or took too long; the next text starts another.
        """
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            process = self._process if self._process is not None and self._process.poll() is None else self._start()
            try:
                said = _asked(process, text, lang)
            except (OSError, ValueError):
                self._stop()
                raise Unavailable(
                    "the search for personal data ended by itself and nothing was kept: try again, and look whether "
                    "the machine has memory left"
                ) from None  # what it was given is in the error
            self._used = time.monotonic()
            self._timer = Timer(self._idle, self._end_if_idle)
            self._timer.daemon = True
            self._timer.start()
        if isinstance(said, dict):
            raise _RAISED.get(said["code"], Unavailable)(said["message"], field=said["field"])
        return [Finding(Kind(kind), *rest) for kind, *rest in said]

    @property
    def process(self) -> int | None:
        """The id of the process, while there is one."""
        found = self._process
        return found.pid if found is not None and found.poll() is None else None

    def close(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._stop()

    def __enter__(self) -> "Redactor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[str]:
        self._stop()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ingest.redaction.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # an error of a library may quote the text
            env={**os.environ, "PYTHONPATH": str(Path(ingest.__file__).parents[1])},  # the very code that this runs
            encoding="ascii",
        )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()  # it keeps nothing that could be lost
        process.communicate()

    def _end_if_idle(self) -> None:
        with self._lock:
            if time.monotonic() - self._used >= self._idle:
                self._stop()


def _asked(process: subprocess.Popen[str], text: str, lang: str) -> list[Any] | dict[str, str]:
    """Return what the process says of a text. Raises OSError or ValueError where it says nothing."""
    assert process.stdin is not None
    assert process.stdout is not None
    watch = Timer(MOST_SECONDS, process.kill)
    watch.daemon = True
    watch.start()
    try:
        process.stdin.write(json.dumps([text, lang]) + "\n")
        process.stdin.flush()
        said: list[Any] | dict[str, str] = json.loads(process.stdout.readline())
    finally:
        watch.cancel()
    return said
