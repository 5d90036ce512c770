"""Sentences out of a stream: the same whatever the pieces are, each with its citations, as soon as it is whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.generate.units import Unit, Units, split


def test_citations_belong_to_the_sentence_that_they_stand_behind() -> None:
    said = "Open Settings [1]. Press **Reset** for 12 seconds. [1][2] Then wait.[2]\n\nIt works (e.g. in v8.1) [3, 1]."
    assert [(unit.text, unit.cites) for unit in split(said)] == [
        ("Open Settings.", (1,)),
        ("Press **Reset** for 12 seconds.", (1, 2)),
        ("Then wait.", (2,)),
        ("It works (e.g. in v8.1).", (3, 1)),
    ]


@pytest.mark.parametrize(
    ("said", "units"),
    [
        ("打开设置。[1] 按住 12 秒【2】。", [Unit("打开设置。", (1,)), Unit("按住 12 秒。", (2,))]),
        ("[1] Open it. [2] Close it.", [Unit("Open it.", (1, 2)), Unit("Close it.")]),
        ("[passage 2] Open it.", [Unit("Open it.", (2,))]),
        ("Open it.\n[2]", [Unit("Open it.", (2,))]),
        ("[Open](http://a.example) it [1].", [Unit("[Open](http://a.example) it.", (1,))]),
        ("Text [1](http://a.example).", [Unit("Text [1](http://a.example).")]),
        ("# Title\n\n---\n```\nText [1]\n```", [Unit("Text", (1,), breaks=4)]),
        ("<think>\nmaybe [1].\n</think>Open it [1].", [Unit("Open it.", (1,))]),
        ("<think> without an end", []),
        ("", []),
        ("[1]", []),
        ("**Bold. Text** [1].", [Unit("Bold."), Unit("Text.", (1,))]),
    ],
)
def test_forms_that_models_write(said: str, units: list[Unit]) -> None:
    assert list(split(said)) == units


def test_steps_are_told_from_other_items() -> None:
    said = "Do this:\n1. Open it [1]. Wait [1].\n2. Close it [1].\n\nThen:\n- rest [1]"
    assert [(u.text, u.item, u.step) for u in split(said)] == [
        ("Do this:", False, False),
        ("Open it.", True, True),
        ("Wait.", False, True),
        ("Close it.", True, True),
        ("Then:", False, False),
        ("rest", True, False),
    ]


PIECE = st.sampled_from(
    ["Open it", ". ", "[1]", "[", "1", "]", "\n", "\n\n", "1. ", "- ", "？", "。", "e.g. ", "<think>", "**"]
)


@given(pieces=st.lists(PIECE, max_size=25))
def test_how_the_text_is_cut_changes_nothing(pieces: list[str]) -> None:
    whole = list(split("".join(pieces)))
    units = Units()
    streamed = [unit for piece in pieces for unit in units.feed(piece)]
    streamed += units.rest()
    assert streamed == whole


@pytest.mark.parametrize("text", ["a.\n" * 2000, "a. " + "[" * 6000, "." * 6000, " " * 6000, "1. do it [1]\n" * 400])
def test_no_text_takes_long(text: str) -> None:
    """One character at a time; quadratic work on any of these would take minutes."""
    units = Units()
    assert len([unit for c in text for unit in units.feed(c)]) + len(list(units.rest())) <= 2000


def test_a_sentence_comes_as_soon_as_the_next_begins_and_not_before_its_citation_is_known() -> None:
    units = Units()
    assert list(units.feed("Open it. ")) == []
    assert list(units.feed("[")) == []
    assert list(units.feed("1")) == []
    assert list(units.feed("] ")) == []
    assert list(units.feed("N")) == [Unit("Open it.", (1,))]
    assert list(units.rest()) == [Unit("N")]
