"""How much of the encoder's speed a whole ingest keeps: python -m eval.bench_ingest [PATH...]

Reads the files (default: the demo), cuts, embeds, stores and indexes them in a throw-away data folder as `kb ingest`
does; then the encoder alone runs the same passages, tokenized, sorted and batched beforehand. Prints JSON; `ratio` is
the ingest's passages a second over the bare encoder's.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sqlmodel import select

from eval.bench_embed import feeds_of
from eval.throwaway import knowledge_base
from ingest import demo
from ingest.pipeline import Report, ingest
from kb.access import SYSTEM
from kb.db import Database
from kb.models import Passage
from kb.settings import load_settings
from retrieval.embed import OnnxEmbedder, open_session
from retrieval.embedding import catalogue, prepared
from retrieval.titled import TitledEmbedder


def measure(paths: Sequence[Path]) -> dict[str, float | int]:
    """Ingest and compare. Raises as `ingest` does."""
    settings = load_settings()
    model = prepared.ensure(catalogue.find(settings.embedder), settings.cache)
    embedder = OnnxEmbedder(settings.embedder, model, settings.threads)

    def load(db: Database) -> Report:
        if not paths:
            return demo.load(db, actor=SYSTEM)
        report = ingest(db, paths, actor=SYSTEM)
        report.failed.clear()
        return report

    started = time.perf_counter()
    with knowledge_base("ingest", load, TitledEmbedder(embedder), tell=lambda _: None) as kb:
        seconds = time.perf_counter() - started
        with kb.db.read() as session:
            texts = list(session.exec(select(Passage.search_text)))
    ids = embedder.tokenize(texts, model.passage_prefix)
    session_alone = open_session(model.folder, settings.threads)
    feeds = feeds_of(ids, model.pad_id)
    session_alone.run(None, feeds[0])
    started = time.perf_counter()
    for feed in feeds:
        session_alone.run(None, feed)
    bare = time.perf_counter() - started
    return {
        "passages": len(texts),
        "mean_tokens": round(sum(map(len, ids)) / len(ids), 1),
        "ingest_passages_per_second": round(len(texts) / seconds, 1),
        "bare_passages_per_second": round(len(texts) / bare, 1),
        "ratio": round(bare / seconds, 3),
    }


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench_ingest", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path, help="as `kb ingest`; default: the demo")
    sys.stdout.write(json.dumps(measure(parser.parse_args().paths), indent=2) + "\n")


if __name__ == "__main__":
    main()
