"""What must not change when a passage is said in other words: numbers with their units, identifiers, names, labels.

Works on English and Chinese text and across the two: "12 秒", "twelve seconds" and "12 s" are the same number and unit.
"""

import re
import unicodedata
from dataclasses import dataclass

_CJK = "\u3400-\u4dbf\u4e00-\u9fff"
_UNITS = {
    unit: name
    for name, units in {
        "second": "s sec secs second seconds 秒 秒钟",
        "minute": "min mins minute minutes 分 分钟",
        "hour": "h hour hours 小时 个小时 钟头",
        "day": "day days 天 日",
        "week": "week weeks 周 星期 个星期",
        "month": "month months 月 个月",
        "year": "year years 年",
        "time": "time times 次 遍 回",
        "kB": "kb", "MB": "mb", "GB": "gb", "TB": "tb", "Mbit": "mbit mbps", "Gbit": "gbit gbps",
        "percent": "% percent 百分",
        "metre": "m metre metres meter meters 米", "cm": "cm 厘米", "km": "km 公里",
        "volt": "v volt volts 伏", "ampere": "a ampere amperes 安", "watt": "w watt watts 瓦",
        "celsius": "°c 度", "MHz": "mhz", "GHz": "ghz",
        "euro": "€ eur euro euros 欧元", "dollar": "$ usd dollar dollars 美元", "yuan": "¥ rmb yuan 元 块",
        "crown": "cr crown crowns 克朗",
    }.items()
    for unit in units.split()
}  # fmt: skip
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_NUMBER = re.compile(
    rf"(?<![a-z0-9_.])(?P<number>\d+(?:[.,:]\d+)*)\s?(?:(?P<unit>{_UNIT})(?![a-z])|(?=\D|$))"
)  # on text that is folded
_RATE = re.compile(rf"(?:{_UNIT})(?:/(?:{_UNIT}))?")
_GLUED = re.compile(
    r"(\d)(?:-(?=[a-z]{2})|(?=(?:[kmgt]b|[mg]bit|[mg]hz|[vw]|cm|mm|km|min|ms|h|s|cr)\b))", re.IGNORECASE
)
"""60GB, 24-hour."""
_ONE = re.compile(r"\b(?:one|an?|once|single)\b|一")
_THOUSANDS = re.compile(r"(?<=\d)[,’](?=\d{3}(?!\d))")
_WORDS = {
    word: number
    for number, word in enumerate("two three four five six seven eight nine ten eleven twelve thirteen".split(), 2)
} | {
    "fourteen": 14, "fifteen": 15, "sixteen": 16, "eighteen": 18, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "ninety": 90, "hundred": 100, "thousand": 1000, "twice": 2,
}  # fmt: skip
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b")
_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_HAN_NUMBER = re.compile(
    r"(?<!第)[零〇一二两三四五六七八九十百千]+(?=分钟|秒|小时|天|日|个|年|次|位|元|克朗|条|张|台|步|倍|周|国|家|节|部|遍|层|堵|米|%)"
)

_IDENTIFIER = re.compile(
    rf"https?://[^\s<>()\[\]\"',;*`。、{_CJK}]+"  # an address
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # an e-mail address
    r"|(?<![\w/])/(?:[\w.-]+/?)+"  # a path
    r"|(?<![\w])[*#]+\d[\d*#]*#?"  # what is dialled
    r"|[A-Za-z0-9]+(?:[-_./\\:][A-Za-z0-9]+)*",
    re.ASCII,
)
_LABEL = re.compile(
    r"\*\*(.+?)\*\*|(?<!\*)\*([^*\n]+)\*(?!\*)|`([^`\n]+)`|“([^”\n]+)”|\"([^\"\n]+)\"|「([^」\n]+)」|『([^』\n]+)』|《([^》\n]+)》"
)
_MARKUP = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)|[*`]|(?<!\w)_|_(?!\w)|^\s*(?:#{1,6}|>)\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Facts:
    """Those of one text."""

    numbers: frozenset[tuple[str, str]]
    """(number, unit); the unit is empty where none is known."""
    identifiers: frozenset[str]
    """Codes, versions, addresses, paths, abbreviations, names: case folded."""
    labels: frozenset[str]
    """What stands in quotation marks, bold, italics or code: case folded, without markup."""


def facts(text: str) -> Facts:
    """Return the facts of a sentence or a passage, Markdown."""
    labels = frozenset(filter(None, (folded(next(filter(None, found))) for found in _LABEL.findall(text))))
    bare = _normal(_MARKUP.sub(r"\1", text))
    identifiers: set[str] = set()
    chinese = bool(re.search(f"[{_CJK}]", bare))

    def take(match: re.Match[str]) -> str:
        token = match[0].rstrip(".:/-")
        if not _is_identifier(token, chinese=chinese, opens=_opens(bare, match.start())):
            return match[0]
        identifiers.add(token.casefold())
        return " " * len(match[0])

    rest = _in_digits(_IDENTIFIER.sub(take, bare))
    numbers = {(found["number"], _UNITS.get(found["unit"] or "", "")) for found in _NUMBER.finditer(rest)}
    return Facts(frozenset(numbers), frozenset(identifiers), labels)


def without_numbers(text: str) -> str:
    """Return a text with its numbers blanked out, but not those within identifiers: for comparing words alone."""
    return _NUMBER.sub(lambda found: found[0].replace(found["number"], " "), _in_digits(_normal(text)))


def missing(said: Facts, source: Facts, source_text: str) -> str:
    """Return what kind of fact of `said` is not in `source`: `number`, `identifier` or `label`; empty if all are.

    `source_text` is the folded text that `source` is of: a label or a name may stand in it without any marks.
    """
    for number, unit in said.numbers:
        units = {u for n, u in source.numbers if n == number}
        if not units:
            if not _holds(source_text, number) and not (number == "1" and _ONE.search(source_text)):
                return "number"
        elif unit and unit not in units and "" not in units:
            return "number"
    for identifier in said.identifiers:
        if identifier not in source.identifiers and not _holds(source_text, identifier):
            return "identifier"
    for label in said.labels:
        if label not in source_text:
            return "label"
    return ""


def folded(text: str) -> str:
    """Return a text for comparing: without markup, one space between words, full width as half, case folded."""
    return " ".join(_normal(_MARKUP.sub(r"\1", text)).casefold().split())


def _in_digits(text: str) -> str:
    """Return a text, case folded, with the numbers that are written in words in digits."""
    return _HAN_NUMBER.sub(_han, _WORD.sub(lambda word: str(_WORDS[word[0]]), text.casefold()))


def _normal(text: str) -> str:
    return _GLUED.sub(r"\1 ", _THOUSANDS.sub("", unicodedata.normalize("NFKC", text)))


def _is_identifier(token: str, *, chinese: bool, opens: bool) -> bool:
    """Say whether a token is one that no paraphrase may change."""
    if _RATE.fullmatch(token.casefold()):  # GB, Mbit/s
        return False
    if any(c in token for c in "@/\\#*") or token.startswith("http"):
        return not all(part.isalpha() and part.islower() for part in re.split(r"[/\\]", token))  # and/or is none
    letters = any(c.isalpha() for c in token)
    digits = any(c.isdigit() for c in token)
    if digits:
        return letters or token.count(".") > 2
    if not letters or len(token) < 1:
        return False
    if any(c in token for c in "._:"):
        return True
    if chinese:
        return True
    if token in ("I", "A"):
        return False
    upper = sum(c.isupper() for c in token)
    return upper > 1 or (upper == 1 and not token[0].isupper()) or (token[0].isupper() and not opens)


def _opens(text: str, at: int) -> bool:
    """Say whether what stands at `at` begins a sentence, so that a capital letter says nothing."""
    before = text[:at].rstrip(" \t\"'“‘(*_>")
    return not before or before[-1] in ".!?:;。！？：；\n|-•" or text[:at].rstrip(" \t").endswith("\n")


def _holds(text: str, token: str) -> bool:
    return (
        re.search(rf"(?<![a-z0-9])(?<![a-z0-9][-._/]){re.escape(token)}(?![a-z0-9])(?![-._/:][a-z0-9])", text)
        is not None
    )


def _han(match: re.Match[str]) -> str:
    """Return a Chinese number under ten thousand in digits; 一 alone, as much an article as a number, as it is."""
    if match[0] == "一":
        return match[0]
    total, digit = 0, 0
    for c in match[0]:
        if c in _DIGITS:
            digit = _DIGITS[c]
        else:
            total += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[c]
            digit = 0
    return str(total + digit)
