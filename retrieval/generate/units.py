"""Sentences and steps out of a stream of text, each with the passages that it cites, as soon as each is whole."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from retrieval.text import sentences

_OPEN, _CLOSE = r"[\[［【]", r"[\]］】]"
_NUMBERS = r"\d{1,3}(?:\s*[,，、;]\s*\d{1,3})*"
_CITED = re.compile(rf"\s*{_OPEN}(?:passages?\s*)?({_NUMBERS}){_CLOSE}(?!\()", re.IGNORECASE)
_LEADING = re.compile(rf"(?:{_CITED.pattern})+[.。]?", re.IGNORECASE)
_PARTIAL = re.compile(rf"(?<!\s)\s*{_OPEN}(?:p[a-z]{{0,7}}\s*)?[\d,，、;\s]*$", re.IGNORECASE)
"""What may become a citation of the sentence before."""
_MARKER = re.compile(r"\s*(?:(?P<step>\d{1,3}[.)][ \t]+|\d{1,3}[、．])|[-*+•][ \t]+)")
_BARE = re.compile(r"\s*(?:#{1,6}\s.*|[-=*_~`|:\s]*|```.*|~~~.*)")
"""A line that says nothing by itself: a heading, a rule, a fence."""
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_THINKING = "<think>"
_UNDECIDED = re.compile(r"\s*(?:\d{0,3}[.)、．]?|[-*+•]|[-=*_~`|:\s]*|#{1,6}.*|```.*|~~~.*)\s*")
"""The beginning of a line that may still become a marker, or a line that says nothing."""
_INSIDE = "\0"
"""Stands for the sentences before, so that nothing is taken for the beginning of a line."""
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
    """Takes text as it comes and gives units as they are whole. The work is linear in the text, whatever it is.

    Headings, rules and fences are left out, as is what a model thinks aloud at first.
    """

    def __init__(self) -> None:
        self._rest = ""
        """Of the present line, what is no whole sentence yet; after one, behind _INSIDE."""
        self._last: Unit | None = None
        """Whole, but citations may still follow."""
        self._opening = True
        self._in_line = False
        self._first = True
        self._breaks = 0
        self._item = self._step = False

    def feed(self, piece: str) -> Iterator[Unit]:
        """Yield what is whole now. A sentence is, once the next one has begun: its citations may stand behind it."""
        self._rest += piece.replace(_INSIDE, "")
        if self._opening and not self._opened():
            return
        while (end := self._rest.find("\n")) >= 0:
            line, self._rest = self._rest[:end], self._rest[end + 1 :]
            yield from self._line(line)
            self._in_line = False
            self._breaks += 1
        if piece.strip():
            yield from self._begun()

    def rest(self) -> Iterator[Unit]:
        """Yield what is left at the end."""
        if not self._opening or self._opened(end=True):
            yield from self._line(self._rest)
        if self._last is not None:
            yield self._last
        self._rest, self._last = "", None

    def _opened(self, *, end: bool = False) -> bool:
        """Say whether the answer itself has begun, after what the model may have thought."""
        thought = _THOUGHT.match(self._rest)
        self._rest = (self._rest[thought.end() :] if thought else self._rest).lstrip()
        begun = self._rest[: len(_THINKING)].lower()
        self._opening = begun == _THINKING or (not end and _THINKING.startswith(begun))
        return not self._opening

    def _line(self, line: str) -> Iterator[Unit]:
        """Take a line, or what is left of it, to its end."""
        if not self._in_line:
            if _BARE.fullmatch(line):
                self._step = self._step and not line.strip()
                return
            line = self._marked(line)
        for start, end in sentences(line):
            yield from self._sentence(line[start:end])

    def _begun(self) -> Iterator[Unit]:
        """Take what is whole of a line that may still grow."""
        if not self._in_line:
            if _UNDECIDED.fullmatch(self._rest):
                return
            self._rest = self._marked(self._rest)
        whole = sentences(self._rest) if _END.search(self._rest) else []
        for start, end in whole[:-1]:
            yield from self._sentence(self._rest[start:end])
        if len(whole) > 1:
            self._rest = _INSIDE + self._rest[whole[-1][0] :]
        if self._last is None:
            return
        begun = self._rest.removeprefix(_INSIDE)
        lead = _LEADING.match(begun)
        tail = begun[lead.end() :] if lead else begun
        if any(c.isalnum() for c in _PARTIAL.sub("", _CITED.sub("", tail))):
            if lead and not self._first:
                self._last = _citing(self._last, _numbers(lead[0]))
                self._rest = _INSIDE + tail
            yield self._last
            self._last = None

    def _marked(self, line: str) -> str:
        """Begin a line; return it without the marker of a list."""
        marker = _MARKER.match(line)
        self._item = marker is not None
        self._step = bool(marker["step"]) if marker else self._step and self._breaks < 2
        self._in_line = self._first = True
        return line[marker.end() :] if marker else line

    def _sentence(self, text: str) -> Iterator[Unit]:
        body, own, before = _cites(text.replace(_INSIDE, ""))
        if self._last is not None and (not body or (before and not self._first)):
            self._last = _citing(self._last, before if body else own)
            own = own[len(before) :] if body else ()
        if not body:
            return
        if self._last is not None:
            yield self._last
        breaks, item = (self._breaks, self._item) if self._first else (0, False)
        self._last = _citing(Unit(body, (), breaks, item, self._step), own)
        self._first, self._breaks = False, 0


def split(text: str) -> Iterator[Unit]:
    """Yield the units of a whole text."""
    units = Units()
    yield from units.feed(text)
    yield from units.rest()


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
