"""Document frequencies in first-seen order, over segments that share terms, interleave and have dead rows."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.local.lexical import LexicalLeg
from retrieval.local.segment import Bools, Segment, build, encode
from retrieval.local.vocabulary import Vocabulary, frequencies
from retrieval.types import Attributes, PassageDoc

ABOUT = Attributes("article", "public", 1, "en", frozenset())
WORDS = [*"abcdef", "路由", "a\0", "\0", "ü", "much-longer-than-eight-bytes", "much-longer-than-eight-bytes2"]
Rows = list[tuple[list[str], int, bool]]
"""Of each passage: its terms, its segment, whether it is dead."""

rows = st.lists(st.tuples(st.lists(st.sampled_from(WORDS), max_size=6), st.integers(0, 3), st.booleans()), max_size=14)


def segments_of(passages: Rows) -> tuple[list[Segment], list[Bools | None]]:
    segments: list[Segment] = []
    dead: list[Bools | None] = []
    for number in range(4):
        mine = [(id_, terms, gone) for id_, (terms, of, gone) in enumerate(passages) if of == number]
        if mine:
            vector = np.zeros(2, np.float32)
            segments.append(build(((id_, ABOUT, PassageDoc(id_, terms, vector)) for id_, terms, _ in mine), 2))
            mask = np.array([gone for _, _, gone in mine], np.bool_)
            dead.append(mask if mask.any() else None)
    return segments, dead


def expected(passages: Rows) -> list[int]:
    found: dict[str, int] = {}
    for terms, _, gone in passages:
        if not gone:
            for term in dict.fromkeys(terms):
                found[term] = found.get(term, 0) + 1
    return list(found.values())


@given(passages=rows)
def test_frequencies_come_in_first_seen_order(passages: Rows) -> None:
    segments, dead = segments_of(passages)
    assert frequencies([Vocabulary(segment) for segment in segments], dead).tolist() == expected(passages)


@given(passages=rows)
def test_asked_again_with_other_rows_dead(passages: Rows) -> None:
    """What is kept for a segment does not go stale."""
    segments, dead = segments_of(passages)
    vocabularies = [Vocabulary(segment) for segment in segments]
    for vocabulary in vocabularies:
        vocabulary.warm()
    assert frequencies(vocabularies, dead).tolist() == expected(passages)
    alive = [(terms, of, False) for terms, of, _ in passages]
    assert frequencies(vocabularies, [None] * len(segments)).tolist() == expected(alive)
    assert frequencies(vocabularies, dead).tolist() == expected(passages)


def test_terms_whose_hashes_agree_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.local.vocabulary._PRIME", np.uint64(0))
    passages: Rows = [(WORDS[n : n + 3], n % 2, n == 2) for n in range(8)]
    segments, dead = segments_of(passages)
    vocabularies = [Vocabulary(segment) for segment in segments]
    hashes, _ = vocabularies[0]._by_hash
    assert len(np.unique(hashes)) < len(hashes)
    assert frequencies(vocabularies, dead).tolist() == expected(passages)


def test_a_large_segment_is_looked_through_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.local.vocabulary._CHUNK", 7)
    monkeypatch.setattr("retrieval.local.vocabulary._ROWS", 3)
    rng = np.random.default_rng(1)
    passages: Rows = [
        ([f"w{n}" for n in rng.integers(60, size=5)], int(rng.integers(2)), bool(rng.integers(3) == 0))
        for _ in range(100)
    ]
    segments, dead = segments_of(passages)
    assert frequencies([Vocabulary(segment) for segment in segments], dead).tolist() == expected(passages)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.3, 1.0])
def test_dead_rows_do_not_count(share: float) -> None:
    """Few dead rows are looked up among a term's rows, many are not."""
    rng = np.random.default_rng(2)
    vector = np.zeros(2, np.float32)
    having: npt.NDArray[np.bool_] = rng.random(3_000) < 0.6
    segment = build(
        ((n, ABOUT, PassageDoc(n, ["x", "y"] if have else ["y"], vector)) for n, have in enumerate(having)), 2
    )
    dead = rng.random(3_000) < share
    live = int((~dead).sum())
    leg = LexicalLeg((Vocabulary(segment),), (dead,), live, live)
    rows_of_x, _ = segment.postings(segment.find(b"x"))
    assert leg._dead_among(0, rows_of_x) == int((dead & having).sum())


@given(rows, st.lists(st.sampled_from([*WORDS, "not there", ""]), max_size=40))
def test_many_terms_at_once_are_found_as_one_by_one(passages: Rows, asked: list[str]) -> None:
    names = [encode(term) for term in asked]
    for segment in segments_of(passages)[0]:
        assert Vocabulary(segment).find(names) == [segment.find(name) for name in names]
