"""The environment of a case: which products and versions a customer has, matched with those that an item names.

A boost, never a filter: an item that names the same version stands a little higher, one that names another version of
the same product a little lower, and one that names none stands where it stood.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kb.content import storable
from kb.errors import TooLarge
from kb.items import Named
from retrieval.han import simplified

MAX_ENVIRONMENT = 2_000
"""Most characters of an environment."""
NOTHING_NAMED = Named((), (), "")
"""What an item names that says nothing of its environment."""
_NAME_ALONE = 0.5
_OTHER_VERSION = -0.5
_SEPARATORS = re.compile(
    r"[,;:()\[\]|/\n，；：（）、。*•]+|\.(?=\s|$)|(?<![\w-])(?:and|or|on|with|under|running)(?![\w-])|[和或与及]"
)
_VERSION = re.compile(r"(?<![a-z0-9_.-])(?:versions?\s+)?v?(\d+(?:\.\d+)*[a-z]?)(?![a-z0-9_-]|\.\d)")
_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A product or platform, folded, with its version; either may be empty."""

    name: tuple[str, ...]
    version: str
    shown: str
    """As it was written."""


@dataclass(frozen=True, slots=True)
class Match:
    """What an item and an environment have in common."""

    weight: float
    """-0.5 (other versions of all that was stated) to 1 (the same versions)."""
    values: tuple[str, ...]
    """The parts stated that the item names too, as stated."""


def checked_environment(environment: str | None) -> str:
    """Return the environment as it may be used, empty for none. Raises TooLarge over MAX_ENVIRONMENT characters."""
    if environment is None:
        return ""
    if len(environment) > MAX_ENVIRONMENT:
        raise TooLarge(
            f"an environment has at most {MAX_ENVIRONMENT:,} characters, not {len(environment):,}: "
            "name products, versions and platform only",
            field="environment",
        )
    return "\n".join(" ".join(line.split()) for line in storable(environment).splitlines()).strip()


def parts(text: str) -> list[Part]:
    """Return the products and versions that a text names: "LibreOffice 7.4, Windows 11" names two.

    A version belongs to the name before it: in "app 8.0 and 8.1" both are the app's.
    """
    found: dict[tuple[tuple[str, ...], str], Part] = {}
    before: tuple[str, ...] = ()
    for segment in _SEPARATORS.split(_folded(text)):
        start = 0
        for version in _VERSION.finditer(segment):
            name = tuple(_WORDS.findall(segment[start : version.start()])) or before
            part = Part(name, version[1], " ".join((*name, version[1])))
            found.setdefault((name, version[1]), part)
            before, start = name, version.end()
        if start == 0 and (name := tuple(_WORDS.findall(segment))):
            found.setdefault((name, ""), Part(name, "", " ".join(name)))
            before = name
    return list(found.values())


def match(stated: Sequence[Part], named: Named) -> Match:
    """Hold what was stated against what an item names in its labels and in the Environment of its live revision."""
    if not stated:
        return Match(0.0, ())
    of_item = parts(named.environment)
    products = [tuple(_WORDS.findall(_folded(product))) for product in named.products]
    versions = [_folded(version).removeprefix("v") for version in named.versions]
    of_item += [Part(name, version, "") for name in products for version in versions or [""]]
    weight, values = 0.0, []
    for part in stated:
        if not part.name:
            agrees = any(_agree(part.version, version) for version in versions)
            worth = 1.0 if agrees else 0.0
        else:
            same = [other.version for other in of_item if _same_name(part.name, other.name)]
            worth = _worth(part.version, same) if same else 0.0
        weight += worth
        if worth > 0:
            values.append(part.shown)
    return Match(weight / len(stated), tuple(values))


def stated_among(stated: Sequence[Part], values: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return which of the values that sections name, by facet, an environment names; facets of none are left out."""
    found: dict[str, list[str]] = {}
    for facet, named in values.items():
        for value in named:
            if facet == "version":
                version = _folded(value).removeprefix("v")
                agrees = any(part.version and _agree(part.version, version) for part in stated)
            else:
                agrees = any(
                    _same_name(part.name, other.name)
                    and (not part.version or not other.version or _agree(part.version, other.version))
                    for part in stated
                    for other in parts(value)
                )
            if agrees:
                found.setdefault(facet, []).append(value)
    return found


def _worth(stated: str, named: Sequence[str]) -> float:
    known = [version for version in named if version]
    if not stated or not known:
        return _NAME_ALONE
    return 1.0 if any(_agree(stated, version) for version in known) else _OTHER_VERSION


def _agree(one: str, other: str) -> bool:
    """Say whether one version is the other or holds it: 7.4 and 7.4.2, not 7.4 and 17.4 or 7.40."""
    shorter, longer = sorted((one.split("."), other.split(".")), key=len)
    return longer[: len(shorter)] == shorter


def _same_name(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Say whether one name ends in the other: Microsoft Windows and Windows, not Windows and Windows Server."""
    shorter, longer = sorted((one, other), key=len)
    return bool(shorter) and longer[-len(shorter) :] == shorter


def _folded(text: str) -> str:
    return simplified(unicodedata.normalize("NFKC", text).casefold())
