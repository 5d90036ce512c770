"""Words of which one takes another's place: Android for iPhone, zone C for zone B, BIZ-403 for BIZ-480."""

import re
from dataclasses import dataclass

_CLASSES = {
    "platform": "android iphone ipad ios mac macos windows linux chromebook tablet laptop pc samsung huawei xiaomi "
    "安卓 苹果手机 苹果 华为 小米 平板 电脑",
    "colour": "white orange red blue green yellow black 白色 橙色 红色 蓝色 绿色 黄色 黑色",
    "plan": "basic pro premium plus starter prepaid postpaid 预付费 后付费 基础版 专业版 企业版 个人版 免费版",
}
_WORD = {word: name for name, words in _CLASSES.items() for word in words.split()}
_LATIN = "|".join(sorted((re.escape(word) for word in _WORD if word.isascii()), key=len, reverse=True))
_HAN = "|".join(sorted((word for word in _WORD if not word.isascii()), key=len, reverse=True))
_START, _END = r"(?<![A-Za-z0-9_.-])", r"(?![A-Za-z0-9_-])"
_SLOT = re.compile(
    rf"(?P<code>{_START}[A-Z]{{2,8}}-?[A-Z]?\d+{_END})|"  # BIZ-480
    rf"(?P<numbered>{_START}(?P<noun>[A-Za-z]{{3,}}) (?:(?-i:[A-HJ-Z])(?!['’])|\d+(?!\.)){_END})|"  # zone B, FibreBox 5
    rf"(?P<lettered>{_START}[A-Z] ?区)|"  # B 区
    rf"(?P<version>{_START}v?\d+(?:\.\d+)+{_END})|"  # 8.1
    rf"(?P<latin>{_START}(?:{_LATIN})s?{_END})|"
    rf"(?P<named>{_START}(?:Go|Max|Plus|Free|Family|Business|Enterprise|Team|Student|Standard){_END})|"
    rf"(?P<han>{_HAN})",
    re.IGNORECASE,
)


_NUMBERED = frozenset("zone version step level type tier option line port channel page release generation".split())


@dataclass(frozen=True, slots=True)
class Slot:
    """One such word in a text: `text[start:end]`, and the class within which it can be replaced."""

    kind: str
    start: int
    end: int
    names: bool
    """It says what a question is about, alone: BIZ-480, FibreBox 5. Zone B or Android could be about anything."""


def slots_of(text: str) -> list[Slot]:
    """Return the slots of a text, in order."""
    found: list[Slot] = []
    for match in _SLOT.finditer(text):
        kind = _kind(match)
        if kind is not None:
            known = kind in _CLASSES or kind in _NUMBERED
            names = bool(match["code"]) or (bool(match["numbered"]) and not known)
            found.append(Slot(kind, *match.span(), names))
    return found


def _kind(match: re.Match[str]) -> str | None:
    word = match[0]
    if match["code"]:
        return f"code {re.sub(r'[^A-Za-z].*', '', word).upper()}" if word.isupper() else None
    if match["numbered"]:
        noun = match["noun"].lower()
        return _WORD.get(noun, noun)
    if match["lettered"]:
        return "区"
    if match["version"]:
        return "version"
    if match["named"]:  # names only as they are written: go and max are words too
        return "plan" if word[0].isupper() else None
    lower = word.lower()
    return _WORD.get(lower) or _WORD.get(lower.removesuffix("s"))
