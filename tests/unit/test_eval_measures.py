"""Measures are trec_eval's; judged sets are read strictly; halves are stable."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.judged import load, tuning_half
from kb.errors import NotFound, UnreadableSource
from retrieval.measures import mean, measure, ndcg


def test_measures_by_hand() -> None:
    qrels = {"q1": {"a": 1, "b": 2}, "q2": {"z": 1}, "q3": {"a": 1}}
    found = measure({"q1": ["x", "b", "a"], "q2": [f"d{n}" for n in range(10)] + ["z"], "q3": []}, qrels)
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert found["ndcg@10"]["q1"] == pytest.approx((2 / math.log2(3) + 1 / math.log2(4)) / ideal)
    assert found["mrr@10"] == {"q1": 0.5, "q2": 0.0, "q3": 0.0}
    assert found["recall@10"] == {"q1": 1.0, "q2": 0.0, "q3": 0.0}
    assert found["recall@100"]["q2"] == 1.0
    assert mean(found["recall@10"]) == pytest.approx(1 / 3)
    assert mean({}) == 0.0


@given(st.lists(st.integers(0, 3), max_size=14), st.lists(st.integers(1, 3), max_size=12))
def test_ndcg_of_one_ranking_is_that_of_trec_eval(ranked: list[int], missed: list[int]) -> None:
    names = [f"d{place}" for place in range(len(ranked))]
    qrels = dict(zip(names, ranked, strict=True)) | {f"missed{n}": grade for n, grade in enumerate(missed)}
    expected = measure({"q": names}, {"q": qrels})["ndcg@10"]["q"]
    assert ndcg(ranked, qrels.values()) == pytest.approx(expected)


def test_equal_documents_keep_the_rankings_order() -> None:
    found = measure({"q": ["b", "a"]}, {"q": {"a": 1}})
    assert found["mrr@10"]["q"] == 0.5


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text, encoding="utf-8")
    return folder


def test_a_set_is_read(tmp_path: Path) -> None:
    judged = load(
        write(
            tmp_path,
            corpus_jsonl='{"_id": "d", "title": "", "text": "x"}\n',
            queries_jsonl='{"_id": "q", "text": "?", "target_lang": "zh"}\n\n'
            '{"_id": "n", "text": "?", "answerable": false}\n',
            qrels_tsv="query-id\tcorpus-id\tscore\nq\td\t2\n",
        )
    )
    assert judged.qrels == {"q": {"d": 2}}
    assert [query.id for query in judged.judged()] == ["q"]
    assert (judged.queries[0].target_lang, judged.queries[1].answerable) == ("zh", False)


@pytest.mark.parametrize(
    ("queries", "qrels", "says"),
    [
        ("nonsense\n", "q\td\t1\n", "queries.jsonl, line 1"),
        ('{"_id": "q", "text": "?"}\n', "q\td\tone\tmore\nq\td\n", "qrels.tsv, line"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, queries: str, qrels: str, says: str) -> None:
    with pytest.raises(UnreadableSource, match=says):
        load(write(tmp_path, corpus_jsonl="", queries_jsonl=queries, qrels_tsv=qrels))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no corpus\.jsonl"):
        load(tmp_path)


def test_halves_are_halves_and_never_change() -> None:
    ids = [f"q-{n:03}" for n in range(1000)]
    assert 450 < sum(map(tuning_half, ids)) < 550
    assert [tuning_half(i) for i in ids[:6]] == [False, True, False, True, True, True]
