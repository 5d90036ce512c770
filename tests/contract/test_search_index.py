"""What every SearchIndex promises. Each of them runs the same suite; a brute-force one says what is right."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kb.access import Scope
from kb.errors import InvalidInput
from retrieval.index import SearchIndex
from retrieval.local.engine import LocalIndex
from retrieval.types import Attributes, Candidates, Change, Filters, PassageDoc, Query, Vector
from tests.fakes_index import BruteForceIndex

DIM = 8
EVERYTHING = Scope(frozenset({"public", "customer", "partner", "internal"}), None, None)
INSIDE = Scope(frozenset({"internal"}), None, None)
PUBLIC = Scope(frozenset({"public"}), frozenset({1}), frozenset())
NONE = Filters()

Settle = Callable[[SearchIndex], SearchIndex]


def local(folder: Path, *, coarse: bool = False) -> LocalIndex:
    return LocalIndex.open(folder, dim=DIM, generation=1, fingerprint="f", analyzer="a", database_id="d", coarse=coarse)


@pytest.fixture(params=["brute force", "local", "local flushed", "local merged", "local reopened", "local coarse"])
def made(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[SearchIndex, Settle]]:
    """An empty index, and what to do with it after applying, before searching."""
    how = request.param
    if how == "brute force":
        yield BruteForceIndex(DIM), lambda index: index
        return
    if how == "local coarse":
        monkeypatch.setattr("retrieval.local.dense._FEW", 0)  # few rows would be scored directly, without any code
    opened: list[LocalIndex] = [local(tmp_path, coarse=how == "local coarse")]

    def settle(index: SearchIndex) -> SearchIndex:
        assert isinstance(index, LocalIndex)
        if how != "local":
            index.flush()
        if how == "local merged":
            index.merge()
        if how == "local reopened":
            index.close()
            index = local(tmp_path)
            opened.append(index)
        return index

    yield opened[0], settle
    opened[-1].close()


def unit(seed: int) -> Vector:
    vector = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
    return vector / np.linalg.norm(vector)


def attributes(
    audience: str = "public", kind: str = "article", space: int = 1, lang: str = "en", **labels: list[str]
) -> Attributes:
    pairs = frozenset((facet, value) for facet, values in labels.items() for value in values)
    return Attributes(kind=kind, audience=audience, space=space, lang=lang, labels=pairs)


def put(seq: int, item: int, *texts: str, first: int | None = None, about: Attributes | None = None) -> Change:
    start = item * 10 if first is None else first
    docs = tuple(PassageDoc(id=start + n, terms=text.split(), vector=unit(start + n)) for n, text in enumerate(texts))
    return Change(seq=seq, item=item, attributes=about or attributes(), passages=docs)


def ask(
    index: SearchIndex,
    text: str = "",
    *,
    seed: int | None = None,
    scope: Scope = EVERYTHING,
    filters: Filters = NONE,
    limit: int = 100,
) -> Candidates:
    query = Query(terms=text.split(), vector=unit(seed) if seed is not None else None)
    return index.search(query, scope=scope, filters=filters, limit=limit)


def test_an_empty_index_finds_nothing(made: tuple[SearchIndex, Settle]) -> None:
    index, settle = made
    index = settle(index)
    found = ask(index, "a b", seed=1)
    assert len(found) == 0
    assert (found.stats.passages, found.stats.lexical_bound, found.stats.dense_std, index.watermark) == (0, 0.0, 0.0, 0)


def test_terms_find_only_what_shares_one(made: tuple[SearchIndex, Settle]) -> None:
    index, settle = made
    index.apply([put(1, 1, "reset router", "light red"), put(2, 2, "invoice")])
    index = settle(index)
    assert list(ask(index, "router").passage) == [10]
    assert list(ask(index, "nowhere").passage) == []
    assert list(ask(index, "").passage) == []
    assert sorted(ask(index, "invoice router").item) == [1, 2]


def test_a_vector_finds_the_nearest(made: tuple[SearchIndex, Settle]) -> None:
    index, settle = made
    index.apply([put(n, n, "x") for n in range(1, 30)])
    index = settle(index)
    found = ask(index, seed=170, limit=1)
    assert list(found.passage) == [170]
    assert found.dense[0] == pytest.approx(1.0, abs=1e-3)
    assert np.all(found.lexical == 0)


def test_an_item_is_replaced_as_a_whole_and_removed(made: tuple[SearchIndex, Settle]) -> None:
    index, settle = made
    index.apply([put(1, 1, "old text", "old more"), put(2, 2, "other")])
    index = settle(index)
    index.apply([put(3, 1, "new", first=50)])
    index = settle(index)
    assert list(ask(index, "old").passage) == []
    assert sorted(ask(index, "new other").passage) == [20, 50]
    index.apply([Change(seq=4, item=1, attributes=None)])
    index = settle(index)
    found = ask(index, "new other", seed=3)
    assert list(found.passage) == [20]
    assert (found.stats.passages, found.watermark, index.watermark) == (1, 4, 4)


def test_a_sequence_number_applied_again_does_nothing(made: tuple[SearchIndex, Settle]) -> None:
    index, settle = made
    index.apply([put(1, 1, "first"), put(2, 1, "second", first=20)])
    index = settle(index)
    assert index.apply([put(1, 1, "first"), put(2, 1, "again", first=30)]) == 2
    index = settle(index)
    assert list(ask(index, "first second again").passage) == [20]


def test_a_bad_vector_is_refused_and_nothing_of_the_call_is_applied(made: tuple[SearchIndex, Settle]) -> None:
    index, _ = made
    for bad in (np.zeros(DIM + 1, np.float32), np.full(DIM, np.nan, np.float32), np.full(DIM, np.inf, np.float32)):
        wrong = Change(2, 2, attributes(), (PassageDoc(20, ["x"], bad),))
        with pytest.raises(InvalidInput):
            index.apply([put(1, 1, "x"), wrong])
        with pytest.raises(InvalidInput):
            index.search(Query([], bad), scope=EVERYTHING, filters=NONE, limit=1)
    assert index.watermark == 0
    assert len(ask(index, "x")) == 0


def test_equal_scores_give_the_lower_ids(made: tuple[SearchIndex, Settle]) -> None:
    index, settle = made
    vector = unit(1)
    for n in range(1, 60):
        index.apply(
            [
                Change(
                    n, 100 - n, attributes(), (PassageDoc(n, ["same"], vector), PassageDoc(n + 500, [str(n)], unit(n)))
                )
            ]
        )
    index = settle(index)
    assert sorted(ask(index, "same", limit=5).passage) == [1, 2, 3, 4, 5]
    assert sorted(index.search(Query([], vector), scope=EVERYTHING, filters=NONE, limit=5).passage)[:4] == [1, 2, 3, 4]


def holding(*groups: str) -> Scope:
    return Scope(frozenset({"public"}), None, frozenset(groups))


ROWS = [
    (attributes(), PUBLIC, NONE, True),
    (attributes("internal"), PUBLIC, NONE, False),
    (attributes("customer"), PUBLIC, NONE, False),
    (attributes("customer"), EVERYTHING, NONE, True),
    (attributes(space=2), PUBLIC, NONE, False),
    (attributes(group=["gold"]), PUBLIC, NONE, False),
    (attributes(group=["gold"]), Scope(frozenset({"public"}), None, frozenset({"gold", "x"})), NONE, True),
    (attributes(group=["gold"]), EVERYTHING, NONE, True),
    (attributes(), Scope(frozenset({"public"}), frozenset(), None), NONE, False),
    (attributes(group=["plan:gold"]), holding("plan:gold"), NONE, True),
    (attributes(group=["plan:gold", "plan:a"]), holding("plan:a"), NONE, True),
    (attributes(group=["plan:gold", "product:tv"]), holding("plan:gold"), NONE, False),
    (attributes(group=["plan:gold", "legal"]), holding("plan:gold"), NONE, False),
    (attributes(group=["plan:gold", "legal"]), holding("plan:*", "legal"), NONE, True),
    (attributes(), Scope(frozenset({"internal"}), None, None, also=frozenset({EVERYTHING})), NONE, True),
    (attributes(), Scope(frozenset({"public"}), frozenset({9}), None, also=frozenset({PUBLIC})), NONE, True),
    (attributes(), Scope(frozenset({"public"}), frozenset({9}), None, also=frozenset({INSIDE})), NONE, False),
    (attributes(kind="case"), EVERYTHING, Filters(kinds=frozenset({"article"})), False),
    (attributes(kind="case"), EVERYTHING, Filters(kinds=frozenset({"case", "lesson"})), True),
    (attributes(lang="zh"), EVERYTHING, Filters(langs=frozenset({"en"})), False),
    (attributes(space=3), EVERYTHING, Filters(spaces=frozenset({3})), True),
    (attributes(space=3), EVERYTHING, Filters(spaces=frozenset({1})), False),
    (attributes(), EVERYTHING, Filters(labels={"product": frozenset({"tv"})}), True),
    (attributes(product=["app"]), EVERYTHING, Filters(labels={"product": frozenset({"tv"})}), False),
    (attributes(product=["app", "tv"]), EVERYTHING, Filters(labels={"product": frozenset({"tv"})}), True),
    (attributes(product=["tv"]), EVERYTHING, Filters(labels={"version": frozenset({"8"})}), True),
    (attributes(version=["7"]), EVERYTHING, Filters(labels={"version": frozenset({"8"})}), False),
    (attributes(), EVERYTHING, Filters(labels={"topic": frozenset({"wifi"})}), False),
    (attributes(topic=["wifi"]), EVERYTHING, Filters(labels={"topic": frozenset({"wifi"})}), True),
    (attributes(product=["tv"], version=["7"]), EVERYTHING,
     Filters(labels={"product": frozenset({"tv"}), "version": frozenset({"8"})}), False),
    (attributes(topic=["tv"]), EVERYTHING, Filters(labels={"product": frozenset({"app"})}), True),
]  # fmt: skip


@pytest.mark.parametrize(("about", "scope", "filters", "found"), ROWS)
def test_scope_and_filters_row_by_row(
    made: tuple[SearchIndex, Settle], about: Attributes, scope: Scope, filters: Filters, found: bool
) -> None:
    index, settle = made
    index.apply(
        [put(1, 1, "word", about=about), put(2, 2, "word", about=attributes("partner", space=9, group=["none"]))]
    )
    index = settle(index)
    result = ask(index, "word", seed=1, scope=scope, filters=filters)
    assert (10 in result.passage) is found


def test_a_question_asked_before_is_answered_from_what_is_there_now(made: tuple[SearchIndex, Settle]) -> None:
    index, settle = made
    index.apply([put(1, 1, "word"), put(2, 2, "word", about=attributes("internal"))])
    index = settle(index)
    for _ in range(2):
        assert sorted(ask(index, "word", seed=1).item) == [1, 2]
        assert list(ask(index, "word", seed=1, scope=PUBLIC).item) == [1], "another scope never shares"
    index.apply([Change(seq=3, item=1, attributes=None)])
    assert list(ask(index, "word", seed=1).item) == [2]
    assert list(ask(index, "word", seed=1, scope=PUBLIC).item) == []
    index.apply([put(4, 2, "word", about=attributes())])
    index = settle(index)
    assert list(ask(index, "word", seed=1, scope=PUBLIC).item) == [2]


def test_a_term_counts_in_the_passages_that_the_reader_may_read(made: tuple[SearchIndex, Settle]) -> None:
    index, settle = made
    index.apply([put(1, 1, "word word", "word other"), put(2, 2, "word secret", about=attributes("internal"))])
    index = settle(index)
    asked = ["word", "secret", "other", "nowhere", "word"]
    assert index.frequencies(asked, scope=EVERYTHING) == [3, 1, 1, 0, 3]
    assert index.frequencies(asked, scope=PUBLIC) == [2, 0, 1, 0, 2]
    assert index.frequencies([], scope=PUBLIC) == []
    many = [f"{n}" for n in range(300)]
    assert index.frequencies([*many, "other", *many], scope=PUBLIC) == [0] * 300 + [1] + [0] * 300
    index.apply([Change(seq=3, item=1, attributes=None)])
    assert index.frequencies(asked, scope=EVERYTHING) == [1, 1, 0, 0, 1]


def test_the_limit_counts_what_is_inside(made: tuple[SearchIndex, Settle]) -> None:
    index, settle = made
    index.apply([put(n, n, "word", about=attributes("public" if n % 10 == 0 else "internal")) for n in range(1, 101)])
    index = settle(index)
    assert len(ask(index, "word", scope=PUBLIC, limit=7)) == 7
    assert len(ask(index, seed=5, scope=PUBLIC, limit=10)) == 10
    assert set(ask(index, "word", seed=5, scope=PUBLIC).item) == set(range(10, 101, 10))


words = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "路由", "由器"]), max_size=6)
about = st.builds(
    attributes,
    st.sampled_from(["public", "internal"]),
    st.sampled_from(["article", "case"]),
    st.integers(1, 2),
    st.sampled_from(["en", "zh"]),
    product=st.lists(st.sampled_from(["tv", "app"]), max_size=2),
    group=st.lists(st.sampled_from(["gold"]), max_size=1),
)
history = st.lists(st.tuples(st.integers(1, 6), st.lists(words, max_size=3), about), max_size=12)
scopes = st.builds(
    Scope,
    st.sampled_from([frozenset({"public"}), frozenset({"public", "internal"}), frozenset()]),
    st.sampled_from([None, frozenset({1})]),
    st.sampled_from([None, frozenset(), frozenset({"gold"})]),
)
filters_st = st.builds(
    Filters,
    st.sampled_from([frozenset(), frozenset({"case"})]),
    st.sampled_from([frozenset(), frozenset({"zh"})]),
    st.sampled_from([frozenset(), frozenset({2})]),
    st.sampled_from([{}, {"product": frozenset({"tv"})}]),
)


@given(
    history=history,
    query=words,
    seed=st.none() | st.integers(0, 50),
    scope=scopes,
    filters=filters_st,
    limit=st.integers(1, 8),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_index_finds_what_brute_force_finds(
    tmp_path_factory: pytest.TempPathFactory,
    made: tuple[SearchIndex, Settle],
    history: list[tuple[int, list[list[str]], Attributes]],
    query: list[str],
    seed: int | None,
    scope: Scope,
    filters: Filters,
    limit: int,
) -> None:
    right = BruteForceIndex(DIM)
    index: SearchIndex = local(tmp_path_factory.mktemp("i"))
    for seq, (item, texts, facts) in enumerate(history, start=1):
        step = [put(seq, item, *(" ".join(text) for text in texts), first=seq * 10, about=facts)]
        right.apply(step)
        index.apply(step)
    if isinstance(made[0], LocalIndex):
        index.flush()
        assert isinstance(index, LocalIndex)
        index.merge()
    asked = Query(terms=query, vector=unit(seed) if seed is not None else None)
    a = right.search(asked, scope=scope, filters=filters, limit=limit)
    b = index.search(asked, scope=scope, filters=filters, limit=limit)
    for terms in (query, [*query, *map(str, range(50))]):
        assert right.frequencies(terms, scope=scope) == index.frequencies(terms, scope=scope)
    index.close()
    assert sorted(zip(a.passage, a.item, a.lexical, a.lang, strict=True)) == sorted(
        zip(b.passage, b.item, b.lexical, b.lang, strict=True)
    )
    by_id = dict(zip(b.passage, b.dense, strict=True))
    assert all(abs(by_id[id_] - score) < 1e-5 for id_, score in zip(a.passage, a.dense, strict=True))
    assert (a.stats.passages, a.stats.terms, a.stats.terms_known) == (
        b.stats.passages,
        b.stats.terms,
        b.stats.terms_known,
    )
    assert b.stats.dense_mean == pytest.approx(a.stats.dense_mean, abs=1e-3)
    assert b.stats.dense_std == pytest.approx(a.stats.dense_std, abs=3e-2)
    assert b.stats.lexical_bound == pytest.approx(a.stats.lexical_bound)


def test_readers_are_never_disturbed_by_a_writer(made: tuple[SearchIndex, Settle]) -> None:
    """Item 1 always has two passages with the same word: a reader that saw one saw half a change."""
    index, settle = made
    index.apply([put(1, 1, "word", "word")])
    index = settle(index)
    halves: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.wait(0.001):  # a moment, so that three readers leave the interpreter to the writer now and then
            count = len(ask(index, "word", seed=1))
            if count != 2:
                halves.append(count)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for seq in range(2, 60):
        index.apply([put(seq, 1, "word", "word", first=seq * 10)])
        if seq % 7 == 0:
            index.flush()
    done.set()
    for reader in readers:
        reader.join()
    assert halves == []
