"""Results are kept for one snapshot and no longer, for one scope and no other, and in bounded room."""

import threading
from pathlib import Path

import numpy as np
import pytest

from kb.access import Scope
from retrieval.local.engine import LocalIndex
from retrieval.local.results import Results
from retrieval.types import Candidates, Filters, Query, QueryStats
from tests.unit.test_local_storage import ALL, DIM, HISTORY, change, opened

NOBODY = Scope(frozenset(), None, None)
NONE = Filters()


class Finder:
    """Finds as many passages as it is told, and counts how often it was asked."""

    def __init__(self, size: int = 3) -> None:
        self.asked = 0
        self._size = size

    def __call__(self) -> Candidates:
        self.asked += 1
        return Candidates(
            passage=np.arange(self._size, dtype=np.int64),
            item=np.arange(self._size, dtype=np.int64),
            dense=np.zeros(self._size, np.float32),
            lexical=np.zeros(self._size),
            lang=np.full(self._size, "en"),
            stats=QueryStats(1, 0.0, 0.0, 0.0, 1, 1),
            generation=1,
            watermark=1,
            took_ms={"dense": 1.0, "lexical": 1.0},
        )


def vector(seed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)


def test_the_same_question_is_found_once() -> None:
    results, find = Results(), Finder()
    for _ in range(3):
        found = results.get(Query(["a", "b"], vector(1)), ALL, NONE, 10, find)
    assert find.asked == 1
    assert found.took_ms == {"dense": 0.0, "lexical": 0.0}
    with pytest.raises(ValueError, match="read-only"):
        found.passage[0] = 9


DIFFERENT = [
    (Query(["b", "a"], vector(1)), ALL, NONE, 10),
    (Query(["a", "b", "b"], vector(1)), ALL, NONE, 10),
    (Query(["ab"], vector(1)), ALL, NONE, 10),
    (Query(["a", "b"], vector(2)), ALL, NONE, 10),
    (Query(["a", "b"], None), ALL, NONE, 10),
    (Query(["a", "b"], vector(1)), NOBODY, NONE, 10),
    (Query(["a", "b"], vector(1)), Scope(frozenset({"public"}), frozenset({1}), None), NONE, 10),
    (Query(["a", "b"], vector(1)), Scope(frozenset({"public"}), None, frozenset()), NONE, 10),
    (Query(["a", "b"], vector(1)), ALL, Filters(kinds=frozenset({"x"})), 10),
    (Query(["a", "b"], vector(1)), ALL, Filters(langs=frozenset({"x"})), 10),
    (Query(["a", "b"], vector(1)), ALL, Filters(spaces=frozenset({1})), 10),
    (Query(["a", "b"], vector(1)), ALL, Filters(labels={"topic": frozenset({"x"})}), 10),
    (Query(["a", "b"], vector(1)), ALL, Filters(labels={"product": frozenset({"x"})}), 10),
    (Query(["a", "b"], vector(1)), ALL, NONE, 11),
]


@pytest.mark.parametrize(("query", "scope", "filters", "limit"), DIFFERENT)
def test_whatever_differs_is_another_question(query: Query, scope: Scope, filters: Filters, limit: int) -> None:
    results, find = Results(), Finder()
    results.get(Query(["a", "b"], vector(1)), ALL, NONE, 10, find)
    results.get(query, scope, filters, limit, find)
    assert find.asked == 2


def test_the_room_is_bounded_and_the_oldest_goes_first() -> None:
    results, find = Results(most=3), Finder()
    for word in ("a", "b", "c", "a", "d"):
        results.get(Query([word], None), ALL, NONE, 10, find)
    assert (len(results), find.asked) == (3, 4)
    results.get(Query(["a"], None), ALL, NONE, 10, find)
    assert find.asked == 4, "it was asked for lately"
    results.get(Query(["b"], None), ALL, NONE, 10, find)
    assert find.asked == 5, "it was the oldest"
    results, find = Results(room=20_000), Finder(100)
    for number in range(50):
        results.get(Query([str(number)], None), ALL, NONE, 10, find)
        assert results.bytes <= 20_000
    assert 1 < len(results) < 10
    results, find = Results(room=20_000), Finder(1000)
    results.get(Query(["a"], None), ALL, NONE, 10, find)
    assert (len(results), results.bytes) == (0, 0), "one that is larger than the room is not kept"


def test_many_threads_at_once() -> None:
    results = Results(most=8)
    wrong: list[str] = []

    def run(start: int) -> None:
        for n in range(300):
            size = (start + n) % 16 + 1
            found = results.get(Query([str(size)], None), ALL, NONE, 10, Finder(size))
            if len(found) != size:
                wrong.append(f"{size}: {len(found)}")

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(results) == 8


def test_an_index_answers_again_from_the_same_arrays_until_it_changes(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.apply(HISTORY)
    query = Query(["reset", "roaming"], vector(1))

    def ask(scope: Scope = ALL) -> Candidates:
        return index.search(query, scope=scope, filters=NONE, limit=5)

    first = ask()
    assert ask().passage is first.passage, "computed once"
    assert len(ask(NOBODY)) == 0
    assert 1 in first.item
    index.apply([change(7, 1)])
    second = ask()
    assert 1 not in second.item
    assert second.watermark == 7
    index.close()


def test_an_index_told_to_keep_none_keeps_none(tmp_path: Path) -> None:
    index = LocalIndex.open(tmp_path, dim=DIM, generation=1, fingerprint="f", analyzer="a", database_id="d", results=0)
    for one in HISTORY:
        index.apply([one])
        index.flush()
        first, second = (index.search(Query(["reset"], None), scope=ALL, filters=NONE, limit=5) for _ in range(2))
        assert first.passage is not second.passage
    index.close()
