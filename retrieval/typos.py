"""What a mistyped English word may have been meant to be: all that is one slip away, and how unlikely each slip is.

Slips are those of Damerau (1964): two letters swapped, one left out, one too many, one for another. The words are made,
not searched for: of the some four hundred at distance 1 a vocabulary is asked which it has, as in P. Norvig, "How to
Write a Spelling Corrector" (2007). What a slip costs is in natural logarithms, so that it can be weighed against the
logarithm of how many passages have the word.
"""

from string import ascii_lowercase

from retrieval import lexicon

SWAPPED = 1.0
DOUBLED = 0.5
"""A letter written twice instead of once, or once instead of twice."""
LEFT_OUT = 1.0
TOO_MANY = 2.0
NEXT_KEY = 2.0
VOWEL = 2.0
"""One vowel for another: seperate."""
OTHER = 3.5
FIRST = 2.0
"""On top, for a slip in the first letter, where people seldom slip."""

STRANGE = 2.0
"""On top, for a word that is not a common English one."""

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS = frozenset("aeiouy")


def _neighbours() -> dict[str, frozenset[str]]:
    """Return the letters beside, above and below each letter of a QWERTY keyboard, whose rows are half a key apart."""
    keys = {letter: (x + y / 2, y) for y, row in enumerate(_ROWS) for x, letter in enumerate(row)}
    return {
        a: frozenset(b for b, (bx, by) in keys.items() if a != b and abs(ax - bx) <= 1 and abs(ay - by) <= 1)
        for a, (ax, ay) in keys.items()
    }


NEIGHBOURS = _neighbours()


def meant(word: str) -> dict[str, float]:
    """Return the words one slip away from `word`, of letters a to z, with the cost of the likeliest slip."""
    found: dict[str, float] = {}
    words = lexicon.english()

    def add(candidate: str, cost: float, at: int) -> None:
        cost += (FIRST if at == 0 else 0.0) + (STRANGE if len(candidate) > 2 and candidate not in words else 0.0)
        if cost < found.get(candidate, cost + 1):
            found[candidate] = cost

    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        if len(after) > 1 and after[0] != after[1]:
            add(before + after[1] + after[0] + after[2:], SWAPPED, at)
        if after:
            add(before + after[1:], DOUBLED if before[-1:] == after[0] else TOO_MANY, at)
            for letter in ascii_lowercase:
                if letter != after[0]:
                    add(before + letter + after[1:], _instead(after[0], letter), at)
        for letter in ascii_lowercase:
            add(before + letter + after, DOUBLED if letter in (before[-1:], after[:1]) else LEFT_OUT, at)
    found.pop(word, None)
    return found


def _instead(typed: str, letter: str) -> float:
    if letter in NEIGHBOURS[typed]:
        return NEXT_KEY
    return VOWEL if typed in _VOWELS and letter in _VOWELS else OTHER
