"""The stretch of a passage that answers: whole sentences, lists, tables and code, never a part of one.

The passage is cut into segments (sentences of paragraphs; a list, a table or a code block is one). The window of
neighbouring segments of one section that covers most of the question's terms within the length wins; a sentence that
ends in a colon brings what it announces. Where the passage has a Resolution section (KCS), only that is looked at: the
Issue section says the question again, so it matches best and answers nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kb.compose import is_section_title
from retrieval.text import analyze, sentences

LONGEST = 700
"""Most characters of an extract, unless a single segment is longer."""
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]")
_HEADING = re.compile(r"#{1,6}[ \t]+(.*)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s")
_UNIT = re.compile(r"\s*(?:[-*+]\s|\d+[.)]\s|\||```|~~~|>)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a passage that is shown whole, and its section."""

    start: int
    end: int
    section: str
    paragraph: bool
    """A sentence of a paragraph, not a list, table or code block."""


def segments(text: str) -> list[Segment]:
    """Cut the Markdown of a passage into segments, in order; headings belong to none."""
    found: list[Segment] = []
    section = ""
    for start, end in _blocks(text):
        block = text[start:end]
        heading = _HEADING.fullmatch(block.strip())
        if heading:
            section = heading[1].strip().strip("#").strip()
        elif _UNIT.match(block):
            found.append(Segment(start, end, section, paragraph=False))
        else:
            found.extend(
                Segment(start + a, start + b, section, paragraph=True)
                for a, b in sentences(block)
                if block[a:b].strip()
            )
    return found


def extract(text: str, terms: Sequence[str], *, longest: int = LONGEST) -> tuple[int, int]:
    """Return start and end offsets in `text` of the stretch that answers a question with these analyzed terms.

    Chinese, Japanese and Korean characters count double. Never empty for a text that has a segment.
    """
    parts = _answering(segments(text))
    if not parts:
        return 0, len(text)
    wanted = set(terms)
    matched = [wanted.intersection(analyze(text[part.start : part.end])) for part in parts]
    best, best_rank = (0, 0), (-1.0, 0, 0)
    for first in range(len(parts)):
        covered: set[str] = set()
        for last in range(first, len(parts)):
            if last > first and (
                parts[last].section != parts[first].section
                or _width(text[parts[first].start : parts[last].end]) > longest
            ):
                break
            covered |= matched[last]
            # More of the question first; then the stretch that starts where it matches; then the fuller one.
            rank = (float(len(covered)), int(bool(matched[first])), -first if not covered else last - first)
            if rank > best_rank:
                best, best_rank = (first, last), rank
    first, last = best
    announces = parts[last].paragraph and text[parts[last].start : parts[last].end].rstrip().endswith((":", "："))
    if announces and last + 1 < len(parts) and parts[last + 1].section == parts[last].section:
        last += 1
    if first > 0 and not parts[first].paragraph and text[: parts[first].start].rstrip().endswith((":", "：")):
        first -= 1
    return parts[first].start, parts[last].end


def _answering(parts: list[Segment]) -> list[Segment]:
    resolution = [part for part in parts if is_section_title("resolution", part.section)]
    return resolution or parts


def _width(text: str) -> int:
    return len(text) + len(_WIDE.findall(text))


def _blocks(text: str) -> list[tuple[int, int]]:
    """Return offsets of blocks: runs of lines between blank lines, headings alone, code and loose lists whole."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    fence = ""
    in_list = False
    at = 0
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        end = at + len(line.rstrip())
        if fence:
            found[-1] = (found[-1][0], end)
            if bare.startswith(fence):
                fence = ""
        elif start is None and in_list and bare and (line[0] in " \t" or _ITEM.match(line)):
            found[-1] = (found[-1][0], end)
            start = at
            fence = bare[:3] if bare.startswith(("```", "~~~")) else ""
        elif bare.startswith(("```", "~~~")):
            fence = bare[:3]
            found.append((at, end))
            start, in_list = None, False
        elif not bare:
            start = None
        elif _HEADING.fullmatch(bare):
            found.append((at, end))
            start, in_list = None, False
        elif start is None or (
            bool(_UNIT.match(line)) != bool(_UNIT.match(text[found[-1][0] :])) and not line[0].isspace()
        ):
            found.append((at, end))
            start, in_list = at, bool(_ITEM.match(line))
        else:
            found[-1] = (found[-1][0], end)
        at += len(line)
    return found
