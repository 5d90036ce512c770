"""The same questions as people mistype them, and what correcting them gives back, or costs those that were right.

Each variant is made from a short question of a judged set, the same one every time (seeded by the question's id). Short
is what `retrieval.spelling` looks at.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any

import opencc

from eval.run import chosen, names_of, rank
from eval.throwaway import READER, KnowledgeBase, corpus_of, knowledge_base
from ingest.judged import JudgedQuery, JudgedSet
from kb.access import scope_of
from retrieval.embed import Embedder
from retrieval.fusion import fuse
from retrieval.language import language
from retrieval.measures import mean, measure
from retrieval.pinyin import homophones
from retrieval.significance import randomisation
from retrieval.spelling import MOST_CHINESE, MOST_TOKENS, corrected
from retrieval.stopwords import ENGLISH
from retrieval.text import analyze, tokens
from retrieval.typos import NEIGHBOURS

MEASURE = "ndcg@10"
_WORD = re.compile(r"(?<![\w'’-])[A-Za-z]{4,}(?![\w'’-])")
_LIKELY = 10
"""Commonest characters of a sound that are slipped to."""
_HAN = re.compile(r"[\u4e00-\u9fff]")


def typo(text: str, chance: random.Random) -> str | None:
    """Return an English question with one slip of the keyboard in one word of four or more letters."""
    words = [match for match in _WORD.finditer(text) if match.group().casefold() not in ENGLISH]
    if not words or language(text) != "en":
        return None
    match = chance.choice(words)
    word = match.group()
    at = chance.randrange(1, len(word) - 1)
    how = chance.choice(("neighbour", "swap", "drop", "double"))
    if how == "swap" and word[at] != word[at + 1]:
        slipped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif how == "drop":
        slipped = word[:at] + word[at + 1 :]
    elif how == "double":
        slipped = word[:at] + word[at] + word[at:]
    else:
        slipped = word[:at] + chance.choice(sorted(NEIGHBOURS[word[at].casefold()])) + word[at + 1 :]
    return text[: match.start()] + slipped + text[match.end() :]


def in_pinyin(text: str, _: random.Random) -> str | None:
    """Return a Chinese question as typed without an input method: its words by their sound, no tones."""
    import jieba
    from pypinyin import lazy_pinyin

    if language(text) != "zh":
        return None
    words = ("".join(lazy_pinyin(word)) for word in jieba.cut(_simplified(text)))
    return " ".join(word for word in words if any(c.isalnum() for c in word))


def homophone(text: str, chance: random.Random) -> str | None:
    """Return a Chinese question with one character replaced by another of the same sound."""
    text = _simplified(text)
    places = [match.start() for match in _HAN.finditer(text) if homophones(match.group())]
    if not places or language(text) != "zh":
        return None
    at = chance.choice(places)
    return text[:at] + chance.choice(homophones(text[at])[:_LIKELY]) + text[at + 1 :]


def full_width(text: str, _: random.Random) -> str | None:
    """Return the question with letters, digits and signs in full width."""
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    return wide if wide != text else None


def other_script(text: str, _: random.Random) -> str | None:
    """Return a question in simplified characters in traditional ones, one in traditional in simplified."""
    simple = _converter("t2s").convert(text)
    other = simple if simple != text else _converter("s2t").convert(text)
    return other if other != text else None


VARIANTS: dict[str, Callable[[str, random.Random], str | None]] = {
    "typo": typo,
    "pinyin": in_pinyin,
    "homophone": homophone,
    "full width": full_width,
    "other script": other_script,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One variant of a set's questions, nDCG@10 of the hybrid."""

    set: str
    variant: str
    """`as written`: the questions themselves, long ones too."""
    queries: int
    changed: int
    """Questions that were corrected."""
    restored: int
    """Of these, how many have the terms of the question as written again."""
    written: float
    plain: float
    """Of the variant, searched as it is."""
    corrected: float
    p: float
    """That plain and corrected are the same."""

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def variants(
    judged: JudgedSet,
    embedder: Embedder,
    *,
    half: str = "report",
    most: int | None = None,
    max_tokens: int = 400,
    tell: Callable[[str], None],
) -> list[Row]:
    """Measure correction on all of a half of a set's questions, and each variant on at most `most` short ones of it."""
    queries = chosen(judged, half)
    short = [query for query in queries if _short(query.text)][:most]
    with knowledge_base(judged.name, corpus_of(judged), embedder, max_tokens=max_tokens, tell=tell) as kb:
        rows = [_row(kb, judged, embedder, "as written", queries, queries)]
        for name, vary in VARIANTS.items():
            varied = [(query, vary(query.text, random.Random(f"{name} {query.id}"))) for query in short]
            written = [query for query, text in varied if text is not None]
            asked = [replace(query, text=text) for query, text in varied if text is not None]
            if asked:
                tell(f"{judged.name}: {name}")
                rows.append(_row(kb, judged, embedder, name, written, asked))
    return rows


def _row(
    kb: KnowledgeBase,
    judged: JudgedSet,
    embedder: Embedder,
    name: str,
    written: Sequence[JudgedQuery],
    asked: Sequence[JudgedQuery],
) -> Row:
    with kb.db.read() as session:
        scope = scope_of(session, READER).published_only()
    names = names_of(kb.db)
    known = partial(kb.index.frequencies, scope=scope)
    meant = [replace(query, text=corrected(query.text, known, analyze) or query.text) for query in asked]
    changed = [n for n, query in enumerate(meant) if query.text != asked[n].text]

    def values(queries: Sequence[JudgedQuery]) -> dict[str, float]:
        rankings, _ = rank(kb.db, kb.index, embedder, queries, {"hybrid": fuse}, names)
        return measure(rankings["hybrid"], judged.qrels)[MEASURE]

    plain = values(asked)
    after = plain | (values([meant[n] for n in changed]) if changed else {})
    return Row(
        set=judged.name,
        variant=name,
        queries=len(asked),
        changed=len(changed),
        restored=sum(sorted(analyze(meant[n].text)) == sorted(analyze(written[n].text)) for n in changed),
        written=mean(plain if written is asked else values(written)),
        plain=mean(plain),
        corrected=mean(after),
        p=randomisation(plain, after),
    )


def _short(text: str) -> bool:
    found = list(tokens(unicodedata.normalize("NFKC", text)))
    return len(found) <= MOST_TOKENS and sum(len(run) for run, _, _, chinese in found if chinese) <= MOST_CHINESE


@cache
def _converter(name: str) -> opencc.OpenCC:
    return opencc.OpenCC(name)


def _simplified(text: str) -> str:
    return str(_converter("t2s").convert(text))
