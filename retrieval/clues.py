"""What tells that a sentence answers a question: shared words, and words of the kind that was asked for.

    chance(i) = exp(w . clues(i)) / sum over the sentences j of the passage of exp(w . clues(j))

A conditional logit model: the chances of a passage's sentences add up to 1, so what a stretch of them holds is their
sum. No language model and no statistics of the corpus: how rare a word is, is counted over the passage's own sentences,
which tells them apart better (docs/decisions/0016-reader.md). Words are compared as terms and as short runs of
characters, four for alphabets (invention, invented), one and three for Chinese.

Source: McFadden, "Conditional logit analysis of qualitative choice behavior" (1974).
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from retrieval.text import analyze

Floats = npt.NDArray[np.float64]

_HAN = "\u3400-\u9fff"
_WORD = re.compile(rf"[{_HAN}]+|[^\W{_HAN}]+")
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]")
_NUMBER = re.compile(r"\d+")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)")
_POINTS = 0.35
_STEPS = re.compile(r"\s*\d+[.)]\s.*\n", re.DOTALL)
_K1, _B = 1.2, 0.75
_MOST_ASKED = 400
"""Characters of a question that are compared: a whole case pasted in would cost more and tell no better."""

# What a question asks for, and what looks like it.
_MONTH = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
_KINDS = {
    "who": (
        r"(?i)\bwho(?:m|se)?\b|谁|誰|何人|哪[位名]|哪[一几幾个個些]*人|人物",
        r"(?<=[a-z,] )[A-Z][a-z]+ (?:[A-Z]\. ?)?(?:[a-z]{2,3} )?[A-Z][a-z]+"
        r"|\b(?:Mr|Mrs|Dr|Sir|King|Queen|Pope|President|Lord|Prince|Emperor)\b"
        r"|[·•人家者员員师師]|先生|女士|教授|导演|導演|歌手|总统|總統|皇帝|国王|國王",
    ),
    "when": (
        r"(?i)^when\b|\bwhen (?:do|does|did|is|are|was|were|will|would|can|could|should|must|may|has|have|had)\b"
        r"|\b(?:what|which) (?:year|date|day|month|century|decade|time)\b|\bhow (?:old|long)\b"
        r"|什么时候|什麼時候|何时|何時|[哪几幾]一?[年天月日号號点點]|多久|时间|時間|日期|年代|世纪|世紀",
        rf"(?i)\b1\d\d\ds?\b|\b20\d\d\b|\b(?:{_MONTH}|nov(?:ember)?|dec(?:ember)?)\b|\bcentur|\bdecade|\bB\.?C\b|\bA\.?D\b"
        r"|[\d一二三四五六七八九十〇○][年月日]|世纪|世紀|年代|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\d:\d\d"
        r"|星期|\b(?:hour|minute|second|day|week|month|year)s?\b|[时時点點]",
    ),
    "where": (
        r"(?i)\bwhere\b|\b(?:what|which) (?:city|country|state|place|location|region|county|continent|town|area)\b"
        r"|哪里|哪裡|哪儿|哪兒|在哪|何处|何處|何地|什么地方|什麼地方|位于|位於|位置|地点|地點|地址"
        r"|哪[一个個座些]*(?:城市|国|國|地|省|市|县|縣|州|洲|区|區)",
        r"\b[Ii]n [A-Z]|\b(?:at|near|from|to|of|on) (?:the )?(?:\w+ern )?[A-Z][a-z]+"
        r"|位于|位於|坐落|地处|地處|[省市县縣区區州国國岛島城镇鎮村路街山河湖海港洲]",
    ),
    "number": (
        r"(?i)\bhow (?:many|much|long|far|old|often|large|big|tall|high|fast|deep|wide|heavy)\b"
        r"|\b(?:what|which) (?:\w+ )?"
        r"(?:number|percentage|percent|amount|age|price|cost|fee|size|population|rate|score|speed|length|height)\b"
        r"|多少|几|幾|多[大长長高远遠久快重宽寬深]|百分|比例|数量|數量|人口|面积|面積|费用|費用|价格|價格",
        r"\d|[一二两兩三四五六七八九十百千万萬亿億]|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
        r"|twenty|thirty|hundreds?|thousands?|millions?|billions?|half|percent|twice)\b",
    ),
    "why": (
        r"(?i)\bwhy\b|\bcause|\breason|为什么|為什麼|为何|為何|原因|怎么会|怎麼會|缘故|緣故",
        r"(?i)\bbecause\b|\bdue to\b|\bsince\b|\bas a result\b|\bcaused?\b|\bso that\b|\breasons?\b|\bin order to\b"
        r"|\bthus\b|\btherefore\b|\bowing to\b|\bled to\b|因|由于|由於|所以|导致|導致|以致|致使|为了|為了|故",
    ),
    "how": (
        r"(?i)\bhow (?:do|does|did|to|can|could|should|is|are|was|were|would|will)\b"
        r"|怎么|怎麼|怎样|怎樣|如何|咋|方法|步骤|步驟",
        r"(?i)\bby \w+ing\b|\busing\b|\bthrough\b|\bvia\b|\bby means\b|\bgo to\b"
        r"|\b(?:tap|click|select|open|choose|press|enter|hold)\b|通过|通過|利用|使用|点击|點擊|选择|選擇|打开|打開|按",
    ),
}
_KIND = {name: (re.compile(asked), re.compile(found)) for name, (asked, found) in _KINDS.items()}
_FOCUS = re.compile(
    r"\b(?:what|which)\s+((?:\w+\s*){1,3})"
    r"|(?:(?:什么|什麼)|(?:哪一?|几|幾|多少)[个個些种種位座部场場条條家项項类類名所支款届屆样樣]?)([\u4e00-\u9fff]{1,4})",
    re.IGNORECASE,
)
_ASKS_MEANING = re.compile(
    r"\bwhat(?:'s| is| are| was| were) (?:an? |the )?[\w -]+\?*$|\bdefin|\bmeans?\b|\bwho (?:is|was|were) "
    r"|什么是|什麼是|是(?:什么|什麼|谁|誰)[？?]*$|介绍|介紹|含义|含義|意思|定义|定義",
    re.IGNORECASE,
)
_SAYS_MEANING = re.compile(r"^.{0,80}?(?:\b(?:is|are|was|were)\b|[,(（，是指即])")

WEIGHTS = {
    # Words shared, as short runs of characters: all, those that the title does not say, with those of the part before,
    # the rarest one, and what the next part has.
    "runs": 0.87,
    "runs_beyond_title": 1.28,
    "runs_with_before": 1.82,
    "rarest_run": 0.42,
    "next_runs": 0.40,
    # As terms: those that the title does not say, by BM25's saturation, the rarest one, and what is asked for by name.
    "terms": 0.90,
    "rarest_term": 0.52,
    "focus": 0.72,
    "meaning": 0.57,
    # The part itself: its width and the terms that the question has not (logarithms), how far down it stands.
    "width": 0.18,
    "new_terms": -0.36,
    "bracket": 0.58,
    "question": -2.00,
    "place": -0.53,
    # By hand, because the judged sets have neither: much of it is the name of another article that it leads to; it is
    # steps, and the question does not ask for a fact.
    "pointer": -4.0,
    "steps": 1.5,
    # It has what looks like the kind that is asked for.
    "who": 0.88,
    "when": 1.76,
    "where": 1.13,
    "number": 2.09,
    "why": 1.88,
    "how": 1.94,
}
"""By `python -m eval.fit_reader` on the tuning halves of squad2_dev_half, xquad_en, xquad_zh and cmrc2018_dev."""

CLUES = tuple(WEIGHTS)
"""Names of the columns of `clues`, in order."""
_WEIGHTS = np.array(list(WEIGHTS.values()))


def logits(question: str, parts: Sequence[str], *, title: str = "", terms: Sequence[str] | None = None) -> Floats:
    """Return what speaks for each part of a passage to answer the question, in one number each, shape (len(parts),).

    `title`: of the article; its words tell little, because every part is about it. `terms`: of the question, analyzed.
    """
    return np.asarray(clues(question, parts, title=title, terms=terms) @ _WEIGHTS)


def chances(given: Floats) -> Floats:
    """Return the chances that go with logits: positive, sum 1."""
    odds = np.exp(given - given.max(initial=-np.inf))
    return np.asarray(odds / odds.sum())


def clues(question: str, parts: Sequence[str], *, title: str = "", terms: Sequence[str] | None = None) -> Floats:
    """Return what speaks for each part, shape (len(parts), len(CLUES)). Linear in the length of the parts."""
    if not parts:
        return np.zeros((0, len(CLUES)))
    asked = question[:_MOST_ASKED]
    pointer = [_points(part) for part in parts]
    parts = [_LINK.sub(r"\1", part) for part in parts]
    words = list(dict.fromkeys(analyze(asked) if terms is None else terms))[:_MOST_ASKED]
    heading = set(analyze(title))
    said = [Counter(analyze(part)) for part in parts]

    flat = [_flat(part) for part in parts]
    runs, titled = _runs(asked), _flat(title)
    has = np.array([[run in part for run in runs] for part in flat], np.bool_).reshape(len(parts), len(runs))
    weight = _rarity(has)
    beyond = weight * np.array([run not in titled for run in runs], np.bool_)
    next_runs = _share(has, beyond)

    count = np.array([[part[word] for word in words] for part in said], float).reshape(len(parts), len(words))
    rare = _rarity(count > 0)
    telling = rare * np.array([word not in heading for word in words], np.bool_)
    length = np.array([sum(part.values()) for part in said], float)
    norm = _K1 * (1 - _B + _B * length / max(1.0, length.mean()))
    focus = {term for found in _FOCUS.finditer(asked) for term in analyze(found[1] or found[2])}
    meant = bool(_ASKS_MEANING.search(asked))

    columns = {
        "runs": _share(has, weight),
        "runs_beyond_title": next_runs,
        "runs_with_before": _share(has | np.roll(has, 1, 0) & (np.arange(len(parts)) > 0)[:, None], weight),
        "rarest_run": (has * weight).max(1, initial=0.0),
        "terms": _share(count * (_K1 + 1) / (count + norm[:, None]), telling),
        "rarest_term": ((count > 0) * telling).max(1, initial=0.0),
        "next_runs": np.append(next_runs[1:], 0.0),
        "focus": _share(count > 0, rare * np.array([word in focus for word in words], np.bool_)),
        "meaning": [
            meant and next(iter(part), None) in words and bool(_SAYS_MEANING.match(text))
            for part, text in zip(said, parts, strict=True)
        ],
        "width": np.log1p([width(part) for part in parts]),
        "new_terms": np.log1p([len(part.keys() - set(words)) for part in said]),
        "bracket": ["(" in part or "（" in part for part in parts],
        "question": [part.rstrip().endswith(("?", "？")) for part in parts],
        "pointer": pointer,
        "steps": [bool(_STEPS.match(part)) and not asks_fact(asked) for part in parts],
        "place": np.arange(len(parts)) / max(1, len(parts) - 1),
        **{name: _of_kind(name, asked, parts) for name in _KIND},
    }
    return np.stack([np.asarray(columns[name], float) for name in CLUES], axis=1)


def asks_fact(question: str) -> bool:
    """Say whether a question asks for a person, time, place, number or reason, and not how something is done."""
    kinds = {name for name, (asked, _) in _KIND.items() if asked.search(question[:_MOST_ASKED])}
    return bool(kinds) and "how" not in kinds


def familiar(question: str, parts: Sequence[str]) -> float:
    """Return the share of the question's short runs of characters that any of the parts has; 1 if it has none."""
    runs, flat = _runs(question[:_MOST_ASKED]), "".join(map(_flat, parts))
    return sum(run in flat for run in runs) / len(runs) if runs else 1.0


def width(text: str) -> int:
    """Return the columns that a text takes: Chinese, Japanese and Korean characters count double."""
    return len(text) + len(_WIDE.findall(text))


def _points(part: str) -> bool:
    """Say whether the names of links make up a good part of a text: it leads elsewhere and says little itself."""
    named = sum(len(found[1]) for found in _LINK.finditer(part))
    return named > _POINTS * len(_LINK.sub(r"\1", part))


def _of_kind(name: str, question: str, parts: Sequence[str]) -> Sequence[bool]:
    """Say of each part whether it has what looks like an answer, if that is the kind that the question asks for."""
    asked, found = _KIND[name]
    if not asked.search(question):
        return [False] * len(parts)
    if name == "number":  # a number of the question is not the one that it asks for
        known = set(_NUMBER.findall(question))
        parts = [_NUMBER.sub(lambda match: "" if match[0] in known else match[0], part) for part in parts]
    return [bool(found.search(part)) for part in parts]


def _flat(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _runs(text: str) -> list[str]:
    """Return the short runs of characters of a text: four of words with their borders, one and three of Chinese."""
    found: dict[str, None] = {}
    for word in _WORD.findall(text.casefold()):
        if "\u3400" <= word[0] <= "\u9fff":
            found.update(dict.fromkeys(word))
            found.update((word[at : at + 3], None) for at in range(len(word) - 2))
        else:
            bordered = f" {word} "
            found.update((bordered[at : at + 4], None) for at in range(max(1, len(bordered) - 3)))
    return list(found)


def _rarity(has: npt.NDArray[np.bool_]) -> Floats:
    """Return the idf of each column over the rows, 0 for one that no row has."""
    df = has.sum(0)
    return np.asarray(np.where(df > 0, np.log1p((len(has) - df + 0.5) / (df + 0.5)), 0.0))


def _share(has: npt.NDArray[np.bool_] | Floats, weight: Floats) -> Floats:
    total = weight.sum()
    return np.asarray(has.astype(np.float64) @ weight / total) if total > 0 else np.zeros(len(has))
