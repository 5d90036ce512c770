"""How extracts are measured: what counts as answered, equal lengths, the ways beside ours; and fitting the clues."""

import json
from pathlib import Path

import numpy as np
import pytest

from eval.fit_reader import Choice, fit
from eval.reading import (
    AS_SHOWN,
    MEASURES,
    OURS,
    Asked,
    Read,
    Way,
    asked_across,
    cut,
    load_answers,
    read_all,
    stretch,
    timed,
    ways,
)
from ingest.judged import load, tuning_half
from kb.errors import NotFound, UnreadableSource
from retrieval.clues import CLUES, width
from tests.fakes import FakeEmbedder

TEXT = "The box is white. The office opens on Monday. It is in Hall street. 门店休息。"
PARTS = ((0, 17), (18, 45), (46, 67), (68, 73))


def asked(
    id: str = "q1", question: str = "When does the office open?", gold: str = "Monday", text: str = TEXT
) -> Asked:
    at = text.index(gold)
    return Asked(id, question, "d", "Office", text, (gold,), ((at, at + len(gold)),))


def read(one: Asked, *said: str) -> Read:
    return Read(one, PARTS, ("offic", "open"), tuple(tuple(words.split()) for words in said) or ((),) * 4)


def test_an_answer_counts_only_whole_and_in_its_place() -> None:
    one = asked()
    assert one.answered_by([(18, 45)])
    assert not one.answered_by([(0, 40), (41, 60)])
    elsewhere = Asked("q", "?", "d", "", "Monday. Or **Mon\\-day** then.", ("mon-day",))
    assert elsewhere.answered_by([(8, 29)])
    assert not elsewhere.answered_by([(0, 7)])


def test_ways_are_cut_by_one_rule() -> None:
    scores = np.array([0.1, 0.5, 0.2, 0.4])
    one = read(asked(), "box", "offic open", "offic", "open")
    assert stretch(Way(lambda _: scores), one, scores, 1) == [(18, 45)]
    assert stretch(Way(lambda _: scores), one, scores, 2) == [(18, 67)]
    assert stretch(Way(lambda _: scores, apart=True), one, scores, 2) == [(18, 45), (68, 73)]
    assert stretch(Way(lambda _: scores, distinct=True), one, scores, 2) == [(0, 45)]
    assert stretch(Way(lambda _: scores), one, scores, 9) == [(0, 73)]


@pytest.mark.parametrize("scores", [[0.9, 0.1, 0.1, 0.1], [0.1, 0.9, 0.3, 0.2], [0.1, 0.2, 0.3, 0.9]])
@pytest.mark.parametrize("columns", [8, 20, 40, 60])
def test_extracts_of_equal_width_are_that(scores: list[float], columns: int) -> None:
    start, end = cut(read(asked()), np.array(scores), columns)
    assert columns - 1 <= width(TEXT[start:end]) <= columns
    best = PARTS[int(np.argmax(scores))]
    assert start <= best[0] < end
    assert cut(read(asked()), np.array(scores), 10_000) == (0, len(TEXT))


def test_all_ways_read_the_same_questions() -> None:
    questions = [asked(), asked("q2", "Where is it?", "Hall street"), asked("q3", "?", "white")]
    outcomes = {found.way: found for found in read_all("set", "given", "all", questions, FakeEmbedder())}
    assert list(outcomes) == list(ways(questions, FakeEmbedder()))
    ours = outcomes[OURS]
    assert ours.share("1 sentence") >= outcomes["first"].share("1 sentence") == pytest.approx(1 / 3)
    assert list(ours.per_question) == [*MEASURES, AS_SHOWN]
    assert ours.share("3 sentences") <= 1
    assert ours.p == dict.fromkeys(ours.per_question, 1.0)
    assert outcomes["bm25"].as_json()["questions"] == 3


def test_a_passage_of_another_document_is_missed() -> None:
    (missed,) = read_all("set", "found", "all", [Asked("q", "When?", "d", "", "", ("Monday",))], FakeEmbedder())[-1:]
    assert missed.share("3 sentences") == 0


def test_questions_of_one_set_on_documents_of_another() -> None:
    (across,) = asked_across([asked(question="何时开门？")], [asked(), asked("q2")])
    assert (across.question, across.text) == ("何时开门？", TEXT)


def test_time_is_told_with_what_asked_for_vectors() -> None:
    taken = timed([asked(), asked("q2", "何时开门营业呢")], FakeEmbedder())
    assert taken["questions"] == 2
    assert taken["with vectors, share"] == 0.5
    assert 0 < taken["p50"] <= taken["p95"]


def judged(folder: Path, *answers: object) -> Path:
    rows = {
        "corpus.jsonl": [{"_id": "d", "title": "T", "text": TEXT}],
        "queries.jsonl": [{"_id": f"q{n}", "text": f"question {n}"} for n in range(4)],
        "answers.jsonl": answers,
    }
    for name, records in rows.items():
        (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    (folder / "qrels.tsv").write_text("q0\td\t1\n", encoding="utf-8")
    return folder


def test_answers_are_read_and_those_that_do_not_fit_left_out(tmp_path: Path) -> None:
    fitting, other = {"text": "white", "start": 11}, {"text": "white", "start": 12}
    folder = judged(
        tmp_path,
        {"_id": "q0", "doc": "d", "answers": [other, fitting]},
        {"_id": "q1", "doc": "d", "answers": [other]},
        {"_id": "q2", "doc": "d", "answerable": False, "answers": []},
    )
    (one,) = load_answers(load(folder))
    assert (one.id, one.golds, one.spans, one.title) == ("q0", ("white",), ((11, 16),), "T")
    half = "tune" if tuning_half("q0") else "report"
    assert len(load_answers(load(folder), half)) == 1
    assert load_answers(load(folder), "report" if half == "tune" else "tune") == []


def test_a_set_without_answers_and_a_line_that_cannot_be_read(tmp_path: Path) -> None:
    folder = judged(tmp_path, {"_id": "q0", "doc": "nowhere", "answers": []})
    with pytest.raises(UnreadableSource, match="line 1"):
        load_answers(load(folder))
    (folder / "answers.jsonl").unlink()
    with pytest.raises(NotFound, match=r"no answers\.jsonl"):
        load_answers(load(folder))


def test_fitting_finds_the_weights_that_made_the_choices() -> None:
    random = np.random.default_rng(5)
    planted = np.zeros(len(CLUES))
    planted[:3] = 2.0, -1.0, 0.5
    choices = []
    for _ in range(3000):
        found = random.normal(size=(6, len(CLUES)))
        right = np.zeros(6)
        right[int((found @ planted + random.gumbel(size=6)).argmax())] = 1
        choices.append(Choice("set", found, right))
    assert fit(choices, ridge=1e-9) == pytest.approx(planted, abs=0.12)
