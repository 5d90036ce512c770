"""What of a model's sentences is shown, and in what form."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from kb.items import Found
from retrieval.generate.draft import Draft, Written
from retrieval.generate.outcome import Failed, Outcome
from retrieval.generate.units import split
from retrieval.neighbours import Context
from retrieval.support import Support
from tests.unit.test_support import FOUND

PASSAGES = [FOUND, replace(FOUND, passage_id=8), replace(FOUND, passage_id=9)]


def written(text: str, *, lang: str = "en", passages: Sequence[Found] = PASSAGES) -> Written:
    """Return what comes of a model's text, where every sentence without the word bad is supported."""

    def supports(sentence: str, found: Found) -> Support:
        good = "bad" not in sentence.casefold()
        return Support(good, "" if good else "far", 1.0, 1.0, 0, 20)

    draft = Draft(lang, [Context((passage,)) for passage in passages], supports)
    shown = "".join([draft.add(unit) for unit in split(text)])
    whole = draft.finish()
    assert shown == whole.text, "what was shown is what is kept"
    return whole


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("One [3]. Two [1][3].", "One. [1] Two. [1] [2]"),
        ("One [1]. Bad [1]. Two [2].", "One. [1] Two. [2]"),
        ("One. Two [1]. Three.", "One. [1] Two. [1]"),
        ("One.\nTwo [1]. Three [1].", "Two. [1] Three. [1]"),
        ("One [1].\n\nTwo [1].", "One. [1]\n\nTwo. [1]"),
        ("Do this:\n- one [1]\n- bad [1]\n- two [1]\n\nDone [1].", "Do this: [1]\n\n- one [1]\n- two [1]\n\nDone. [1]"),
        ("bad:\n1. one [1]\n2. two [1]", "1. one [1]\n2. two [1]"),
        ("3. one [1]\n4. two. And more [1].", "1. one [1]\n2. two. [1] And more. [1]"),
        ("See [the page](http://x.example) [1].", "See the page. [1]"),
        ("See ![p](http://x.example) it [1].", "See it. [1]"),
        ("Press **设置** now [1].", "Press **设置** now. [1]"),
        ("Type `a[0] < 1` or a[b] [1].", "Type `a[0] < 1` or a\\[b]. [1]"),
    ],
)
def test_the_form_of_an_answer(said: str, text: str) -> None:
    assert written(said).text == text


def test_citations_are_numbered_by_first_use_and_quote_their_passage() -> None:
    citations = written("One [3]. Two [1].").citations
    assert [(citation.n, citation.found.passage_id) for citation in citations] == [(1, 9), (2, 7)]
    assert all(citation.quote == FOUND.text[:20] for citation in citations)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("One.", Outcome.UNSUPPORTED),
        ("1. One.\n2. Two [1].", Outcome.UNSUPPORTED),
        ("1. One [1].\n2. Two.", Outcome.UNSUPPORTED),
        ("One [4].", Outcome.UNSUPPORTED),
        ("One [0].", Outcome.UNSUPPORTED),
        ("One <b>two</b> [1].", Outcome.UNSUPPORTED),
        ("One &lt;b&gt; [1].", Outcome.UNSUPPORTED),
        ("One [1]. Bad [1]. Bad [1].", Outcome.UNSUPPORTED),
        ("1. One [1].\n2. bad [1].\n3. Three [1].", Outcome.UNSUPPORTED),
        ("", Outcome.EMPTY),
        ("# Only a heading", Outcome.EMPTY),
        ("NO ANSWER", Outcome.NO_ANSWER),
        ("No answer.", Outcome.NO_ANSWER),
        ("I cannot help with that.", Outcome.REFUSED),
        ("对不起，我不能回答。", Outcome.REFUSED),
        ("请按住复位键 [1]。", Outcome.WRONG_LANGUAGE),
        ("Halten Sie die Taste des Geräts zwölf Sekunden lang gedrückt [1].", Outcome.WRONG_LANGUAGE),
    ],
)
def test_why_nothing_is_shown(said: str, outcome: Outcome) -> None:
    with pytest.raises(Failed) as failed:
        written(said)
    assert failed.value.outcome is outcome


def test_a_chinese_answer_may_name_english_buttons_but_not_be_english() -> None:
    assert written("按住 **Reset and hold it for some time** [1]。", lang="zh").text
    with pytest.raises(Failed) as failed:
        written("Please hold the reset button for some time [1].", lang="zh")
    assert failed.value.outcome is Outcome.WRONG_LANGUAGE
