"""From text to terms, the one way: passages and questions, English, Chinese and the two mixed.

- NFKC (full width becomes half width), then case folded; offsets lead back to the text as it was given.
- Traditional characters become simplified ones, each by itself (`retrieval.han`).
- Split at script borders: "解析pdf" is 解析 and pdf.
- Chinese, Japanese and Korean runs give overlapping pairs of characters; a run of one gives that character.
- Words give their stem (Snowball English); function words are dropped unless there is nothing else.
- Identifiers, codes, versions, paths and addresses give themselves whole and their parts: FB-E21 gives fb-e21, fb, e21.
- Apostrophes vanish (can't is cant), hyphens and particles join (log-in and log in give login too).

docs/decisions/0003-analyzer.md has the measurements behind each choice.
"""

import re
import threading
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import Stemmer

from kb.errors import Misconfigured, shown
from retrieval.han import simplified
from retrieval.stopwords import ENGLISH

ANALYZER_VERSION = "2"
"""Changes whenever the same text would give other terms: another version is another generation of the index."""

_CJK = "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = rf"[^\W{_CJK}]"
# A word may hold joiners between word characters; C++, C# and .NET keep their signs. No alternative overlaps another,
# so matching is linear in the length of the text.
_TOKEN = re.compile(rf"(?P<cjk>[{_CJK}]+)|(?P<word>(?:(?<![\w.])\.)?{_WORD}+(?:[-._/\\:@'’&+]{_WORD}+)*(?:\+\+|\#)?)")
_JOINER = re.compile(r"[-._/\\:@&+#]+")
_APOSTROPHE = re.compile(r"['’]")
_POSSESSIVE = re.compile(r"['’]s$")
_PLAIN = re.compile(r"[a-z]+")
_VERSION = re.compile(r"v?\d+(?:\.\d+)+")
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
# Two words in one question and one word in the next: log in, set-up, top up.
_JOINED = frozenset(
    f"{verb}{particle}"
    for verb, particles in {
        "log": "in out on off", "sign": "in out up on off", "set": "up", "back": "up", "check": "in out", "top": "up",
        "start": "up", "shut": "down", "opt": "in out", "plug": "in", "roll": "out back", "turn": "off on",
        "hang": "up",
    }.items()
    for particle in particles.split()
)  # fmt: skip
_LONGEST_TERM = 100
"""Longer tokens are cut: nobody types them, and they would only fill the dictionary."""

_local = threading.local()


@dataclass(frozen=True, slots=True)
class Span:
    """A term and where it stands: `text[start:end]` of the text as it was given."""

    term: str
    start: int
    end: int


def analyze(text: str) -> list[str]:
    """Return the terms of a text in its order, repeats kept. Never raises; time is linear in the text's length."""
    return _analyzed(simplified(unicodedata.normalize("NFKC", text)))


def _analyze_1(text: str) -> list[str]:
    """Version 1: traditional and simplified characters are different ones."""
    return _analyzed(unicodedata.normalize("NFKC", text))


def _analyzed(normal: str) -> list[str]:
    terms: list[str] = []
    dropped: list[str] = []
    for term, _, _, stop in _terms(normal):
        (dropped if stop else terms).append(term)
    return terms or dropped


Analyzer = Callable[[str], list[str]]
"""From a text to its terms."""

ANALYZERS: dict[str, Analyzer] = {"1": _analyze_1, ANALYZER_VERSION: analyze}
"""The rules that this program can search with, by version. Those of the version before stay while an index may still
be made with them: it is searched with them until the new generation is switched to."""


def analyzer(version: str) -> Analyzer:
    """Return the rules of a version. Raises Misconfigured for one that this program does not have."""
    try:
        return ANALYZERS[version]
    except KeyError:
        known = ", ".join(sorted(ANALYZERS))
        raise Misconfigured(
            f"this program has no analyzer {shown(version)} (it has {known}): build an index with one that it has, "
            "with kb generation build"
        ) from None


def spans(text: str) -> list[Span]:
    """Return the same terms with their places in `text`."""
    normal, starts, ends = _normalized(text)
    kept: list[Span] = []
    dropped: list[Span] = []
    for term, start, end, stop in _terms(simplified(normal)):
        span = Span(term, starts[start], ends[end - 1]) if starts else Span(term, start, end)
        (dropped if stop else kept).append(span)
    return kept or dropped


def tokens(normal: str) -> Iterator[tuple[str, int, int, bool]]:
    """Yield each token as written, where it starts and ends, and whether it is Chinese, Japanese or Korean."""
    for match in _TOKEN.finditer(normal):
        yield match.group(), *match.span(), match["cjk"] is not None


def _terms(normal: str) -> Iterator[tuple[str, int, int, bool]]:
    """Yield term, start and end in `normal`, and whether it is a function word."""
    before = ("", -2)
    for match in _TOKEN.finditer(normal):
        start, end = match.span()
        run = match["cjk"]
        if run is not None:
            if len(run) == 1:
                yield run, start, end, False
            for at in range(len(run) - 1):
                yield run[at : at + 2], start + at, start + at + 2, False
            continue
        token = match["word"]
        plain = _APOSTROPHE.sub("", _POSSESSIVE.sub("", token)).casefold()[:_LONGEST_TERM]
        if _PLAIN.fullmatch(plain):
            yield stem(plain), start, end, plain in ENGLISH
            if before[1] == start - 1 and normal[start - 1] == " " and before[0] + plain in _JOINED:
                yield stem(before[0] + plain), start - 1 - len(before[0]), end, False
            before = (plain, end)
            pieces = _PIECE.findall(token) if token != plain else []
            if len(pieces) > 1 and all(len(piece) > 1 for piece in pieces):
                yield from ((stem(piece.casefold()), start, end, False) for piece in pieces)
        else:
            yield from ((term, start, end, False) for term in _compound(token, plain))


def _compound(token: str, plain: str) -> Iterator[str]:
    """Yield an identifier, code, version, path or hyphenated word whole, and its parts."""
    parts = [part for part in _JOINER.split(token) if part]
    folded = [part.casefold()[:_LONGEST_TERM] for part in parts]
    words = len(parts) > 1 and all(_PLAIN.fullmatch(part) for part in folded)
    if words and "-" in token and len(parts) == 2:
        yield stem("".join(folded))  # log-in, e-mail: as people write them in one
    else:
        yield plain.strip("-_/\\:@&") or plain
    if _VERSION.fullmatch(plain):
        number = plain.removeprefix("v")
        if number != plain:
            yield number
        digits = number.split(".")
        if len(digits) > 2:
            yield ".".join(digits[:2])
        return
    for part, low in zip(parts, folded, strict=True):
        pieces = _PIECE.findall(part)
        whole = stem(low) if _PLAIN.fullmatch(low) else low
        if len(parts) > 1 and low not in ENGLISH:
            yield whole
        if len(pieces) > 1 and len(part) > 3:
            yield from (stem(piece.casefold()) for piece in pieces if len(piece) > 1 or piece.isdigit())


def stem(word: str) -> str:
    """Return the term of a plain word: lower-case letters a to z."""
    stemmer = getattr(_local, "stemmer", None)
    if stemmer is None:
        stemmer = _local.stemmer = Stemmer.Stemmer("english", 50_000)
    return str(stemmer.stemWord(word))


def _normalized(text: str) -> tuple[str, list[int], list[int]]:
    """Return the text in NFKC and, unless that changes nothing, where each character starts and ends in `text`."""
    normal = unicodedata.normalize("NFKC", text)
    if normal == text:
        return normal, [], []
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    while at < len(text):
        end = at + 1
        while end < len(text) and (unicodedata.combining(text[end]) or "\u1160" <= text[end] <= "\u11ff"):
            end += 1
        piece = unicodedata.normalize("NFKC", text[at:end])
        pieces.append(piece)
        starts.extend([at] * len(piece))
        ends.extend([end] * len(piece))
        at = end
    return "".join(pieces), starts, ends


_SENTENCE_END = re.compile(r"[。！？!?；]+[”’」』）)\]\"']*|\.+[\"'”’)\]]*(?=\s|$)|…+[”’」』）)]*|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|nos|fig|figs|sec|ch|vol|pp?|mr|mrs|ms|dr|prof|st|inc|ltd|co|corp|dept|est|jan|feb|"
    r"mar|apr|jun|jul|aug|sept?|oct|nov|dec)|\b[A-Za-z]|^\s*\d{1,3})\.$",
    re.IGNORECASE,
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Return start and end of each sentence, without the white space around; nothing else is left out.

    A line break ends a sentence. A full stop does not after an abbreviation, an initial or a list number, nor inside a
    number, version, address or file name.
    """
    found: list[tuple[int, int]] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        mark = match.group()
        if mark[0] == "." and len(mark.rstrip("\"'”’)]")) == 1:
            if _ABBREVIATION.search(text, max(start, match.start() - 8), match.start() + 1):
                continue
            following = text[match.end() : match.end() + 2].strip()
            if following[:1].islower():
                continue
        elif mark[0] in "!?" and match.end() < len(text) and not text[match.end()].isspace() and mark.isascii():
            continue  # ?id=7 in an address
        _add(found, text, start, match.end())
        start = match.end()
    _add(found, text, start, len(text))
    return found


def _add(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    bare = piece.strip()
    if bare:
        lead = len(piece) - len(piece.lstrip())
        found.append((start + lead, start + lead + len(bare)))
