"""Questions asked at once, and beside passages: python -m eval.bench_questions

Prints JSON. `threads`: questions a second and what each waited, from so many threads, each question a run of its own,
as the product does it. `batched`: the rate if so many were always run together, and how far from their vectors alone
(cosine) that takes them. `beside_passages`: a question now and then, with and without another thread that embeds
passages. The runs take turns, so that a busy machine slows all; the middle of the rounds is reported.
"""

import argparse
import json
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from eval.bench_embed import feeds_of
from ingest import demo
from ingest.judged import load_questions
from kb.settings import load_settings
from retrieval.embed import OnnxEmbedder, open_session, padded
from retrieval.embedding import catalogue, prepared

TOGETHER = (1, 4, 16)
SECONDS = 3.0
PAUSE = 0.02
"""Seconds between the questions beside passages."""


class Questions:
    """The demo's questions, the demo's articles as passages, and one session for both."""

    def __init__(self, name: str, threads: int) -> None:
        settings = load_settings()
        model = prepared.ensure(catalogue.find(name), settings.cache)
        embedder = OnnxEmbedder(name, model, threads)
        with demo.folder() as folder:
            texts = [query.text for query in load_questions(folder / "judged", "demo").queries]
            articles = [path.read_text(encoding="utf-8") for path in sorted((folder / "articles").rglob("*.md"))]
        self._pad_id = model.pad_id
        self._session = open_session(model.folder, threads)
        self._ids = sorted(embedder.tokenize(texts, model.query_prefix), key=len)
        self._passages = feeds_of(embedder.tokenize(articles, model.passage_prefix), model.pad_id)

    def run(self, rows: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the vectors of these questions from one run."""
        input_ids, mask = padded([self._ids[row] for row in rows], self._pad_id)
        return np.asarray(self._session.run(None, {"input_ids": input_ids, "attention_mask": mask})[0], np.float32)

    def asked(self, threads: int, pause: float = 0.0) -> dict[str, float]:
        """Ask from `threads` threads, one question a run."""
        waits: list[list[float]] = [[] for _ in range(threads)]
        until = time.perf_counter() + SECONDS

        def ask(number: int) -> None:
            rng = random.Random(number)
            while (started := time.perf_counter()) < until:
                self.run([rng.randrange(len(self._ids))])
                waits[number].append((time.perf_counter() - started) * 1000)
                if pause:
                    time.sleep(pause)

        together = [threading.Thread(target=ask, args=(number,)) for number in range(threads)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        every = np.concatenate(waits)
        p50, p95 = np.percentile(every, [50, 95])
        return {"per_second": len(every) / SECONDS, "p50_ms": float(p50), "p95_ms": float(p95)}

    def batched(self, size: int) -> dict[str, float]:
        """Run all questions in batches of like length."""
        started = time.perf_counter()
        for start in range(0, len(self._ids), size):
            self.run(range(start, min(start + size, len(self._ids))))
        return {"per_second": len(self._ids) / (time.perf_counter() - started)}

    def drift(self, size: int, batches: int = 40) -> dict[str, float]:
        """Return the cosines of vectors from random batches to those of the same questions alone."""
        rng = random.Random(size)
        alone = np.concatenate([self.run([row]) for row in range(len(self._ids))])
        cosines = []
        for _ in range(batches):
            rows = rng.sample(range(len(self._ids)), size)
            cosines.extend((self.run(rows) * alone[rows]).sum(axis=1).tolist())
        return {"least_cosine": round(min(cosines), 5), "mean_cosine": round(statistics.mean(cosines), 5)}

    def beside_passages(self) -> dict[str, float]:
        """Ask one question after another while another thread embeds passages."""
        stop = threading.Event()

        def embed() -> None:
            while not stop.is_set():
                for feed in self._passages:
                    if stop.is_set():
                        return
                    self._session.run(None, feed)

        busy = threading.Thread(target=embed)
        busy.start()
        try:
            return self.asked(1, PAUSE)
        finally:
            stop.set()
            busy.join()


def measure(questions: Questions, rounds: int) -> dict[str, object]:
    """Let the runs take turns; return the middle of each figure."""
    runs: dict[str, Callable[[], dict[str, float]]] = {
        **{f"threads {n}": partial(questions.asked, n) for n in TOGETHER},
        **{f"batched {n}": partial(questions.batched, n) for n in TOGETHER},
        "alone, now and then": partial(questions.asked, 1, PAUSE),
        "beside_passages": questions.beside_passages,
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    questions.batched(1)
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return {
        **{
            name: {figure: round(statistics.median(one[figure] for one in many), 1) for figure in many[0]}
            for name, many in found.items()
        },
        **{f"drift {n}": questions.drift(n) for n in TOGETHER},
    }


def main() -> None:
    """Read the command line, measure, print."""
    settings = load_settings()
    parser = argparse.ArgumentParser(prog="python -m eval.bench_questions", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default=settings.embedder, help="as KB_EMBEDDER")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=settings.threads or len(os.sched_getaffinity(0)))
    given = parser.parse_args()
    sys.stdout.write(json.dumps(measure(Questions(given.model, given.threads), given.rounds), indent=2) + "\n")


if __name__ == "__main__":
    main()
