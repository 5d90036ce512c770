"""A passage's Markdown cut into what is shown whole: sentences of paragraphs, lists, tables, code blocks, quotes."""

import re
from dataclasses import dataclass

from retrieval.text import sentences

_ESCAPED = re.compile(r"\\.")
_HEADING = re.compile(r"#{1,6}[ \t]+(.*)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s")
_STEP = re.compile(r"\s*\d+[.)]\s")
_HEAD = re.compile(r"[ \t]*\|[^\n]*\n[ \t]*\|[-:| \t]+\n")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_RULE = re.compile(r"\s*(?:[-*_][ \t]*){3,}")
_UNIT = re.compile(r"\s*(?:[-*+]\s|\d+[.)]\s|\||```|~~~|>)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a passage that is shown whole, and its section."""

    start: int
    end: int
    section: str
    paragraph: bool
    """A sentence of a paragraph, not a list, table or code block."""
    steps: bool = False
    """A numbered list."""


def segments(text: str) -> list[Segment]:
    """Cut the Markdown of a passage into segments, in order: headings and rules belong to none."""
    found: list[Segment] = []
    section = ""
    for start, end in _blocks(text):
        block = text[start:end]
        heading = _HEADING.fullmatch(block.strip())
        if heading:
            section = heading[1].strip().strip("#").strip()
        elif _RULE.fullmatch(block):
            continue
        elif _UNIT.match(block):
            found.append(Segment(start, end, section, paragraph=False, steps=bool(_STEP.match(block))))
        else:
            found.extend(Segment(start + a, start + b, section, paragraph=True) for a, b in _closed(block))
    return found


def _closed(block: str) -> list[tuple[int, int]]:
    """Return the sentences of a paragraph, one that ends inside bold text or a link with the next."""
    found: list[tuple[int, int]] = []
    for a, b in sentences(block):
        if found and _is_open(block[found[-1][0] : found[-1][1]]):
            found[-1] = found[-1][0], b
        else:
            found.append((a, b))
    return found


def _is_open(text: str) -> bool:
    """Say whether Markdown ends inside bold text, code or a link: cut there, its signs would be shown."""
    text = _ESCAPED.sub("", text)
    return bool(text.count("**") % 2 or text.count("`") % 2 or text.count("[") > text.count("]"))


def lines(text: str, part: Segment) -> list[tuple[int, int]]:
    """Return a sentence as it is, the items of a list without their signs, the rows of a table; of code nothing."""
    if part.paragraph:
        return [(part.start, part.end)]
    found: list[tuple[int, int]] = []
    at = part.start
    table = _HEAD.match(text, part.start, part.end)
    if table:
        at = table.end()
    elif text[part.start : part.end].lstrip().startswith(("```", "~~~", ">")) or _FENCE.search(text, at, part.end):
        return []
    for line in text[at : part.end].splitlines(keepends=True):
        sign = _ITEM.match(line)
        start = at + (sign.end() if sign and not table else len(line) - len(line.lstrip()))
        end = at + len(line.rstrip())
        if start < end and not _is_open(text[start:end]):
            found.append((start, end))
        at += len(line)
    return found


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
