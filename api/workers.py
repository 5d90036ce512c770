"""Several server processes behind one socket, watched: uvicorn's supervisor, told how Answerwell starts and counts."""

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead
from uvicorn import Config
from uvicorn.supervisors import Multiprocess

FACTORY = "api.worker:app"
HEALTH_SECONDS = 30
"""A worker that does not answer its supervisor for so long is replaced. Imports on a busy machine take seconds."""


class Workers(Multiprocess):
    """Keeps workers running; calls `on_ready` once, when the first of them serves."""

    def __init__(self, config: Config, listener: socket.socket, counters: Path, on_ready: Callable[[], None]) -> None:
        super().__init__(config, [listener])
        self._counters = counters
        self._on_ready: Callable[[], None] | None = on_ready

    def init_processes(self) -> None:
        super().init_processes()
        self._hear_deaths()

    def keep_subprocess_alive(self) -> None:
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        self._hear_deaths()
        for gone in before - {process.pid for process in self.processes}:
            mark_process_dead(gone, str(self._counters))  # type: ignore[no-untyped-call]
        if self._on_ready is not None and any(p.process.is_alive() and p.is_ready() for p in self.processes):
            self._on_ready()
            self._on_ready = None

    def _hear_deaths(self) -> None:
        """Leave the worker's end of its pipe to the worker alone: then its death ends a wait for its sign of life."""
        for process in self.processes:
            process.child_conn.close()

    @property
    def failed(self) -> bool:
        """Whether a worker could not start, which ends them all."""
        return any(process.exitcode not in (0, None) and process.exitcode > 0 for process in self.processes)


def serve(workers: int, listener: socket.socket, on_ready: Callable[[], None], *, factory: str = FACTORY) -> bool:
    """Serve with so many processes until stopped; return False where they could not start.

    Each builds its own services from the settings in the environment.
    """
    config = Config(
        factory,
        factory=True,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_worker_healthcheck=HEALTH_SECONDS,
    )
    with tempfile.TemporaryDirectory(prefix="answerwell-metrics-") as counters:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counters
        running = Workers(config, listener, Path(counters), on_ready)
        running.run()
    return not running.failed
