"""Does learning from links help? python -m eval.adapt DIR... [--links 100,300,1000]

Takes each judged set for an organisation's links: `kb adapt` learns from the tuning half (or from so many of it) and is
measured on the report half, its own fusion both without an adapter and with the one that is adopted. Beside that, the
questions none of whose documents were linked in what was learnt from.
Prints JSON: nDCG@10 without and with, p, whether it would be adopted, seconds of learning and measuring together, and
whether the best cosine, on the scale that answers are decided by, still tells answerable questions from others.
"""

import argparse
import hashlib
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from eval.throwaway import KnowledgeBase, corpus_of, knowledge_base
from eval.vectors import embedder_of
from ingest.adapting import adapt
from ingest.gate import Judged, ndcg
from ingest.judged import JudgedSet, load, tuning_half
from ingest.weighing import weigh
from kb.access import SYSTEM
from kb.settings import load_settings
from retrieval.adapted import AdaptedEmbedder, Adapter
from retrieval.embed import Embedder
from retrieval.measures import mean
from retrieval.search import Searcher

_DEPTH = 30
"""Items looked at for the best one that is not relevant."""


def measured(kb: KnowledgeBase, embedder: Embedder, judged: JudgedSet, links: int) -> dict[str, Any]:
    """Learn from `links` questions of the tuning half (0: all), drawn at random but always the same."""
    asked = [Judged(query, judged.qrels[query.id]) for query in judged.judged()]
    for one in asked:  # embedded before the clock runs: a product has asked them before
        embedder.embed_query(one.query.text)
    random.Random(0).shuffle(asked)
    tuning = [one for one in asked if tuning_half(one.query.id)][: links or None]
    held = [one for one in asked if not tuning_half(one.query.id)]
    started = time.perf_counter()
    found = adapt(kb.db, kb.index, embedder, [*tuning, *held])
    seconds = time.perf_counter() - started
    linked = {document for one in tuning for document, grade in one.relevant.items() if grade > 0}
    unseen = [one for one in held if not linked.intersection(d for d, grade in one.relevant.items() if grade > 0)]
    row = {"set": judged.name, **found.as_json(), "seconds": round(seconds, 1), "unseen": {"questions": len(unseen)}}
    adopted = found.adapter if found.refusal is None else None
    row["fusion"] = weigh(kb.db, kb.index, _moved(embedder, None), [*tuning, *held]).as_json()
    if adopted is not None:
        row["fusion with adapter"] = weigh(kb.db, kb.index, _moved(embedder, adopted), [*tuning, *held]).as_json()
    if (adapter := found.adapter) is None:
        return row
    row["chosen"] = {name: adapter.learnt[name] for name in ("negatives", "weight", "ridge")}
    for name, used in (("before", embedder), ("after", AdaptedEmbedder(embedder, lambda: adapter))):
        searcher = Searcher(kb.db, kb.index, used)
        if unseen:
            row["unseen"][name] = round(mean(ndcg(searcher, unseen)), 4)
        row.setdefault("cosine", {})[name] = _cosines(searcher, held)
    return row


def _moved(embedder: Embedder, adapter: Adapter | None) -> AdaptedEmbedder:
    return AdaptedEmbedder(embedder, lambda: adapter)


def _cosines(searcher: Searcher, held: list[Judged]) -> dict[str, float]:
    """Return what the best cosine of a question says of whether its documents are there, half of them taken away.

    `auroc`: between questions whose relevant documents count and others where they are passed over, so that it is as if
    they were not there; `mean` and `std` of the best cosine with them.
    """
    there, gone = [], []
    for one in held:
        hits = searcher.search(one.query.text, reader=SYSTEM, filters=one.query.filters, limit=_DEPTH).hits
        there.append(max(hit.dense for hit in hits))
        gone.append(max((h.dense for h in hits if not one.relevant.get(h.found.external_id)), default=0.0))
    half = np.array([hashlib.sha256(one.query.id.encode()).digest()[1] < 128 for one in held])
    present, absent = np.array(there)[half][:, None], np.array(gone)[~half][None, :]
    return {
        "auroc": round(float(np.mean((present > absent) + 0.5 * (present == absent))), 4),
        "mean": round(float(np.mean(there)), 4),
        "std": round(float(np.std(there)), 4),
    }


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m eval.adapt", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="judged sets in the BEIR layout")
    parser.add_argument("--links", default="0", help="numbers of questions to learn from, comma-separated; 0: all")
    given = parser.parse_args()
    settings = load_settings()
    rows = []
    with embedder_of(settings) as embedder:
        for judged in [load(folder) for folder in given.folders]:
            with knowledge_base(judged.name, corpus_of(judged), embedder, tell=_tell) as kb:
                for links in map(int, given.links.split(",")):
                    _tell(f"{judged.name}: {links or 'all'} links")
                    rows.append(measured(kb, embedder, judged, links))
    sys.stdout.write(json.dumps({"embedder": settings.embedder, "rows": rows}, indent=2, ensure_ascii=False) + "\n")


def _tell(message: str) -> None:
    sys.stderr.write(message + "\n")


if __name__ == "__main__":
    main()
