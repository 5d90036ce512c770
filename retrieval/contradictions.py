"""Whether two texts on one issue say different things of how it is resolved: numbers, versions, yes against no.

A heuristic on sentences: each sentence of one resolution is laid beside the sentence of the other that shares most of
its terms. Of two that are about the same thing, each must not have a number of a unit, or a code or version, where the
other has another, and neither may deny what the other says. Environments that differ in their own numbers or versions
excuse it: what holds for version 4 need not hold for version 5. How often it is right is measured on written pairs:
`kb eval contradictions`, docs/quality.md.
"""

import re
from dataclasses import dataclass
from typing import Self

from kb.content import Written
from retrieval.facts import Facts, facts, without_numbers
from retrieval.polarity import clauses, content, opposes
from retrieval.text import sentences

SAME = 0.5
"""Share of the terms of the shorter sentence that two sentences of one thing have in common."""
LONGEST = 60
"""Sentences of a resolution that are looked at."""
_CHARACTERS = 20_000
"""Of each field, so that no text takes long."""
_ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)、])\s+", re.MULTILINE)
_VERSION = re.compile(r"version|firmware|release|build|\bv\d|版本|固件|升级到|系统", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fields:
    """What is compared of a text."""

    issue: str
    environment: str
    resolution: str
    """The body where there is no resolution of its own."""

    @classmethod
    def of(cls, written: Written) -> Self:
        return cls(
            issue=f"{written.title}\n{written.issue}"[:_CHARACTERS],
            environment=written.environment[:_CHARACTERS],
            resolution=(written.resolution or written.body)[:_CHARACTERS],
        )


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What two resolutions say differently. `here` is the sentence of the first text, `there` that of the second."""

    kind: str
    """`number`, `version`, `negation` or `opposite`."""
    here: str
    there: str


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    terms: frozenset[str]
    facts: Facts


def contradiction(one: Fields, other: Fields) -> Contradiction | None:
    """Return the first thing that the two resolutions say differently, None where they agree or do not compare.

    That both are of the same issue is for the caller to know.
    """
    if _differs(facts(one.environment), facts(other.environment)):
        return None
    mine, theirs = _read(one.resolution), _read(other.resolution)
    all_mine, all_theirs = facts(one.resolution), facts(other.resolution)
    for sentence in mine:
        beside = max(theirs, key=lambda s: _near(sentence.terms, s.terms), default=None)
        if beside is None or _near(sentence.terms, beside.terms) < SAME:
            continue
        kind = _kind(sentence, beside, all_mine, all_theirs)
        if kind:
            return Contradiction(kind, sentence.text, beside.text)
    return None


def _kind(one: _Sentence, other: _Sentence, all_mine: Facts, all_theirs: Facts) -> str:
    if _codes(one.facts) - _codes(all_theirs) and _codes(other.facts) - _codes(all_mine):
        return "version"
    here, there = one.facts.numbers - all_theirs.numbers, other.facts.numbers - all_mine.numbers
    if {unit for _, unit in here} & {unit for _, unit in there}:
        return "version" if _VERSION.search(one.text) and all(not unit for _, unit in here) else "number"
    return opposes(clauses(one.text), clauses(other.text))


def _differs(one: Facts, other: Facts) -> bool:
    """Say whether two environments each have a number or code of which the other has another."""
    here, there = one.numbers - other.numbers, other.numbers - one.numbers
    return bool(
        {unit for _, unit in here} & {unit for _, unit in there}
        or (_codes(one) - _codes(other) and _codes(other) - _codes(one))
    )


def _read(text: str) -> list[_Sentence]:
    bare = _ITEM.sub("", text)
    pieces = [bare[start:end] for start, end in sentences(bare)[:LONGEST]]
    return [_Sentence(piece, content(without_numbers(piece)), facts(piece)) for piece in pieces]


def _codes(of: Facts) -> frozenset[str]:
    return frozenset(one for one in of.identifiers if any(c.isdigit() for c in one))


def _near(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of the smaller set's terms that the other has; one of fewer than two terms is near nothing."""
    least = min(len(one), len(other))
    return len(one & other) / least if least > 1 else 0.0
