"""What tells that a sentence answers: words shared, and words of the kind that is asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.clues import CLUES, WEIGHTS, asks_fact, chances, clues, familiar, logits, width


def best(question: str, parts: list[str], title: str = "") -> str:
    return parts[int(logits(question, parts, title=title).argmax())]


def column(name: str, question: str, parts: list[str], title: str = "") -> list[float]:
    found: list[float] = clues(question, parts, title=title)[:, CLUES.index(name)].tolist()
    return found


@pytest.mark.parametrize(
    ("kind", "question", "answer", "other"),
    [
        ("who", "Who wrote the guide?", "The guide is by Ada Maria Lovelace.", "The guide explains the router."),
        ("when", "When is the office open?", "The office opens on Monday at 9:00.", "The office is bright."),
        ("where", "Where is the office?", "The office is near Millbrook.", "The office is bright."),
        ("number", "How many lines may I have?", "A contract may have up to twelve lines.", "It may have lines."),
        ("why", "Why is the line slow?", "It is slow because the cable is bent.", "The line is slow, then stops."),
        ("how", "How do I reset the box?", "Press the key of the box with a clip.", "The reset is a big step."),
        ("who", "指南是谁写的？", "指南的作者是王教授。", "指南说明路由器的用法。"),
        ("when", "合约什么时候到期？", "合约在12月31日到期。", "合约可以续签。"),
        ("where", "门店在哪里？", "门店在湖滨路。", "门店很大。"),
        ("number", "合约最多几条线路？", "合约最多可以有12条线路。", "合约里可以没有线路的。"),
        ("why", "线路为什么慢？", "线路慢，因为光纤弯了。", "线路慢，后来就断开了。"),
        ("how", "怎么重置？", "长按重置键。", "重置会删除设置。"),
    ],
)
def test_what_looks_like_the_kind_that_is_asked_for(kind: str, question: str, answer: str, other: str) -> None:
    assert column(kind, question, [other, answer]) == [0.0, 1.0]
    assert column(kind, "reset 重置", [other, answer]) == [0.0, 0.0]
    assert WEIGHTS[kind] > 0


def test_a_number_of_the_question_is_not_the_one_it_asks_for() -> None:
    parts = ["The plan of 2024 has 60 GB.", "The plan of 2024 has data."]
    assert column("number", "How much data has the plan of 2024?", parts) == [1.0, 0.0]


def test_another_form_of_a_word_is_found_by_its_letters() -> None:
    assert best("the invention of radio", ["Marconi invented it.", "Marconi lived there."]) == "Marconi invented it."


def test_words_of_the_title_tell_little() -> None:
    parts = ["The FibreBox is white.", "Its fan stops at night."]
    assert best("when does the FibreBox fan stop", parts, title="FibreBox") == parts[1]
    assert column("terms", "FibreBox", parts, title="FibreBox") == [0.0, 0.0]


def test_the_sentence_after_one_that_names_the_matter_has_its_words_too() -> None:
    parts = ["Bills are sent monthly.", "The roaming pass is new.", "It costs 4 cr.", "Shops are closed."]
    assert column("runs_with_before", "bills", parts)[0] == column("runs_with_before", "bills", parts)[1] == 1.0
    assert column("runs_with_before", "shops are closed", parts)[0] < 1.0  # the last is not before the first


def test_a_sentence_that_leads_elsewhere_says_little() -> None:
    parts = ["Prices are seen here: [The cost stop abroad](cost.md).", "Data costs 4 cr a day."]
    assert column("pointer", "cost abroad", parts) == [1.0, 0.0]
    assert best("what does it cost abroad", parts) == parts[1]
    assert column("pointer", "x", ["See [this](a.md) for all that a bill may hold, line by line."]) == [0.0]


def test_the_address_of_a_link_is_no_word_of_the_sentence() -> None:
    assert column("terms", "wizard", ["Read [it](wizard.md) to the end, then go on.", "Nothing."]) == [0.0, 0.0]


def test_facts_are_told_from_ways() -> None:
    assert asks_fact("how long does it take")
    assert asks_fact("PUK码在哪里看")
    assert not asks_fact("how do I get there when it rains")
    assert not asks_fact("cant log in after update")
    assert not asks_fact("code is refused when I sign in")
    assert not asks_fact("怎么关掉语音信箱")


def test_how_familiar_a_passage_is() -> None:
    assert familiar("reset the router", ["To reset a router, press it."]) > 0.8
    assert familiar("reset the router", ["按住重置键。"]) == 0.0
    assert familiar("?!", ["anything"]) == 1.0


def test_chinese_takes_two_columns() -> None:
    assert (width("abc"), width("中文"), width("a，b")) == (3, 4, 4)


TEXT = st.text(st.sampled_from("ab 12?.,:()[]|*-\n登录谁几因月年"), max_size=60)


@given(question=TEXT, parts=st.lists(TEXT, min_size=1, max_size=8), title=TEXT)
def test_any_text_has_chances(question: str, parts: list[str], title: str) -> None:
    found = chances(logits(question, parts, title=title))
    assert found.shape == (len(parts),)
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(1.0)


def test_no_part_has_no_clues() -> None:
    assert clues("question", []).shape == (0, len(CLUES))
