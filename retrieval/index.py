"""The SearchIndex protocol: what every index, embedded or distributed, promises. tests/contract/ holds it to that."""

from collections.abc import Sequence
from typing import Protocol

from kb.access import Scope
from retrieval.types import Candidates, Change, Filters, Query


class SearchIndex(Protocol):
    """Passages that can be found by terms and by vector, inside a scope."""

    @property
    def watermark(self) -> int:
        """The last change-log sequence number that searches see (0: none)."""

    @property
    def generation(self) -> int:
        """The number of the generation (embedder, size of passages, analyzer) that this index serves."""

    @property
    def analyzer(self) -> str:
        """The version of the analyzer that made its terms: a question's terms must be made by the same."""

    def apply(self, changes: Sequence[Change]) -> int:
        """Make changes searchable, in the order given; return the new watermark.

        Applying a sequence number again does nothing, so a caller that crashed starts again from the stored
        watermark. Raises InvalidInput for a vector of the wrong shape or one that is not finite; then nothing
        of the call is applied.
        """

    def search(self, query: Query, *, scope: Scope, filters: Filters, limit: int) -> Candidates:
        """Return the union of each leg's best `limit` passages inside scope and filters.

        Both limit the candidates before ranking, so each leg gives `limit` passages whenever that many match.
        The lexical leg gives only passages that share a term with the query. Equal scores: lower passage id first.
        """

    def frequencies(self, terms: Sequence[str], *, scope: Scope) -> list[int]:
        """Return how many live passages inside the scope have each term, 0 where none has.

        Passages outside count for nothing, so what is derived from this tells a reader nothing of them. Thousands of
        terms may be asked for at once.
        """

    def flush(self) -> int:
        """Make all that was applied durable; return the durable watermark."""

    def close(self) -> None:
        """Release files and locks. Nothing may be called after it."""
