"""Publish to found and delete to gone, while questions are asked: the engine under the product's own Keeper."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.bench.clock import spread, variants
from eval.bench.corpus import Corpus, Question, attributes
from eval.bench.tasks import LIMIT, SCOPE, ask, opened
from ingest.keeper import Keeper
from retrieval.fusion import fuse, order
from retrieval.local.engine import LocalIndex
from retrieval.types import Change, Filters, PassageDoc, Query

QUESTIONS_PER_SECOND = 50
READERS = 4
CHANGE_EVERY = 0.05
"""Seconds from one change to the next."""
DELETES = 200
FLUSH_SECONDS = 5.0
"""As the product's Follower gathers changes."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A change that is not found yet."""

    mark: str
    passage: int
    since: float


def publish(corpus: Corpus, questions: list[Question], folder: Path, seconds: float) -> dict[str, Any]:
    """Publish one item after the other while questions are asked; then delete the best hits of questions.

    Half of what is published is new, half are new texts of items that are there.
    """
    index = opened(folder, corpus.dim)
    asked = variants(questions, 3)
    for question in asked[: len(questions)]:
        ask(index, question)
    alone: list[float] = []
    for thread in _readers(index, asked, time.perf_counter(), min(5.0, seconds), alone):
        thread.join()
    keeper = Keeper(index, seconds=FLUSH_SECONDS)
    keeper.start()
    meanwhile: list[float] = []
    started = time.perf_counter()
    readers = _readers(index, asked, started, seconds, meanwhile)
    waiting: deque[_Waiting] = deque()
    writer = threading.Thread(target=_write, args=(corpus, index, keeper, waiting, started + seconds))
    writer.start()
    lags: list[float] = []
    while writer.is_alive() or waiting:
        if not waiting:
            time.sleep(0.001)
            continue
        _await(index, waiting[0])
        lags.append((time.perf_counter() - waiting.popleft().since) * 1000)
    for thread in readers:
        thread.join()
    keeper.close()
    if keeper.error is not None:
        raise RuntimeError(keeper.error)
    found = {
        "changes": len(lags),
        "publish_to_found_ms": spread(lags),
        "questions_per_second": round(len(meanwhile) / seconds, 1),
        "question_ms": spread(meanwhile),
        "question_ms_without_changes": spread(alone),
        "delete": _delete(index, asked),
    }
    index.close()
    return found


def _readers(
    index: LocalIndex, asked: list[Question], started: float, seconds: float, took: list[float]
) -> list[threading.Thread]:
    """Start threads that ask the questions, each when its time has come, or at once if that is past."""
    until = started + seconds

    def read(at: int) -> None:
        while (due := started + at / QUESTIONS_PER_SECOND) < until and time.perf_counter() < until:
            time.sleep(max(0.0, due - time.perf_counter()))
            before = time.perf_counter()
            ask(index, asked[at % len(asked)])
            took.append((time.perf_counter() - before) * 1000)
            at += READERS

    threads = [threading.Thread(target=read, args=(n,)) for n in range(READERS)]
    for thread in threads:
        thread.start()
    return threads


def _write(corpus: Corpus, index: LocalIndex, keeper: Keeper, waiting: deque[_Waiting], until: float) -> None:
    started = time.perf_counter()
    number = 0
    while (due := started + number * CHANGE_EVERY) < until:
        time.sleep(max(0.0, due - time.perf_counter()))
        row, passage, mark = number % len(corpus), len(corpus) + 1 + number, f"xqmark{number}"
        doc = PassageDoc(passage, [mark, *next(corpus.words(row, row + 1))], corpus.vectors[row].copy())
        item = passage if number % 2 else row + 1
        since = time.perf_counter()
        waiting.append(_Waiting(mark, passage, since))
        index.apply([Change(index.watermark + 1, item, attributes(internal=False, draw=1.0), (doc,))])
        keeper.changed()
        number += 1


def _await(index: LocalIndex, change: _Waiting) -> None:
    """Return when a search finds what was published. Raises RuntimeError after ten seconds."""
    query = Query(terms=[change.mark], vector=None)
    while time.perf_counter() < change.since + 10:
        if change.passage in index.search(query, scope=SCOPE, filters=Filters(), limit=1).passage:
            return
        time.sleep(0.001)
    raise RuntimeError(f"{change.mark} was published and not found for ten seconds")


def _delete(index: LocalIndex, asked: list[Question]) -> dict[str, Any]:
    """Delete the best hit of a question, ask it again at once: gone or not. `ms` is both together."""
    gone = deletes = 0
    took: list[float] = []
    for question in asked[:DELETES]:
        query = Query(terms=question.terms, vector=question.vector)
        before = index.search(query, scope=SCOPE, filters=Filters(), limit=LIMIT)
        best = int(order(fuse(before, query), before.passage)[0])
        passage, item = int(before.passage[best]), int(before.item[best])
        started = time.perf_counter()
        index.apply([Change(index.watermark + 1, item, None, ())])
        after = ask(index, question)
        took.append((time.perf_counter() - started) * 1000)
        deletes += 1
        gone += passage not in after
    return {"deletes": deletes, "gone_at_the_next_question": gone, "ms": spread(took)}
