"""A server of several workers with the fake embedder; prints its port when it is ready, once.

usage: python -m tests.workers_server WORKERS FACTORY   (KB_DATA names the data folder)
"""

import socket
import sys

from fastapi import FastAPI

from api import worker, workers
from tests.fakes import fake


def app() -> FastAPI:
    """What each worker serves."""
    return worker.app(fake)


def broken() -> FastAPI:
    """A worker that cannot start."""
    return worker.app(lambda name: fake(f"missing {name}"))


def main(number: str, factory: str) -> int:
    listener = socket.create_server(("127.0.0.1", 0))

    def ready() -> None:
        sys.stdout.write(f"ready {listener.getsockname()[1]}\n")
        sys.stdout.flush()

    return 0 if workers.serve(int(number), listener, ready, factory=f"tests.workers_server:{factory}") else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
