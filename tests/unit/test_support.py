"""Whether a passage supports a sentence: numbers, names, polarity and nearness, in English and Chinese."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.items import Found
from kb.models import Kind
from retrieval.facts import facts, folded, missing
from retrieval.polarity import clauses, opposes
from retrieval.support import LONGEST, Supporter, Weights, read
from tests.fakes import FakeEmbedder

TEXT = """Press the **Reset** hole for **12 seconds**. Do not unplug the box. It costs 1,000 cr.

| Bundle | Price |
| --- | --- |
| 5 GB | 6 cr |
| 15 GB | 12 cr |

1. Open http://192.168.10.1 and sign in as `admin`.
2. Turn off the VPN, version 6.1 only.
"""
FOUND = Found(
    passage_id=7,
    item_id=3,
    number="KB-3",
    external_id="a.md",
    kind=Kind.ARTICLE,
    lang="en",
    audience="public",
    confidence="validated",
    family=None,
    title="FibreBox: reset",
    ordinal=0,
    path="",
    text=TEXT,
    updated_at="2026-01-01T00:00:00Z",
)
NEAR = Weights(latin=(-2.0, 4.0, 0.0), han=(-2.0, 4.0, 0.0), across=(-1.0, 0.0, 0.0))
"""Half of the terms will do."""
CHECK = Supporter(FakeEmbedder(), NEAR)


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("Press the **Reset** hole for 12 seconds.", ""),
        ("Press the Reset hole for twelve seconds.", ""),
        ("Press the Reset hole for 12 minutes.", "number"),
        ("Press the Reset hole for 21 seconds.", "number"),
        ("Press the **Power** hole for 12 seconds.", "identifier"),
        ("Press the “big red” hole for 12 seconds.", "label"),
        ("Unplug the box.", "negation"),
        ("Do not press the Reset hole.", "negation"),
        ("It costs 1000 cr.", ""),
        ("15 GB: 12 cr.", ""),
        ("15 GB: 6 cr.", "number"),
        ("Open http://192.168.10.1 and sign in as `admin`.", ""),
        ("Open http://192.168.10.2 and sign in as `admin`.", "identifier"),
        ("Open http://192.168.10.1/pay and sign in as `admin`.", "identifier"),
        ("Turn on the VPN, version 6.1 only.", "opposite"),
        ("Turn off the VPN, version 6.1.2 only.", "number"),
        ("Bananas are yellow.", "far"),
        ("word " * LONGEST, "long"),
    ],
)
def test_what_a_sentence_changes_is_found(sentence: str, why: str) -> None:
    said = CHECK(sentence, FOUND)
    assert (said.why, said.supported) == (why, not why)


def test_the_stretch_that_says_it_is_quoted() -> None:
    said = CHECK("Do not unplug the box.", FOUND)
    assert TEXT[said.start : said.end] == "Do not unplug the box."


def test_without_a_scale_of_cosines_nothing_is_supported_across_languages() -> None:
    assert Supporter(FakeEmbedder())("请按住 12 秒。", FOUND).why == "far"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("等五分钟", "wait 5 minutes"),
        ("两小时", "2 hours"),
        ("twelve seconds", "12 s"),
        ("二十次", "20 times"),
        ("１２ GB", "12GB"),
        ("24-hour", "24 hours"),
        ("1,000 元", "1000 yuan"),
    ],
)
def test_numbers_are_the_same_however_they_are_written(one: str, other: str) -> None:
    assert facts(one).numbers == facts(other).numbers != frozenset()


def test_identifiers_are_codes_names_and_addresses() -> None:
    said = facts("Dial 1800, see /etc/hosts, a.b@c.example, APP-1103, v8.1, Wi-Fi and/or FibreBox; I sign-in.")
    assert said.identifiers == {"/etc/hosts", "a.b@c.example", "app-1103", "v8.1", "wi-fi", "fibrebox"}
    assert facts("在 App 里打开 eSIM").identifiers == {"app", "esim"}


@pytest.mark.parametrize(("code", "text"), [("FB-E2", "the code FB-E21"), ("8.1", "version 8.1.2"), ("v8", "v8.1")])
def test_a_part_of_a_code_is_another_code(code: str, text: str) -> None:
    assert missing(facts(f"the {code}"), facts(text), folded(text))


@given(st.text(max_size=300))
def test_a_text_has_its_own_facts(text: str) -> None:
    assert missing(facts(text), facts(text), folded(text)) == ""


@pytest.mark.parametrize(
    ("sentence", "passage", "why"),
    [
        ("Guests can open the page", "Guests cannot open the page", "negation"),
        ("Going back is not possible", "You cannot go back", ""),
        ("第一次补卡不免费", "第一次补卡免费", "negation"),
        ("在最后一天之后索取 NUC 码", "请在最后一天之前索取 NUC 码", "opposite"),
        ("余额高于 5 克朗时自动充值", "余额低于 5 克朗时：自动充值", "opposite"),
        ("不用 Wi-Fi，用无线网络不同", "用无线网络不同", ""),
        ("旧链接仍然有效", "新邮件一发出，旧链接就失效", "opposite"),
        ("something else altogether", "Do not unplug the box", ""),
    ],
)
def test_the_opposite_is_found_clause_by_clause(sentence: str, passage: str, why: str) -> None:
    assert opposes(clauses(sentence), clauses(passage)) == why


def test_a_model_of_entailment_decides_but_facts_are_compared_all_the_same() -> None:
    asked: list[tuple[str, str]] = []

    def entails(premise: str, hypothesis: str) -> float:
        asked.append((premise, hypothesis))
        return 0.9 if "unplug" in premise else 0.1

    check = Supporter(FakeEmbedder(), NEAR, entails)
    assert check("Leave the box connected.", FOUND).supported, "far by words, but entailed"
    assert asked
    assert check("Leave the box connected for 99 days.", FOUND).why == "number"
    assert check("Bananas are yellow.", replace(FOUND, passage_id=8, text="Hold the box.")).why == "not_entailed"


@given(st.text(alphabet="ab|*-# .1\n\t`[](){}你。", max_size=200))
def test_any_passage_can_be_read(text: str) -> None:
    windows, pieces = read(replace(FOUND, text=text))
    for window in windows:
        assert 0 <= window.start < window.end <= len(text)
        assert 0 <= window.first <= window.last < len(pieces)
