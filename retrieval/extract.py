"""The stretch of a passage that answers: whole sentences, lists, tables and code, never a part of one.

The passage is cut into segments (sentences of paragraphs; a list, a table or a code block is one; a sentence that ends
in a colon and what it announces stay together). Each has a chance to answer (`retrieval.clues`). The shortest stretch
of neighbours of one section that is likely enough to hold the answer is shown, three sentences at most, and the
likeliest sentence in it is marked.

Where the passage has a Resolution section (KCS), only that is looked at: the Issue section says the question again, so
it matches best and answers nothing. Steps are shown with all that their section says, where that is not too long.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kb.compose import is_section_title
from retrieval.clues import Floats, asks_fact, chances, familiar, logits, width
from retrieval.embed import Embedder
from retrieval.segments import Segment, lines, segments

LONGEST = 700
"""Most columns of an extract, unless a single segment is longer."""
LONGEST_TITLE = 60
"""Most columns of a line that may be a heading without its signs."""
MOST = 3
"""Sentences of an extract at most; what a colon announces and it count as one."""
ENOUGH = 0.9
"""An extract grows until its chance to hold the answer is this."""
UNSURE = 0.5
"""Where no sentence is likelier than this by its words, nearness in meaning counts too."""
BESIDE_WORDS = 25.0
"""What a cosine of 1 adds then. 15 to 35 do as well: docs/decisions/0016-reader.md."""
FAMILIAR = 0.2
"""Below this share of the question's short runs of characters in a passage, words tell nothing: another language."""
ALONE = 80.0
"""What a cosine of 1 is worth there. By `python -m eval.fit_reader --across` on the tuning halves of XQuAD."""

BESIDE = 1.0
"""How much less likely a sentence of a neighbouring passage is to answer than one of the passage that was found, as a
logarithm. By `python -m eval.neighbours DIR... --half tune --most 600 --besides 0,0.5,1,1.5,2,3`,
--tokens 64 and 96."""

STANDS_OUT = 0.5
"""Least chance, among those shown, of what is marked."""


Nearness = Callable[[Sequence[str]], Floats]
"""From sentences to the cosine of each with the question."""


@dataclass(frozen=True, slots=True)
class Extract:
    """Offsets in a passage."""

    start: int
    end: int
    best_start: int
    """Of the sentence, list item or table row that answers likeliest, inside the extract; equal to `best_end` where
    none stands out: the whole answers, as steps do."""
    best_end: int
    chance: float
    """That the answer is in the extract, if the passage has it: 0 to 1."""


def extract(
    text: str,
    question: str,
    *,
    title: str = "",
    terms: Sequence[str] | None = None,
    longest: int = LONGEST,
    nearness: Nearness | None = None,
    parts: Sequence[Segment] | None = None,
    own: tuple[int, int] | None = None,
    beside: float = BESIDE,
) -> Extract:
    """Return the stretch of a passage that answers a question. Never empty for a text that has a segment.

    `title`: of the article. `terms`: of the question, analyzed. `nearness` is asked only where words do not tell: where
    they leave it open, or the passage is in another language. It costs about what embedding the passage does.
    `parts`: the text's segments, where they are known. `own`: where in the text the passage is that was found, if
    others are beside it; what is outside is less likely to answer, by `beside`.
    """
    parts = _answering(segments(text) if parts is None else parts)
    if not parts:
        return Extract(0, len(text), 0, len(text), 1.0)
    said = [text[part.start : part.end] for part in parts]
    if _is_procedure(parts) and parts[0].section == parts[-1].section and _width(text, parts) <= longest:
        nearness = None  # all of it is shown anyway
    chance = likely(question, said, title=title, terms=terms, nearness=nearness)
    if own is not None:
        chance = weighed(chance, [(part.start, part.end) for part in parts], own, beside)
    wholes = _wholes(text, parts, longest)
    share = [float(chance[first : last + 1].sum()) for first, last in wholes]
    procedure = _procedure(text, parts, wholes, share, longest, own or (0, len(text)))
    best = procedure or _shortest(text, parts, wholes, share, longest)
    first, last = wholes[best[0]][0], wholes[best[1]][1]
    inside, held = parts[first : last + 1], chance[first : last + 1]
    if procedure is not None and not asks_fact(question):
        marked = None
    elif all(part.paragraph for part in inside):
        telling = np.array([not _announces(text, part) for part in inside[:-1]] + [True])
        marked = _standing_out([(part.start, part.end) for part in inside], telling * held / (telling * held).sum())
    elif familiar(question, said) < FAMILIAR:
        marked = None
    else:
        finer = [line for part in inside if not _announces(text, part) for line in lines(text, part)]
        by_words = logits(question, [text[a:b] for a, b in finer], title=title, terms=terms)
        marked = _standing_out(finer, chances(by_words))
    start, end = marked or (inside[0].start, inside[0].start)
    return Extract(inside[0].start, inside[-1].end, start, end, float(held.sum()))


def _standing_out(places: Sequence[tuple[int, int]], chance: Floats) -> tuple[int, int] | None:
    return places[int(chance.argmax())] if chance.max(initial=0.0) >= STANDS_OUT else None


def likely(
    question: str,
    said: Sequence[str],
    *,
    title: str = "",
    terms: Sequence[str] | None = None,
    nearness: Nearness | None = None,
) -> Floats:
    """Return the chance of each sentence to answer, sum 1: by words and, where those do not tell, by nearness."""
    by_words = logits(question, said, title=title, terms=terms)
    if nearness is None or len(said) < 2:
        return chances(by_words)
    if familiar(question, said) < FAMILIAR:
        return chances(by_words / 2 + ALONE * nearness(said))
    if chances(by_words).max() < UNSURE:
        return chances(by_words + BESIDE_WORDS * nearness(said))
    return chances(by_words)


def weighed(chance: Floats, places: Sequence[tuple[int, int]], own: tuple[int, int], beside: float = BESIDE) -> Floats:
    """Return the chances, sum 1, with those of sentences wholly beside the passage that was found made smaller."""
    outside = np.array([end <= own[0] or own[1] <= start for start, end in places])
    lower = chance * np.where(outside, np.exp(-beside), 1.0)
    return np.asarray(lower / lower.sum(), np.float64)


def nearness_of(embedder: Embedder, question: str) -> Nearness:
    """Return what compares sentences with a question by an embedder's vectors."""
    return lambda said: np.asarray(embedder.embed_passages(said) @ embedder.embed_query(question), np.float64)


def _answering(parts: Sequence[Segment]) -> Sequence[Segment]:
    resolution = [part for part in parts if is_section_title("resolution", part.section)]
    return resolution or parts


def _wholes(text: str, parts: Sequence[Segment], longest: int) -> list[tuple[int, int]]:
    """Return first and last part of each stretch that stays whole.

    A sentence that ends in a colon brings what it announces; where that is not too long, so do a question and a line
    like a heading, and a clause brings the rest of its sentence.
    """
    found: list[tuple[int, int]] = []
    for at, part in enumerate(parts):
        before = parts[at - 1] if at else None
        if before is None or not before.paragraph or before.section != part.section:
            found.append((at, at))
            continue
        said = _bare(text, before)
        fits = width(text[parts[found[-1][0]].start : part.end]) <= longest
        if said.endswith((":", "：")) or (fits and (_announces(text, before) or said.endswith("；"))):
            found[-1] = found[-1][0], at
        else:
            found.append((at, at))
    return found


def _announces(text: str, part: Segment) -> bool:
    """Say whether a sentence says by itself that more comes: a colon, a question, a line of its own like a heading."""
    said = _bare(text, part)
    alone = (text[: part.start].rstrip(" \t") or "\n")[-1] == "\n" == (text[part.end :].lstrip(" \t") or "\n")[0]
    title = alone and said[-1:].isalnum() and width(said) <= LONGEST_TITLE
    return part.paragraph and (title or said.endswith((":", "：", "?", "？")))


def _bare(text: str, part: Segment) -> str:
    return text[part.start : part.end].rstrip("*_ ")


def _procedure(
    text: str,
    parts: Sequence[Segment],
    wholes: Sequence[tuple[int, int]],
    share: Sequence[float],
    longest: int,
    own: tuple[int, int],
) -> tuple[int, int] | None:
    """Return the section that the likeliest whole is in, if it is a Resolution or holds steps.

    If that is too long, what the passage itself has of it; if that is too, the steps, None if there are none.
    """
    best = int(np.argmax(share))
    section = parts[wholes[best][0]].section
    first = last = best
    while first > 0 and parts[wholes[first - 1][0]].section == section:
        first -= 1
    while last + 1 < len(wholes) and parts[wholes[last + 1][0]].section == section:
        last += 1
    if not _is_procedure(parts[wholes[first][0] : wholes[last][1] + 1]):
        return None
    here = [
        at for at in range(first, last + 1) if parts[wholes[at][1]].end > own[0] and parts[wholes[at][0]].start < own[1]
    ]
    for some in (range(first, last + 1), here):
        inside = parts[wholes[some[0]][0] : wholes[some[-1]][1] + 1] if some and some[0] <= best <= some[-1] else []
        if inside and _is_procedure(inside) and _width(text, inside) <= longest:
            return some[0], some[-1]
    steps = [
        at for at in range(first, last + 1) if any(part.steps for part in parts[wholes[at][0] : wholes[at][1] + 1])
    ]
    chosen = max(steps, key=lambda at: share[at], default=None)
    return None if chosen is None else (chosen, chosen)


def _is_procedure(parts: Sequence[Segment]) -> bool:
    return any(part.steps or is_section_title("resolution", part.section) for part in parts)


def _width(text: str, parts: Sequence[Segment]) -> int:
    return width(text[parts[0].start : parts[-1].end])


def _shortest(
    text: str, parts: Sequence[Segment], wholes: Sequence[tuple[int, int]], share: Sequence[float], longest: int
) -> tuple[int, int]:
    """Return the likeliest stretch of as few wholes as are likely enough to hold the answer, MOST at most."""
    best, held = (0, 0), -1.0
    for count in range(1, MOST + 1):
        for first in range(len(wholes) - count + 1):
            last = first + count - 1
            start, end = parts[wholes[first][0]], parts[wholes[last][1]]
            fits = count == 1 or (start.section == end.section and width(text[start.start : end.end]) <= longest)
            if fits and (total := sum(share[first : last + 1])) > held:
                best, held = (first, last), total
        if held >= ENOUGH:
            break
    return best
