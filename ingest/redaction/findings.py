"""What was found in a text, the review of it by a person, and the text with placeholders in its place."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ingest.redaction.widths import folded
from kb.errors import InvalidInput, shown


class Kind(StrEnum):
    """Kinds of personal data; their values are the words of placeholders."""

    PERSON = "PERSON"
    ADDRESS = "ADDRESS"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    ID_NUMBER = "ID_NUMBER"
    CARD = "CARD"
    IBAN = "IBAN"
    IP = "IP"
    SECRET = "SECRET"


PLACEHOLDER = re.compile(rf"\[({'|'.join(Kind)})_([1-9]\d*)\]")
_SEPARATORS = re.compile(r"[\s().\-/]+")
_LOOSE = " ,，、:：;"
_VERBATIM = frozenset({Kind.SECRET})
_IN_WORDS = frozenset({Kind.PERSON, Kind.ADDRESS})


@dataclass(frozen=True, slots=True)
class Finding:
    """A stretch of a text, `text == whole[start:end]`; `score` in (0, 1] orders findings, it is no probability."""

    kind: Kind
    start: int
    end: int
    text: str
    score: float


@dataclass(slots=True)
class Placeholders:
    """The numbering of one case: the same value gets the same placeholder in each of its texts.

    A phone number, card or ID number is the same with other separators or widths; a secret only to the letter.
    """

    _numbers: dict[tuple[Kind, str], int] = field(default_factory=dict)
    _last: dict[Kind, int] = field(default_factory=dict)

    def leave_free(self, text: str) -> None:
        """Give no number that a placeholder in the text has already."""
        for found in PLACEHOLDER.finditer(text):
            kind = Kind(found[1])
            self._last[kind] = max(self._last.get(kind, 0), int(found[2]))

    def of(self, kind: Kind, value: str) -> str:
        """Return the placeholder of a value, such as `[PERSON_1]`."""
        key = (kind, _same(kind, value))
        if key not in self._numbers:
            self._last[kind] = self._numbers[key] = self._last.get(kind, 0) + 1
        return f"[{kind}_{self._numbers[key]}]"


def replaced(text: str, findings: Sequence[Finding], placeholders: Placeholders | None = None) -> str:
    """Return the text with each finding replaced by its placeholder.

    `placeholders` carries the numbering from one text of a case to the next. Markdown stays what it was: where a
    placeholder would become a link or the definition of one, a space follows it. Raises InvalidInput where a finding
    is of another text or two overlap.
    """
    numbering = placeholders if placeholders is not None else Placeholders()
    numbering.leave_free(text)
    parts: list[str] = []
    at = 0
    for finding in sorted(findings, key=lambda found: found.start):
        if text[finding.start : finding.end] != finding.text or not finding.text:
            raise InvalidInput(f"a {finding.kind} at {finding.start} is not of this text; find again", field="findings")
        if finding.start < at:
            raise InvalidInput(f"two findings overlap at {finding.start}; undo one of them", field="findings")
        parts += text[at : finding.start], numbering.of(finding.kind, finding.text)
        if _would_link(text, finding):
            parts.append(" ")
        at = finding.end
    return "".join([*parts, text[at:]])


@dataclass(frozen=True, slots=True)
class Review:
    """A text, what was found in it, and what a person said to that. Each finding counts until it is undone."""

    text: str
    findings: tuple[Finding, ...]
    undone: frozenset[int] = frozenset()
    """Indices of findings that are none."""

    def undo(self, index: int) -> "Review":
        """Say that a finding is none. Raises InvalidInput for an index that is not there."""
        return replace(self, undone=self.undone | {self._checked(index)})

    def accept(self, index: int) -> "Review":
        """Take back an undoing. Raises InvalidInput for an index that is not there."""
        return replace(self, undone=self.undone - {self._checked(index)})

    def add(self, kind: Kind, start: int, end: int) -> "Review":
        """Mark what was not found. Raises InvalidInput outside the text or over a finding that counts."""
        if not 0 <= start < end <= len(self.text):
            raise InvalidInput(f"there is nothing from {start} to {end} in this text", field="start")
        if any(start < found.end and found.start < end for found in self.accepted):
            raise InvalidInput(f"{shown(self.text[start:end])} overlaps a finding; undo that first", field="start")
        added = Finding(kind, start, end, self.text[start:end], 1.0)
        return replace(self, findings=(*self.findings, added))

    @property
    def accepted(self) -> tuple[Finding, ...]:
        """The findings that count, in the order of the text."""
        kept = (found for index, found in enumerate(self.findings) if index not in self.undone)
        return tuple(sorted(kept, key=lambda found: found.start))

    def redacted(self, placeholders: Placeholders | None = None) -> str:
        """Return the text as it may be kept."""
        return replaced(self.text, self.accepted, placeholders)

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self.findings):
            raise InvalidInput(f"there is no finding {index}; there are {len(self.findings)}", field="index")
        return index


def settled(text: str, found: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order of the text, none over another: the surer, then the longer first.

    What a weaker one has beside the stronger is kept, if letters or digits are in it: an overlap hides, it never shows.
    """
    kept: list[Finding] = []
    waiting = sorted(found, key=lambda f: (-f.score, f.start - f.end, f.start))
    for finding in waiting:
        pieces = [(finding.start, finding.end)]
        for other in kept:
            pieces = [piece for start, end in pieces for piece in _beside(start, end, other)]
        for start, end in pieces:
            whole = (start, end) == (finding.start, finding.end)
            if not whole and finding.kind is Kind.EMAIL:
                continue  # the host of a connection whose password was found
            part = text[start:end]
            start += len(part) - len(part.lstrip(_LOOSE))
            end -= len(part) - len(part.rstrip(_LOOSE))
            if whole or sum(c.isalnum() for c in text[start:end]) > 1:
                kept.append(replace(finding, start=start, end=end, text=text[start:end]))
    return sorted(kept, key=lambda f: f.start)


def _beside(start: int, end: int, other: Finding) -> list[tuple[int, int]]:
    if end <= other.start or other.end <= start:
        return [(start, end)]
    return [(s, e) for s, e in ((start, other.start), (other.end, end)) if s < e]


def _same(kind: Kind, value: str) -> str:
    if kind in _VERBATIM:
        return value
    plain = folded(value).casefold()
    return " ".join(plain.split()) if kind in _IN_WORDS else _SEPARATORS.sub("", plain) if kind != Kind.EMAIL else plain


def _would_link(text: str, finding: Finding) -> bool:
    following = text[finding.end : finding.end + 1]
    line = text[text.rfind("\n", 0, finding.start) + 1 : finding.start]
    return following in {"(", "["} or (following == ":" and not line.strip(" >"))
