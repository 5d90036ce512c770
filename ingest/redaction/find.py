"""Find personal data and secrets in a text."""

import re
from collections.abc import Iterator
from dataclasses import replace

from ingest.redaction.findings import PLACEHOLDER, Finding, Kind, settled
from ingest.redaction.widths import folded
from kb.errors import InvalidInput, TooLarge, shown
from retrieval.language import language

LANGUAGES = ("en", "zh")
MOST_CHARACTERS = 1_000_000
"""Longest text, about what a case with its logs is."""
_AGAIN_SCORE = 0.7


def find(text: str, lang: str) -> list[Finding]:
    """Return what in a text is personal data or a secret, in the order of the text, none over another.

    `lang` (en, zh, or a tag such as zh-CN) says which model reads names; all rules read both languages. Whatever
    is found is found wherever else it stands as a word of its own. Placeholders never are. Nothing leaves the machine.
    Raises InvalidInput for another language, TooLarge over MOST_CHARACTERS, Misconfigured where a model is missing.
    """
    primary = lang.lower().replace("_", "-").partition("-")[0]
    if primary not in LANGUAGES:
        raise InvalidInput(f"personal data is found in {' and '.join(LANGUAGES)}, not in {shown(lang)}", field="lang")
    if len(text) > MOST_CHARACTERS:
        raise TooLarge(f"a text of {len(text):,} characters is over the limit of {MOST_CHARACTERS:,}; cut it")
    if not text.strip():
        return []
    from ingest.redaction import engine  # spaCy and Presidio take seconds: only who redacts waits for them

    plain = readable(text)
    raw = [
        Finding(kind, s, e, text[s:e], score)
        for kind, start, end, score in engine.found(plain, primary)
        for s, e in _lines(plain, kind, start, end)
    ]
    first = settled(text, raw)
    return settled(text, [*first, *_again(plain, text, first)])


def language_of(text: str) -> str:
    """Return the language whose model reads the names of a text. Raises InvalidInput for one that has none."""
    seen = language(text)
    if seen == "und":
        return LANGUAGES[0]
    if seen not in LANGUAGES:
        raise InvalidInput(
            f"the text looks like {shown(seen)}, and names are only found in {' and '.join(LANGUAGES)};"
            " name the language yourself: --lang en finds numbers, addresses and keys all the same",
            field="lang",
        )
    return seen


def places(plain: str, value: str) -> Iterator[tuple[int, int]]:
    """Yield where a value stands as a word of its own; both in half width."""
    before = r"(?<![A-Za-z0-9])" if value[0].isascii() and value[0].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if value[-1].isascii() and value[-1].isalnum() else ""
    for match in re.finditer(before + re.escape(value) + after, plain):
        yield match.span()


def readable(text: str) -> str:
    """Return a text as rules read it: in half width, placeholders blank, each character where it was."""
    return PLACEHOLDER.sub(lambda match: "\n" * len(match[0]), folded(text))


def _lines(plain: str, kind: Kind, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a span without white space at its ends; only a secret may go over lines and cells of tables."""
    parts = (
        [(start, end)]
        if kind is Kind.SECRET
        else [(start + m.start(), start + m.end()) for m in re.finditer(r"[^\n|]+", plain[start:end])]
    )
    for s, e in parts:
        part = plain[s:e]
        if part.strip():
            yield s + len(part) - len(part.lstrip()), e - len(part) + len(part.rstrip())


def _again(plain: str, text: str, found: list[Finding]) -> Iterator[Finding]:
    """Yield the other places of each value that was found."""
    for finding in {finding.text: finding for finding in found}.values():
        value = plain[finding.start : finding.end]
        if len(value) < 2:
            continue
        for start, end in places(plain, value):
            if start != finding.start:
                yield replace(finding, start=start, end=end, text=text[start:end], score=_AGAIN_SCORE)
