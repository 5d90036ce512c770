"""Whether a passage supports a sentence that cites it, without a model of entailment: facts, polarity, similarity.

The sentence is laid beside each window of one to three neighbouring pieces (sentences, list items, table rows) of the
passage. Its numbers, identifiers and labels must all stand in one window (or the title), it must not say the opposite
of what stands there, and it must be near enough: a logistic model over the share of its terms that the window has and
the cosine to its nearest piece. The weights are fitted, and all of it is measured, by `python -m eval.citations`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kb.compose import PATH_SEPARATOR
from kb.items import Found
from retrieval.embed import Embedder
from retrieval.facts import Facts, facts, folded, missing, without_numbers
from retrieval.language import language
from retrieval.polarity import clauses, content, opposes
from retrieval.text import sentences

WIDEST = 3
"""Pieces of a window."""
ENTAILING = 3
"""Windows that a model of entailment is asked about, the nearest first."""
ENTAILED = 0.5
LONGEST = 600
"""Characters of a sentence that is looked at; a longer one is supported by nothing."""
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_ROW = re.compile(r"\s*\|")
_RULE = re.compile(r"[\s|:=*_#`~-]*")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)、])\s+")


Line = tuple[float, float, float]
"""Bias, weight of the share of terms, weight of the cosine. Above 0 is near enough."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the logistic model: by the script of the sentence, and across languages, where words do not compare."""

    latin: Line
    han: Line
    across: Line


E5_SMALL = Weights(latin=(-65.59, 3.29, 69.77), han=(-118.6, 7.4, 118.4), across=(-39.45, 6.67, 46.93))
"""For multilingual-e5-small: `python -m eval.citations --fit`."""
ANY_MODEL = Weights(latin=(-8.13, 9.39, 0.0), han=(-8.29, 8.96, 0.0), across=(-1.0, 0.0, 0.0))
"""For a model whose scale of cosines is not known: by words alone, and nothing across languages. The same command,
with `--without-cosine`."""


def weights_for(embedder: str) -> Weights:
    """Return the weights for an embedder by its name."""
    return E5_SMALL if embedder == "e5-small" else ANY_MODEL


@dataclass(frozen=True, slots=True)
class Support:
    """What became of one sentence beside one passage."""

    supported: bool
    why: str
    """Empty, or what is wrong: number, identifier, label, negation, opposite, far, long, not_entailed."""
    share: float
    cosine: float
    start: int
    end: int
    """The stretch of the passage's text that says it."""


@dataclass(frozen=True, slots=True)
class _Window:
    start: int
    end: int
    first: int
    last: int
    text: str
    facts: Facts
    terms: frozenset[str]
    shown: str


class Supporter:
    """Checks sentences against the passages of one answer. Not to be shared between threads."""

    def __init__(
        self, embedder: Embedder, weights: Weights | None = None, entails: Callable[[str, str], float] | None = None
    ) -> None:
        """`entails` gives the probability that a text (first) entails a sentence: it then decides instead of nearness
        and polarity. Facts are compared in any case."""
        self._embedder = embedder
        self._weights = weights or weights_for(embedder.name)
        self._entails = entails
        self._vectors: dict[int, npt.NDArray[np.float32]] = {}

    def __call__(self, sentence: str, found: Found) -> Support:
        """Return whether the passage supports the sentence, and which stretch of it does."""
        windows, pieces = read(found)
        if len(sentence) > LONGEST or not windows:
            return Support(False, "long" if windows else "far", 0.0, 0.0, 0, 0)
        said, terms = facts(sentence), content(without_numbers(sentence))
        across = language(sentence) not in (found.lang, "und")
        line = self._weights.across if across else self._weights.han if _HAN.search(sentence) else self._weights.latin
        cosines = self._cosines(sentence, found.passage_id, pieces)
        seen: list[tuple[bool, float, int, Support, _Window]] = []
        for window in windows:
            if across:  # words do not compare, but what must stay the same does
                share = min(2, len(said.numbers) + len(said.identifiers) + len(said.labels)) / 2
            else:
                share = len(terms & window.terms) / len(terms) if terms else 0.0
            cosine = float(cosines[window.first : window.last + 1].max())
            near = line[0] + line[1] * share + line[2] * cosine
            why = missing(said, window.facts, window.text) or ("" if near > 0 else "far")
            support = Support(not why, why, share, cosine, window.start, window.end)
            # Of equals the narrowest: what is quoted should be what says it.
            seen.append((why in ("", "far"), near, window.start - window.end, support, window))
        seen.sort(key=lambda one: one[:3], reverse=True)
        best = seen[0][3]
        if best.why not in ("", "far"):
            return best
        if self._entails is not None:
            return self._entailed(sentence, found.title, [(one[3], one[4]) for one in seen[:ENTAILING] if one[0]])
        if best.supported and not across:
            against = opposes(clauses(sentence), [clause for piece in pieces for clause in clauses(piece)])
            return replace(best, supported=not against, why=against)
        return best

    def _entailed(self, sentence: str, title: str, windows: Sequence[tuple[Support, _Window]]) -> Support:
        assert self._entails is not None
        for support, window in windows:
            if self._entails(f"{title}\n{window.shown}", sentence) >= ENTAILED:
                return replace(support, supported=True, why="")
        return replace(windows[0][0], supported=False, why="not_entailed")

    def _cosines(self, sentence: str, passage: int, pieces: Sequence[str]) -> npt.NDArray[np.float32]:
        if passage not in self._vectors:
            self._vectors[passage] = self._embedder.embed_passages(pieces)
        return np.asarray(self._vectors[passage] @ self._embedder.embed_passages([sentence])[0], np.float32)


@lru_cache(64)
def read(found: Found) -> tuple[tuple[_Window, ...], tuple[str, ...]]:
    """Return the windows of a passage and its pieces."""
    spans = _spans(found.text)
    pieces = tuple(f"{_header(found.text, start)}{found.text[start:end]}" for start, end in spans)
    head = _head(found)
    windows = []
    for first in range(len(spans)):
        for last in range(first, min(first + WIDEST, len(spans))):
            if last > first and (_ROW.match(found.text, spans[last][0]) or _ROW.match(found.text, spans[first][0])):
                break
            text = head + "\n".join(pieces[first : last + 1])
            windows.append(
                _Window(
                    start=spans[first][0],
                    end=spans[last][1],
                    first=first,
                    last=last,
                    text=folded(text),
                    facts=facts(text),
                    terms=content(without_numbers(text)),
                    shown=found.text[spans[first][0] : spans[last][1]],
                )
            )
    return tuple(windows), pieces


def _head(found: Found) -> str:
    """Return title and headings, which go with every window. Of several codes, one that the passage tells more of goes
    with that only: in "Errors POR-17 and POR-22" above a row for each, POR-22 belongs to its row."""
    head = f"{found.title}\n{found.path.replace(PATH_SEPARATOR, chr(10))}\n"
    codes = {code for code in facts(head).identifiers if any(c.isdigit() for c in code)}
    if len(codes) > 1:
        for code in codes & facts(found.text).identifiers:
            head = re.sub(re.escape(code), " ", head, flags=re.IGNORECASE)
    return head


def _header(text: str, row: int) -> str:
    """Return the first row of the table that a row stands in, which says what its cells are; else nothing."""
    if not _ROW.match(text, row):
        return ""
    table = text[:row].splitlines()
    first = len(table)
    while first and _ROW.match(table[first - 1]):
        first -= 1
    return f"{table[first]}\n" if first < len(table) else ""


def _spans(text: str) -> list[tuple[int, int]]:
    """Return the pieces of a passage: sentences; a row of a table is one."""
    found = []
    at = 0
    for line in text.splitlines(keepends=True):
        marker = _ITEM.match(line)
        if _ROW.match(line) and not _RULE.fullmatch(line):
            found.append((at + len(line) - len(line.lstrip()), at + len(line.rstrip())))
        elif not _RULE.fullmatch(line):
            lead = marker.end() if marker else 0
            found += [
                (at + lead + a, at + lead + b)
                for a, b in sentences(line[lead:])
                if not _RULE.fullmatch(line[lead + a : lead + b])
            ]
        at += len(line)
    return found
