"""What each field of an item should weigh in the vectors of its passages, measured on the shipped demo.

python -m eval.fields [--half tune]

The vector of a passage is unit(E(passage) + sum of weight * E(field)), as docs/decisions/0010-titles.md has it for the
title. Here the same is tried for the issue, the environment and the similar questions of the passage's item, one at a
time beside the title at its weight. A field that an item does not have adds nothing. nDCG@10 of the dense leg alone and
of the hybrid.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sqlmodel import col, select

from eval.run import chosen
from eval.throwaway import READER, KnowledgeBase, knowledge_base, load_demo
from eval.vectors import remembered
from ingest import demo
from ingest.judged import JudgedQuery, JudgedSet
from kb.access import scope_of
from kb.models import Item, Passage, Revision
from kb.settings import load_settings
from retrieval.embed import Embedder
from retrieval.fusion import fuse, order
from retrieval.language import language
from retrieval.measures import mean, measure
from retrieval.text import analyze
from retrieval.titled import TITLE_WEIGHT, TitledEmbedder
from retrieval.types import Candidates, Query, Vector

WEIGHTS = (0.0, 0.15, 0.3, 0.6)
FIELDS = ("issue", "environment", "similar questions")
_MEASURE = "ndcg@10"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Parts:
    """Vectors of what passages are made of, each of shape (n, dim); rows of zeros where an item lacks the field."""

    passages: npt.NDArray[np.int64]
    items: list[str]
    text: Floats
    title: Floats
    fields: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what the index found for it."""

    id: str
    query: Query
    vector: Vector
    found: Candidates


def parts_of(kb: KnowledgeBase, embedder: Embedder) -> Parts:
    """Embed the passages of a knowledge base and the fields of their items."""
    with kb.db.read() as session:
        rows = session.exec(
            select(Passage, Revision, Item)
            .join(Revision, col(Revision.id) == col(Passage.revision_id))
            .join(Item, col(Item.id) == col(Passage.item_id))
            .order_by(col(Passage.id))
        ).all()

    def embedded(texts: list[str]) -> Floats:
        there = [at for at, text in enumerate(texts) if text]
        found = np.zeros((len(texts), embedder.dim), np.float32)
        if there:
            found[there] = embedder.embed_passages([texts[at] for at in there])
        return found

    return Parts(
        passages=np.array([passage.id for passage, _, _ in rows], np.int64),
        items=[item.external_id or "" for _, _, item in rows],
        text=embedded([passage.search_text for passage, _, _ in rows]),
        title=embedded([revision.title for _, revision, _ in rows]),
        fields={
            "issue": embedded([revision.issue for _, revision, _ in rows]),
            "environment": embedded([revision.environment for _, revision, _ in rows]),
            "similar questions": embedded(["\n".join(revision.similar_questions) for _, revision, _ in rows]),
        },
    )


def found_for(kb: KnowledgeBase, queries: Sequence[JudgedQuery], embedder: Embedder, passages: int) -> list[Asked]:
    """Return each question with what the index has for it: all passages, as their texts and titles make them."""
    with kb.db.read() as session:
        scope = scope_of(session, READER).published_only()
    asked = []
    for query in queries:
        vector = embedder.embed_query(query.text)
        one = Query(terms=analyze(query.text), vector=vector, lang=language(query.text))
        found = kb.index.search(one, scope=scope, filters=query.filters, limit=passages)
        asked.append(Asked(query.id, one, vector, found))
    return asked


def weighed(
    judged: JudgedSet, asked: Sequence[Asked], parts: Parts, weights: Mapping[str, float]
) -> tuple[float, float]:
    """Return nDCG@10 of the dense leg and of the hybrid with these weights of fields."""
    vectors = parts.text + TITLE_WEIGHT * parts.title
    for name, weight in weights.items():
        vectors = vectors + weight * parts.fields[name]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    place = {int(passage): at for at, passage in enumerate(parts.passages)}
    rankings: dict[str, dict[str, list[str]]] = {"dense": {}, "hybrid": {}}
    for one in asked:
        cosines = vectors @ one.vector
        at = np.array([place[int(passage)] for passage in one.found.passage])
        spread = replace(one.found.stats, dense_mean=float(cosines.mean()), dense_std=float(cosines.std()))
        found = replace(one.found, dense=cosines[at].astype(np.float32), stats=spread)
        for name, score in (("dense", found.dense.astype(np.float64)), ("hybrid", fuse(found, one.query))):
            ranked = (parts.items[at[n]] for n in order(score, found.passage))
            rankings[name][one.id] = list(dict.fromkeys(ranked))[:100]
    dense, hybrid = (mean(measure(rankings[name], judged.qrels)[_MEASURE]) for name in ("dense", "hybrid"))
    return dense, hybrid


def main() -> None:
    """Print a line a field and weight."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--half", choices=("all", "tune", "report"), default="tune")
    half = parser.parse_args().half
    judged = demo.questions()
    queries = chosen(judged, half)
    with remembered(load_settings()) as embedder:
        titled = TitledEmbedder(embedder)
        with knowledge_base("demo", load_demo, titled, tell=_tell) as kb:
            parts = parts_of(kb, embedder)
            asked = found_for(kb, queries, embedder, len(parts.passages))
            for name in FIELDS:
                having = int(np.count_nonzero(np.any(parts.fields[name], axis=1)))
                for weight in WEIGHTS:
                    dense, hybrid = weighed(judged, asked, parts, {name: weight})
                    row = {"field": name, "weight": weight, "passages with it": having, "queries": len(asked)}
                    print(json.dumps({**row, "half": half, "dense": round(dense, 4), "hybrid": round(hybrid, 4)}))


def _tell(message: str) -> None:
    print(message, file=sys.stderr)


if __name__ == "__main__":
    main()
