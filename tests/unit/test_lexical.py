"""BM25 is rank_bm25's BM25Okapi: to the last bit, while passages are added, replaced, removed, flushed and merged."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from retrieval.local.engine import LocalIndex
from retrieval.types import Attributes, Change, PassageDoc

ATTRIBUTES = Attributes(kind="article", audience="public", space=1, lang="en")
WORDS = [*"abcdefghij", "路由", "器", "kb-1042", "\ud800", "ü"]
texts = st.lists(st.sampled_from(WORDS), max_size=12)
queries = st.lists(st.sampled_from([*WORDS, "unknown"]), max_size=6)


def opened(folder: Path) -> LocalIndex:
    return LocalIndex.open(folder, dim=2, generation=1, fingerprint="f", analyzer="a", database_id="d")


def change(seq: int, item: int, first: int, documents: list[list[str]]) -> Change:
    vector = np.array([1, 0], np.float32)
    docs = tuple(PassageDoc(id=first + n, terms=terms, vector=vector) for n, terms in enumerate(documents))
    return Change(seq=seq, item=item, attributes=ATTRIBUTES, passages=docs)


def expected(corpus: dict[int, list[str]], query: list[str]) -> dict[int, float]:
    """What the library says, for passages that share a term with the query."""
    if not any(corpus.values()):
        return {}
    ids = sorted(corpus)
    scores = BM25Okapi([corpus[id_] for id_ in ids]).get_scores(query)
    return {id_: float(s) for id_, s in zip(ids, scores, strict=True) if set(corpus[id_]) & set(query)}


@given(corpus=st.lists(texts, max_size=12), batches=st.integers(1, 4), query=queries, flushed=st.booleans())
@settings(max_examples=80, deadline=None)
def test_only_added_is_the_same_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, corpus: list[list[str]], batches: int, query: list[str], flushed: bool
) -> None:
    index = opened(tmp_path_factory.mktemp("i"))
    for start in range(0, len(corpus), batches):
        part = [change(n + 1, n, n + 1, [corpus[n]]) for n in range(start, min(start + batches, len(corpus)))]
        index.apply(part)
        if flushed:
            index.flush()
    assert index.lexical_scores(query) == expected({n + 1: terms for n, terms in enumerate(corpus)}, query)
    index.close()


STEPS = ["put", "put", "put", "drop", "flush", "merge", "reopen"]
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 5), st.lists(texts, max_size=3)), max_size=14)


@given(steps=steps, query=queries)
@settings(max_examples=80, deadline=None)
def test_after_churn_it_is_still_the_same_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, list[list[str]]]], query: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("i")
    index = opened(folder)
    corpus: dict[int, dict[int, list[str]]] = {}
    next_id = 1
    for seq, (step, item, documents) in enumerate(steps, start=1):
        if step == "put":
            index.apply([change(seq, item, next_id, documents)])
            corpus[item] = {next_id + n: terms for n, terms in enumerate(documents)}
            next_id += len(documents)
        elif step == "drop":
            index.apply([Change(seq=seq, item=item, attributes=None)])
            corpus.pop(item, None)
        elif step == "flush":
            index.flush()
        elif step == "merge":
            index.merge()
        else:
            index.flush()
            index.close()
            index = opened(folder)
        flat = {id_: terms for documents_of in corpus.values() for id_, terms in documents_of.items()}
        assert index.lexical_scores(query) == expected(flat, query)
    index.close()


@given(corpus=st.lists(texts, min_size=1, max_size=12), query=queries)
@settings(max_examples=50, deadline=None)
def test_no_score_exceeds_the_bound(
    tmp_path_factory: pytest.TempPathFactory, corpus: list[list[str]], query: list[str]
) -> None:
    index = opened(tmp_path_factory.mktemp("i"))
    index.apply([change(1, 1, 1, corpus)])
    leg = index._snapshot.lexical
    idfs = {term: leg.idf(term) for term in query}
    bound = leg.bound(query, idfs)
    assert all(score <= bound + 1e-12 for score in index.lexical_scores(query).values())
    index.close()


def test_the_bound_by_hand() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        index = opened(Path(folder))
        index.apply([change(1, 1, 1, [["a"], ["b"], ["c"]])])
        leg = index._snapshot.lexical
        idfs = {term: leg.idf(term) for term in ("a", "zzz")}
        known, unknown = math.log(2.5) - math.log(1.5), math.log(3.5) - math.log(0.5)
        assert idfs == {"a": known, "zzz": None}
        assert leg.bound(["a", "zzz", "a"], idfs) == pytest.approx(2.5 * (2 * known + unknown))
        index.close()
