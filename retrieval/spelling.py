"""What a short question most likely was meant to be, where it has words that no passage has.

- A mistyped English word becomes the word one slip away that weighs most (`retrieval.typos`).
- A question in pinyin becomes the characters it most likely stands for (`retrieval.pinyin`).
- A Chinese character in no known pair becomes another one of the same sound that is in one (登陆, 登录).

Nothing is changed where every word is known, nor in codes, versions, addresses and names in capitals; a long question
says enough without. What is known is asked of the passages that the reader may read and of no others: neither that a
question was changed nor what it became tells of passages beyond. docs/decisions/0018-spelling.md has the measurements.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from retrieval import lexicon, pinyin
from retrieval.pinyin import Frequencies
from retrieval.stopwords import ENGLISH
from retrieval.text import Analyzer, stem, tokens
from retrieval.typos import meant

MOST_TOKENS = 12
"""Words and runs of Chinese in a question that is looked at."""
MOST_CHINESE = 24
"""Characters of Chinese in it."""
_SHORTEST = 4
"""Letters of the shortest English word that is corrected."""
_LONGEST = 20
_MOST_WORDS = 3
"""Unknown English words in a question that is corrected: with more it is about something else, or not in English."""
_FUNCTION_WORD = math.log(1000)
"""Weight of a function word: it is in no index, and yet the likeliest of all (waht)."""
_LEAST_WEIGHT = -2.0
"""Least logarithm of the passages that have a word less the cost of the slip: below, it is as likely another word."""
_LEAST_FOREIGN = 0.34
"""Share of a question's letters that must be of words that are neither known nor English, for it to be pinyin."""
_LEAST_PASSAGES = 3
"""Passages that must have a Chinese word before another pair of characters is changed into it."""
_MANY_PASSAGES = 10
_FUNCTION_CHARACTERS = frozenset("哪那谁什么怎吗呢几何多少是的地得了以有和与在不")
"""They stand between words, where no pair is known, and are not what is searched for."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int
    chinese: bool

    @property
    def plain(self) -> bool:
        """Whether this is a word in English letters: not a code, a name in camel case or an abbreviation."""
        return self.text.isascii() and self.text.isalpha() and (self.text.islower() or self.text[1:].islower())


def corrected(question: str, frequencies: Frequencies, analyze: Analyzer) -> str | None:
    """Return the question as it most likely was meant, None if there is nothing to change.

    `frequencies`: how many of the passages that the reader may read have each of some terms. `analyze`: the rules that
    made the terms. Case is lost only in the words that are changed; widths are brought to normal.
    """
    text = unicodedata.normalize("NFKC", question)
    if len(text) > 8 * (MOST_TOKENS + MOST_CHINESE):
        return None
    found = [_Token(*token) for token in tokens(text)]
    if len(found) > MOST_TOKENS or sum(len(token.text) for token in found if token.chinese) > MOST_CHINESE:
        return None
    unknown = _unknown(found, frequencies)
    changes = _words(unknown, frequencies) if len(unknown) <= _MOST_WORDS else {}
    if unknown.keys() != changes.keys():
        changes = _from_pinyin(found, unknown, frequencies) or changes
    for token in found:
        if token.chinese and (said := _by_sound(token.text, frequencies, analyze)) != token.text:
            changes[token] = said
    return _changed(text, changes) if changes else None


def _unknown(found: Sequence[_Token], frequencies: Frequencies) -> dict[_Token, str]:
    """Return the English words that no passage has, folded."""
    words = {token: token.text.casefold() for token in found if not token.chinese and token.plain}
    words = {token: word for token, word in words.items() if word not in ENGLISH}
    counts = frequencies([stem(word) for word in words.values()])
    return {token: word for (token, word), count in zip(words.items(), counts, strict=True) if not count}


def _words(unknown: dict[_Token, str], frequencies: Frequencies) -> dict[_Token, str]:
    """Return what mistyped words were meant to be."""
    changes = {}
    for token, word in unknown.items():
        if word in lexicon.english() or not _SHORTEST <= len(word) <= _LONGEST:
            continue
        slips = meant(word)
        stems = {candidate: stem(candidate) for candidate in slips}
        distinct = list(dict.fromkeys(stems.values()))
        counts = dict(zip(distinct, frequencies(distinct), strict=True))
        weights = {
            candidate: (_FUNCTION_WORD if candidate in ENGLISH else math.log(count)) - cost
            for candidate, cost in slips.items()
            if (count := counts[stems[candidate]]) or candidate in ENGLISH
        }
        if weights:
            best = min(weights, key=lambda candidate: (-weights[candidate], candidate))
            if weights[best] >= _LEAST_WEIGHT:
                changes[token] = best.capitalize() if token.text[0].isupper() else best
    return changes


def _from_pinyin(
    found: Sequence[_Token], unknown: dict[_Token, str], frequencies: Frequencies
) -> dict[_Token, str] | None:
    """Return the characters of a question in pinyin, None if it is none.

    Words that cannot be pinyin and are known, or English, stay as they are: wifi mima. With another word that cannot be
    pinyin it is none, nor where nearly all of it is English.
    """
    said = [token for token in found if token.text.islower() and token.plain and pinyin.steps(token.text)]
    foreign = {token: word for token, word in unknown.items() if word not in lexicon.english()}
    if any(token.chinese for token in found) or not foreign.keys() <= set(said):
        return None
    if _LEAST_FOREIGN * sum(len(token.text) for token in said) > sum(map(len, foreign.values())):
        return None
    changes: dict[_Token, str] = {}
    rows: list[list[_Token]] = []
    for place, token in enumerate(found):
        if token in said:
            if place and found[place - 1] in said:
                rows[-1].append(token)
            else:
                rows.append([token])
    for row in rows:
        if foreign.keys().isdisjoint(row):
            continue
        characters = pinyin.characters([token.text for token in row], frequencies)
        if characters is None:
            return None
        changes[replace(row[0], end=row[-1].end)] = characters
    return changes


def _by_sound(run: str, frequencies: Frequencies, analyze: Analyzer) -> str:
    """Return a run of Chinese with one character changed into another of its sound: 登陆 into 登录.

    No passage has a pair that it is in; with the other it makes a common word that _LEAST_PASSAGES passages have. Where
    it makes a common word itself, that may be meant: then _MANY_PASSAGES must have the other. Function words stay.
    """
    pairs = analyze(run)
    if len(run) < 2 or len(pairs) != len(run) - 1:
        return run
    known = [count > 0 for count in frequencies(pairs)]
    simple = pairs[0][0] + "".join(pair[1] for pair in pairs)
    tried: list[tuple[str, int, int]] = []
    for at, character in enumerate(simple):
        if character in _FUNCTION_CHARACTERS or any(known[max(0, at - 1) : at + 1]):
            continue
        for other in pinyin.homophones(character):
            changed = simple[:at] + other + simple[at + 1 :]
            tried += ((changed[n : n + 2], n, at) for n in (at - 1, at) if changed[n : n + 2] in lexicon.chinese())
    best = (0, run)
    for (word, start, at), count in zip(tried, frequencies([word for word, _, _ in tried]), strict=True):
        least = _MANY_PASSAGES if simple[start : start + 2] in lexicon.chinese() else _LEAST_PASSAGES
        if count >= max(least, best[0] + 1):
            best = count, run[:at] + word[at - start] + run[at + 1 :]
    return best[1]


def _changed(text: str, changes: dict[_Token, str]) -> str:
    for token in sorted(changes, key=lambda token: -token.start):
        text = text[: token.start] + changes[token] + text[token.end :]
    return text
