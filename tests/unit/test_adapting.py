"""Learning a map: it finds what is there to be found, and nothing where nothing is."""

from dataclasses import replace

import numpy as np
import pytest

from ingest.adapting import _helped
from ingest.adapting import _judged as _verdict
from ingest.gate import Judged
from ingest.judged import JudgedQuery
from retrieval.adapted import Adapter
from retrieval.adapting import Floats, Lesson, _judged, learn


def unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def lesson(count: int, *, turned: bool, seed: int = 0, dim: int = 24) -> tuple[Lesson, Floats]:
    """Return questions near a passage each, turned away from it all alike if so asked; and the same, not turned."""
    random = np.random.default_rng(seed)
    passages = unit(random.normal(0, 1, (count, dim)).astype(np.float32))
    near = unit(passages + 0.1 * random.normal(0, 1, (count, dim)).astype(np.float32))
    turn = np.linalg.qr(np.eye(dim) + 0.25 * random.normal(0, 1, (dim, dim)))[0].astype(np.float32)
    each = np.arange(count, dtype=np.intp)
    made = Lesson(
        questions=unit(near @ turn) if turned else near,
        passages=passages,
        item=each,
        relevant=[{n: 1} for n in range(count)],
        dismissed=[set() for _ in range(count)],
        lang=np.zeros(count, np.intp),
        wanted=np.full(count, -1, np.intp),
    )
    return made, near


def test_a_turn_that_all_questions_share_is_turned_back() -> None:
    made, _ = lesson(300, turned=True)
    learnt = learn(made)
    assert learnt.after.mean() > learnt.before.mean() + 0.2
    again = learn(made)
    np.testing.assert_array_equal(learnt.map, again.map)


def test_what_cross_validation_says_is_of_questions_not_learnt_from() -> None:
    """Links at random cannot be learnt: fitted to themselves they would seem to be."""
    made, near = lesson(200, turned=False)
    random = np.random.default_rng(1).permutation(200)
    learnt = learn(replace(made, questions=near, relevant=[{int(n): 1} for n in random]))
    assert learnt.after.mean() < 0.1


def test_moved_cosines_are_brought_to_the_scale_of_those_not_moved() -> None:
    made, _ = lesson(300, turned=True)
    learnt = learn(made)
    _, before = _judged(made, made.questions)
    _, after = _judged(made, unit(made.questions + made.questions @ learnt.map))
    assert learnt.scale > 0
    scaled = learnt.scale * after + learnt.offset
    assert abs(scaled.mean() - before.mean()) < abs(after.mean() - before.mean())


def test_a_question_for_one_language_is_judged_among_its_passages() -> None:
    made, near = lesson(20, turned=False)
    langs = np.arange(20, dtype=np.intp) % 2
    values, _ = _judged(replace(made, lang=langs, wanted=1 - langs), near)
    assert not values.any(), "its own passage is in the other language"
    values, _ = _judged(replace(made, lang=langs, wanted=langs), near)
    assert values.mean() == pytest.approx(1)


def test_an_item_is_as_good_as_its_best_passage_and_grades_count() -> None:
    passages = np.eye(4, dtype=np.float32)
    made = Lesson(
        questions=unit(np.array([[0.1, 0.9, 0.5, 0.2]], np.float32)),
        passages=passages,
        item=np.array([0, 0, 1, 2], np.intp),
        relevant=[{1: 2, 0: 1}],
        dismissed=[{2}],
        lang=np.zeros(4, np.intp),
        wanted=np.full(1, -1, np.intp),
    )
    values, best = _judged(made, made.questions)
    discount = 1 / np.log2([2, 3])
    assert values[0] == pytest.approx((1 * discount[0] + 2 * discount[1]) / (2 * discount[0] + 1 * discount[1]))
    assert best[0] == pytest.approx(float(made.questions[0, 1]))


def held(count: int, lang: str) -> list[Judged]:
    text = {"en": "how do I reset the router", "zh": "怎样重置路由器"}[lang]
    return [Judged(JudgedQuery(f"{lang}{n}", text, True, None), {"a": 1}) for n in range(count)]


@pytest.mark.parametrize(
    ("english", "chinese", "refusal"),
    [
        (0.1, 0.0, None),
        (0.1, -0.05, "questions in zh would fare worse"),
        (0.0, 0.0, "no better"),
        (-0.1, 0.0, "no better"),
    ],
)
def test_it_is_adopted_where_it_wins_and_nobody_loses(english: float, chinese: float, refusal: str | None) -> None:
    made, _ = lesson(40, turned=True)
    asked = [*held(30, "en"), *held(20, "zh")]
    before = {one.query.id: 0.5 for one in asked}
    after = {name: value + (english if name.startswith("en") else chinese) for name, value in before.items()}
    learnt = learn(made)
    found = _verdict(Adapter("f", ("en", "zh"), learnt.map), learnt, 40, asked, before, after)
    assert (found.refusal is None) == (refusal is None)
    assert (refusal or "") in (found.refusal or "")
    assert found.adapter is not None
    assert found.adapter.learnt["langs"]["en"]["questions"] == 30


def test_what_may_be_chance_is_not_adopted() -> None:
    made, _ = lesson(40, turned=True)
    asked = held(30, "en")
    before = {one.query.id: 0.5 for one in asked}
    after = {**before, "en0": 1.0, "en1": 1.0}
    learnt = learn(made)
    found = _verdict(Adapter("f", ("en",), learnt.map), learnt, 40, asked, before, after)
    assert found.after > found.before
    assert "may be chance" in str(found.refusal)


def test_languages_that_cross_validation_sees_fall_are_not_moved() -> None:
    made, _ = lesson(60, turned=True)
    learnt = learn(made)
    spoken = ["en"] * 25 + ["zh"] * 25 + ["de"] * 10
    gain = np.array([0.2] * 25 + [-0.1] * 25 + [0.5] * 10)
    assert _helped(spoken, replace(learnt, after=learnt.before + gain)) == ("en",), "of German there is too little"
