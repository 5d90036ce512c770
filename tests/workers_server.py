"""A server of several workers with the fake embedder; prints its port when it is ready, once.

usage: python -m tests.workers_server WORKERS FACTORY   (KB_DATA names the data folder)
"""

import socket
import sys

from fastapi import FastAPI

from api import worker, workers
from kb.errors import Unavailable
from tests.fakes import FakeEmbedder


def app() -> FastAPI:
    """What each worker serves."""
    return worker.app(FakeEmbedder())


class _Broken(FakeEmbedder):
    @property
    def dim(self) -> int:
        raise Unavailable("this model cannot be read")

    @dim.setter
    def dim(self, value: int) -> None:
        pass


def broken() -> FastAPI:
    """A worker that cannot start."""
    return worker.app(_Broken())


def main(number: str, factory: str) -> int:
    listener = socket.create_server(("127.0.0.1", 0))

    def ready() -> None:
        sys.stdout.write(f"ready {listener.getsockname()[1]}\n")
        sys.stdout.flush()

    return 0 if workers.serve(int(number), listener, ready, factory=f"tests.workers_server:{factory}") else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
