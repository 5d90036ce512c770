"""A passage read with those beside it: what runs over an edge is whole, and each citation is of who says it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.items import Found
from retrieval.citations import check
from retrieval.extract import LONGEST
from retrieval.generate.draft import Draft
from retrieval.generate.prompt import messages
from retrieval.generate.units import split
from retrieval.neighbours import Context, context, extract_of
from retrieval.support import Support
from tests.unit.test_support import FOUND


def passages(*texts: str, path: str = "") -> list[Found]:
    """Return passages of one item, in order."""
    return [
        replace(FOUND, passage_id=10 + at, ordinal=at, path=path, text=text, title="Home box")
        for at, text in enumerate(texts)
    ]


def quotes(read: Context, question: str, *, longest: int = LONGEST) -> list[tuple[int, str]]:
    """Return what is cited: ordinals and words, checked to be of their passages to the letter."""
    citations = read.cited(extract_of(read, question, longest=longest))
    check(citations, read.passages)
    return [(citation.found.ordinal, citation.quote) for citation in citations]


def of(some: list[Found], at: int) -> Context:
    return context(some[at], some)


def test_only_the_next_passages_of_the_item_are_beside_in_their_order() -> None:
    some = passages("a", "b", "c", "d", "e")
    assert [one.text for one in context(some[2], some[::-1]).passages] == ["b", "c", "d"]
    assert [one.text for one in of(some, 0).passages] == ["a", "b"]
    assert [one.text for one in of(some, 4).passages] == ["d", "e"]
    assert [of(some, at).found.text for at in range(5)] == list("abcde")
    assert context(some[2], [replace(some[1], item_id=99), some[4]]) == Context((some[2],))


@pytest.mark.parametrize(
    ("path", "beside", "read"),
    [
        ("", "Install", True),
        ("Install", "Install", True),
        ("Install", "Install > On a phone", True),
        ("Install", "Installing", False),
        ("Install", "Remove", False),
        ("Install > On a phone", "Install", False),
    ],
)
def test_only_passages_under_the_heading_or_below_it_are_beside(path: str, beside: str, read: bool) -> None:
    one, two = passages("First.", "Second.")
    found = context(replace(one, path=path), [replace(two, path=beside)])
    assert (len(found.passages) == 2) == read


@pytest.mark.parametrize(
    ("question", "one", "two"),
    [
        ("reset the home box", "1. Open the flap.\n2. Reset the home box.", "3. Wait a minute.\n4. Close the flap."),
        ("重置路由器", "1. 打开盖子。\n2. 重置路由器。", "3. 等一分钟。\n4. 合上盖子。"),
        ("reset the home box", "- Reset the home box.\n- Wait.", "- Close the flap."),
    ],
)
@pytest.mark.parametrize("at", [0, 1])
def test_steps_and_lists_that_run_over_an_edge_are_whole(question: str, one: str, two: str, at: int) -> None:
    assert quotes(of(passages(one, two), at), question) == [(0, one), (1, two)]


def test_steps_stay_whole_however_long_and_other_lists_where_they_fit() -> None:
    steps = passages("1. Open the flap.\n2. Reset the box.", "3. Wait a minute.\n4. Close the flap.")
    assert [at for at, _ in quotes(of(steps, 0), "reset the box", longest=30)] == [0, 1]
    items = passages("- Open the flap.\n- Reset the box.", "- Wait a minute.\n- Close the flap.")
    assert [at for at, _ in quotes(of(items, 0), "reset the box", longest=30)] == [0]


@pytest.mark.parametrize(
    ("question", "one", "two"),
    [
        ("reset the home box", "Pay by card. To reset the home box, do this:", "- hold the key\n- let it go"),
        ("怎么重置路由器", "可以刷卡付款。重置路由器的方法如下：", "- 按住按键\n- 松开"),
    ],
)
def test_what_a_colon_announces_comes_from_the_next_passage(question: str, one: str, two: str) -> None:
    shown = quotes(of(passages(one, two), 0), question)
    assert [at for at, _ in shown] == [0, 1]
    assert shown[0][1].endswith((":", "："))
    assert shown[1][1] == two


def test_an_answer_in_the_next_passage_is_cited_from_there() -> None:
    some = passages("The offer was new. Shops sold it.", "The offer ended on 31 December 2027. Boxes are white.")
    ((ordinal, quote),) = quotes(of(some, 0), "On which day did the offer end?")
    assert ordinal == 1
    assert quote.startswith("The offer ended on 31 December 2027.")
    assert quotes(Context((some[0],)), "On which day did the offer end?")[0][0] == 0


def test_of_what_is_as_likely_the_passage_that_was_found_is_shown() -> None:
    same = "Hold the key to reset the box."
    some = passages(same, same, same)
    for at in range(3):
        assert at in [ordinal for ordinal, _ in quotes(of(some, at), "reset the box")]


def test_no_extract_runs_into_another_heading() -> None:
    some = passages("Reset the box with the key.", "Reset the phone with the key.")
    some[1] = replace(some[1], path="Phones")
    assert len(quotes(of(some, 0), "reset the box and the phone with the key")) == 1
    steps = passages("1. Reset the box.", "2. Reset the phone.")
    steps[1] = replace(steps[1], path="Phones")
    assert len(quotes(of(steps, 0), "reset the box")) == 1


def test_a_section_that_fits_alone_is_not_cut_for_its_neighbour() -> None:
    one = "Before you reset the box, note the name.\n\n1. Open the flap.\n2. Reset the box."
    other = " ".join(f"Colour number {n} of the light tells something else." for n in range(9))
    assert [text for _, text in quotes(of(passages(one, other), 0), "reset the box", longest=200)] == [one]


def test_the_sentence_that_answers_is_marked_in_the_passage_that_says_it() -> None:
    some = passages("Passes are for trips.", "A pass for zone B is 4 cr a day. It can be bought in the app.")
    for at in (0, 1):
        read = of(some, at)
        marked = [
            (citation.found.ordinal, citation.quote[slice(*citation.best)])
            for citation in read.cited(extract_of(read, "how much is a pass for zone B"))
            if citation.best[0] < citation.best[1]
        ]
        assert marked == [(1, "A pass for zone B is 4 cr a day.")]


PIECE = st.sampled_from("zebra yak 登录 手机。 Then. - * | ``` ## : ： 1. \n \n\n".split(" "))
TEXT = st.lists(PIECE, min_size=1, max_size=15).map(" ".join)


@given(texts=st.lists(TEXT, min_size=1, max_size=3), at=st.integers(0, 2), question=st.sampled_from(["zebra", "登录"]))
def test_what_is_shown_is_said_by_the_passages_cited_to_the_letter(texts: list[str], at: int, question: str) -> None:
    read = of(passages(*texts), min(at, len(texts) - 1))
    shown = extract_of(read, question)
    citations = read.cited(shown)
    check(citations, read.passages)
    assert 0 <= shown.start <= shown.best_start <= shown.best_end <= shown.end <= len(read.text)
    words = "".join(read.text[shown.start : shown.end].split())
    assert "".join("".join(citation.quote.split()) for citation in citations) == words


def test_a_model_sees_neighbours_as_one_source_and_each_statement_cites_who_says_it() -> None:
    some = passages("1. Open the flap.", "2. Reset the box.")
    other = replace(FOUND, passage_id=99, item_id=9, text="Boxes are white.")
    sources = [of(some, 0), Context((other,))]
    asked = messages("how to reset", "en", sources)[1]["content"]
    assert "1. Open the flap.\n\n2. Reset the box.\n" in asked
    assert (asked.count(" passage 1:"), asked.count(" passage 2:"), asked.count(" passage 3:")) == (1, 1, 0)

    def supports(sentence: str, found: Found) -> Support:
        good = sentence.rstrip(".") in found.text
        return Support(good, "" if good else "far", 1.0, 1.0, 0, len(found.text))

    draft = Draft("en", sources, supports)
    for unit in split("Reset the box [1]. Open the flap [1]. Boxes are white [2]. Boxes are red [1]."):
        draft.add(unit)
    written = draft.finish()
    assert written.text == "Reset the box. [1] Open the flap. [2] Boxes are white. [3]"
    assert [citation.found.passage_id for citation in written.citations] == [11, 10, 99]
    assert (written.kept, written.removed) == (3, 1)


def test_a_model_sees_the_heading_of_a_passage_below() -> None:
    one, two = passages("Choose a way.", "Hold the key.", path="Reset")
    read = context(one, [replace(two, path="Reset > By hand")])
    assert "Choose a way.\n\n## By hand\n\nHold the key." in messages("how", "en", [read])[1]["content"]
