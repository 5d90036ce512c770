"""Sends what waits in the outbox, in a thread of its own: no request and no search waits for a mail server."""

import logging
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage

from kb import outbox, smtp
from kb.db import Database
from kb.models import Letter
from kb.smtp import MailServer, Undelivered

log = logging.getLogger(__name__)

Write = Callable[[Letter], EmailMessage | None]

_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 30.0
"""After a failure that concerns all letters."""
_CLEAR_SECONDS = 24 * 3600.0
"""How often letters of long ago are forgotten."""


class Postman:
    """Looks every second, beside those of other processes."""

    def __init__(self, db: Database, server: MailServer, write: Write, *, seconds: float = smtp.SECONDS) -> None:
        """`write` returns a letter as it is sent, None where nobody needs it; `seconds`: most of a step of sending."""
        self._db = db
        self._server = server
        self._write = write
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; does nothing where it has begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="postman", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop after the letter at hand. One that hangs at a slow server is tried again by who comes next."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def deliver(self) -> bool:
        """Try to send the next letter that is due; return whether there was one.

        What was refused is kept with its reason. Raises Undelivered where the server takes none at all.
        """
        letter = outbox.claim(self._db)
        if letter is None:
            return False
        try:
            message = self._write(letter)
            if message is None:
                outbox.drop(self._db, letter)
                return True
            smtp.send(self._server, message, to=letter.address, seconds=self._seconds)
        except Undelivered as error:
            outbox.failed(self._db, letter, error.message, for_good=error.for_good)
            if error.everything:
                raise
        except Exception as error:
            outbox.failed(self._db, letter, f"{type(error).__name__}: {error}", for_good=False)
            raise
        else:
            outbox.sent(self._db, letter)
        return True

    def _run(self) -> None:
        cleared_at = -_CLEAR_SECONDS
        while not self._stopping.is_set():
            wait = _LOOK_SECONDS
            try:
                while self.deliver() and not self._stopping.is_set():
                    pass
                if time.monotonic() - cleared_at >= _CLEAR_SECONDS:
                    outbox.clear(self._db)
                    cleared_at = time.monotonic()
            except Undelivered as error:
                wait = _RETRY_SECONDS
                log.error("e-mails wait: %s", error)
            except Exception:  # a defect must not end it for good
                wait = _RETRY_SECONDS
                log.exception("an e-mail was not sent, trying again")
            self._stopping.wait(wait)
