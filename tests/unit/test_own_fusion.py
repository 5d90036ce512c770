"""The constants of the fusion, learnt: a planted order is found, what does not win is not taken; the file is whole."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.weighing import GRID, SHIPPED, Example, gain, learn
from kb.errors import Misconfigured
from retrieval.adapted import AdaptedEmbedder, adapted, fused
from retrieval.fusion import fuse, order
from retrieval.own_fusion import OwnFusion, read, write
from retrieval.types import Candidates, Query, QueryStats
from tests.fakes import FakeEmbedder

QUERY = Query(terms=["reset", "router"], vector=None, lang="en")


def candidates(seed: int, count: int = 30) -> Candidates:
    random = np.random.default_rng(seed)
    ids = np.arange(1, count + 1)
    dense = random.normal(0.7, 0.1, count).astype(np.float32)
    lexical = random.uniform(0, 8, count)
    stats = QueryStats(count, 0.5, 0.1, 10.0, 2, 2)
    return Candidates(ids, ids, dense, lexical, np.full(count, "en"), stats, 1, 1, {})


def planted(constants: tuple[float, float], count: int = 120) -> list[Example]:
    """Return questions whose relevant item is the one that these constants put first."""
    made = []
    for seed in range(count):
        found = candidates(seed)
        score = fuse(found, QUERY, weight=constants[0], damping=constants[1])
        made.append(Example(found, QUERY, {int(found.item[order(score, found.passage)[0]]): 1}))
    return made


def total(lesson: list[Example], constants: tuple[float, float]) -> float:
    return sum(gain(one, *constants) for one in lesson)


@pytest.mark.parametrize("wanted", [(1.0, 0.5), (5.5, 0.03)])
def test_a_planted_order_is_found(wanted: tuple[float, float]) -> None:
    lesson = planted(wanted)
    found = learn(lesson)
    assert total(lesson, found) == pytest.approx(len(lesson))
    assert total(lesson, found) > total(lesson, SHIPPED)


def test_where_the_shipped_order_is_right_it_stays() -> None:
    assert learn(planted(SHIPPED)) == SHIPPED
    assert learn([]) == SHIPPED


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=12))
def test_it_is_never_worse_than_the_shipped_one_where_it_was_learnt(relevant: list[int]) -> None:
    lesson = [Example(candidates(n), QUERY, {item: 1}) for n, item in enumerate(relevant)]
    assert total(lesson, learn(lesson)) >= total(lesson, SHIPPED)


def test_an_item_is_as_good_as_its_best_passage_and_grades_count() -> None:
    ids = np.arange(4)
    items = np.array([7, 7, 8, 9])
    dense = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    stats = QueryStats(4, 0.5, 0.1, 0.0, 0, 0)
    found = Candidates(ids, items, dense, np.zeros(4), np.full(4, "en"), stats, 1, 1, {})
    assert gain(Example(found, QUERY, {7: 2}), *SHIPPED) == pytest.approx(1)
    assert gain(Example(found, QUERY, {8: 1}), *SHIPPED) == pytest.approx(1 / np.log2(3))
    assert gain(Example(found, QUERY, {5: 1, 9: 1}), *SHIPPED) == pytest.approx(0.5 / (1 + 1 / np.log2(3)))


def test_the_shipped_constants_are_the_first_choice() -> None:
    assert GRID[0] == SHIPPED
    assert len(set(GRID)) == len(GRID)


def test_a_search_fuses_by_the_file_as_long_as_it_is_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inner = FakeEmbedder()
    embedder, found = adapted(inner, tmp_path), candidates(0)
    np.testing.assert_array_equal(fused(embedder, found, QUERY), fuse(found, QUERY))
    np.testing.assert_array_equal(fused(inner, found, QUERY), fuse(found, QUERY))
    path = tmp_path / f"{inner.fingerprint}.fusion"
    write(path, OwnFusion(inner.fingerprint, 1.5, 0.25, {"questions": 30}))
    own = fuse(found, QUERY, weight=1.5, damping=0.25)
    np.testing.assert_array_equal(fused(embedder, found, QUERY), own)
    assert not np.array_equal(own, fuse(found, QUERY))
    assert read(path, inner.fingerprint).learnt == {"questions": 30}
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(fused(embedder, found, QUERY), fuse(found, QUERY))
    assert str(path) in caplog.text
    none = AdaptedEmbedder(inner, lambda: None)
    np.testing.assert_array_equal(fused(none, found, QUERY), fuse(found, QUERY))


@given(data=st.data())
def test_a_torn_or_foreign_file_is_refused_by_name(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("fusion") / "a.fusion"
    write(path, OwnFusion("this", 1.5, 0.25))
    with pytest.raises(Misconfigured, match="another embedder"):
        read(path, "that")
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    torn = data.draw(st.sampled_from([whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole + b"x"]))
    path.write_bytes(torn)
    with pytest.raises(Misconfigured, match=r"a\.fusion.*is refused"):
        read(path, "this")
