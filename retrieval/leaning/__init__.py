"""Which questions lean on the turns before: the words of English and Chinese, one file a language."""

from dataclasses import dataclass
from enum import StrEnum


class How(StrEnum):
    """How a question stands to the turns before it."""

    ALONE = "alone"
    """It names what it is about."""
    LEANS = "leans"
    """A question of its own that leaves out what it is about: how do I cancel it?"""
    FRAGMENT = "fragment"
    """Only what is other than in the question before: and on Android?"""


@dataclass(frozen=True, slots=True)
class Leaning:
    how: How
    bare: str
    """The question without what joins it to the turns before: on Android."""
