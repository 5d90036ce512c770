"""Whether a sentence says of a thing what its passage says of it, or the opposite: negation and pairs of opposites.

A heuristic on clauses: each clause of the sentence is laid beside the clause of the passage that shares most of its
terms; the two must agree in whether they deny, and neither may hold a word whose opposite the other has. How often it
is right is measured: `python -m eval.citations`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.stopwords import ENGLISH
from retrieval.text import analyze

_CLAUSE = re.compile(
    r"[,;:，；：。！？!?|\n()（）—]+|\.(?=\s|$)|\s-\s"
    r"|\b(?:but|whereas|although|though|otherwise|because|unless|and|if|when|while|so)\b|但是|但|否则|因为|不过",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:not|no|never|none|nothing|neither|nor|cannot|without|unable|impossible|nobody)\b|n['’]t\b"
    r"|[不没無无未勿莫]|别(?=[让把用给再要])|切勿|禁止|(?<![除])非(?=[法必])",
    re.IGNORECASE,
)
_NO_DENIAL = re.compile(
    r"\bnot only\b|\bno\.\s?\d|\bno later than\b|无线|无论|不仅|不但|不断|不同|不过|未来|不管"
    r"|不超过|不少于|不低于|不晚于|没用完|没收到|要不要|是不是|能不能|会不会|有没有",
    re.IGNORECASE,
)
_PAIRS: tuple[tuple[str, str], ...] = (
    (r"\bon\b", r"\boff\b"),
    (r"\bconnect\b", r"\b(?:disconnect|unplug)\b"),
    (r"\bplug\b", r"\bunplug\b"),
    (
        r"\benabled?\b|\bturn(?:ed|s)? on\b|\bswitch(?:ed|es)? on\b",
        r"\bdisabled?\b|\bturn(?:ed|s)? off\b|\bswitch(?:ed|es)? off\b",
    ),
    (r"\bbefore\b", r"\bafter\b|\bafterwards\b"),
    (r"\babove\b|\bover\b|\bmore than\b|\bat least\b", r"\bbelow\b|\bunder\b|\bless than\b|\bat most\b|\bup to\b"),
    (r"\balways\b", r"\bnever\b"),
    (r"\bopened\b", r"\bunopened\b"),
    (r"\binside\b", r"\boutside\b"),
    (r"\ballow(?:s|ed)?\b", r"\bblock(?:s|ed)?\b|\bforbid(?:s|den)?\b"),
    (r"\bincreases?\b", r"\b(?:de|re)creases?\b|\breduces?\b"),
    (r"\bstays?\b|\bremains?\b|\bkeeps?\b", r"\bends?\b|\bexpires?\b|\bexpired\b|\bdeleted?\b"),
    (r"\bvalid\b|\bworks\b", r"\binvalid\b|\bexpired\b"),
    (r"\bfree\b", r"\bcharged\b"),
    (r"打开|开启|启用|开通", r"关闭|停用|关掉|关上"),
    (r"(?<!提)(?:之|以)?前(?!往|台|面)", r"(?<!最)(?:之|以)?后(?!台|面|四位)"),
    (r"高于|以上|超过|大于", r"低于|以下|不足|小于"),
    (r"以内|之内", r"以外|之外"),
    (r"至少|最少", r"最多|至多"),
    (r"允许", r"禁止"),
    (r"有效|继续|保留|仍然", r"失效|停用|作废|清零|过期"),
    (r"插(?!座)", r"拔"),
    (r"必须|需要|要(?!是|么)", r"不用|无需|不必|不需要"),
    (r"收费", r"免费"),
)
_OPPOSITES = tuple((re.compile(a, re.IGNORECASE), re.compile(b, re.IGNORECASE)) for a, b in _PAIRS)
LEAST_OVERLAP = 0.5
"""Share of a clause's terms that a clause of the passage must have to be laid beside it."""
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LATIN = re.compile(r"[^\W\u3400-\u4dbf\u4e00-\u9fff]+(?:[-./_][^\W\u3400-\u4dbf\u4e00-\u9fff]+)*")
_EMPTY_HAN = frozenset("的了在是和也就把被请您我你他它这那吗呢吧与及或着过地得之而其为以于")
_EMPTY = frozenset({"not", "no", "cant", "dont", "doesnt", "didnt", "wont", "cannot"})


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch between punctuation, with its terms and whether it denies."""

    text: str
    terms: frozenset[str]
    denies: bool


def content(text: str) -> frozenset[str]:
    """Return what a text is about: its terms, Chinese by single characters, without function words and denials."""
    han = {c for c in _HAN.findall(text) if c not in _EMPTY_HAN}
    words = set(analyze(" ".join(_LATIN.findall(text)))) - _EMPTY
    return frozenset(han | {word for word in words if word not in ENGLISH})


def clauses(text: str) -> list[Clause]:
    """Cut a text into clauses; those without a term are left out."""
    found = []
    for piece in _CLAUSE.split(text):
        kept = _NO_DENIAL.sub(" ", piece)
        terms = content(_DENIES.sub(" ", kept))
        if terms:
            found.append(Clause(piece, terms, _DENIES.search(kept) is not None))
    return found


def opposes(sentence: Sequence[Clause], passage: Sequence[Clause]) -> str:
    """Return `negation` or `opposite` where a clause of the sentence says the opposite of the passage's, else empty."""
    for clause in sentence:
        if _denied(clause, passage):
            return "negation"
        if _turned(clause, passage):
            return "opposite"
    return ""


def _denied(clause: Clause, passage: Sequence[Clause]) -> bool:
    shared = [len(clause.terms & other.terms) / len(clause.terms) for other in passage]
    best = max(shared, default=0.0)
    if best >= LEAST_OVERLAP and all(
        other.denies != clause.denies for other, share in zip(passage, shared, strict=True) if share == best
    ):
        return True
    # A clause may say in one what the passage says in several: is what it denies, or does not, all there?
    inside = [other for other in passage if _weight(other.terms) >= 2 and other.terms <= clause.terms]
    longest = max((len(other.terms) for other in inside), default=0)
    return bool(inside) and all(other.denies and not clause.denies for other in inside if len(other.terms) == longest)


def _weight(terms: frozenset[str]) -> float:
    return sum(0.5 if _HAN.match(term) else 1.0 for term in terms)


def _turned(clause: Clause, passage: Sequence[Clause]) -> bool:
    for one, other in _OPPOSITES:
        for mine, theirs in ((one, other), (other, one)):
            if not mine.search(clause.text) or theirs.search(mine.sub(" ", clause.text)):
                continue
            said = content(mine.sub(" ", clause.text))
            same = [
                _near(said, content(mine.sub(" ", c.text))) for c in passage if mine.search(theirs.sub(" ", c.text))
            ]
            turned = [
                _near(said, content(theirs.sub(" ", c.text)))
                for c in passage
                if theirs.search(c.text) and not mine.search(theirs.sub(" ", c.text)) and c.denies == clause.denies
            ]
            if max(turned, default=0.0) >= LEAST_OVERLAP and max(turned) > max(same, default=0.0):
                return True
    return False


def _near(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the share of the smaller set's terms that the other has; both need some."""
    return len(a & b) / min(len(a), len(b)) if a and b else 0.0
