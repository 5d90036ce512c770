"""Extracts, citations and the text of an answer: whole, from the right section, to the letter."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.items import Found
from kb.models import Kind
from retrieval.abstain import Band, Features, decide, features, group, logit, probability, suggestions, threshold
from retrieval.citations import Citation, UnsupportedCitation, check
from retrieval.extract import LONGEST, UNSURE, extract
from retrieval.search import Hit, Results
from retrieval.segments import segments
from retrieval.text import analyze
from retrieval.tuned import TUNED, Confidence

KCS = """## Issue

The app asks to sign in again and again after the update.

## Resolution

Clear the storage of the app:

1. Open *Settings*.
2. Choose the app.

Then sign in with your e-mail address.

## Cause

The update ended the old sessions of the app."""

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
    title="Sign-in loop",
    ordinal=0,
    path="",
    text=KCS,
    updated_at="2026-01-01T00:00:00Z",
)


def said(text: str, question: str, *, longest: int = LONGEST) -> str:
    found = extract(text, question, longest=longest)
    return text[found.start : found.end]


def test_the_resolution_answers_though_the_issue_matches_better() -> None:
    answer = said(KCS, "the app asks to sign in again and again after the update")
    assert answer.startswith("Clear the storage")
    assert "Issue" not in answer
    assert "Cause" not in answer


def test_what_a_colon_announces_comes_along() -> None:
    assert "2. Choose the app." in said(KCS, "clear the storage", longest=30)


def test_a_list_brings_the_sentence_that_announces_it() -> None:
    text = "Do this:\n\n- turn the zebra\n- press it"
    assert said(text, "zebra", longest=10) == text


@pytest.mark.parametrize(
    ("text", "question", "whole"),
    [
        ("Intro sentence.\n\n| a | b |\n| - | - |\n| zebra | 2 |\n| 3 | 4 |", "zebra", "| 3 | 4 |"),
        ("Intro sentence.\n\n```\nzebra\n\nlast line\n```\n\nOutro.", "zebra", "last line\n```"),
        ("Intro.\n\n- zebra\n\n- then\n\n  ```\n  code\n  ```\n\n- last", "zebra", "- last"),
        ("Intro.\n\n1. zebra\n2. then\n\n   more of it\n3. last", "zebra", "3. last"),
    ],
)
def test_lists_tables_and_code_stay_whole(text: str, question: str, whole: str) -> None:
    assert whole in said(text, question, longest=10)


def test_no_stretch_runs_over_a_heading() -> None:
    text = "## Red\n\nA zebra here.\n\n## Blue\n\nA yak there."
    assert said(text, "zebra yak") in ("A zebra here.", "A yak there.")


def test_chinese_counts_double() -> None:
    text = "".join(f"第{n}步请按住重置键十二秒。" for n in range(100))
    assert len(said(text, "重置键")) < LONGEST * 0.6


PLANS = "The plan is new. It has no fixed term. The offer ends on 31 December 2027. Shops sell it. Prices differ."


def test_a_fact_is_one_sentence_and_a_topic_up_to_three() -> None:
    assert said(PLANS, "On which day does the offer end?") == "The offer ends on 31 December 2027."
    assert said(PLANS, "shops prices plan term").count(".") == 3


def test_what_answers_is_marked_inside() -> None:
    text = "The pass is for trips. A pass for zone B is 4 cr a day. It can be bought in the app at any hour."
    found = extract(text, "how much is a pass for zone B")
    assert text[found.best_start : found.best_end] == "A pass for zone B is 4 cr a day."


def test_the_row_and_the_item_that_answer_are_marked() -> None:
    table = "| Bundle | Price |\n| --- | --- |\n| 5 GB | 6 cr |\n| 15 GB | 12 cr |"
    found = extract(table, "what does the 15 GB bundle cost")
    assert (found.start, found.end) == (0, len(table))
    assert table[found.best_start : found.best_end] == "| 15 GB | 12 cr |"
    items = "- **Invoices** on the 3rd of the month\n- **Outages** in your area"
    found = extract(items, "when do invoices come")
    assert items[found.best_start : found.best_end] == "**Invoices** on the 3rd of the month"


def test_of_steps_and_code_nothing_is_marked() -> None:
    for text in ("1. Open *Settings*.\n2. Reset the box.", "```\nreset\nbox\n```"):
        found = extract(text, "reset the box")
        assert found.best_start == found.best_end
        assert (found.start, found.end) == (0, len(text))


def test_no_sentence_is_cut_inside_bold_text_or_a_link() -> None:
    text = "**Only forgotten it?** It is on the sticker. [What now? A guide](a.md) helps."
    assert [text[part.start : part.end] for part in segments(text)] == [
        "**Only forgotten it?** It is on the sticker.",
        "[What now? A guide](a.md) helps.",
    ]


def test_a_question_comes_with_its_answer_and_a_clause_with_its_rest() -> None:
    assert said("Still orange? Call us at night. Boxes are white.", "light is still orange").startswith(
        "Still orange? C"
    )
    assert said("价格不变。换到大套餐马上恢复高速；新的流量当天可用。门店休息。", "换到大套餐高速").endswith(
        "当天可用。"
    )


def test_a_line_like_a_heading_comes_with_what_is_below_it_and_is_not_marked() -> None:
    text = "Serial monitor\n\nIt shows what the board says.\n\n---\n\nIt can be closed."
    found = extract(text, "where is the serial monitor")
    assert text[found.start : found.end].startswith("Serial monitor\n\nIt shows")
    assert text[found.best_start : found.best_end] != "Serial monitor"
    assert "---" not in [text[part.start : part.end] for part in segments(text)]


def test_steps_answer_what_asks_for_no_fact() -> None:
    steps = "1. Choose *Forgot password*.\n2. Read the mail."
    text = f"If you forgot your password at a shop, ask there.\n\n## Reset it\n\n{steps}"
    assert said(text, "forgot my password") == steps
    assert said(text, "where can I ask about my password") == "If you forgot your password at a shop, ask there."


def test_of_a_resolution_that_is_too_long_the_steps_are_shown() -> None:
    steps = "\n".join(f"{n}. Look at the light number {n} and note its colour on the sheet." for n in range(1, 16))
    text = f"## Resolution\n\nFollow these:\n\n{steps}\n\nStill orange? Call us."
    assert said(text, "the light is still orange") == f"Follow these:\n\n{steps}"


def test_meaning_is_asked_only_where_words_do_not_tell() -> None:
    asked: list[list[str]] = []

    def last(parts: Sequence[str]) -> npt.NDArray[np.float64]:
        asked.append(list(parts))
        return np.linspace(0.5, 0.9, len(parts))

    text = "按住重置键。等待五分钟。灯变成白色。"
    found = extract(text, "what colour is the light", nearness=last)
    assert asked == [["按住重置键。", "等待五分钟。", "灯变成白色。"]]
    assert text[found.start : found.end] == "灯变成白色。"

    asked.clear()
    assert extract(PLANS, "On which day does the offer end?", nearness=last).chance > UNSURE
    assert not asked
    assert said(PLANS, "shops prices plan term") != PLANS
    extract(PLANS, "shops prices plan term", nearness=last)
    assert len(asked) == 1
    extract("## Resolution\n\n按住重置键。等待五分钟。", "reset it", nearness=last)
    assert len(asked) == 1  # all of it is shown anyway


WORD = st.sampled_from("zebra yak 登录 手机。 Then. - * | ``` ## : ： 1. \n \n\n".split(" "))


@given(text=st.lists(WORD, min_size=1, max_size=30).map(" ".join), question=st.sampled_from(["zebra", "登录", ""]))
def test_an_extract_is_a_stretch_of_whole_segments(text: str, question: str) -> None:
    found = extract(text, question)
    parts = segments(text)
    assert 0 <= found.start <= found.best_start <= found.best_end <= found.end <= len(text)
    if parts:
        assert found.start in {part.start for part in parts}
        assert found.end in {part.end for part in parts}
        assert text[found.best_start : found.best_end] == text[found.best_start : found.best_end].strip()
        assert text[found.start : found.end].strip()
        assert 0 <= found.chance <= 1 + 1e-9


def test_citations_must_be_supplied_numbered_and_to_the_letter() -> None:
    good = Citation(n=1, found=FOUND, quote="Clear the storage")
    check([good, replace(good, n=2)], [FOUND])
    for bad in (
        replace(good, n=2),
        replace(good, quote="Clear  the storage"),
        replace(good, quote=" "),
        replace(good, found=replace(FOUND, passage_id=8)),
    ):
        with pytest.raises(UnsupportedCitation):
            check([bad], [FOUND])


def results(*hits: Hit, bound: float = 10.0) -> Results:
    return Results(
        question="q",
        lang="en",
        hits=hits,
        terms=["q"],
        stats_bound=bound,
        generation=1,
        watermark=1,
        dense_mean=0.75,
        dense_std=0.03,
    )


def hit(cosine: float, lexical: float, score: float, *, exact_title: bool = False) -> Hit:
    return Hit(found=FOUND, score=score, dense=cosine, lexical=lexical, exact_title=exact_title)


def test_better_hits_never_make_a_lower_band() -> None:
    order = [Band.NO_ANSWER, Band.DID_YOU_MEAN, Band.ANSWER]
    steps = [(0.70, 0.0, 0.0), (0.78, 1.0, 1.0), (0.84, 4.0, 4.0), (0.90, 8.0, 8.0), (0.96, 10.0, 12.0)]
    bands = [decide(results(hit(*step), hit(0.7, 0.0, 0.0))).band for step in steps]
    assert [order.index(band) for band in bands] == sorted(order.index(band) for band in bands)
    assert bands[0] is Band.NO_ANSWER
    assert bands[-1] is Band.ANSWER


def test_nothing_found_is_no_answer_and_an_exact_title_is_one() -> None:
    assert decide(results()).band is Band.NO_ANSWER
    assert features(results()) == Features(0.0, 0.0, 0.0, 0.0, 0.0)
    assert decide(results(hit(0.5, 0.0, 0.0, exact_title=True))).band is Band.ANSWER


def test_a_code_in_the_title_is_an_answer() -> None:
    named = replace(hit(0.5, 0.0, 0.0), found=replace(FOUND, title="FB-E21: the line is not authenticated"))
    assert decide(replace(results(named), terms=analyze("FB-E21"))).band is Band.ANSWER
    assert decide(replace(results(named), terms=analyze("FB-E33"))).band is Band.NO_ANSWER
    assert decide(replace(results(named), terms=analyze("the password"))).band is Band.NO_ANSWER


def test_another_code_than_the_one_asked_for_is_no_answer() -> None:
    found = replace(FOUND, title="FB-E21: the line is not authenticated", text="Restart the FibreBox.")
    sure = replace(hit(0.95, 9.0, 9.0), found=found)
    assert decide(replace(results(sure), terms=analyze("FibreBox line not authenticated"))).band is Band.ANSWER
    asked = replace(results(sure), terms=analyze("FibreBox line not authenticated FB-E33"))
    assert decide(asked).band is Band.NO_ANSWER
    named = replace(sure, found=replace(found, text="Restart the FibreBox; FB-E33 is something else."))
    assert decide(replace(asked, hits=[named])).band is not Band.NO_ANSWER
    assert decide(replace(asked, terms=analyze("FibreBox line not authenticated win11"))).band is not Band.NO_ANSWER


def test_the_lead_is_over_hits_about_something_else() -> None:
    twin = replace(hit(0.9, 5.0, 5.0), found=replace(FOUND, passage_id=8, item_id=4, title=FOUND.title + "!"))
    other = replace(hit(0.8, 2.0, 2.0), found=replace(FOUND, passage_id=9, item_id=5, title="Something else"))
    of = features(results(hit(0.9, 5.0, 5.0), twin, other))
    assert (of.cosine, of.cosine_lead, of.lexical_lead) == pytest.approx((0.9, 0.1, 0.3))
    assert of.spread_lead == pytest.approx(0.1 / 0.03)
    alone = features(results(hit(0.9, 5.0, 5.0)))
    assert (alone.cosine_lead, alone.lexical_lead) == pytest.approx((0.15, 0.5))


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.integers(0, 4), st.floats(0, 1))
def test_no_feature_that_grows_lowers_the_confidence(values: list[float], which: int, more: float) -> None:
    grown = [value + (more if at == which else 0) for at, value in enumerate(values)]
    for known in TUNED.confidence.values():
        for model in known.models.values():
            assert logit(model, Features(*grown)) >= logit(model, Features(*values))


@pytest.mark.parametrize("embedder", ["e5-small", "some-other"])
def test_less_risk_and_fewer_answers_to_be_had_ask_for_more(embedder: str) -> None:
    known = TUNED.confidence_of(embedder)
    by_risk = [threshold(known, risk, 0.8) for risk in (0.01, 0.05, 0.1, 0.2, 0.5)]
    assert by_risk == sorted(by_risk, reverse=True)
    assert by_risk[0] > by_risk[-1]
    by_share = [threshold(known, 0.1, answerable) for answerable in (0.2, 0.5, 0.8, 0.95)]
    assert by_share == sorted(by_share, reverse=True)


def test_nothing_is_answered_at_a_risk_that_was_never_reached() -> None:
    known = Confidence(models={}, curve=((2.0, 0.2, 0.05, 0.0), (1.0, 0.5, 0.05, 0.1)))
    assert threshold(known, 0.01, 0.8) == inf
    assert threshold(known, 0.2, 0.8) == 1.0
    assert threshold(known, 0.2, 0.4) == 2.0


def test_the_share_of_answerable_questions_moves_the_odds() -> None:
    assert probability(0.0) == pytest.approx(0.5)
    assert probability(0.0, 0.8) == pytest.approx(0.8)
    assert probability(-1.0, 0.8) < probability(1.0, 0.8)


def test_each_group_of_languages_has_a_model() -> None:
    chinese = replace(hit(0.9, 1.0, 1.0), found=replace(FOUND, lang="zh-Hant"))
    assert group(results(hit(0.9, 1.0, 1.0))) == "other"
    assert group(results(chinese)) == "across"
    assert group(replace(results(chinese), lang="zh")) == "zh"
    assert group(results()) == "other"
    for known in TUNED.confidence.values():
        assert set(known.models) == {"zh", "other", "across"}


def test_cases_are_not_offered_as_questions_beside_articles() -> None:
    case = Hit(found=replace(FOUND, kind=Kind.CASE), score=9.0, dense=0.9, lexical=1.0)
    article = hit(0.8, 1.0, 1.0)
    assert suggestions([case, article]) == [article]
    assert suggestions([case]) == [case]


def test_what_hardly_fits_is_not_offered() -> None:
    best, near, far = hit(0.9, 5.0, 6.0), hit(0.88, 4.0, 4.0), hit(0.8, 0.0, 1.0)
    assert suggestions([best, near, far]) == [best, near]
    assert suggestions([]) == []
