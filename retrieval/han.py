"""Traditional and simplified Chinese characters as one: 網路 is found by 网路.

Each character by itself, so that a text keeps its length and offsets in it stay true. Which of several traditional
characters a simplified one stands for (发: 發 or 髮) is never asked, since everything goes the other way. The pairs are
those of OpenCC's dictionaries: the standard ones, then Taiwan's and Hong Kong's own forms.
"""

from functools import cache

import opencc

_BLOCKS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x2A6DF), (0x2A700, 0x2EBE0))
"""Ideographs: extension A, the common ones, extensions B to F."""
_CONVERSIONS = ("t2s", "tw2s", "hk2s")


def simplified(text: str) -> str:
    """Return the text with each traditional character as its simplified form; as long as it was. Never raises."""
    return text if text.isascii() else text.translate(_pairs())


@cache
def _pairs() -> dict[int, int]:
    """Return code points of characters and of what they become.

    What another character becomes stays as it is: 麼 becomes 么, so 么, in use everywhere, does not become 幺.
    """
    characters = [chr(code) for first, last in _BLOCKS for code in range(first, last + 1)]
    pairs: dict[str, str] = {}
    for name in _CONVERSIONS:
        converted = opencc.OpenCC(name).convert("\n".join(characters)).split("\n")
        found = {a: b for a, b in zip(characters, converted, strict=True) if a != b and len(b) == 1}
        ends = {*pairs.values(), *found.values()}
        pairs |= {a: pairs.get(b, b) for a, b in found.items() if a not in pairs and a not in ends}
    ends = set(pairs.values())
    return {ord(a): ord(b) for a, b in pairs.items() if a not in ends}
