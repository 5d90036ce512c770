"""A state of the index that is searched and never changed: as it is, or as it would be with a draft in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from kb.access import Scope
from retrieval.local.snapshot import Snapshot
from retrieval.types import Candidates, Filters, Query


@dataclass(frozen=True, eq=False)
class Preview:
    """The searching side of a SearchIndex, over one snapshot."""

    snapshot: Snapshot
    analyzer: str

    @property
    def generation(self) -> int:
        return self.snapshot.generation

    @property
    def watermark(self) -> int:
        return self.snapshot.watermark

    def search(self, query: Query, *, scope: Scope, filters: Filters, limit: int) -> Candidates:
        return self.snapshot.search(query, scope=scope, filters=filters, limit=limit)

    def frequencies(self, terms: Sequence[str], *, scope: Scope) -> list[int]:
        return self.snapshot.frequencies(terms, scope)
