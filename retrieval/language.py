"""Which language a text is in: en, zh, another, or und where there is nothing to judge by."""

import re
import unicodedata
from functools import cache
from typing import Protocol

from retrieval.stopwords import ENGLISH

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile(r"[\u3040-\u30ff\u31f0-\u31ff]")
_HANGUL = re.compile(r"[\uac00-\ud7af\u1100-\u11ff]")
_WORD = re.compile(r"[^\W\d_]+")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|<[^<>\n]*>", re.DOTALL)
_SAMPLE = 4000
"""Characters looked at."""
_HAN_SHARE = 0.15
"""Least share of Han among the letters of a Chinese text: a Chinese page full of English product names is Chinese.
(One Han character says about as much as three Latin letters; it is counted so.)"""
_SURE = 0.95
"""Least probability at which the identifier is believed against English for plain ASCII."""


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...


def language(text: str) -> str:
    """Return the BCP 47 primary language of a text: lower case, `und` without letters."""
    sample = unicodedata.normalize("NFKC", text[:_SAMPLE])
    plain = _CODE.sub(" ", sample)
    sample = plain if _WORD.search(plain) else sample
    kana, hangul, han = (len(pattern.findall(sample)) for pattern in (_KANA, _HANGUL, _HAN))
    words = [
        word for word in _WORD.findall(sample) if not (_HAN.match(word) or _KANA.match(word) or _HANGUL.match(word))
    ]
    letters = sum(map(len, words))
    wide = 3 * (han + kana + hangul)
    if wide and wide >= _HAN_SHARE * (wide + letters):
        if kana > 0.1 * (han + kana):
            return "ja"
        return "ko" if hangul > han else "zh"
    if not letters:
        return "zh" if han else "und"
    function_words = sum(word.casefold() in ENGLISH for word in words)
    ascii_only = sample.isascii() or all(word.isascii() for word in words)
    if ascii_only and (len(words) < 6 or function_words >= 0.15 * len(words)):
        return "en"
    found, sure = _identifier().classify(sample)
    return "en" if ascii_only and sure < _SURE else str(found)


def primary(lang: str) -> str:
    """Return the primary language of a BCP 47 tag, lower case: zh of zh-Hant."""
    return lang.split("-", 1)[0].casefold()


@cache
def _identifier() -> _Identifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier: _Identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return identifier
