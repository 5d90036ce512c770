"""How neighbours are measured: alone and with them by one rule, the answer whole in what is shown or not at all."""

from pathlib import Path

import pytest

from eval.neighbours import Beside, compare, given, measured, read
from eval.reading import AS_SHOWN, MEASURES, Asked
from ingest.judged import load
from kb.errors import NotFound
from retrieval.neighbours import Context
from tests.fakes import FakeEmbedder
from tests.unit.test_neighbours import of, passages

ONE, TWO = "The offer was new. Shops sold it.", "The offer ended on 31 December 2027. Boxes are white."
SOME = passages(ONE, TWO)
ASKED = Asked("q1", "On which day did the offer end?", "a.md", "Home box", f"{ONE} {TWO}", ("31 December 2027",))
EMBEDDER = FakeEmbedder()


def test_an_answer_of_the_next_passage_is_held_only_with_it() -> None:
    alone, whole = read(ASKED, Context((SOME[0],)), EMBEDDER), read(ASKED, of(SOME, 0), EMBEDDER)
    assert set(alone) == set(whole) == {*MEASURES, AS_SHOWN}
    assert {hit for hit, _ in alone.values()} == {0.0}
    assert {hit for hit, _ in whole.values()} == {1.0}
    assert read(ASKED, of(SOME, 0), EMBEDDER, 30.0)[MEASURES[0]][0] == 0.0, "as good as alone"
    assert set(read(ASKED, None, EMBEDDER).values()) == {(0.0, 0)}


def test_rows_compare_with_the_passage_alone() -> None:
    held = Beside(ASKED, Context((SOME[0],)), of(SOME, 0), (Context((SOME[0],)),), (of(SOME, 0),))
    missed = Beside(ASKED, None, None, (), ())
    alone, whole = compare([held, missed], EMBEDDER, [1.0])
    assert (alone["share"][AS_SHOWN], whole["share"][AS_SHOWN]) == (0.0, 0.5)
    assert alone["p"][AS_SHOWN] == 1.0
    assert alone["characters"][MEASURES[0]] == pytest.approx(len("The offer was new."), abs=5)
    supplied = given([held, missed])
    assert (supplied["answer in a source, single passages"], supplied["answer in a source"]) == (0.0, 0.5)


def test_a_half_without_a_question_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text('{"_id": "d", "title": "t", "text": "Some text."}\n', encoding="utf-8")
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "what"}\n', encoding="utf-8")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n", encoding="utf-8")
    (folder / "answers.jsonl").write_text('{"_id": "q", "doc": "d", "answer": "Some"}\n', encoding="utf-8")
    with pytest.raises(NotFound, match="the tune half of tiny has no question"):
        measured(load(folder), "tune", None)
