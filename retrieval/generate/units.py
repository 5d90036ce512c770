"""Sentences and steps out of a stream of text, each with the passages that it cites, as soon as each is whole."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from retrieval.text import sentences

_OPEN, _CLOSE = r"[\[［【]", r"[\]］】]"
_NUMBERS = r"\d{1,3}(?:\s*[,，、;]\s*\d{1,3})*"
_CITED = re.compile(rf"\s*{_OPEN}(?:passages?\s*)?({_NUMBERS}){_CLOSE}(?!\()", re.IGNORECASE)
_LEADING = re.compile(rf"(?:{_CITED.pattern})+[.。]?", re.IGNORECASE)
_PARTIAL = re.compile(rf"\s*{_OPEN}(?:p[a-z]{{0,7}}\s*)?[\d,，、;\s]*$", re.IGNORECASE)
"""What may become a citation of the sentence before."""
_MARKER = re.compile(r"\s*(?:(?P<step>\d{1,3}[.)][ \t]+|\d{1,3}[、．])|[-*+•][ \t]+)")
_BARE = re.compile(r"\s*(?:#{1,6}\s.*|[-=*_~`|:\s]*|```.*|~~~.*)")
"""A line that says nothing by itself: a heading, a rule, a fence."""
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_THINKING = "<think>"
_CODE = re.compile(r"(`[^`\n]*`)")
_END = re.compile(r"[.!?。！？；…\n]")
_SPACE_BEFORE = re.compile(r"\s+(?=[.,;:!?。，；：！？])")


@dataclass(frozen=True, slots=True)
class Unit:
    """One sentence or step, as the model wrote it."""

    text: str
    """Markdown, without list marker and citations, trimmed."""
    cites: tuple[int, ...] = ()
    """Numbers of passages, as the model gave them, in order, each once."""
    breaks: int = 0
    """Line breaks before it: 0 within a line; 2 or more begin a paragraph."""
    item: bool = False
    """Begins an item of a list."""
    step: bool = False
    """Is (a part of) an item of a numbered list."""


class Units:
    """Takes text as it comes and gives units as they are whole."""

    def __init__(self) -> None:
        self._text = ""
        self._given = 0
        self._looked = 0

    def feed(self, piece: str) -> Iterator[Unit]:
        """Yield what is whole now. A sentence is, once the next one has begun: its citations may stand behind it."""
        self._text += piece
        if not _END.search(self._text, self._looked):
            return
        partial = _PARTIAL.search(self._text)
        found = list(split(self._text[: partial.start()] if partial else self._text))[:-1]
        if len(found) > self._given:
            self._looked = len(self._text) - len(piece)
            yield from found[self._given :]
            self._given = len(found)

    def rest(self) -> Iterator[Unit]:
        """Yield what is left at the end."""
        yield from list(split(self._text))[self._given :]


def split(text: str) -> Iterator[Unit]:
    """Yield the units of a text. Headings, rules and fences are left out, as is what a model thinks aloud at first."""
    text = _THOUGHT.sub("", text, count=1)
    if text.lstrip().lower().startswith(_THINKING):
        return
    last: Unit | None = None
    breaks, step = 0, False
    for number, line in enumerate(text.split("\n")):
        breaks += number > 0
        if _BARE.fullmatch(line):
            step = step and not line.strip()
            continue
        marker = _MARKER.match(line)
        step = bool(marker["step"]) if marker else step and breaks < 2
        rest = line[marker.end() :] if marker else line
        first = True
        for start, end in sentences(rest):
            body, own, before = _cites(rest[start:end])
            if last is not None and (not body or (before and not first)):
                last = _citing(last, before if body else own)
                own = own[len(before) :] if body else ()
            if not body:
                continue
            if last is not None:
                yield last
            last = _citing(Unit(body, (), breaks if first else 0, first and marker is not None, step), own)
            first, breaks = False, 0
    if last is not None:
        yield last


def _cites(text: str) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """Return a sentence without its citations, all of these, and those that stand before it."""
    lead = _LEADING.match(text)
    before = _numbers(lead[0]) if lead else ()
    rest = text[lead.end() :] if lead else text
    parts = _CODE.split(rest)  # what looks like a citation in code is none
    body = _SPACE_BEFORE.sub("", "".join(part if at % 2 else _CITED.sub("", part) for at, part in enumerate(parts)))
    body = body.strip()
    if body.count("**") % 2:
        body = body.replace("**", "")
    return (body if any(c.isalnum() for c in body) else ""), (*before, *_numbers("\n".join(parts[::2]))), before


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for found in _CITED.finditer(text) for number in re.findall(r"\d+", found[1]))


def _citing(unit: Unit, more: tuple[int, ...]) -> Unit:
    return replace(unit, cites=tuple(dict.fromkeys((*unit.cites, *more))))
