"""The whole report on a small judged set: tuned, calibrated, measured, written down."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from eval import calibrate, tune
from eval.reading import OURS
from eval.report import page
from eval.report.measure import COMPARED, PARTS, TIMED, Measured, measured
from eval.run import chosen, run
from ingest import demo
from ingest.judged import load, tuning_half
from kb.errors import NotFound
from kb.settings import load_settings
from retrieval import tuned
from retrieval.tuned import confidence
from tests.fakes import FakeEmbedder

TOPICS = [f"{thing} {trouble}" for thing in ("router", "invoice", "phone", "parcel") for trouble in ("lost", "broken")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight documents, each with six questions that share its words."""
    (tmp_path / "set").mkdir()

    def write(name: str, rows: Sequence[Mapping[str, object]]) -> None:
        lines = (json.dumps(row) for row in rows)
        (tmp_path / "set" / name).write_text("\n".join(lines), encoding="utf-8")

    write("corpus.jsonl", [{"_id": f"d{n}", "title": t, "text": f"What to do: {t}."} for n, t in enumerate(TOPICS)])
    asked = [(f"q{n}-{k}", f"my {topic} number {k}") for n, topic in enumerate(TOPICS) for k in range(6)]
    write("queries.jsonl", [{"_id": name, "text": text} for name, text in asked])
    answers = [
        {"_id": name, "doc": f"d{name[1]}", "answers": [{"text": TOPICS[int(name[1])], "start": 12}]}
        for name, _ in asked
    ]
    write("answers.jsonl", answers)
    rows = [f"{name}\td{name[1]}\t1" for name, _ in asked]
    (tmp_path / "set" / "qrels.tsv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path / "set"


@pytest.fixture
def report(folder: Path) -> Measured:
    return measured([folder], [folder], FakeEmbedder(), FakeEmbedder(), load_settings(), most=40, tell=lambda _: None)


def test_the_report_has_every_part_of_every_set(report: Measured, folder: Path) -> None:
    queries = sum(not tuning_half(query.id) for query in load(folder).judged())
    assert [(o.set, o.system, o.half, o.queries) for o in report.outcomes] == [
        ("set", name, half, number)
        for half, number in (("report", queries), ("tune", len(load(folder).judged()) - queries))
        for name in COMPARED
    ]
    assert set(report.parts["set"]) == {"hybrid", *PARTS}
    assert {half: {one.system for one in some} for half, some in report.regrets.items()} == {
        "report": {"rrf", "convex", "hybrid"},
        "tune": {"rrf", "convex", "hybrid"},
    }
    assert sum(one.cases for one in report.trust_tuning if one.name == "set") == len(load(folder).judged()) - queries
    names = [one.name for one in report.trust]
    assert names[:2] == ["demo", "set"]
    assert names[-1] == "set"  # with all of its documents
    taken, whole = (one for one in report.trust if one.name == "set")
    assert taken.withheld > 0 == whole.withheld
    assert whole.right > 0.5
    assert {one.way for one in report.readings} > {OURS}
    assert {one.questions for one in report.readings} == {queries}
    assert next(one for one in report.readings if one.way == OURS).share("1 sentence") == 1
    assert [(one.set, one.passages, one.name) for one in report.costs] == [("set", 8, name) for name in TIMED]
    assert all(0 < one.p50 <= one.p95 for one in report.costs)


def test_it_is_written_as_one_page_as_markdown_and_as_json(report: Measured) -> None:
    text = page.markdown(report)
    assert text.count("| set |") >= 4
    assert text.count("tuning halves") == 2
    html = page.html(report)
    assert "<strong>the constants of the fusion were chosen on these</strong>" in html
    assert html.count("<svg") == 4
    assert "<script" not in html
    assert "http" not in html.replace("http://www.w3.org", "")  # names of XML, nothing that is fetched
    assert json.loads(json.dumps(report.as_json()))["retrieval"][0]["set"] == "set"
    assert page.pictures(report) == page.pictures(report)


def test_tuning_tries_every_pair_on_the_tuning_half(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = load(folder)
    monkeypatch.setattr(tune, "FEWEST", 5)
    outcomes = run(judged, tune.grid(), FakeEmbedder(), half="tune")
    tried = list(tune.tune([(judged, outcomes)]))
    assert len(tried) == len(tune.WEIGHTS) * len(tune.DAMPINGS)
    assert outcomes[0].queries == len(chosen(judged, "tune"))
    best = tune.chosen(tried)
    assert best.mean_gain == max(one.mean_gain for one in tried if one.worst >= -tune.LARGEST_REGRET)
    monkeypatch.setattr(tune, "FEWEST", 1000)
    assert list(tune.tune([(judged, outcomes)])) == []


def test_constants_are_written_with_their_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "retrieval"
    package.mkdir()
    monkeypatch.setattr("retrieval.__path__", [str(package)])
    cases = [c for j in (load(folder), demo.questions()) for c in calibrate.collect(j, FakeEmbedder(), most=40)]
    tried = tune.Tried(2.0, 0.1, {"set": 0.01}, {"set": 24})
    written = json.loads(tune.record(tried, "e5-small").read_text())
    assert written["fusion"]["lexical_weight"] == 2.0
    assert written["fusion"]["run"]["gain"] == {"set": 0.01}
    assert written["confidence"] == tuned.read()["confidence"]  # other parts stay
    written = json.loads(calibrate.record(cases, "e5-small").read_text())["confidence"]
    assert set(written["run"]["questions"]) == {"set", "demo"}
    assert confidence(written["*"]).models["other"].cosine == 0
    assert confidence(written["e5-small"]).curve[0][0] >= confidence(written["e5-small"]).curve[-1][0]


def test_questions_of_one_set_over_the_documents_of_another(folder: Path) -> None:
    both = load(Path(f"{folder}@{folder}"))
    assert (both.name, both.corpus) == ("set@set", folder / "corpus.jsonl")
    assert len(both.queries) == len(load(folder).queries)
    with pytest.raises(NotFound, match="nowhere"):
        load(Path(f"{folder}@{folder.parent / 'nowhere'}"))
