"""Several worker processes over one data folder, killed or not: nothing acknowledged is lost, nothing retired found."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.services import Services, open_services
from ingest.verify import verify
from kb import editorial, items, keys
from kb.access import SYSTEM, Principal, scope_of
from kb.content import Content, Profile
from kb.db import Database
from kb.errors import NotFound
from kb.models import Audience
from kb.settings import Settings
from tests.fakes import fake

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 60.0
"""Seconds within which what must happen has happened, however busy the machine is."""


@dataclass
class Server:
    address: str
    supervisor: subprocess.Popen[str]
    headers: dict[str, str]
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self) -> httpx.Client:
        """Return a client with one connection, which stays with the worker that took it."""
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=LIMIT)
        opened = httpx.Client(base_url=self.address, headers=self.headers, limits=limits, timeout=LIMIT)
        self.clients.append(opened)
        return opened

    def workers(self, number: int, *, without: int | None = None) -> dict[int, httpx.Client]:
        """Return a client of each of `number` workers by process id, waiting for those that start."""
        found: dict[int, httpx.Client] = {}

        def all_answer() -> bool:
            client = self.client()
            try:
                pid = worker_of(client)
            except httpx.TransportError:  # a worker that was killed just now
                return False
            if pid != without:
                found.setdefault(pid, client)
            return len(found) == number

        until(all_answer)
        return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextmanager
def serving(data: Path, number: int = 2, *, leaves_with: int = 0) -> Iterator[Server]:
    data.mkdir(exist_ok=True)
    db = Database(Settings(data=data).sqlalchemy_url)
    db.migrate()
    with db.write() as session:
        key = keys.add(session, "editor", "editor", actor=SYSTEM)
    db.dispose()
    supervisor = started(data, number, "app")
    assert supervisor.stdout is not None
    line = supervisor.stdout.readline().split()
    assert line[:1] == ["ready"], "the supervisor ended before a worker answered"
    server = Server(f"http://127.0.0.1:{line[1]}", supervisor, {"Authorization": f"Bearer {key}"})
    try:
        yield server
    finally:
        for client in server.clients:
            client.close()
        if supervisor.poll() is None:
            supervisor.send_signal(signal.SIGINT)
        rest, _ = supervisor.communicate(timeout=LIMIT)
    assert rest == "", "ready is said once"
    assert supervisor.returncode == leaves_with


def started(data: Path, number: int, factory: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.workers_server", str(number), factory],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "KB_DATA": str(data)},
    )


def until(done: Callable[[], bool]) -> None:
    """Wait for a condition; fail when LIMIT is over."""
    deadline = time.monotonic() + LIMIT
    while not done():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def worker_of(client: httpx.Client) -> int:
    return int(client.get("/readyz").json()["worker"])


def publish(client: httpx.Client, title: str) -> str:
    """Publish an item, return its number; it is searchable where this client's worker answers."""
    body = {"title": title, "body": f"About {title}.", "audience": "public", "publish": True}
    answer = client.post("/v1/items", json=body, params={"wait": "searchable"})
    assert answer.status_code == 201, answer.text
    written = answer.json()
    assert written["searchable"]
    return str(written["item"])


def found(client: httpx.Client, title: str) -> list[str]:
    answer = client.get("/v1/search", params={"q": title, "mode": "lexical", "limit": 100})
    assert answer.status_code == 200, answer.text
    return [hit["item"] for hit in answer.json()["hits"]]


def owner(data: Path) -> int | None:
    """Return the process that holds the right to write the index, as the kernel has it."""
    lock = data / "index" / "1" / "writer.lock"
    if not lock.exists():
        return None  # nothing was flushed yet
    inode = lock.stat().st_ino
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        parts = line.split()
        if "->" not in parts and parts[5].endswith(f":{inode}"):
            return int(parts[4])
    return None


@contextmanager
def checked(data: Path) -> Iterator[Services]:
    """Open the data folder after the server has ended; the index must be what the database says."""
    with open_services(Settings(data=data), load=fake) as services:
        services.indexer.catch_up()
        assert verify(services.db, services.index, services.embedder.fingerprint).faults == []
        yield services


def title_of(services: Services, number: str) -> str | None:
    with services.db.read() as session:
        try:
            return items.view(session, number, scope_of(session, Principal())).revision.title
        except NotFound:
            return None


def test_each_worker_sees_its_own_writes_at_once_and_the_others_soon(data: Path) -> None:
    with serving(data) as server:
        first, second = server.workers(2).values()
        for writer, other, title in ((first, second, "router one"), (second, first, "router two")):
            number = publish(writer, title)
            assert number in found(writer, title)
            until(lambda other=other, number=number, title=title: number in found(other, title))  # type: ignore[misc]
            assert other.post(f"/v1/items/{number}/retire").status_code == 200
            assert number not in found(writer, title), "retired through the other worker"
        counted = [
            line.rpartition(" ")[2]
            for line in first.get("/metrics").text.splitlines()
            if line.startswith("answerwell_requests_total{") and '"/v1/items"' in line and '"201"' in line
        ]
        assert [float(value) for value in counted] == [2.0], "counted over all workers, whichever is asked"


@pytest.mark.parametrize("killed", ["the one that writes the index", "the other"])
def test_a_killed_worker_under_load_loses_nothing(data: Path, killed: str) -> None:
    live: dict[str, str] = {}
    retired: set[str] = set()
    faults: list[str] = []
    stop = threading.Event()
    lock = threading.Lock()

    def guarded(act: Callable[[httpx.Client, random.Random], None], seed: int) -> None:
        rng = random.Random(seed)
        client = server.client()
        while not stop.is_set():
            try:
                act(client, rng)
            except httpx.TransportError:  # its worker was killed: the next request goes to another
                client = server.client()
            except Exception as error:  # whatever goes wrong fails the test, from the main thread
                faults.append(repr(error))
                return

    def write(client: httpx.Client, rng: random.Random) -> None:
        title = f"signal {rng.getrandbits(40):x}"
        number = publish(client, title)
        with lock:
            live[number] = title
            leaves = rng.choice(sorted(live)) if len(live) > 10 else None
            old = live.pop(leaves) if leaves else ""
        if leaves:
            try:
                answer = client.post(f"/v1/items/{leaves}/retire")
            except httpx.TransportError:
                return  # not acknowledged: it may be there or not
            assert answer.status_code == 200, answer.text
            with lock:
                retired.add(leaves)
            assert leaves not in found(client, old)

    def read(client: httpx.Client, rng: random.Random) -> None:
        with lock:
            gone = set(retired)
        shown = gone.intersection(found(client, "signal"))
        assert not shown, f"{shown} were retired before this search began"

    with serving(data) as server:
        pids = set(server.workers(2))
        threads = [threading.Thread(target=guarded, args=(act, n)) for n, act in enumerate((write, write, read, read))]
        for thread in threads:
            thread.start()
        try:
            until(lambda: bool(faults) or (len(retired) > 5 and owner(data) in pids))
            writing = owner(data)
            victim = writing if killed.startswith("the one") else next(iter(pids - {writing}))
            assert victim in pids
            os.kill(victim, signal.SIGKILL)
            acknowledged = len(live) + len(retired)
            survivors = server.workers(2, without=victim)
            assert len(survivors) == 2, "a killed worker is started again"
            until(lambda: bool(faults) or (len(live) + len(retired) > acknowledged + 20 and owner(data) in survivors))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert faults == []
    with checked(data) as services:
        assert {number: title_of(services, number) for number in live} == live
        assert {title_of(services, number) for number in retired} == {None}


def test_a_killed_supervisor_takes_its_workers_along(data: Path) -> None:
    def gone(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"

    with serving(data, leaves_with=-signal.SIGKILL) as server:
        pids = list(server.workers(2))
        server.supervisor.kill()
        until(lambda: all(gone(pid) for pid in pids))


def test_workers_that_cannot_start_end_the_server(data: Path) -> None:
    data.mkdir()
    supervisor = started(data, 2, "broken")
    said: Any = supervisor.communicate(timeout=LIMIT)[0]
    assert (said, supervisor.returncode) == ("", 1)


def test_an_index_that_another_process_writes_is_not_thrown_away(data: Path) -> None:
    settings = Settings(data=data)
    with open_services(settings, load=fake) as writing:
        with writing.db.write() as session:
            item, revision = editorial.create(
                session, Content(title="Reset", body="Hold it."), Profile(audience=Audience.PUBLIC), actor=SYSTEM
            )
            editorial.publish(session, item, revision, actor=SYSTEM)
        writing.indexer.catch_up()
        assert writing.indexer.flush()
        (segment,) = settings.index_folder.glob("1/segment-*")
        (segment / "passages.npy").rename(data / "elsewhere")
        with open_services(settings, load=fake) as other:
            other.indexer.catch_up()
            assert other.index.stats().passages == 1, "it has what the database has, in memory"
            assert not other.indexer.flush(), "and leaves the folder to its writer"
        assert segment.exists()
    with checked(data) as services:
        assert services.index.stats().passages == 1, "its writer is gone: built anew"
