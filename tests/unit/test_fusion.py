"""Fusion orders by what each leg can be trusted for, on a scale that does not depend on what else was found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.fusion import LEXICAL_WEIGHT, fuse, order
from retrieval.types import Candidates, QueryStats


def candidates(
    dense: list[float], lexical: list[float], *, mean: float = 0.5, std: float = 0.1, bound: float = 10.0
) -> Candidates:
    n = len(dense)
    return Candidates(
        passage=np.arange(n, dtype=np.int64),
        item=np.arange(n, dtype=np.int64),
        dense=np.array(dense, np.float32),
        lexical=np.array(lexical, np.float64),
        stats=QueryStats(passages=n, dense_mean=mean, dense_std=std, lexical_bound=bound, terms=1, terms_known=1),
        generation=1,
        watermark=1,
        took_ms={},
    )


def test_the_formula() -> None:
    score = fuse(candidates([0.7, 0.5], [0.0, 5.0]))
    assert score == pytest.approx([2.0, LEXICAL_WEIGHT / 2], rel=1e-5)


def test_the_lexical_leg_fades_where_the_words_are_not_there() -> None:
    found = fuse(candidates([0.9, 0.6], [0.0, 1.0], bound=1.0))
    unknown = fuse(candidates([0.9, 0.6], [0.0, 1.0], bound=60.0))
    assert found[1] > found[0]
    assert unknown[0] > unknown[1]


def test_without_a_vector_or_without_terms_the_other_leg_orders() -> None:
    assert list(fuse(candidates([0.0, 0.0], [1.0, 2.0], mean=0.0, std=0.0))) == pytest.approx(
        [LEXICAL_WEIGHT / 10, LEXICAL_WEIGHT / 5]
    )
    assert list(fuse(candidates([0.6, 0.7], [0.0, 0.0], bound=0.0))) == pytest.approx([1.0, 2.0], rel=1e-5)


def test_one_passage_alone_has_a_score() -> None:
    assert fuse(candidates([0.8], [0.0], mean=0.8, std=0.0))[0] == pytest.approx(0.8)


def test_nothing_found_is_nothing() -> None:
    assert len(fuse(candidates([], []))) == 0


scores = st.lists(st.tuples(st.floats(-1, 1, width=32), st.floats(0, 10)), min_size=1, max_size=20)


@given(scores)
def test_better_in_both_legs_is_never_ranked_lower(pairs: list[tuple[float, float]]) -> None:
    found = candidates([d for d, _ in pairs], [x for _, x in pairs])
    score = fuse(found)
    for i, (dense, lexical) in enumerate(pairs):
        for j, (other_dense, other_lexical) in enumerate(pairs):
            if dense >= other_dense and lexical >= other_lexical:
                assert score[i] >= score[j]


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=20))
def test_equal_scores_are_ordered_by_passage(values: list[float]) -> None:
    ids = np.arange(len(values), dtype=np.int64)[::-1].copy()
    ranked = [(-values[i], ids[i]) for i in order(np.array(values), ids)]
    assert ranked == sorted(ranked)
