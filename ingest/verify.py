"""Database against index: every live passage once and nothing else; a sample of BM25 scores against rank_bm25."""

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rank_bm25 import BM25Okapi
from sqlmodel import col, select

from kb import changes
from kb.db import Database
from kb.models import Item, Passage, State, StoredVector
from retrieval.local.engine import LocalIndex
from retrieval.text import analyzer

SHOWN = 10
TOLERANCE = 1e-12
"""Relative difference allowed to a BM25 score after items were replaced or removed."""


@dataclass(slots=True)
class Verified:
    """What `verify` looked at and what is wrong. `faults` is empty when all is well."""

    items: int = 0
    passages: int = 0
    indexed: int = 0
    queries: int = 0
    scores: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(
    db: Database,
    index: LocalIndex,
    fingerprint: str,
    *,
    sample: int = 20,
    most_scored: int = 50_000,
    seed: int = 0,
    on_progress: Callable[[str], None] | None = None,
) -> Verified:
    """Compare the index, which must be level with the log, with the database.

    BM25 is checked for `sample` questions made of terms of the corpus, on a corpus of at most `most_scored` passages
    (rank_bm25 keeps all of it in memory); 0 checks none.
    """
    tell = on_progress or (lambda _: None)
    result = Verified()
    tell("reading the database")
    with db.read() as session:
        latest = changes.latest(session)
        live = {
            int(passage or 0): item
            for passage, item in session.exec(
                select(Passage.id, Passage.item_id)
                .join(Item, col(Item.id) == col(Passage.item_id))
                .where(
                    col(Passage.generation) == index.generation,
                    col(Item.state) == State.PUBLISHED,
                    col(Passage.revision_id) == col(Item.live_revision_id),
                )
            )
        }
        published = session.exec(select(Item.id, Item.live_revision_id).where(col(Item.state) == State.PUBLISHED)).all()
        without_vector = session.exec(
            select(Passage.id)
            .where(
                col(Passage.generation) == index.generation,
                ~select(StoredVector.embedding_hash)
                .where(
                    col(StoredVector.embedding_hash) == col(Passage.embedding_hash),
                    col(StoredVector.fingerprint) == fingerprint,
                )
                .exists(),
            )
            .limit(SHOWN)
        ).all()
    result.items, result.passages = len(published), len(live)
    if index.watermark < latest:
        result.faults.append(
            f"the index is at change {index.watermark}, the database at {latest}: wait, or run kb rebuild"
        )
    with_passages = set(live.values())
    bare = [f"KB-{item}" for item, revision in published if item not in with_passages or revision is None]
    _fault(result, bare, "published items without passages")
    _fault(result, [f"passage {p}" for p in without_vector], "passages without a vector of this embedder")
    tell("reading the index")
    counted = Counter(passage for passage, _ in index.live())
    owners = dict(index.live())
    result.indexed = sum(counted.values())
    _fault(result, [f"passage {p}" for p, n in counted.items() if n > 1], "passages more than once in the index")
    _fault(
        result, [f"passage {p} (KB-{i})" for p, i in live.items() if p not in counted], "passages missing in the index"
    )
    _fault(result, [f"passage {p}" for p in counted if p not in live], "passages in the index that are not live")
    _fault(result, [f"passage {p}" for p, i in owners.items() if live.get(p, i) != i], "passages under a wrong item")
    if sample and not result.faults and live:
        tell("comparing BM25 with rank_bm25")
        if len(live) <= most_scored:
            _compare_scores(db, index, sorted(live), result, sample, seed)
        else:  # a part of the corpus has other statistics: there would be nothing to compare with
            result.notes.append(f"BM25 was not compared: {len(live):,} passages are more than {most_scored:,}")
    return result


def _compare_scores(
    db: Database, index: LocalIndex, passages: list[int], result: Verified, sample: int, seed: int
) -> None:
    terms: dict[int, list[str]] = {}
    analyze = analyzer(index.analyzer)
    statement = select(Passage.id, Passage.search_text).where(col(Passage.generation) == index.generation)
    with db.read() as session:
        for passage, text in session.exec(statement.order_by(col(Passage.id))):
            terms[int(passage or 0)] = analyze(text)
    corpus = [terms[passage] for passage in passages]
    if not any(corpus):
        return
    reference = BM25Okapi(corpus)
    rng = random.Random(seed)
    vocabulary = sorted({term for document in corpus for term in document})
    for _ in range(sample):
        query = [rng.choice(vocabulary) for _ in range(rng.randint(1, 6))]
        expected = reference.get_scores(query)
        scores = index.lexical_scores(query)
        result.queries += 1
        for passage, score in zip(passages, expected, strict=True):
            result.scores += 1
            ours = scores.get(passage, 0.0)
            if not math.isclose(ours, float(score), rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                result.faults.append(
                    f"BM25 of passage {passage} for {query!r} is {ours!r}, rank_bm25 says {float(score)!r}"
                )
                return


def _fault(result: Verified, found: list[str], what: str) -> None:
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        result.faults.append(f"{len(found)} {what}: {', '.join(found[:SHOWN])}{more}")
