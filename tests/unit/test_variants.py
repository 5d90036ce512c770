"""Questions as people mistype them: made the same each time, and what is measured on them."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.variants import VARIANTS, full_width, homophone, in_pinyin, other_script, typo, variants
from ingest.judged import load
from retrieval.pinyin import homophones
from retrieval.text import analyze
from retrieval.typos import meant
from tests.fakes import FakeEmbedder


def vary(how: Callable[[str, random.Random], str | None], text: str) -> str | None:
    return how(text, random.Random(1))


def test_a_typo_is_one_slip_in_one_word_that_says_something() -> None:
    text = "How do I change the password?"
    for seed in range(50):
        slipped = typo(text, random.Random(seed))
        assert slipped == typo(text, random.Random(seed))
        assert slipped is not None
        before, after = text.strip("?").split(), slipped.strip("?").split()
        [(word, wrong)] = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert word in ("change", "password")
        assert word in meant(wrong)
    assert vary(typo, "how do I?") is None
    assert vary(typo, "重置密码") is None


def test_chinese_is_said_and_misheard() -> None:
    pytest.importorskip("jieba", reason="the package jieba is not installed")
    pytest.importorskip("pypinyin", reason="the package pypinyin is not installed")
    assert vary(in_pinyin, "登录密碼？") == "denglu mima"
    assert vary(in_pinyin, "reset") is None
    for seed in range(30):
        misheard = homophone("重置密码", random.Random(seed))
        assert misheard is not None
        [(right, wrong)] = [(a, b) for a, b in zip("重置密码", misheard, strict=True) if a != b]
        assert wrong in homophones(right)


def test_width_and_script_change_the_text_and_not_its_terms() -> None:
    assert vary(full_width, "reset?") == "ｒｅｓｅｔ？"
    assert vary(full_width, "重置") is None
    assert vary(other_script, "网络设置") == "網絡設置"
    assert vary(other_script, "網路設定") == "网路设定"
    assert vary(other_script, "reset") is None
    for text in ("FB-E21 设置", "網路 v8.0.3 100%"):
        for how in (full_width, other_script):
            assert analyze(vary(how, text) or "") == analyze(text)


def test_what_is_measured(tmp_path: Path) -> None:
    pytest.importorskip("jieba", reason="the package jieba is not installed")
    pytest.importorskip("pypinyin", reason="the package pypinyin is not installed")
    folder = tmp_path / "small"
    folder.mkdir()
    texts = {"a": "change the password", "b": "reset the router", "c": "重置密码", "d": "网络设置"}
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as corpus:
        corpus.writelines(json.dumps({"_id": name, "title": "", "text": text}) + "\n" for name, text in texts.items())
    with (folder / "queries.jsonl").open("w", encoding="utf-8") as queries:
        queries.writelines(json.dumps({"_id": name, "text": text}) + "\n" for name, text in texts.items())
    (folder / "qrels.tsv").write_text("".join(f"{name}\t{name}\t1\n" for name in texts), encoding="utf-8")
    rows = {row.variant: row for row in variants(load(folder), FakeEmbedder(), half="all", tell=lambda _: None)}
    assert rows.keys() == {"as written", *VARIANTS}
    right = rows["as written"]
    assert (right.queries, right.changed, right.written, right.plain, right.corrected) == (4, 0, 1.0, 1.0, 1.0)
    assert (rows["typo"].queries, rows["typo"].restored, rows["typo"].corrected) == (2, 2, 1.0)
    assert (rows["pinyin"].queries, rows["pinyin"].restored, rows["pinyin"].corrected) == (2, 2, 1.0)
    assert rows["pinyin"].plain < 1.0
    assert rows["other script"].changed == 0
    assert rows["pinyin"].as_json()["variant"] == "pinyin"
