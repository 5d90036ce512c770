"""Sections of a text that apply to some products, versions or platforms only: how they are written, what they mean.

    ::: for platform=Windows version=8.0,8.1
    Open **Settings**.
    :::

Facets combine with AND, values of one are alternatives, and what is not named is all of it: as filters of a search do.
In Chinese texts `适用`, `产品`, `版本`, `平台` and full-width signs say the same. docs/sections.md is for writers.
"""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from markdown_it import MarkdownIt

from kb.errors import InvalidInput, shown

FACETS = ("product", "version", "platform")
"""What a section may say, in the order in which it is shown."""

Picks = Mapping[str, Collection[str]]
"""What somebody has: values by facet. A facet that is not there: nobody knows."""

MAX_VALUES = 50

_NAMES = {
    "product": ("product", "products", "产品", "產品"),
    "version": ("version", "versions", "版本"),
    "platform": ("platform", "platforms", "平台"),
}
_FACET_OF = {name: facet for facet, names in _NAMES.items() for name in names}
_OPENERS = frozenset({"for", "适用", "適用", "适用于", "適用於"})
_FENCE = re.compile(r"[:：]{3,}")
_VALUE = r'(?:"[^"]*"|[^\s,"=]+)'
_SAID = re.compile(rf"\s*(\w+)\s*=\s*({_VALUE}(?:\s*,\s*{_VALUE})*)(?=\s|$)")
_ONE = re.compile(_VALUE)
_SIGNS = str.maketrans({"、": ",", "“": '"', "”": '"', "；": " ", ";": " "})
_WORD = re.compile(r"[^\W_]+")
_PLATFORM = re.compile(r"(.*?)((?:\s\d+)*)")
_BLOCKS = MarkdownIt("commonmark").disable(["inline", "text_join"])


@dataclass(frozen=True, slots=True)
class Applies:
    """What a section applies to. A facet without values: all of them."""

    product: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether it says anything: what says nothing applies to all."""
        return any(values for _, values in self.items())

    def items(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        """Return facets with their values, in the order in which they are shown."""
        return ((facet, getattr(self, facet)) for facet in FACETS)

    def to(self, picks: Picks) -> bool:
        """Say whether it may apply to somebody who has one of the values picked of each facet."""
        return all(
            not values
            or not picks.get(facet)
            or any(agree(facet, one, other) for one in values for other in picks[facet])
            for facet, values in self.items()
        )

    @property
    def words(self) -> str:
        """All values as text."""
        return " ".join(value for _, values in self.items() for value in values)

    @property
    def said(self) -> dict[str, list[str]]:
        """The values of the facets that have some."""
        return {facet: list(values) for facet, values in self.items() if values}

    @property
    def stored(self) -> str:
        """A form for a column of text, which `read` reads; empty for what applies to all."""
        return json.dumps(self.said, ensure_ascii=False, separators=(",", ":")) if self else ""

    @classmethod
    def read(cls, stored: str) -> "Applies":
        return cls(**{facet: tuple(values) for facet, values in json.loads(stored).items()}) if stored else ALL


ALL = Applies()


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a text: lines from 0, those of its marks included."""

    applies: Applies
    start: int
    end: int
    """Number of the line of the mark that closes it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text that applies to one thing, without the marks."""

    applies: Applies
    start: int
    """Number of its first line in the whole."""
    text: str


def agree(facet: str, one: str, other: str) -> bool:
    """Say whether two values can be of one thing: version 8 and 8.1, Windows and Windows 11; not 8.0 and 8.1."""
    one, other = _folded(one), _folded(other)
    if facet == "version":
        shorter, longer = sorted((one.removeprefix("v").split(), other.removeprefix("v").split()), key=len)
        return longer[: len(shorter)] == shorter
    if facet == "platform":
        (name, version), (other_name, other_version) = _platform(one), _platform(other)
        shorter, longer = sorted((version, other_version), key=len)
        return name == other_name and longer[: len(shorter)] == shorter
    return one == other


def sections(text: str) -> list[Section]:
    """Return the sections of a text, in order.

    Raises InvalidInput, naming the line, for one that is not closed or closed twice, that lies in another, or that says
    what cannot be understood. Other containers (`::: note`) are text.
    """
    if not _FENCE.search(text):
        return []
    found: list[Section] = []
    stack: list[tuple[int, Applies | None]] = []
    code = _code_lines(text)
    for number, line in enumerate(text.split("\n")):
        fence = _FENCE.match(line)
        if fence is None or number in code:
            continue
        said = line[fence.end() :].strip()
        if said:
            applies = _read(said, number)
            outer = next((start for start, inner in stack if inner), None)
            if applies and outer is not None:
                raise InvalidInput(
                    f"line {number + 1} begins a section inside that of line {outer + 1}: close that first"
                )
            stack.append((number, applies))
        elif stack:
            start, applies = stack.pop()
            if applies:
                found.append(Section(applies, start, number))
        elif found:
            raise InvalidInput(f"line {number + 1} closes a section, and none is open: take its ::: away")
    unclosed = next((start for start, applies in stack if applies), None)
    if unclosed is not None:
        raise InvalidInput(f"the section of line {unclosed + 1} is not closed: end it with a line of :::")
    return found


def lenient(text: str) -> list[Section]:
    """Return the sections of a text that was never checked; none where it has faults."""
    try:
        return sections(text)
    except InvalidInput:
        return []


def parts(text: str) -> list[Part]:
    """Return the text in parts, each of which applies to one thing, without those that say nothing."""
    lines = text.split("\n")
    found: list[Part] = []
    at = 0
    for section in lenient(text):
        found.append(Part(ALL, at, "\n".join(lines[at : section.start])))
        found.append(Part(section.applies, section.start + 1, "\n".join(lines[section.start + 1 : section.end])))
        at = section.end + 1
    found.append(Part(ALL, at, "\n".join(lines[at:])))
    return [part for part in found if part.text.strip()]


def unmarked(text: str) -> str:
    """Return the text with the lines of the marks empty: as many lines, and Markdown as other programs read it."""
    found = lenient(text)
    if not found:
        return text
    lines = text.split("\n")
    for section in found:
        lines[section.start] = lines[section.end] = ""
    return "\n".join(lines)


def occurring(several: Iterable[Applies]) -> dict[str, list[str]]:
    """Return the values that sections name, each once, by facet, in order; facets that none names are left out."""
    values: dict[str, dict[str, str]] = {}
    for applies in several:
        for facet, named in applies.items():
            for value in named:
                values.setdefault(facet, {}).setdefault(_folded(value), value)
    return {facet: sorted(values[facet].values(), key=_natural) for facet in FACETS if facet in values}


def _read(said: str, number: int) -> Applies | None:
    """Return what the line that begins a section says; None for another kind of container."""
    plain = unicodedata.normalize("NFKC", said).translate(_SIGNS)
    word = re.match(r"\w*", plain)
    name = word[0] if word else ""
    rest = plain[len(name) :]
    if name.casefold() not in _OPENERS:
        if any(f"{facet}=" in plain.replace(" ", "") for facet in _FACET_OF):
            raise InvalidInput(f"line {number + 1}: a section begins with '::: for', not {shown('::: ' + said)}")
        return None
    values: dict[str, dict[str, None]] = {}
    at = 0
    for pair in _SAID.finditer(rest):
        if pair.start() != at:
            break
        at = pair.end()
        facet = _FACET_OF.get(pair[1].casefold())
        if facet is None:
            raise InvalidInput(
                f"line {number + 1}: a section is for product, version or platform, not {shown(pair[1])}"
            )
        given = [" ".join(value.strip('"').split()) for value in _ONE.findall(pair[2])]
        values.setdefault(facet, {}).update(dict.fromkeys(value for value in given if value))
    if rest[at:].strip() or not any(values.values()):
        raise InvalidInput(
            f"line {number + 1}: {shown('::: ' + said)} cannot be read; write "
            '::: for platform=Windows version=8.0,8.1; values with spaces in quotes: platform="Windows 11"'
        )
    if sum(map(len, values.values())) > MAX_VALUES:
        raise InvalidInput(f"line {number + 1}: a section names at most {MAX_VALUES} values")
    return Applies(**{facet: tuple(named) for facet, named in values.items()})


def _code_lines(text: str) -> set[int]:
    """Return the numbers of the lines that lie in code, where marks are text."""
    return {
        line
        for token in _BLOCKS.parse(text)
        if token.type in ("fence", "code_block") and token.map
        for line in range(*token.map)
    }


def _folded(value: str) -> str:
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", value).casefold()))


def _platform(folded: str) -> tuple[str, list[str]]:
    found = _PLATFORM.fullmatch(folded)
    assert found is not None  # it matches every text of one line
    return found[1], found[2].split()


def _natural(value: str) -> tuple[tuple[int, int | str], ...]:
    """Return what sorts 8.2 before 8.10, and letters without regard to case."""
    return tuple((0, int(one)) if one.isdigit() else (1, one) for one in re.findall(r"\d+|\D+", value.casefold()))
