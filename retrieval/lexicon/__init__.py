"""Word lists that correcting a question needs (`python -m eval.lexicon` makes them and says where they are from)."""

import json
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def english() -> frozenset[str]:
    """Return common English words of three and more letters."""
    return frozenset(_read("english.txt").split())


@cache
def chinese() -> frozenset[str]:
    """Return common Chinese words of two common characters."""
    return frozenset(line[0] + second for line in _read("chinese.txt").splitlines() for second in line[1:])


@cache
def syllables() -> dict[str, tuple[str, str]]:
    """Return the common characters of each syllable, commonest first: whose usual reading it is, whose second one."""
    read: dict[str, str] = json.loads(_read("pinyin.json"))
    usual = {syllable: tuple(characters.split(" ")) for syllable, characters in read.items() if syllable}
    return {syllable: (found[0], found[1]) for syllable, found in usual.items()}


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
