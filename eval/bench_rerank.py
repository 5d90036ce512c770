"""What a reranker costs: python -m eval.bench_rerank DIR [--model NAME]

Without `--model`: a cross-encoder of the size of MiniLM-L6 (6 layers, 384 wide) on the encoder and tokenizer of the
packaged `minilm`, its head random, so that cost is a figure and quality is not. Passages and questions are those of a
judged set, ranked by its own BM25 so that they are as long as found ones are. Prints JSON: for so many passages, the
milliseconds a question takes (least, p50, p95), and how many times that of the question's own vector by the default
embedder the least is, measured between the same questions. On a machine that others use, believe the least.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rank_bm25 import BM25Okapi

from ingest.judged import JudgedSet, load
from kb.settings import load_settings
from retrieval.embed import Embedder, load_embedder
from retrieval.embedding import catalogue
from retrieval.rerank import CrossEncoderReranker
from retrieval.text import analyze

CHARACTERS = 1_500
"""Of a passage: about as many as KB_PASSAGE_TOKENS of English."""


def random_headed(folder: Path) -> Path:
    """Write a cross-encoder with a random head on the encoder of `minilm`; return its folder."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    work = folder / "work"
    work.mkdir()
    encoder = catalogue.find("minilm").open(work)
    torch.manual_seed(0)
    made = folder / "cross-encoder"
    AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=1).save_pretrained(made)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(made)
    return made


def candidates(judged: JudgedSet, questions: int, passages: int) -> list[tuple[str, list[str]]]:
    """Return questions with so many passages each, best first by BM25."""
    records = [json.loads(line) for line in judged.corpus.read_text(encoding="utf-8").splitlines() if line]
    texts = [f"{record['title']}\n{record['text']}"[:CHARACTERS] for record in records]
    index = BM25Okapi([analyze(text) or [""] for text in texts])
    chosen = judged.judged()[:questions]
    return [
        (query.text, [texts[n] for n in np.argsort(-index.get_scores(analyze(query.text)), kind="stable")[:passages]])
        for query in chosen
    ]


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench_rerank", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="a judged set in the BEIR layout")
    parser.add_argument("--model", help="hub id or folder of a cross-encoder")
    parser.add_argument("--passages", default="5,10,20,50", help="numbers of passages, comma-separated")
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    counts = [int(count) for count in given.passages.split(",")]
    asked = candidates(load(given.folder), given.questions, max(counts))
    with tempfile.TemporaryDirectory(prefix="answerwell-rerank-") as folder:
        name = given.model or str(random_headed(Path(folder)))
        reranker = CrossEncoderReranker(name, given.threads)
        settings = load_settings()
        embedder = load_embedder(settings.embedder, settings.cache, given.threads)
        started = time.perf_counter()
        reranker.load()
        document = {
            "model": given.model or "MiniLM-L6 with a random head",
            "cores": len(os.sched_getaffinity(0)),
            "load_s": round(time.perf_counter() - started, 1),
            "passages": [_measured(reranker, embedder, asked, count) for count in counts],
        }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _measured(
    reranker: CrossEncoderReranker, embedder: Embedder, asked: list[tuple[str, list[str]]], count: int
) -> dict[str, float]:
    took, embedded = [], []
    for number, (question, texts) in enumerate(asked):
        started = time.perf_counter()
        reranker.scores(question, texts[:count], math.inf)
        took.append((time.perf_counter() - started) * 1000)
        started = time.perf_counter()
        embedder.embed_query(f"{question} {count} {number}")  # not one that it remembers
        embedded.append((time.perf_counter() - started) * 1000)
    return {
        "passages": count,
        "characters_a_passage": round(float(np.mean([len(text) for _, texts in asked for text in texts[:count]]))),
        "least_ms": round(min(took), 1),
        **{f"p{p}_ms": round(float(np.percentile(took, p)), 1) for p in (50, 95)},
        "times_the_questions_vector": round(min(took) / min(embedded), 1),
    }


if __name__ == "__main__":
    main()
