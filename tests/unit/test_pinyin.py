"""Pinyin into characters, and characters of the same sound."""

from collections.abc import Sequence

import pytest

from retrieval import lexicon
from retrieval.pinyin import characters, homophones, steps

KNOWN = {"重置": 20, "置密": 8, "密码": 30, "充值": 2, "登录": 40, "登陆": 1, "不了": 9, "录不": 3, "现在": 5}


def frequencies(terms: Sequence[str]) -> list[int]:
    return [KNOWN.get(term, 0) for term in terms]


@pytest.mark.parametrize(
    ("word", "cut"),
    [
        ("mima", ["mi", "ma"]),
        ("xian", ["xian"]),
        ("fangan", ["fan", "fang", "gan", "an"]),
        ("lvse", ["lv", "se"]),
        ("hope", []),
        ("password", []),
        ("", []),
    ],
)
def test_a_word_is_cut_into_as_few_syllables_as_there_can_be(word: str, cut: list[str]) -> None:
    assert [word[start:end] for start, end in steps(word)] == cut


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["chongzhi", "mima"], "重置密码"),
        (["chongzhimima"], "重置密码"),
        (["chong", "zhi", "mi", "ma"], "重置密码"),
        (["denglu"], "登录"),
        (["denglu", "bu", "liao"], "登录不了"),
        (["xianzai", "denglu"], "现在登录"),
    ],
)
def test_the_row_of_characters_is_the_one_that_most_passages_have(words: list[str], meant: str) -> None:
    assert characters(words, frequencies) == meant


def test_without_a_pair_that_a_passage_has_there_is_nothing_to_say() -> None:
    assert characters(["dianhua"], frequencies) is None
    assert characters(["dianhua", "haoma", "mima"], frequencies) is None, "most of it is unknown"
    assert characters(["mi"], frequencies) is None, "one syllable can be anything"


def test_a_syllable_between_known_pairs_becomes_its_commonest_character() -> None:
    assert characters(["denglu", "de", "mima"], frequencies) == "登录的密码"


def test_a_long_row_is_not_looked_at() -> None:
    def fail(terms: Sequence[str]) -> list[int]:
        raise AssertionError(terms)

    assert characters(["mi"] * 40, fail) is None


def test_homophones_are_other_common_characters_of_the_usual_reading() -> None:
    assert "录" in homophones("陆")
    assert "陆" not in homophones("陆")
    assert "账" in homophones("帐")
    assert homophones("a") == homophones("😀") == ""


def test_the_word_lists_are_what_they_say() -> None:
    assert {"password", "router", "doable"} <= lexicon.english()
    assert {"登录", "登陆", "密码"} <= lexicon.chinese()
    assert all(len(word) == 2 for word in lexicon.chinese())
    assert all(word.isascii() and word.islower() and len(word) > 2 for word in lexicon.english())
    assert lexicon.syllables()["de"][0][0] == "的"


def test_the_chinese_lists_are_those_of_their_packages() -> None:
    pytest.importorskip("jieba", reason="the package jieba is not installed")
    pytest.importorskip("pypinyin", reason="the package pypinyin is not installed")
    from eval import lexicon as made

    assert {syllable: tuple(found.split(" ")) for syllable, found in made.pinyin().items()} == lexicon.syllables()
    assert {line[0] + second for line in made.chinese() for second in line[1:]} == lexicon.chinese()
