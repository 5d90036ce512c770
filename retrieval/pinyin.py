"""Chinese by its sound: which characters a syllable may be, and which a row of syllables most likely is.

Pinyin without tones, `v` for ü, as people type it where they have no input method: `chongzhi mima`.
"""

import math
from collections.abc import Callable, Collection, Sequence
from functools import cache
from itertools import product
from typing import Any

from retrieval import lexicon

Frequencies = Callable[[Sequence[str]], list[int]]
"""How many passages have each of these terms."""

_LONGEST = 6
"""Letters of the longest syllables."""
MOST_SYLLABLES = 18
_MOST_CHARACTERS = 15
"""Characters of a syllable that are tried with those of the next, the commonest; in common words all are."""
_RARER = 0.3
"""What it costs that a syllable has commoner characters, times the logarithm of one and how many."""
_SECOND_READING = 2.0
_ACROSS = 0.5
"""Weight of a pair across two typed words, to one within a word."""
_UNKNOWN = 1.0
"""What a syllable costs that is in no known pair."""
_WORD = 2.0
"""What it counts that a pair is a common word."""
_MOST_UNKNOWN = 0.34
"""Share of syllables that may be in no known pair."""

Step = tuple[int, int]
"""A syllable of a row: from which letter to which."""
_Row = tuple[float, str, int]
"""Weight of a row of characters, the characters, and how many of them are in no known pair."""
_NONE: _Row = (-math.inf, "", 0)


@cache
def _said(syllable: str) -> dict[str, float]:
    """Return the characters that a syllable may be, commonest first, with the costs of there being commoner ones."""
    usual, second = lexicon.syllables()[syllable]
    costs = {character: _RARER * math.log1p(rank) for rank, character in enumerate(usual)}
    return costs | {character: _SECOND_READING for character in second if character not in costs}


@cache
def _words() -> dict[tuple[str, str], list[str]]:
    """Return the common words of two characters by their syllables."""
    readings: dict[str, list[str]] = {}
    for syllable in lexicon.syllables():
        for character in _said(syllable):
            readings.setdefault(character, []).append(syllable)
    found: dict[tuple[str, str], list[str]] = {}
    for word in sorted(lexicon.chinese()):
        for said in product(readings[word[0]], readings[word[1]]):
            found.setdefault(said, []).append(word)
    return found


@cache
def _usual() -> dict[str, str]:
    return {character: syllable for syllable, (usual, _) in lexicon.syllables().items() for character in usual}


def homophones(character: str) -> str:
    """Return the other common characters whose usual reading is that of this one, commonest first."""
    said = _usual().get(character)
    return lexicon.syllables()[said][0].replace(character, "") if said is not None else ""


def steps(word: str) -> list[Step]:
    """Return the syllables of all ways to cut a word into as few as possible; empty if it cannot be cut.

    `xian` is one syllable, not xi'an; `fangan` is fang an or fan gan, so four are returned.
    """
    end = len(word)
    fewest = [0] + [end + 1] * end
    arcs: list[Step] = []
    for at in range(end):
        if fewest[at] <= at:
            for to in range(at + 1, min(end, at + _LONGEST) + 1):
                if word[at:to] in lexicon.syllables():
                    arcs.append((at, to))
                    fewest[to] = min(fewest[to], fewest[at] + 1)
    if fewest[end] > end:
        return []
    used, kept = {end}, []
    for at, to in reversed(arcs):
        if to in used and fewest[to] == fewest[at] + 1:
            used.add(at)
            kept.append((at, to))
    return kept[::-1]


def characters(words: Sequence[str], frequencies: Frequencies) -> str | None:
    """Return what words in pinyin most likely are in characters, without spaces; None if nothing says so.

    Of all rows of characters that is the one whose neighbours are the pairs that most passages have, by the sum of
    logarithms; common words count more, pairs across two typed words less (Viterbi, 1967). A syllable that is in no
    pair that any passage has becomes its commonest character; None if these are more than _MOST_UNKNOWN of them.
    """
    arcs: list[Step] = []
    ends = {0}
    for word in words:
        offset = max(ends)
        arcs += ((offset + at, offset + to) for at, to in steps(word))
        ends.add(offset + len(word))
    letters = "".join(words)
    said = {arc: letters[slice(*arc)] for arc in sorted(arcs)}
    if not 2 <= len({start for start, _ in said}) <= MOST_SYLLABLES:
        return None
    joined = [(left, right) for left in said for right in said if left[1] == right[0]]
    known = _known([(said[left], said[right]) for left, right in joined], frequencies)
    _, best, unknown = _best(said, joined, known, ends)
    return best if unknown <= _MOST_UNKNOWN * len(best) else None


def _best(
    said: dict[Step, str],
    joined: Sequence[tuple[Step, Step]],
    known: Sequence[Sequence[tuple[str, float]]],
    ends: Collection[int],
) -> _Row:
    held: dict[Step, dict[str, _Row]] = {arc: {} for arc in said}
    """Best rows up to here by their last character, which is in a known pair with the one before."""
    before: dict[Step, _Row] = {arc: (0.0, "", 0) for arc in said if arc[0] == 0}
    """Best row that ends before here."""

    def closed(arc: Step) -> _Row:
        """Return the best row that ends with this syllable, whether it is in a known pair or not."""
        weight, text, unknown = before[arc]
        commonest = next(iter(_said(said[arc])))
        return max([*held[arc].values(), (weight - _UNKNOWN, text + commonest, unknown + 1)])

    for (left, right), pairs in zip(joined, known, strict=True):  # what leads to an arc comes before what it leads to
        _better(before, right, closed(left))
        across = left[1] in ends
        firsts, seconds = _said(said[left]), _said(said[right])
        start, text, unknown = before[left]
        for pair, weight in pairs:
            first, second = pair[0], pair[1]
            row = max(held[left].get(first, _NONE), (start - firsts[first], text + first, unknown))
            gain = _ACROSS * weight if across else weight + (_WORD if pair in lexicon.chinese() else 0.0)
            _better(held[right], second, (row[0] + gain - seconds[second], row[1] + second, row[2]))
    return max(closed(arc) for arc in said if arc[1] == max(ends))


def _better(rows: dict[Any, _Row], key: object, row: _Row) -> None:
    if row > rows.get(key, _NONE):
        rows[key] = row


def _known(sides: Sequence[tuple[str, str]], frequencies: Frequencies) -> list[list[tuple[str, float]]]:
    """Return, of each two syllables, the pairs of characters that any passage has, with their weights.

    Looked up are all common words and all pairs of their _MOST_CHARACTERS commonest characters.
    """
    pairs = [_words().get(said, []) + [a + b for a in _few(said[0]) for b in _few(said[1])] for said in sides]
    counts = iter(frequencies([pair for some in pairs for pair in some]))
    return [[(pair, math.log1p(count)) for pair in some if (count := next(counts))] for some in pairs]


@cache
def _few(syllable: str) -> tuple[str, ...]:
    return tuple(_said(syllable))[:_MOST_CHARACTERS]
