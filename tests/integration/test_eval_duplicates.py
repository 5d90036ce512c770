"""Judged duplicates are measured as the product would find them; labelled pairs as they are labelled."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from eval.duplicates import collect, measured, models, share_of
from ingest.judged import tuning_half
from kb.errors import UnreadableSource
from retrieval.titled import TitledEmbedder
from tests.fakes import FakeEmbedder

TOPICS = [f"{thing} {fault}" for thing in ("router", "modem", "phone", "screen") for fault in ("dark", "loud", "slow")]


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    write(
        folder / "corpus.jsonl",
        [
            {"_id": f"d{n}", "title": f"The {topic} today", "text": f"My {topic}."}
            for n, topic in enumerate(TOPICS[:-1])
        ],
    )
    write(
        folder / "queries.jsonl",
        [
            {"_id": f"q{n}", "text": topic, "full_text": f"{topic} here\nThe {topic} since today."}
            for n, topic in enumerate(TOPICS)
        ],
    )
    rows = ["query-id\tcorpus-id\tscore", *(f"q{n}\td{n}\t1" for n in range(len(TOPICS) - 1)), "q11\tgone\t1"]
    (folder / "qrels.tsv").write_text("\n".join(rows), encoding="utf-8")
    return folder


def test_each_draft_is_a_case_with_each_of_its_candidates(reports: Path) -> None:
    found = collect(reports, TitledEmbedder(FakeEmbedder()), tell=lambda _: None)
    assert {case.query for case in found.cases} == {f"q{n}" for n in range(12)}
    assert sum(case.right for case in found.cases) == 11
    assert all(case.tuning == tuning_half(case.query) and not case.labelled for case in found.cases)
    assert found.missed == {tuning_half("q11"): 1, not tuning_half("q11"): 0}
    right = [case.alike.words for case in found.cases if case.right]
    wrong = [case.alike.words for case in found.cases if not case.right]
    assert min(right) > max(wrong)
    share = share_of(found.cases)
    row = measured(found, models(found.cases, share), share)
    assert row.average_precision == 1.0
    assert row.missed == found.missed[False]
    assert row.pairs == sum(not case.tuning for case in found.cases)


def test_pairs_are_as_they_were_labelled(reports: Path) -> None:
    pairs = [{"a": f"The {topic}", "b": f"My {topic}", "label": 1} for topic in TOPICS]
    pairs += [{"a": f"The {one}", "b": f"My {other}", "label": 0} for one, other in pairwise(TOPICS)]
    write(reports / "pairs.jsonl", pairs)
    found = collect(reports, TitledEmbedder(FakeEmbedder()), tell=lambda _: None)
    assert [(case.right, case.labelled, case.tuning) for case in found.cases] == [
        (pair["label"] == 1, True, tuning_half(str(pair["a"]))) for pair in pairs
    ]
    write(reports / "pairs.jsonl", [{"a": "x", "label": 1}])
    with pytest.raises(UnreadableSource, match="line 1"):
        collect(reports, TitledEmbedder(FakeEmbedder()), tell=lambda _: None)
