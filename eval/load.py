"""Many readers at once over HTTP, with one worker and with several: python -m eval.load --seconds 10 --clients 8

Loads the demo into a throw-away data folder, serves it on loopback with each number of workers in turn, and asks the
demo's questions from client threads, each with a connection of its own. Prints JSON: for each number of workers, and
for searches and answers, requests a second, p50, p95 and p99 in milliseconds, errors, and how many workers answered.
Each client asks its questions in an order of its own, and adds a word of its own to each, so that the vectors of
questions asked before are of no use.
"""

import argparse
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np

from ingest import demo

READY = "is ready at "
WAIT = 120.0
"""Seconds that a request may take."""


@contextmanager
def served(data: Path, workers: int) -> Iterator[str]:
    """Give the address, as host:port, of `kb serve` with so many workers."""
    command = [sys.executable, "-m", "api.cli", "serve", "--data", str(data), "--port", "0", "--workers", str(workers)]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        said = []
        for line in server.stderr:
            said.append(line)
            if READY in line:
                address = urlsplit(line.partition(READY)[2].split()[0]).netloc
                _await_all(address, workers)
                yield address
                break
        else:
            raise SystemExit("kb serve ended before it was ready:\n" + "".join(said))
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate()


def ask(address: str, path: str, questions: Sequence[str], clients: int, seconds: float) -> dict[str, Any]:
    """Ask from `clients` threads for so long; return what one run measured."""
    waits: list[list[float]] = [[] for _ in range(clients)]
    errors: list[str] = []
    workers: set[int] = set()
    barrier = threading.Barrier(clients)

    def client(number: int) -> None:
        rng = random.Random(number)
        connection = http.client.HTTPConnection(address, timeout=WAIT)
        _, body = _get(connection, "/readyz")
        workers.add(json.loads(body)["worker"])
        barrier.wait(WAIT)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            query = urlencode({"q": f"{rng.choice(questions)} {rng.getrandbits(20):x}"})
            started = time.perf_counter()
            try:
                status, _ = _get(connection, f"{path}?{query}")
            except (OSError, http.client.HTTPException) as error:
                errors.append(repr(error))
                connection.close()
                continue
            if status == 200:
                waits[number].append((time.perf_counter() - started) * 1000)
            else:
                errors.append(f"status {status}")
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = np.concatenate(waits) if any(waits) else np.full(1, np.nan)
    return {
        "requests_per_second": round(sum(map(len, waits)) / seconds, 1),
        **{f"p{p}_ms": round(float(np.percentile(found, p)), 1) for p in (50, 95, 99)},
        "errors": len(errors),
        "first_errors": errors[:3],
        "workers_that_answered": len(workers),
    }


def _await_all(address: str, workers: int) -> None:
    """Wait until each worker has answered on some connection: the address is ready with the first of them."""
    seen: set[int] = set()
    deadline = time.monotonic() + WAIT
    while len(seen) < workers:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {len(seen)} of {workers} workers answered within {WAIT:.0f} s")
        connection = http.client.HTTPConnection(address, timeout=WAIT)
        seen.add(json.loads(_get(connection, "/readyz")[1])["worker"])
        connection.close()
        time.sleep(0.05)


def _get(connection: http.client.HTTPConnection, target: str) -> tuple[int, bytes]:
    connection.request("GET", target)
    answer = connection.getresponse()
    return answer.status, answer.read()


def main() -> None:
    """Read the command line, measure, print; leave with 1 where there was an error."""
    parser = argparse.ArgumentParser(prog="python -m eval.load", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each run")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    questions = [query.text for query in demo.questions().queries]
    result: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "clients": given.clients, "runs": []}
    with tempfile.TemporaryDirectory(prefix="answerwell-load-") as folder:
        data = Path(folder)
        subprocess.run(
            [sys.executable, "-m", "api.cli", "demo", "--no-serve", "--data", folder],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for workers in given.workers:
            with served(data, workers) as address:
                ask(address, "/v1/answer", questions, given.clients, 1)  # caches of the file system and of imports
                for path_ in ("/v1/search", "/v1/answer"):
                    measured = ask(address, path_, questions, given.clients, given.seconds)
                    result["runs"].append({"workers": workers, "path": path_, **measured})
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    sys.exit(1 if any(run["errors"] for run in result["runs"]) else 0)


if __name__ == "__main__":
    main()
