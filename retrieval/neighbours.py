"""A passage together with those beside it, as one text to read: what runs over its edges is read whole.

Passages are cut where they are full, so a procedure or an explanation may go on in the next one. The neighbours are of
the same item, revision and generation (`kb.items.beside`), and under the same heading or one below it. Each segment is
still of one passage, so that what is shown is cited from the passages that say it, to the letter; only a list that goes
on in the next passage is one segment of both.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kb.compose import PATH_SEPARATOR
from kb.items import Found
from retrieval.citations import Citation
from retrieval.clues import width
from retrieval.extract import BESIDE, LONGEST, Extract, Nearness, extract
from retrieval.segments import Segment, segments

BETWEEN = "\n\n"
_LIST = re.compile(r"\s*(?:[-*+]|\d+[.)])\s")


@dataclass(frozen=True, slots=True)
class Context:
    """Passages of one item in their order, and which of them was found."""

    passages: tuple[Found, ...]
    at: int = 0

    @property
    def found(self) -> Found:
        return self.passages[self.at]

    @property
    def text(self) -> str:
        """The Markdown of all of them, with blank lines between."""
        return BETWEEN.join(passage.text for passage in self.passages)

    def spans(self) -> list[tuple[int, int]]:
        """Return start and end of each passage in the text."""
        found: list[tuple[int, int]] = []
        for passage in self.passages:
            start = found[-1][1] + len(BETWEEN) if found else 0
            found.append((start, start + len(passage.text)))
        return found

    def parts(self, longest: int) -> list[Segment]:
        """Return the segments of all passages, in order.

        A section goes on in the next passage under the same heading. So does a list: steps always, other lists where
        both parts are at most `longest` columns together.
        """
        if len(self.passages) == 1:
            return segments(self.found.text)
        found: list[Segment] = []
        text, section, path = self.text, "", self.passages[0].path
        for (start, _), passage in zip(self.spans(), self.passages, strict=True):
            if passage.path != path:
                section, path = passage.path.rsplit(PATH_SEPARATOR, 1)[-1], passage.path
            own = [
                replace(part, start=part.start + start, end=part.end + start, section=part.section or section)
                for part in segments(passage.text)
            ]
            if own and found and _goes_on(text, found[-1], own[0], longest):
                found[-1] = replace(found[-1], end=own.pop(0).end)
            found += own
            section = found[-1].section if found else section
        return found

    def cited(self, shown: Extract) -> list[Citation]:
        """Return the citations of an extract of the text: one for each passage that has words of it, in order."""
        found: list[Citation] = []
        for (start, end), passage in zip(self.spans(), self.passages, strict=True):
            a, b = max(shown.start, start), min(shown.end, end)
            quote = passage.text[a - start : b - start] if a < b else ""
            if quote.strip():
                inside = a <= shown.best_start and shown.best_end <= b
                best = (shown.best_start - a, shown.best_end - a) if inside else (0, 0)
                found.append(Citation(n=len(found) + 1, found=passage, quote=quote, best=best))
        return found


def extract_of(
    read: Context,
    question: str,
    *,
    terms: Sequence[str] | None = None,
    longest: int = LONGEST,
    nearness: Nearness | None = None,
    beside: float = BESIDE,
) -> Extract:
    """Return the stretch of the text that answers a question, as `extract` does."""
    return extract(
        read.text,
        question,
        title=read.found.title,
        terms=terms,
        longest=longest,
        nearness=nearness,
        parts=read.parts(longest),
        own=read.spans()[read.at] if len(read.passages) > 1 else None,
        beside=beside,
    )


def context(found: Found, beside: Sequence[Found]) -> Context:
    """Return a passage with those of `beside` that are next to it, under its heading or one below, and apply to the
    same."""
    below = f"{found.path}{PATH_SEPARATOR}" if found.path else ""
    near = {
        one.ordinal: one
        for one in beside
        if one.item_id == found.item_id
        and abs(one.ordinal - found.ordinal) == 1
        and (one.path == found.path or one.path.startswith(below))
        and one.applies == found.applies
    }
    before, after = near.get(found.ordinal - 1), near.get(found.ordinal + 1)
    passages = tuple(one for one in (before, found, after) if one is not None)
    return Context(passages, 0 if before is None else 1)


def _goes_on(text: str, one: Segment, two: Segment, longest: int) -> bool:
    """Say whether a list at the end of a passage and one at the start of the next, in one section, are one list."""
    if one.section != two.section or text[one.end : two.start].strip():
        return False
    if one.steps:
        return bool(_LIST.match(text, two.start))
    return (
        not one.paragraph
        and not two.steps
        and all(_LIST.match(text, part.start) for part in (one, two))
        and width(text[one.start : two.end]) <= longest
    )
