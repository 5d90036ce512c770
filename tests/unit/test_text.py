"""Terms and sentences: the golden terms of each rule, and what holds for any text."""

import itertools
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.text import ANALYZER_VERSION, analyze, sentences, spans

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "terms.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
ANY = st.text(st.characters(), max_size=80) | st.text(
    "aZ0-_.:/\\'’ 登录，。FBe\u0301ﬁＡ１\U0001f600\ud800\x00", max_size=60
)


@pytest.mark.parametrize("case", CASES, ids=[case["text"][:40] for case in CASES])
def test_golden_terms(case: dict[str, object]) -> None:
    assert analyze(str(case["text"])) == case["terms"]


def test_other_terms_need_another_version() -> None:
    """Change a rule: give ANALYZER_VERSION a new value, write the terms anew, and put the version here."""
    assert ANALYZER_VERSION == "2"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("log in", "login"),
        ("log-in", "login"),
        ("can't", "cant"),
        ("can’t", "cant"),
        ("ＦＢ－Ｅ２１", "fb-e21"),
        ("Updating", "update"),
        ("解析pdf", "PDF 解析"),
        ("wi-fi", "WiFi"),
        ("the router's light", "router light"),
        ("v8.0.3", "8.0"),
        ("網路設定", "网路设定"),
        ("裡面", "裏面"),
        ("著作", "着作"),
    ],
)
def test_two_ways_to_write_it_share_a_term(one: str, other: str) -> None:
    assert set(analyze(one)) & set(analyze(other))


@given(text=ANY)
def test_spans_are_the_terms_with_places_in_the_text(text: str) -> None:
    found = spans(text)
    assert [span.term for span in found] == analyze(text)
    for span in found:
        assert 0 <= span.start < span.end <= len(text)


@given(text=ANY)
def test_case_width_and_composition_make_no_difference(text: str) -> None:
    assert analyze(unicodedata.normalize("NFKC", text)) == analyze(text)


@given(words=st.lists(st.sampled_from("wifi router 登录 FB-E21 6.1.2 can't reset 手机号".split()), max_size=8))
def test_a_text_of_two_has_the_terms_of_both(words: list[str]) -> None:
    """A line break parts terms as surely as two texts do: titles and passages are analyzed as one text."""
    assert sorted(analyze("\n".join(words))) == sorted(term for word in words for term in analyze(word))


def test_function_words_are_kept_when_there_is_nothing_else() -> None:
    assert analyze("what is it") == ["what", "is", "it"]
    assert "is" not in analyze("what is roaming")


def test_long_tokens_are_cut() -> None:
    assert max(map(len, analyze("x" * 100_000 + " " + "a1-" * 50_000))) <= 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Dr. Smith paid 3.5 cr. Then left.", ["Dr. Smith paid 3.5 cr.", "Then left."]),
        ("第一句。第二句！“第三句？”第四", ["第一句。", "第二句！", "“第三句？”", "第四"]),
        ("See e.g. the page. Version 8.1 is out", ["See e.g. the page.", "Version 8.1 is out"]),
        ("line\nline2\n\nline3", ["line", "line2", "line3"]),
        ("a?b=1 c? d! ok...  fine…end", ["a?b=1 c?", "d!", "ok...", "fine…", "end"]),
        ("Save it as file.txt. Done", ["Save it as file.txt.", "Done"]),
        ("打开 https://vellamo.example/a?b=1。完成", ["打开 https://vellamo.example/a?b=1。", "完成"]),
        (" \n ", []),
    ],
)
def test_sentences(text: str, said: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == said


@given(text=ANY)
def test_sentences_lose_nothing_but_white_space(text: str) -> None:
    found = sentences(text)
    assert "".join("".join(text[start:end] for start, end in found).split()) == "".join(text.split())
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(found))
