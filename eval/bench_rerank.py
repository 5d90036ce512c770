"""What a reranker costs: python -m eval.bench_rerank DIR [--model NAME]

Without `--model`: a cross-encoder of the size of MiniLM-L6 (6 layers, 384 wide) on the encoder and tokenizer of the
packaged `minilm`, its head random, so that cost is a figure and quality is not. Passages and questions are those of a
judged set, ranked by its own BM25 so that they are as long as found ones are. Prints JSON: milliseconds a question for
so many passages, and how long these are.
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

    logging.set_verbosity_error()
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
        started = time.perf_counter()
        reranker.load()
        document = {
            "model": given.model or "MiniLM-L6 with a random head",
            "cores": len(os.sched_getaffinity(0)),
            "load_s": round(time.perf_counter() - started, 1),
            "passages": [_measured(reranker, asked, count) for count in counts],
        }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _measured(reranker: CrossEncoderReranker, asked: list[tuple[str, list[str]]], count: int) -> dict[str, float]:
    took = []
    for question, texts in asked:
        started = time.perf_counter()
        reranker.scores(question, texts[:count], math.inf)
        took.append((time.perf_counter() - started) * 1000)
    return {
        "passages": count,
        "characters_a_passage": round(float(np.mean([len(text) for _, texts in asked for text in texts[:count]]))),
        **{f"p{p}_ms": round(float(np.percentile(took, p)), 1) for p in (50, 95)},
    }


if __name__ == "__main__":
    main()
