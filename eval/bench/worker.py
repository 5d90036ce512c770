"""One measurement: python -m eval.bench.worker TASK WORK PASSAGES --result FILE [...]. `kb bench` starts these."""

import argparse
import json
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from eval.bench.clock import times, variants
from eval.bench.corpus import Base, Corpus, corpus_folder, grow, index_folder, open_corpus
from eval.bench.peers import PEERS
from eval.bench.process import memory


def perform(task: str, work: Path, passages: int, rounds: int, seconds: float) -> Any:
    """Return what a task measured. Raises ModuleNotFoundError for a peer that is not installed."""
    base = Base.load(work)
    corpus_at, index_at = corpus_folder(work, passages), index_folder(work, passages)
    if task == "grow":
        started = time.perf_counter()
        grow(base, passages, corpus_at)
        corpus = open_corpus(corpus_at, base)
        taken = round(time.perf_counter() - started, 2)
        return {"seconds": taken, "terms_per_passage": round(len(corpus.terms) / passages, 1)}
    if task == "serve":  # alone: neither the corpus nor what the checks need is in its memory
        from eval.bench.tasks import serve

        return serve(base.questions, base.vectors.shape[1], index_at, rounds, seconds)
    corpus = open_corpus(corpus_at, base)
    if task == "build":
        from eval.bench.tasks import build

        return build(corpus, index_at)
    if task == "check":
        from eval.bench.exact import check

        return check(corpus, base.questions, index_at)
    if task == "publish":
        from eval.bench.load import publish

        return publish(corpus, base.questions, index_at, 3 * seconds)
    return _peer(task, corpus, base, work / f"{task}-{passages}", seconds)


def _peer(name: str, corpus: Corpus, base: Base, folder: Path, seconds: float) -> dict[str, Any]:
    peer = PEERS[name]()
    version = metadata.version(peer.package)
    folder.mkdir()
    before = memory()
    started = time.perf_counter()
    peer.build(corpus, folder)
    built = time.perf_counter() - started
    for question in base.questions[:5]:
        peer.ask(question)
    found = times(peer.ask, variants(base.questions, 3), seconds=seconds)
    grown = memory()["anonymous"] - before["anonymous"]
    return {
        "version": version,
        "build_seconds": round(built, 2),
        "ms": found,
        "anonymous_bytes_per_passage": round(grown / len(corpus)),
    }


def main() -> None:
    """Read the command line, measure, write the result."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench.worker", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("task", choices=["grow", "build", "serve", "check", "publish", *PEERS])
    parser.add_argument("work", type=Path)
    parser.add_argument("passages", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--result", type=Path, required=True)
    given = parser.parse_args()
    found = perform(given.task, given.work, given.passages, given.rounds, given.seconds)
    given.result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
