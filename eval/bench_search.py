"""How long a whole search takes, the model's forward pass excluded: python -m eval.bench_search --passages 10000

Fills a throw-away knowledge base with seeded documents made of the demo's own sentences, then asks the demo's
questions through `Searcher.search`: scope, both legs, fusion, the second check in the database, one
row an item. Vectors are seeded random ones, since only time is measured. Prints one JSON document.
"""

import argparse
import hashlib
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from eval.throwaway import knowledge_base
from ingest import demo
from ingest.pipeline import Report
from kb import editorial
from kb.access import SYSTEM, Principal
from kb.content import Content, Profile
from kb.db import Database
from kb.models import Audience
from retrieval.text import sentences
from retrieval.types import Vector

DIM = 384


class RandomVectors:
    """An Embedder that costs next to nothing: a seeded random unit vector for each text."""

    name = fingerprint = "random"
    dim = DIM
    max_tokens = 512

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 4 + 2 for text in texts]

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return [(at, min(at + 4, len(text))) for at in range(0, len(text), 4)]

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([self.embed_query(text) for text in texts], np.float32).reshape(len(texts), DIM)

    def embed_query(self, text: str) -> Vector:
        seed = int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())
        vector = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
        return vector / np.linalg.norm(vector)


def corpus(passages: int, rng: random.Random) -> list[Content]:
    """Return documents of one passage each, made of sentences of the demo's articles."""
    pool: list[str] = []
    with demo.folder() as folder:
        for path in sorted((folder / "articles").rglob("*.md")):
            text = path.read_text(encoding="utf-8").split("---", 2)[2]
            pool += [text[start:end].strip() for start, end in sentences(text) if end - start > 20]
    return [Content(title=f"{rng.choice(pool)[:80]} {n}", body=" ".join(rng.sample(pool, 6))) for n in range(passages)]


def written(documents: Sequence[Content], audiences: Callable[[], Audience]) -> Callable[[Database], Report]:
    """Return what publishes the documents, each for an audience that is asked for."""

    def load(db: Database) -> Report:
        for at in range(0, len(documents), 500):
            with db.write() as session:
                for content in documents[at : at + 500]:
                    item, revision = editorial.create(session, content, Profile(audience=audiences()), actor=SYSTEM)
                    editorial.publish(session, item, revision, actor=SYSTEM)
        return Report(added=len(documents))

    return load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5, help="How often each question is asked.")
    given = parser.parse_args()
    sys.stdout.write(json.dumps(measure(given.passages, given.rounds), indent=2) + "\n")


def measure(passages: int, rounds: int) -> dict[str, object]:
    rng = random.Random(7)
    documents = corpus(passages, rng)
    load = written(
        documents, lambda: rng.choice((Audience.PUBLIC, Audience.PUBLIC, Audience.PUBLIC, Audience.INTERNAL))
    )
    questions = [query.text for query in demo.questions().queries]
    reader = Principal()
    legs: dict[str, list[float]] = {}
    started = time.perf_counter()
    with knowledge_base("bench", load, RandomVectors(), tell=lambda _: None) as kb:
        kb.opened.indexer.flush()
        filled = time.perf_counter() - started
        for question in questions:
            kb.searcher.search(question, reader=reader)
        # A question asked again would be answered from what is kept: each is asked with a word of its own.
        for question in [f"{question} again{n}" for n in range(rounds) for question in questions]:
            took = kb.searcher.search(question, reader=reader).took_ms
            for name in ("dense", "lexical", "fuse", "read"):
                legs.setdefault(name, []).append(took[name])
            legs.setdefault("total without embedding", []).append(took["total"] - took["embed"])
        found = kb.index.stats().passages
    return {
        "passages": found,
        "questions": len(questions) * rounds,
        "fill_seconds": round(filled, 2),
        "ms": {
            name: {"p50": round(statistics.median(values), 3), "p95": round(statistics.quantiles(values, n=20)[18], 3)}
            for name, values in legs.items()
        },
    }


if __name__ == "__main__":
    main()
