"""Traditional and simplified characters are one."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from retrieval.han import _pairs, simplified
from retrieval.text import ANALYZER_VERSION, analyze, analyzer, spans


def test_taiwan_hong_kong_and_the_mainland_write_the_same() -> None:
    assert simplified("裏裡里 臺檯台 衞衛卫 著着 網路設定") == "里里里 台台台 卫卫卫 着着 网路设定"
    assert analyze("無法登入網路銀行") == analyze("无法登入网路银行")


@given(st.text(st.characters(min_codepoint=0x3400, max_codepoint=0x2EBE0), max_size=40))
def test_a_text_keeps_its_length_and_a_second_time_changes_nothing(text: str) -> None:
    once = simplified(text)
    assert len(once) == len(text)
    assert simplified(once) == once


def test_highlights_are_of_the_text_as_it_was_written() -> None:
    text = "請重設ＰＡＳＳＷＯＲＤ設定"
    assert {text[span.start : span.end] for span in spans(text)} >= {"重設", "設定", "ＰＡＳＳＷＯＲＤ"}


def test_the_version_before_still_tells_them_apart() -> None:
    assert analyzer("1")("設定") == ["設定"]
    assert analyzer(ANALYZER_VERSION)("設定") == ["设定"]


def test_other_pairs_need_another_version_of_the_analyzer() -> None:
    """The pairs come from a package: if another release of it has others, an index made before would not be found."""
    pairs = ",".join(f"{a}-{b}" for a, b in sorted(_pairs().items()))
    assert (ANALYZER_VERSION, hashlib.sha256(pairs.encode()).hexdigest()[:16]) == ("2", "48315f0098193c37")
