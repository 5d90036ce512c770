"""Fusion orders by what each leg can be trusted for: the lexical one by how much of the question is said, and where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.fusion import fuse, order
from retrieval.tuned import TUNED
from retrieval.types import Candidates, Query, QueryStats

W, D = TUNED.lexical_weight, TUNED.lexical_damping


def candidates(
    dense: list[float],
    lexical: list[float],
    *,
    mean: float = 0.5,
    std: float = 0.1,
    bound: float = 10.0,
    langs: list[str] | None = None,
) -> Candidates:
    n = len(dense)
    return Candidates(
        passage=np.arange(n, dtype=np.int64),
        item=np.arange(n, dtype=np.int64),
        dense=np.array(dense, np.float32),
        lexical=np.array(lexical, np.float64),
        lang=np.array(langs or ["en"] * n, np.str_),
        stats=QueryStats(passages=n, dense_mean=mean, dense_std=std, lexical_bound=bound, terms=1, terms_known=1),
        generation=1,
        watermark=1,
        took_ms={},
    )


def asked(*terms: str, lang: str = "en") -> Query:
    return Query(terms=terms, vector=None, lang=lang)


def test_the_formula() -> None:
    score = fuse(candidates([0.7, 0.5, 0.5], [0.0, 5.0, 2.0]), asked("a"))
    assert score == pytest.approx([2.0, W * 0.5 / (0.5 + D), W * 0.2 / (0.5 + D)], rel=1e-5)


def test_the_lexical_leg_fades_where_the_words_are_not_there() -> None:
    found = fuse(candidates([0.65, 0.6], [0.0, 1.0], bound=1.0), asked("a"))
    unknown = fuse(candidates([0.65, 0.6], [0.0, 1.0], bound=100.0), asked("a"))
    assert found[1] > found[0]
    assert unknown[0] > unknown[1]


def test_words_of_the_question_say_nothing_in_another_language() -> None:
    pair = candidates([0.6, 0.6], [4.0, 9.0], langs=["en", "zh"])
    ours, theirs = fuse(pair, asked("shortcut", "key"))
    assert ours > theirs == pytest.approx(1.0)


def test_codes_are_the_same_in_every_language() -> None:
    pair = candidates([0.6, 0.6], [0.0, 9.0], langs=["en", "zh"])
    assert fuse(pair, asked("fb-e21"))[1] == pytest.approx(1.0 + W * 0.9 / (0.9 + D))
    assert fuse(pair, asked("error", "fb-e21"))[1] == pytest.approx(1.0 + W * 0.45 / (0.45 + D))


def test_what_a_chinese_question_shares_with_an_english_passage_are_names() -> None:
    pair = candidates([0.6, 0.6], [0.0, 9.0], langs=["zh", "en"])
    assert fuse(pair, asked("设置", "airplay", lang="zh"))[1] == pytest.approx(1.0 + W * 0.9 / (0.9 + D))


@pytest.mark.parametrize(("spoken", "found"), [("en-GB", "en"), ("und", "zh"), ("fr", "und")])
def test_a_region_or_an_unknown_language_is_not_another_one(spoken: str, found: str) -> None:
    score = fuse(candidates([0.5], [10.0], langs=[found]), asked("colour", lang=spoken))
    assert score[0] == pytest.approx(W / (1 + D))


def test_without_a_vector_or_without_terms_the_other_leg_orders() -> None:
    without_vector = fuse(candidates([0.0, 0.0], [1.0, 2.0], mean=0.0, std=0.0), asked("a"))
    assert list(without_vector) == pytest.approx([W * 0.1 / (0.2 + D), W * 0.2 / (0.2 + D)])
    assert list(fuse(candidates([0.6, 0.7], [0.0, 0.0], bound=0.0), asked())) == pytest.approx([1.0, 2.0], rel=1e-5)


def test_one_passage_alone_has_a_score() -> None:
    assert fuse(candidates([0.8], [0.0], mean=0.8, std=0.0), asked("a"))[0] == pytest.approx(0.8)


def test_nothing_found_is_nothing() -> None:
    assert len(fuse(candidates([], []), asked("a"))) == 0


scores = st.lists(st.tuples(st.floats(-1, 1, width=32), st.floats(0, 10)), min_size=1, max_size=20)


@given(scores)
def test_better_in_both_legs_is_never_ranked_lower(pairs: list[tuple[float, float]]) -> None:
    score = fuse(candidates([d for d, _ in pairs], [x for _, x in pairs]), asked("a"))
    for i, (dense, lexical) in enumerate(pairs):
        for j, (other_dense, other_lexical) in enumerate(pairs):
            if dense >= other_dense and lexical >= other_lexical:
                assert score[i] >= score[j]


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=20))
def test_equal_scores_are_ordered_by_passage(values: list[float]) -> None:
    ids = np.arange(len(values), dtype=np.int64)[::-1].copy()
    ranked = [(-values[i], ids[i]) for i in order(np.array(values), ids)]
    assert ranked == sorted(ranked)
