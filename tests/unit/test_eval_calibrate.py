"""Calibration: what is taken away, what is fitted, and the measures against hand-counted examples."""

from pathlib import Path

import numpy as np
import pytest

from eval import calibrate
from eval.calibrate import Case
from ingest.judged import JudgedQuery, JudgedSet, tuning_half
from retrieval.abstain import Features, probability, threshold
from retrieval.tuned import confidence


def judged(qrels: dict[str, dict[str, int]]) -> JudgedSet:
    queries = tuple(JudgedQuery(id=name, text=name, answerable=True, target_lang=None) for name in qrels)
    return JudgedSet("a", Path("corpus.jsonl"), queries, qrels)


def test_documents_that_share_a_question_go_together() -> None:
    pairs = {f"q{n}": {f"d{n}": 1, f"e{n}": 1} for n in range(60)}
    pairs |= {f"also{n}": {f"e{n}": 2, f"far{n}": 0} for n in range(60)}
    queries, documents = calibrate.taken_away(judged(pairs))
    assert 20 < len([name for name in queries if name.startswith("q")]) < 40
    for n in range(60):
        gone = f"q{n}" in queries
        assert (f"also{n}" in queries, f"d{n}" in documents, f"e{n}" in documents) == (gone, gone, gone)
        assert f"far{n}" not in documents


def cases(count: int = 400, seed: int = 0) -> list[Case]:
    """Questions whose first hit is right with the probability that their coverage says."""
    random = np.random.default_rng(seed)
    made = []
    for n in range(count):
        coverage = float(random.random())
        right = bool(random.random() < probability(6 * coverage - 3))
        of = Features(
            cosine=float(random.random()), coverage=coverage, cosine_lead=0.0, spread_lead=0.0, lexical_lead=0.0
        )
        withheld = not right and bool(random.random() < 0.9)
        made.append(Case("a", "other", tuning_half(f"{seed} {n}"), withheld, of, right))
    return made


def test_the_fit_finds_what_made_the_cases_and_no_weight_is_negative() -> None:
    model = calibrate.fit(cases(4000))
    assert model.coverage == pytest.approx(6, abs=0.8)
    assert model.bias == pytest.approx(-3, abs=0.6)
    assert 0 <= model.cosine < 0.6
    turned = [Case(c.set, c.group, c.tuning, c.withheld, c.features, not c.right) for c in cases(1000)]
    assert calibrate.fit(turned).coverage == 0
    assert calibrate.fit(cases(500), any_scale=True).cosine == 0


def test_what_is_written_keeps_the_risk_on_the_tuning_half() -> None:
    known = confidence(calibrate.calibrated(cases(4000)))
    least = threshold(known, 0.1, 0.5)
    tuning = [case for case in cases(4000) if case.tuning]
    said = [c for c, odds in zip(tuning, calibrate.log_odds(tuning, known.models), strict=True) if odds >= least]
    assert 0.02 < sum(not case.right for case in said) / len(said) < 0.15
    assert len(said) > 100


def test_measures_by_hand() -> None:
    p = np.array([0.9, 0.8, 0.3, 0.2])
    right = np.array([True, False, False, True])
    assert calibrate.calibration_error(p, right, bins=2) == pytest.approx((abs(0.85 - 0.5) + abs(0.25 - 0.5)) / 2)
    assert calibrate.reliability(p, right, bins=2) == [(0.25, 0.5), (0.85, 0.5)]
    assert calibrate.risk_coverage(p, right) == [(0.25, 0.0), (0.5, 0.5), (0.75, 0.6667), (1.0, 0.5)]
    made = [
        Case("a", "other", False, away, Features(0, 0, 0, 0, 0), ok)
        for away, ok in zip([False, False, True, False], right, strict=True)
    ]
    found = calibrate.trust("a", made, p, least=0.25)
    assert (found.cases, found.withheld, found.right) == (4, 1, 0.6667)
    assert (found.answered, found.wrong, found.withheld_answered) == (0.6667, 0.5, 1.0)
    assert found.told_apart == pytest.approx(2 / 3, abs=1e-4)


def test_only_the_report_half_is_reported() -> None:
    some = cases(300)
    score = calibrate.models(some)
    found = list(calibrate.by_set_and_group(some, lambda part: calibrate.confidences(part, score), 0.5))
    assert [one.name for one in found] == ["a", "all other", "all"]
    assert found[0].cases == sum(not case.tuning for case in some)
