"""One of several server processes over one data folder: what `kb serve --workers N` starts N times."""

import logging
import multiprocessing
import os
import signal
import sys
import threading

from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from api.app import create_app
from api.commands.common import settings
from api.services import Load, open_services
from kb.errors import KBError

log = logging.getLogger(__name__)


def app(load: Load | None = None) -> FastAPI:
    """Return the application over services of its own, which it closes. The settings come from the environment.

    Leaves with STARTUP_FAILURE, upon which the supervisor ends, where the services cannot be opened.
    """
    _end_with_parent()
    try:
        opened = open_services(settings(None), load=load)
        opened.warm()
        return create_app(opened, closing=True)
    except KBError as error:
        log.error("a worker cannot start: %s", error.message)
    except Exception:  # a defect would fail again at every restart
        log.exception("a worker cannot start")
    sys.exit(STARTUP_FAILURE)


def _end_with_parent() -> None:
    """Stop serving when the supervisor is gone, however it went: the port must not outlive it."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
