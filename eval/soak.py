"""Mixed reads and writes for a long time: python -m eval.soak --minutes 30 [--passages 5000]

Readers ask the demo's questions, a writer creates, revises, retires and deletes items, the indexer follows, flushes and
merges. Prints JSON: how much was done, errors, the lag from a publish to its being found, and the median memory of the
process in each fifth of the time. Vectors are seeded random ones.
"""

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from eval.bench.clock import spread
from eval.bench.process import memory
from eval.bench_search import RandomVectors, corpus, written
from eval.throwaway import KnowledgeBase, knowledge_base
from ingest import demo
from ingest.follower import Follower
from kb import editorial
from kb.access import SYSTEM, Principal
from kb.content import Content, Profile
from kb.models import Audience, Item
from retrieval.search import Mode

READERS = 2
WINDOWS = 5
"""The time is cut into so many parts to see memory grow."""


class Soak:
    """One run on a filled knowledge base."""

    def __init__(
        self, kb: KnowledgeBase, documents: Sequence[Content], questions: Sequence[str], seconds: float
    ) -> None:
        self._kb = kb
        self._documents = documents
        self._questions = questions
        self._seconds = seconds
        self._until = 0.0
        self.done: Counter[str] = Counter()
        self.errors: list[str] = []
        self.lags: list[float] = []

    def run(self) -> dict[str, Any]:
        """Read and write until the time is over."""
        follower = Follower(self._kb.generations, self._kb.searcher, self._kb.opened)
        follower.start()
        self._until = time.monotonic() + self._seconds
        threads = [threading.Thread(target=self._guarded, args=(self._read, n)) for n in range(READERS)]
        threads.append(threading.Thread(target=self._guarded, args=(self._write, follower)))
        for thread in threads:
            thread.start()
        resident: list[int] = []
        while time.monotonic() < self._until:
            time.sleep(min(1.0, self._seconds / 50))
            resident.append(sum(memory().values()))
        for thread in threads:
            thread.join()
        follower.close()
        return {
            "seconds": self._seconds,
            **self.done,
            "errors": self.errors[:5],
            "publish_to_found_ms": spread(self.lags),
            **growth(resident),
        }

    def _guarded(self, act: Any, argument: Any) -> None:
        try:
            act(argument)
        except Exception as error:  # noqa: BLE001 a soak reports whatever went wrong
            self.errors.append(f"{type(error).__name__}: {error}")

    def _read(self, number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < self._until:
            self._kb.searcher.search(rng.choice(self._questions), reader=Principal())
            self.done["searches"] += 1
            time.sleep(0.02)

    def _write(self, follower: Follower) -> None:
        rng = random.Random(99)
        alive: list[int] = []
        while time.monotonic() < self._until:
            mark = f"fresh{rng.getrandbits(40):x}"
            content = Content(title=f"Note {mark}", body=rng.choice(self._documents).body)
            started = time.monotonic()
            with self._kb.db.write() as session:
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
            hits = self._kb.searcher.search(mark, reader=Principal(), mode=Mode.LEXICAL, limit=1).hits
            if hits and hits[0].found.item_id == item:
                self.lags.append((time.monotonic() - started) * 1000)
                return
            time.sleep(0.003)
        raise AssertionError(f"{mark} was published and not found for ten seconds")


def growth(resident: Sequence[int]) -> dict[str, Any]:
    """Return the median of resident memory in each WINDOWS-th of the time, and how much the last is over the second.

    One sample says little: a merge or a garbage collection moves it by more than any leak. In the first window caches
    and the allocator still fill.
    """
    windows = [statistics.median(part) for part in np.array_split(np.array(resident), WINDOWS) if len(part)]
    return {
        "megabytes": [round(float(window) / 1e6, 1) for window in windows],
        "growth": round(float(windows[-1] / windows[min(1, len(windows) - 1)]) - 1, 4),
    }


def main() -> None:
    """Read the command line, soak, print."""
    parser = argparse.ArgumentParser(prog="python -m eval.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--passages", type=int, default=5_000)
    given = parser.parse_args()
    documents = corpus(given.passages, random.Random(7))
    questions = [query.text for query in demo.questions().queries]
    load = written(documents, lambda: Audience.PUBLIC)
    with knowledge_base("soak", load, RandomVectors(), tell=lambda line: print(line, file=sys.stderr)) as kb:
        result = Soak(kb, documents, questions, 60 * given.minutes).run()
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    sys.exit(1 if result["errors"] else 0)


if __name__ == "__main__":
    main()
