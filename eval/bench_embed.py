"""How fast the embedder is, beside the bare encoder on the same texts: `python -m eval.bench_embed`.

Prints JSON. The bare encoder is the ONNX session alone, on texts that are already tokenized, sorted by length and
batched; what it leaves out (tokenizing, sorting, putting in order) is what `ratio` measures. The two take turns in one
run, so that a busy machine slows both. Rates are texts a second, times milliseconds, unless named otherwise.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from kb.settings import load_settings
from retrieval.embed import Ids, OnnxEmbedder, batches, open_session, padded
from retrieval.embedding import catalogue, prepared
from retrieval.export import parity_texts

_COLD = """
import json, resource, sys, time
started = time.perf_counter()
from pathlib import Path
from retrieval.embed import load_embedder
threads = int(sys.argv[3]) or None
embedder = load_embedder(sys.argv[1], Path(sys.argv[2]), threads)
embedder.embed_query("ready?")
cold = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps([cold, peak]))
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured."""

    model: str
    threads: int
    texts: int
    mean_tokens: float
    bare_texts_per_second: float
    embedder_texts_per_second: float
    ratio: float
    """Embedder to bare encoder, median over the rounds: 1 means that the work around the encoder costs nothing."""
    query_p50_ms: float
    query_p95_ms: float
    cold_start_seconds: float
    """From the start of the imports to the first vector, in a new process with a prepared model."""
    serving_peak_megabytes: int
    """Peak resident memory of that process."""
    bulk_peak_megabytes: int
    """Peak resident memory of this process, after all rounds (two sessions are open in it)."""


def measure(name: str, cache: Path, texts: Sequence[str], queries: Sequence[str], threads: int, rounds: int) -> Figures:
    """Measure the model `name`, prepared in `cache` (it is made there where it is not)."""
    model = prepared.ensure(catalogue.find(name), cache)
    embedder = OnnxEmbedder(name, model, threads)
    session = open_session(model.folder, threads)
    ids = embedder.tokenize(texts, model.passage_prefix)
    feeds = feeds_of(ids, model.pad_id)

    def bare() -> None:
        for feed in feeds:
            session.run(None, feed)

    def whole() -> None:
        embedder.embed_passages(texts)

    bare_seconds: list[float] = []
    whole_seconds: list[float] = []
    for turn in range(rounds):
        for run, seconds in ((bare, bare_seconds), (whole, whole_seconds))[:: 1 if turn % 2 else -1]:
            started = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - started)
    waits = []
    for query in queries:
        started = time.perf_counter()
        embedder.embed_query(query)
        waits.append((time.perf_counter() - started) * 1000)
    cold, serving_peak = _cold_start(name, cache, threads)
    ratios = [b / w for b, w in zip(bare_seconds, whole_seconds, strict=True)]
    return Figures(
        model=name,
        threads=threads,
        texts=len(texts),
        mean_tokens=round(statistics.mean(len(row) for row in ids), 1),
        bare_texts_per_second=round(len(texts) / min(bare_seconds), 1),
        embedder_texts_per_second=round(len(texts) / min(whole_seconds), 1),
        ratio=round(statistics.median(ratios), 3),
        query_p50_ms=round(float(np.percentile(waits, 50)), 2),
        query_p95_ms=round(float(np.percentile(waits, 95)), 2),
        cold_start_seconds=round(cold, 2),
        serving_peak_megabytes=serving_peak,
        bulk_peak_megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )


def feeds_of(ids: Sequence[Ids], pad_id: int) -> list[dict[str, Ids]]:
    """Return what the encoder alone is given for tokenized texts, batched as the embedder batches them."""
    feeds = []
    for rows in batches([len(row) for row in ids]):
        input_ids, attention_mask = padded([ids[row] for row in rows], pad_id)
        feeds.append({"input_ids": input_ids, "attention_mask": attention_mask})
    return feeds


def _cold_start(name: str, cache: Path, threads: int) -> tuple[float, int]:
    command = [sys.executable, "-c", _COLD, name, str(cache), str(threads)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, megabytes = json.loads(found.stdout)
    return float(seconds), int(megabytes)


def _texts(file: Path | None, most: int) -> list[str]:
    if file is None:
        return parity_texts()[:most]
    with file.open(encoding="utf-8") as lines:
        return [str(json.loads(line)["text"]) for line in islice(lines, most)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, print."""
    settings = load_settings()
    parser = argparse.ArgumentParser(prog="python -m eval.bench_embed", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default=settings.embedder, help="as KB_EMBEDDER")
    parser.add_argument("--corpus", type=Path, help="JSONL file with a field `text`; default: the parity texts")
    parser.add_argument("--texts", type=int, default=500, help="most texts taken of it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=settings.threads or len(os.sched_getaffinity(0)))
    given = parser.parse_args(arguments)
    queries = [text for text in parity_texts() if len(text) <= 60]
    figures = measure(
        given.model, settings.cache, _texts(given.corpus, given.texts), queries, given.threads, given.rounds
    )
    print(json.dumps(asdict(figures), indent=2))


if __name__ == "__main__":
    main()
