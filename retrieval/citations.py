"""Citations and their check: what is shown as an answer is in the passages that were cited, word for word."""

from collections.abc import Sequence
from dataclasses import dataclass

from kb.errors import KBError
from kb.items import Found


@dataclass(frozen=True, slots=True)
class Citation:
    """One numbered source of an answer."""

    n: int
    """1, 2, ... as the text refers to it: [1]."""
    found: Found
    quote: str
    """What the answer shows of the passage: one stretch of its Markdown, to the letter."""
    best: tuple[int, int] = (0, 0)
    """Start and end, in `quote`, of what answers likeliest (see Extract); equal where nothing stands out."""


class UnsupportedCitation(KBError):
    """An answer would have cited what its passage does not say. A defect of ours, never shown to a reader."""

    code = "unsupported_citation"


def check(citations: Sequence[Citation], supplied: Sequence[Found]) -> None:
    """Raise UnsupportedCitation unless numbers run 1, 2, ..., each passage was supplied and holds its quote."""
    known = {found.passage_id: found for found in supplied}
    for place, citation in enumerate(citations, start=1):
        passage = known.get(citation.found.passage_id)
        if citation.n != place or passage is None:
            raise UnsupportedCitation(f"citation {citation.n} names a passage that was not supplied")
        if not citation.quote.strip() or citation.quote not in passage.text:
            raise UnsupportedCitation(f"citation {citation.n} quotes what passage {passage.passage_id} does not say")
