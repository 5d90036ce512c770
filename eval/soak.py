"""Mixed reads and writes for a long time: python -m eval.soak --minutes 30 [--passages 5000]

Readers ask the demo's questions, a writer creates, revises, retires and deletes items, the indexer follows, flushes and
merges. Prints JSON: how much was done, errors, the lag from a publish to its being found, and the memory of the process
after the first fifth of the time and at the end. Vectors are seeded random ones.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from eval.bench_search import RandomVectors, corpus
from eval.throwaway import generations
from ingest import demo
from ingest.follower import Follower
from ingest.judged import load_questions
from kb import editorial
from kb.access import SYSTEM, Principal
from kb.content import Content, Profile
from kb.db import Database
from kb.models import Audience, Item
from retrieval.search import Mode, Searcher

READERS = 2


class Soak:
    """One run in a throw-away folder."""

    def __init__(self, folder: Path, passages: int, seconds: float) -> None:
        self._db = Database(f"sqlite:///{folder}/kb.sqlite3")
        self._db.migrate()
        embedder = RandomVectors()
        self._generations = generations(self._db, folder, embedder)
        self._opened = self._generations.open_active()
        self._searcher = Searcher(self._db, self._opened.index, embedder)
        self._documents = corpus(passages, random.Random(7))
        with demo.folder() as path:
            self._questions = [query.text for query in load_questions(path / "judged", "demo").queries]
        self._seconds = seconds
        self._until = 0.0
        self.done: Counter[str] = Counter()
        self.errors: list[str] = []
        self.lags: list[float] = []

    def run(self) -> dict[str, Any]:
        """Fill, then read and write until the time is over."""
        for start in range(0, len(self._documents), 500):
            with self._db.write() as session:
                for content in self._documents[start : start + 500]:
                    item, revision = editorial.create(session, content, Profile(audience=Audience.PUBLIC), actor=SYSTEM)
                    editorial.publish(session, item, revision, actor=SYSTEM)
        self._opened.indexer.catch_up()
        follower = Follower(self._generations, self._searcher, self._opened)
        follower.start()
        self._until = time.monotonic() + self._seconds
        threads = [threading.Thread(target=self._guarded, args=(self._read, n)) for n in range(READERS)]
        threads.append(threading.Thread(target=self._guarded, args=(self._write, follower)))
        for thread in threads:
            thread.start()
        time.sleep(self._seconds / 5)
        early = _resident()
        for thread in threads:
            thread.join()
        late = _resident()
        follower.close()
        self._db.dispose()
        lags = self.lags or [0.0]
        return {
            "seconds": self._seconds,
            **self.done,
            "errors": self.errors[:5],
            "publish_to_found_ms": {f"p{p}": round(float(np.percentile(lags, p)), 1) for p in (50, 95, 99)},
            "megabytes_early": early,
            "megabytes_late": late,
            "growth": round(late / early - 1, 4),
        }

    def _guarded(self, act: Any, argument: Any) -> None:
        try:
            act(argument)
        except Exception as error:  # noqa: BLE001 a soak reports whatever went wrong
            self.errors.append(f"{type(error).__name__}: {error}")

    def _read(self, number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < self._until:
            self._searcher.search(rng.choice(self._questions), reader=Principal())
            self.done["searches"] += 1
            time.sleep(0.02)

    def _write(self, follower: Follower) -> None:
        rng = random.Random(99)
        alive: list[int] = []
        while time.monotonic() < self._until:
            mark = f"fresh{rng.getrandbits(40):x}"
            content = Content(title=f"Note {mark}", body=rng.choice(self._documents).body)
            started = time.monotonic()
            with self._db.write() as session:
                number = rng.choice(alive) if len(alive) > 300 else 0
                item = session.get(Item, number) if number else None
                if item is not None and rng.random() < 0.6:
                    editorial.delete(session, item, actor=SYSTEM)
                    alive.remove(number)
                    self.done["deletes"] += 1
                    published = 0
                elif item is not None:
                    revision = editorial.revise(session, item, content, actor=SYSTEM)
                    editorial.publish(session, item, revision, actor=SYSTEM)
                    published = number
                else:
                    item, revision = editorial.create(session, content, Profile(audience=Audience.PUBLIC), actor=SYSTEM)
                    editorial.publish(session, item, revision, actor=SYSTEM)
                    published = int(item.id or 0)
                    alive.append(published)
            follower.wake()
            if published:
                self.done["publishes"] += 1
                self._await(mark, published, started)
            time.sleep(0.05)

    def _await(self, mark: str, item: int, started: float) -> None:
        while time.monotonic() < started + 10:
            hits = self._searcher.search(mark, reader=Principal(), mode=Mode.LEXICAL, limit=1).hits
            if hits and hits[0].found.item_id == item:
                self.lags.append((time.monotonic() - started) * 1000)
                return
            time.sleep(0.003)
        raise AssertionError(f"{mark} was published and not found for ten seconds")


def _resident() -> int:
    """Return megabytes of resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 // 1_000_000


def main() -> None:
    """Read the command line, soak, print."""
    parser = argparse.ArgumentParser(prog="python -m eval.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--passages", type=int, default=5_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="answerwell-soak-") as folder:
        result = Soak(Path(folder), given.passages, 60 * given.minutes).run()
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    sys.exit(1 if result["errors"] else 0)


if __name__ == "__main__":
    main()
