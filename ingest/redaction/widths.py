"""Characters as rules expect them, each in its place: full-width digits and letters, all dashes, all spaces."""

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_DASHES = dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63), "-")
_SPACES = dict.fromkeys((0x00A0, 0x3000, *range(0x2000, 0x200E), 0x202F, 0x2060, 0xFEFF, 0x0009), " ")
_PLAIN: dict[int, int | str] = {**_FULL_WIDTH, **_DASHES, **_SPACES}


def folded(text: str) -> str:
    """Return a text of the same length, character for character, in half width with plain dashes and spaces."""
    return text.translate(_PLAIN)
