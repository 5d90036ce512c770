"""Times of calls, one after the other and from several threads."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.bench.corpus import Question


def spread(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95, p99 and the longest."""
    if not milliseconds:
        return {}
    found = {f"p{p}": round(float(np.percentile(milliseconds, p)), 3) for p in (50, 95, 99)}
    return {**found, "longest": round(max(milliseconds), 3)}


def times(act: Callable[[Any], object], given: Iterable[Any], *, seconds: float | None = None) -> dict[str, float]:
    """Return the spread of the milliseconds of a call for each thing given, and how many `calls` it is of.

    `cpu_ms` is the processor time of one call on all cores, which other work on the machine does not stretch as it does
    the rest; `others` is the share of the machine's cores that other processes took meanwhile. With `seconds`, asking
    ends after so many, but not before the tenth call.
    """
    took: list[float] = []
    own, machine, began = time.process_time(), _machine_seconds(), time.perf_counter()
    until = None if seconds is None else time.perf_counter() + seconds
    for each in given:
        started = time.perf_counter()
        act(each)
        ended = time.perf_counter()
        took.append((ended - started) * 1000)
        if until is not None and ended > until and len(took) >= 10:
            break
    own = time.process_time() - own
    cores = (os.cpu_count() or 1) * (time.perf_counter() - began)
    return {
        **spread(took),
        "calls": len(took),
        "cpu_ms": round(1000 * own / max(1, len(took)), 3),
        "others": round(max(0.0, _machine_seconds() - machine - own) / cores, 2),
    }


def _machine_seconds() -> float:
    """Return the processor time that the whole machine has spent working, the time stolen from it included."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text("ascii").split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def rate(act: Callable[[Question], object], questions: Sequence[Question], threads: int, seconds: float) -> float:
    """Return questions a second with so many threads at once."""
    counts = [0] * threads
    until = time.perf_counter() + seconds

    def run(number: int) -> None:
        at = number
        while time.perf_counter() < until:
            act(questions[at % len(questions)])
            counts[number] += 1
            at += threads

    running = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
    started = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return round(sum(counts) / (time.perf_counter() - started), 1)


def variants(questions: Sequence[Question], rounds: int) -> list[Question]:
    """Return each question `rounds` times, each time with a vector of its own: no answer kept from before fits it."""
    rng = np.random.default_rng(11)
    made: list[Question] = []
    for _ in range(rounds):
        for question in questions:
            moved = question.vector + 0.002 * rng.standard_normal(len(question.vector)).astype(np.float32)
            made.append(Question(question.text, question.terms, (moved / np.linalg.norm(moved)).astype(np.float32)))
    return made
