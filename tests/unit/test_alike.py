"""Near duplicates: what two texts have in common, how likely that makes it, and how that is measured."""

import numpy as np
import pytest

from eval.duplicates import Case, average_precision, calibration_error, chance, fit, share_of, weights_of
from kb.access import Scope
from retrieval.contradictions import Fields
from retrieval.duplicates import Alike, Compared, Terms, alike, group, likelihood, term_weights
from retrieval.text import analyze
from retrieval.tuned import TUNED, Likeness
from retrieval.types import Attributes, Change, PassageDoc
from tests.fakes import FakeEmbedder
from tests.fakes_index import BruteForceIndex


def ready(title: str, text: str) -> Compared:
    whole = f"{title}\n{text}"
    return Compared(title, whole, "en", Fields(title, "", text), FakeEmbedder().embed_passages([whole]))


def test_what_two_texts_have_in_common_does_not_depend_on_their_order() -> None:
    terms = Terms(analyze)
    one, other = ready("Reset the router", "Hold the button."), ready("Router reset", "Press the key.")
    strange = ready("Invoice", "Pay it.")
    weights = dict.fromkeys(terms(one.text) | terms(other.text) | terms(strange.text), 1.0)
    there, back = alike(one, other, weights, terms), alike(other, one, weights, terms)
    assert (there.title, there.words) == (back.title, back.words)
    assert there.title == pytest.approx(1.0)
    assert there.words == pytest.approx(0.5)
    assert there.cosine == pytest.approx(back.cosine)
    assert alike(one, one, weights, terms).words == pytest.approx(1.0)
    assert alike(one, strange, weights, terms).words == 0.0


def test_a_rare_word_says_more_and_only_what_may_be_read_is_counted() -> None:
    index = BruteForceIndex(2)
    vector = np.array([1, 0], np.float32)
    passages = [("public", ["common"]), ("public", ["common", "rare"]), ("internal", ["rare"])]
    for seq, (audience, terms) in enumerate(passages, 1):
        attributes = Attributes("article", audience, 1, "en")
        index.apply([Change(seq, seq, attributes, (PassageDoc(seq, terms, vector),))])
    scope = Scope(audiences=frozenset({"public"}), spaces=None, groups=None)
    weights = term_weights(index, ["common", "rare", "new"], scope=scope, size=2)
    assert weights["rare"] == weights["new"] == pytest.approx(np.log(3))
    assert weights["common"] == pytest.approx(np.log(2))


@pytest.mark.parametrize("embedder", ["e5-small", "anything"])
@pytest.mark.parametrize("name", ["zh", "other"])
def test_more_in_common_is_never_less_likely(embedder: str, name: str) -> None:
    model = TUNED.likeness_of(embedder)[name]
    assert min(model.cosine, model.title, model.words) >= 0
    nothing, all_of_it = likelihood(model, Alike(0.7, 0.0, 0.0)), likelihood(model, Alike(1.0, 1.0, 1.0))
    assert nothing < 0.1 < 0.8 < all_of_it


def test_chinese_of_any_script_is_asked_of_one_model() -> None:
    assert (group("zh-Hant"), group("zh"), group("de"), group("und")) == ("zh", "zh", "other", "other")


def case(right: bool, words: float, *, labelled: bool = False, tuning: bool = True, query: str = "q") -> Case:
    return Case("set", query, "other", tuning, labelled, Alike(0.8 + words / 10, words, words), right)


def test_labelled_pairs_weigh_as_if_as_many_were_duplicates_as_among_candidates() -> None:
    cases = [case(True, 1.0), *[case(False, 0.0)] * 9, *[case(True, 0.9, labelled=True)] * 5]
    cases += [case(False, 0.2, labelled=True)] * 5
    share = share_of(cases)
    assert share == 0.1
    weight = weights_of(cases, share)
    assert weight.mean() == pytest.approx(1.0)
    labelled = np.array([one.labelled for one in cases])
    right = np.array([one.right for one in cases])
    assert weight[labelled & right].sum() / weight[labelled].sum() == pytest.approx(0.1)
    assert share_of([case(True, 1.0, labelled=True)]) == 0.5


def test_what_is_fitted_is_calibrated_and_tells_duplicates() -> None:
    random = np.random.default_rng(1)
    words = random.random(2000)
    cases = [case(bool(random.random() < w**4), float(w)) for w in words]
    model = fit(cases, share_of(cases))
    p = np.array([likelihood(model, one.alike) for one in cases])
    right = np.array([one.right for one in cases])
    assert calibration_error(p, right, np.ones(len(p))) < 0.05
    assert average_precision(right, p) > 2 * right.mean()
    assert fit(cases, 0.2, any_scale=True).cosine == 0.0


def test_a_feature_that_speaks_against_is_left_out() -> None:
    cases = [Case("set", "q", "other", True, False, Alike(0.9 - w / 10, w, w), w > 0.5) for w in np.linspace(0, 1, 50)]
    assert fit(cases, 0.5).cosine == 0.0


def test_a_calibration_error_counts_each_case_by_its_weight() -> None:
    p, right = np.array([0.5, 0.5]), np.array([True, False])
    assert calibration_error(p, right, np.ones(2), bins=1) == 0.0
    assert calibration_error(p, right, np.array([1.5, 0.5]), bins=1) == pytest.approx(0.25)


def test_orders_are_exchanged_by_query() -> None:
    cases = [case(at % 2 == 0, 0.5, query=f"q{at // 2}") for at in range(40)]
    right = np.array([one.right for one in cases])
    good, random = right + np.linspace(0, 0.5, 40), np.random.default_rng(0).random(40)
    assert chance(cases, right, good, random) < 0.05
    assert chance(cases, right, good, good) == 1.0


def test_a_model_is_as_it_was_written() -> None:
    assert all(isinstance(model, Likeness) for part in TUNED.likeness.values() for model in part.values())
