"""What is corrected in a question, and what never is."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.spelling import MOST_TOKENS, corrected
from retrieval.stopwords import ENGLISH
from retrieval.text import analyze

KNOWN = {
    "password": 30, "router": 20, "reset": 25, "print": 40, "printer": 25, "email": 9, "fibrebox": 7, "wifi": 5,
    "登录": 40, "密码": 30, "重置": 20, "账号": 12, "南部": 50, "不行": 4,
}  # fmt: skip


def frequencies(terms: Sequence[str]) -> list[int]:
    return [KNOWN.get(term, 0) for term in terms]


def meant(question: str) -> str | None:
    return corrected(question, frequencies, analyze)


@pytest.mark.parametrize(
    ("typed", "searched"),
    [
        ("reset pasword", "reset password"),
        ("Reset my Pasword?", "Reset my Password?"),
        ("ruoter restet", "router reset"),
        ("printr", "printer"),
        ("emial", "email"),
        ("fibrbox", "fibrebox"),
        ("waht is wifi", "what is wifi"),
        ("重置pasword", "重置password"),
        ("ｒｅｓｅｔ ｐａｓｗｏｒｄ", "reset password"),
        ("登陆密码", "登录密码"),
        ("登陸密碼", "登录密碼"),
        ("帐号", "账号"),
        ("chongzhi mima", "重置密码"),
        ("wifi mima", "wifi 密码"),
        ("mi ma", "密码"),
    ],
)
def test_what_is_corrected(typed: str, searched: str) -> None:
    assert meant(typed) == searched


@pytest.mark.parametrize(
    "typed",
    [
        "reset the router password",
        "重置密码",
        "FB-E21",
        "pasword1",
        "pasword.exe",
        "/etc/pasword",
        "paswordReset",
        "PASWORD",
        "KB-1042",
        "v8.0.3",
        "rooter",  # a word of its own, though nothing here has it
        "abc",
        "reset abc",
        "哪部电影",  # 南部 sounds like it
        "不幸",  # a word of its own; 不行 is in too few passages
        "change",  # pinyin too, but English
        "vellamo",
        "das pasword ist leider falsch geworden heute",
        "",
        "?",
        "😀",
    ],
)
def test_what_is_left_as_it_is(typed: str) -> None:
    assert meant(typed) is None


def test_a_long_question_is_not_looked_at() -> None:
    def fail(terms: Sequence[str]) -> list[int]:
        raise AssertionError(terms)

    assert corrected("pasword " * (MOST_TOKENS + 1), fail, analyze) is None
    assert corrected("登陆" * 20, fail, analyze) is None
    assert corrected("x" * 100_000, fail, analyze) is None


def test_where_all_is_known_nothing_more_is_asked() -> None:
    asked: list[list[str]] = []

    def counting(terms: Sequence[str]) -> list[int]:
        asked.append(list(terms))
        return frequencies(terms)

    assert corrected("reset the router", counting, analyze) is None
    assert asked == [["reset", "router"]]


@given(st.text(max_size=60))
def test_where_nothing_is_known_only_slips_of_function_words_are_corrected(question: str) -> None:
    found = corrected(question, lambda terms: [0] * len(terms), analyze)
    assert found is None or ENGLISH.intersection(re.findall("[a-z]+", found.casefold()))


@given(st.text(max_size=60))
def test_what_was_corrected_is_not_corrected_again_into_something_else(question: str) -> None:
    once = meant(question)
    if once is not None:
        assert corrected(once, lambda terms: [1] * len(terms), analyze) is None
