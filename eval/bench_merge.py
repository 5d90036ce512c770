"""What a merge costs those who read and write meanwhile: python -m eval.bench_merge --passages 200000

Makes four segments of a quarter of the passages each (seeded words and vectors, since only time is measured) and lets
three threads run: one asks, one replaces a passage 20 times a second, one sleeps for a millisecond and notes how late
it wakes, which is how long the interpreter or a processor was not to be had. First without a merge, then during one in
a process of its own, as the product does it; then both again with the merge in this process. Prints JSON, times in
milliseconds; `cpu_seconds_here` is what the merge itself took of this process, and so the most for which it can have
kept anybody from the interpreter.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kb.access import Scope
from retrieval.local.engine import LocalIndex
from retrieval.types import Attributes, Change, Filters, PassageDoc, Query

DIM = 384
TERMS = 100
WORDS = [f"word{number}" for number in range(50_000)]
SCOPE = Scope(frozenset({"public"}), None, None)
PARTS = 4
_ABOUT = Attributes("article", "public", 1, "en")


class Source:
    """Seeded passages and questions: words by Zipf's law, vectors around a few hundred centres."""

    def __init__(self, seed: int) -> None:
        self._words = random.Random(seed)
        self._numbers = np.random.default_rng(seed)
        self._centres = self._numbers.standard_normal((200, DIM)).astype(np.float32)

    def vector(self) -> npt.NDArray[np.float32]:
        vector = self._centres[self._words.randrange(200)] + self._numbers.standard_normal(DIM).astype(np.float32)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def terms(self, count: int) -> list[str]:
        return [WORDS[int(self._words.paretovariate(0.6)) % len(WORDS)] for _ in range(count)]

    def change(self, seq: int, item: int) -> Change:
        return Change(seq, item, _ABOUT, (PassageDoc(item, self.terms(TERMS), self.vector()),))

    def query(self) -> Query:
        """A question without a word of half of the passages: making rank_bm25's mean idf would hide the rest."""
        return Query([self._words.choice(WORDS[30:2000]) for _ in range(4)], self.vector())


class Load:
    """Milliseconds of three kinds, noted by threads for as long as `running`."""

    def __init__(self, index: LocalIndex, passages: int) -> None:
        self._index = index
        self._passages = passages
        self._ended = threading.Event()
        self.times: dict[str, list[float]] = {"search": [], "apply": [], "late": []}

    def _search(self, source: Source) -> float:
        query = source.query()
        started = time.perf_counter()
        self._index.search(query, scope=SCOPE, filters=Filters(), limit=50)
        return time.perf_counter() - started

    def _apply(self, source: Source) -> float:
        self._ended.wait(0.05)
        change = source.change(self._index.watermark + 1, random.randrange(self._passages) + 1)
        started = time.perf_counter()
        self._index.apply([change])
        return time.perf_counter() - started

    def _late(self, _: Source) -> float:
        started = time.perf_counter()
        time.sleep(0.001)
        return time.perf_counter() - started - 0.001

    @contextmanager
    def running(self) -> Iterator[None]:
        def repeat(name: str, act: Callable[[Source], float], seed: int) -> None:
            source = Source(seed)
            while not self._ended.is_set():
                self.times[name].append(1000 * act(source))

        acts = {"search": self._search, "apply": self._apply, "late": self._late}
        threads = [
            threading.Thread(target=repeat, args=(name, act, seed)) for seed, (name, act) in enumerate(acts.items())
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def summary(self) -> dict[str, dict[str, float]]:
        return {
            name: {
                "count": len(values),
                **{f"p{p:g}": round(float(np.percentile(values, p)), 2) for p in (50, 99, 99.9)},
                "longest": round(max(values), 2),
            }
            for name, values in self.times.items()
        }


def opened(folder: Path, apart: int) -> LocalIndex:
    return LocalIndex.open(
        folder, dim=DIM, generation=1, fingerprint="bench", analyzer="bench", database_id="bench", apart=apart
    )


def fill(folder: Path, passages: int) -> None:
    """Make the four segments, with one batch of changes each."""
    source = Source(7)
    index = opened(folder, 0)
    for part in range(PARTS):
        numbers = range(part * passages // PARTS + 1, (part + 1) * passages // PARTS + 1)
        index.apply([source.change(number, number) for number in numbers])
        index.flush()
    index.close()


def loaded(index: LocalIndex, passages: int, act: Callable[[], object]) -> dict[str, object]:
    """Return how long `act` took and what was noted meanwhile."""
    load = Load(index, passages)
    started, used = time.perf_counter(), time.thread_time()
    with load.running():
        act()
        seconds, used = time.perf_counter() - started, time.thread_time() - used
    return {"seconds": round(seconds, 2), "cpu_seconds_here": round(used, 3), **load.summary()}


def measure(folder: Path, passages: int, quiet: float) -> dict[str, object]:
    fill(folder / "apart", passages)
    shutil.copytree(folder / "apart", folder / "here")
    figures: dict[str, object] = {"passages": passages, "parts": PARTS}
    for where, apart in (("apart", 0), ("here", 10 * passages)):
        index = opened(folder / where, apart)
        loaded(index, passages, lambda: time.sleep(1))  # the first questions make what is kept
        figures[f"without a merge, before the one {where}"] = loaded(index, passages, lambda: time.sleep(quiet))
        merge = loaded(index, passages, index.merge)
        figures[f"during a merge {where}"] = merge
        figures[f"during a flush after it, {where}"] = loaded(index, passages, index.flush)
        assert index.stats().segments < PARTS + 5
        index.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=200_000)
    parser.add_argument("--quiet", type=float, default=15.0, help="Seconds without a merge.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="answerwell-bench-") as folder:
        sys.stdout.write(json.dumps(measure(Path(folder), given.passages, given.quiet), indent=2) + "\n")


if __name__ == "__main__":
    main()
