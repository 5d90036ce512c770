"""Comparing systems: the randomisation test against exact counts, and what a comparison says."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.compare import compare, regrets
from eval.run import SYSTEMS, Outcome
from ingest.judged import JudgedQuery, JudgedSet
from kb.errors import InvalidInput
from retrieval.measures import mean, measure
from retrieval.significance import randomisation
from retrieval.types import Candidates, Query, QueryStats

values = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=9)


@given(values)
def test_p_is_near_that_of_all_exchanges(pairs: list[tuple[float, float]]) -> None:
    difference = np.array([a - b for a, b in pairs])
    observed = abs(difference.sum())
    exchanged = [abs((np.array(signs) * difference).sum()) for signs in itertools.product((1, -1), repeat=len(pairs))]
    exact = float(np.mean([total >= observed - 1e-12 for total in exchanged]))
    found = randomisation({str(n): a for n, (a, _) in enumerate(pairs)}, {str(n): b for n, (_, b) in enumerate(pairs)})
    assert found == pytest.approx(exact, abs=0.02)


def test_p_of_the_same_and_of_the_opposite() -> None:
    some = {str(n): n / 40 for n in range(40)}
    assert randomisation(some, some) == 1.0
    better = {query: value + 0.1 for query, value in some.items()}
    assert randomisation(some, better) == randomisation(better, some) < 0.001
    with pytest.raises(ValueError, match="same questions"):
        randomisation(some, {"0": 1.0})
    assert randomisation({}, {}) == 1.0


def outcome(system: str, **rankings: list[str]) -> Outcome:
    per_query = measure(rankings, QRELS)
    means = {name: mean(found) for name, found in per_query.items()}
    known = dict.fromkeys(rankings, (1, 2))
    return Outcome("set", system, 3, len(rankings), "all", means, per_query, rankings, known)


QRELS = {"q1": {"a": 1}, "q2": {"b": 1}, "q3": {"c": 1}}
JUDGED = JudgedSet("set", None, tuple(JudgedQuery(q, f"text {q}", True, None) for q in QRELS), QRELS)  # type: ignore[arg-type]
RUN = [
    outcome("bm25", q1=["a"], q2=["x", "b"], q3=["x"]),
    outcome("dense", q1=["x", "a"], q2=["b"], q3=["x", "y", "c"]),
    outcome("hybrid", q1=["a"], q2=["b"], q3=["x", "c"]),
]


def test_a_comparison_names_what_was_won_and_lost_and_why() -> None:
    found = compare(JUDGED, RUN, "bm25", "dense")
    assert ([d.query for d in found.won], [d.query for d in found.lost]) == (["q3", "q2"], ["q1"])
    assert found.won[0].why == "first relevant at: bm25 -, dense 3; 1 of 2 terms known"
    assert found.won[0].before == 0.0
    assert found.won[0].after == pytest.approx(0.5)
    document = found.as_json(1)
    assert (document["won"], len(document["examples"]["won"])) == (2, 1)
    with pytest.raises(InvalidInput, match="'rrf' was not run"):
        compare(JUDGED, RUN, "bm25", "rrf")


def test_regret_is_against_the_better_leg() -> None:
    (one,) = regrets(RUN)
    assert (one.system, one.better) == ("hybrid", "dense")
    assert one.regret == pytest.approx(RUN[1].values["ndcg@10"] - RUN[2].values["ndcg@10"])
    assert one.regret < 0
    assert regrets(RUN[1:]) == []


def test_baselines_rank_as_their_papers_say() -> None:
    stats = QueryStats(3, 0.0, 1.0, 10.0, 2, 2)
    ids = np.array([1, 2, 3])
    query = Query(terms=["a", "b"], vector=None)
    candidates = Candidates(
        passage=ids,
        item=ids,
        dense=np.array([0.9, 0.5, 0.1], np.float32),
        lexical=np.array([0.0, 4.0, 2.0]),
        lang=np.array(["en"] * 3),
        stats=stats,
        generation=1,
        watermark=1,
        took_ms={},
    )
    assert SYSTEMS["convex"](candidates, query).tolist() == pytest.approx([0.6, 0.3 + 0.4, 0.2])
    assert SYSTEMS["rrf"](candidates, query).tolist() == pytest.approx([1 / 61, 1 / 61 + 1 / 62, 1 / 62 + 1 / 63])
