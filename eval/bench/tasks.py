"""What is measured of the engine: building, then opening and asking in a process that did not build."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.bench.clock import rate, times, variants
from eval.bench.corpus import SHARES, Corpus, Question, label
from eval.bench.process import forget, memory, peak
from kb.access import Scope
from retrieval.fusion import fuse, order
from retrieval.local.engine import LocalIndex
from retrieval.text import ANALYZER_VERSION
from retrieval.types import Filters, Query

LIMIT = 50
"""Passages taken from each leg, as a search takes them."""
SCOPE = Scope(frozenset({"public"}), frozenset({1}), frozenset())
FLUSH_EVERY = 20_000
"""Passages between two flushes, as `Indexer.catch_up` has it."""


def opened(folder: Path, dim: int) -> LocalIndex:
    return LocalIndex.open(
        folder,
        dim=dim,
        generation=1,
        fingerprint="bench",
        analyzer=ANALYZER_VERSION,
        database_id="bench",
        results=0,  # the questions are asked several times: what is kept from the first would be measured
    )


def ask(index: LocalIndex, question: Question, filters: Filters | None = None) -> npt.NDArray[np.int64]:
    """Return the ids of the ten best of the fused ranking under the scope."""
    query = Query(terms=question.terms, vector=question.vector)
    found = index.search(query, scope=SCOPE, filters=filters or Filters(), limit=LIMIT)
    return found.passage[order(fuse(found, query), found.passage)][:10]


def ask_lexical(index: LocalIndex, question: Question) -> object:
    return index.search(Query(terms=question.terms, vector=None), scope=SCOPE, filters=Filters(), limit=LIMIT)


def only(share: float) -> Filters:
    """Return the filter that, with the scope, lets through this share of the corpus."""
    facet, value = label(share)
    return Filters(labels={facet: frozenset({value})})


def build(corpus: Corpus, folder: Path) -> dict[str, Any]:
    """Build the index, flushing and merging on the way as an ingest does."""
    index = opened(folder, corpus.dim)
    started = time.perf_counter()
    unflushed = 0
    for batch in corpus.changes():
        index.apply(batch)
        unflushed += len(batch)
        if unflushed >= FLUSH_EVERY:
            index.flush()
            index.merge()
            unflushed = 0
    index.flush()
    index.merge()
    seconds = time.perf_counter() - started
    stats = index.stats()
    index.close()
    return {
        "seconds": round(seconds, 2),
        "passages_per_second": round(len(corpus) / seconds),
        "segments": stats.segments,
        "index_bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "peak_bytes": peak(),
    }


def serve(questions: list[Question], dim: int, folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Open the index from the disk, not from the page cache, and ask. Nothing else is held by this process."""
    asked = variants(questions, rounds)
    forget(folder)
    before = memory()
    started = time.perf_counter()
    index = opened(folder, dim)
    open_seconds = time.perf_counter() - started
    after_open = memory()
    started = time.perf_counter()
    ask(index, questions[0])
    first_seconds = time.perf_counter() - started
    for question in questions:
        ask(index, question)
    hybrid = times(lambda question: ask(index, question), asked)
    after_asking = memory()
    passages = index.stats().passages
    grown = sum(after_asking.values()) - sum(before.values())
    found: dict[str, Any] = {
        "open_seconds": round(open_seconds, 3),
        "first_answer_seconds": round(open_seconds + first_seconds, 3),
        "memory": {
            "before_open": before,
            "after_open": after_open,
            "after_asking": after_asking,
            "bytes_per_passage": round(grown / passages),
        },
        "hybrid_ms": hybrid,
        "lexical_ms": times(lambda question: ask_lexical(index, question), asked),
        "queries_per_second": {
            str(threads): rate(lambda question: ask(index, question), asked, threads, seconds) for threads in (1, 4)
        },
        "filtered_ms": {},
    }
    for share in SHARES:
        ask(index, questions[0], only(share))
        found["filtered_ms"][str(share)] = times(lambda question, f=only(share): ask(index, question, f), asked)  # type: ignore[misc]
    index.close()
    return found
