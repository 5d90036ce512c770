"""The simplest SearchIndex there could be: a list, scored from scratch for each question. It defines what is right."""

import math
from collections.abc import Sequence

import numpy as np
from rank_bm25 import BM25Okapi

from kb.access import Scope
from kb.errors import InvalidInput
from retrieval.types import Attributes, Candidates, Change, Filters, PassageDoc, Query, QueryStats


class BruteForceIndex:
    """Passages in memory; nothing is incremental, nothing is approximate."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._items: dict[int, Change] = {}
        self._watermark = 0

    @property
    def watermark(self) -> int:
        return self._watermark

    @property
    def generation(self) -> int:
        return 1

    @property
    def analyzer(self) -> str:
        return "a"

    def apply(self, changes: Sequence[Change]) -> int:
        for change in changes:
            for passage in change.passages:
                self._check(passage.vector)
        for change in changes:
            if change.seq > self._watermark:
                self._items.pop(change.item, None)
                if change.passages:
                    self._items[change.item] = change
                self._watermark = change.seq
        return self._watermark

    def search(self, query: Query, *, scope: Scope, filters: Filters, limit: int) -> Candidates:
        if query.vector is not None:
            self._check(query.vector)
        rows = sorted(
            ((doc, change) for change in self._items.values() for doc in change.passages), key=lambda row: row[0].id
        )
        corpus = [list(doc.terms) for doc, _ in rows]
        bm25 = BM25Okapi(corpus) if any(corpus) else None
        lexical = bm25.get_scores(list(query.terms)) if bm25 else np.zeros(len(rows))
        dense = np.array([self._cosine(doc, query) for doc, _ in rows], np.float32)
        inside = [n for n, (_, change) in enumerate(rows) if _inside(change.attributes, scope, filters)]
        sharing = [n for n in inside if set(corpus[n]) & set(query.terms)]
        best = set(sorted(sharing, key=lambda n: (-lexical[n], n))[:limit])
        if query.vector is not None:
            best |= set(sorted(inside, key=lambda n: (-dense[n], n))[:limit])
        chosen = sorted(best)
        idf = dict.fromkeys(query.terms, math.log(len(rows) + 0.5) - math.log(0.5)) | (bm25.idf if bm25 else {})
        return Candidates(
            passage=np.array([rows[n][0].id for n in chosen], np.int64),
            item=np.array([rows[n][1].item for n in chosen], np.int64),
            dense=dense[chosen] if chosen else np.zeros(0, np.float32),
            lexical=np.array([lexical[n] for n in chosen], np.float64),
            lang=np.array([_lang(rows[n][1]) for n in chosen], np.str_),
            stats=QueryStats(
                passages=len(rows),
                dense_mean=float(dense.mean()) if rows and query.vector is not None else 0.0,
                dense_std=float(dense.std()) if rows and query.vector is not None else 0.0,
                lexical_bound=sum(2.5 * max(0.0, idf[term]) for term in query.terms) if rows else 0.0,
                terms=len(query.terms),
                terms_known=sum(any(term in document for document in corpus) for term in query.terms),
            ),
            generation=1,
            watermark=self._watermark,
            took_ms={"dense": 0.0, "lexical": 0.0},
        )

    def frequencies(self, terms: Sequence[str], *, scope: Scope) -> list[int]:
        inside = [
            set(doc.terms)
            for change in self._items.values()
            if _inside(change.attributes, scope, Filters())
            for doc in change.passages
        ]
        return [sum(term in passage for passage in inside) for term in terms]

    def flush(self) -> int:
        return self._watermark

    def close(self) -> None:
        self._items.clear()

    def _cosine(self, doc: PassageDoc, query: Query) -> float:
        if query.vector is None:
            return 0.0
        return float(doc.vector.astype(np.float16).astype(np.float32) @ query.vector)

    def _check(self, vector: np.ndarray) -> None:
        if vector.shape != (self._dim,) or not np.isfinite(vector).all():
            raise InvalidInput("not a vector of this index")


def _lang(change: Change) -> str:
    assert change.attributes is not None
    return change.attributes.lang


def _inside(attributes: Attributes | None, scope: Scope, filters: Filters) -> bool:
    assert attributes is not None
    by_facet: dict[str, set[str]] = {}
    for facet, value in attributes.labels:
        by_facet.setdefault(facet, set()).add(value)
    if not scope.allows(audience=attributes.audience, space=attributes.space, groups=by_facet.get("group", set())):
        return False
    for facet, wanted in filters.labels.items():
        has = by_facet.get(facet, set())
        if wanted and not has & wanted and not (facet in ("product", "version") and not has):
            return False
    return (
        (not filters.kinds or attributes.kind in filters.kinds)
        and (not filters.langs or attributes.lang in filters.langs)
        and (not filters.spaces or attributes.space in filters.spaces)
    )
