"""Three-way merge: changed apart it is together, changed alike it is once, the rest is a conflict."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from kb.content import Content
from kb.three_way import Chunk, Field, merge, merged_lines

TEXTS = st.lists(st.sampled_from(["", "a", "b", "c", "d", "重置"]), max_size=8).map("\n".join)


def merged(base: str, theirs: str, mine: str) -> str | None:
    return Field("body", base, theirs, mine, tuple(merged_lines(base, theirs, mine))).merged


@given(TEXTS, TEXTS)
def test_what_one_side_changed_counts(base: str, other: str) -> None:
    assert merged(base, base, other) == other
    assert merged(base, other, base) == other
    assert merged(base, other, other) == other


@given(TEXTS, TEXTS, TEXTS)
def test_each_side_is_in_the_chunks_and_the_sides_are_alike(base: str, theirs: str, mine: str) -> None:
    chunks = merged_lines(base, theirs, mine)
    for name, text in (("base", base), ("theirs", theirs), ("mine", mine)):
        assert "\n".join(line for chunk in chunks for line in getattr(chunk, name)) == text
    assert merged(base, mine, theirs) == merged(base, theirs, mine)
    for chunk in chunks:
        if chunk.kind == "conflict":
            assert chunk.theirs != chunk.mine
            assert chunk.base not in (chunk.theirs, chunk.mine)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_changes_apart_are_together(who: list[int]) -> None:
    """Paragraphs of which each is changed by one side at most: all changes are in the merge."""

    def text(*sides: int) -> str:
        return "\n\n".join(f"{'new' if side in sides and side else 'old'} {n}" for n, side in enumerate(who))

    if sum(bool(side) for side in who) < len(who):  # something is kept, so that there is a place to hold on to
        base, theirs, mine = text(), text(1), text(2)
        found = merged(base, theirs, mine)
        assert found is None or found == text(1, 2)
        apart = all(not (a and b and a != b) for a, b in itertools.pairwise(who))
        assert found is not None or not apart


def test_the_same_line_changed_twice_is_a_conflict_with_both_sides() -> None:
    base, theirs, mine = "One.\n\nWait 10 s.\n\nEnd.", "One.\n\nWait 12 s.\n\nEnd.", "One!\n\nWait 15 s.\n\nEnd."
    assert merged(base, theirs, mine) is None
    conflict = next(chunk for chunk in merged_lines(base, theirs, mine) if chunk.kind == "conflict")
    assert (conflict.theirs[-1], conflict.mine[-1]) == ("Wait 12 s.", "Wait 15 s.")


def test_a_removed_line_is_no_empty_line() -> None:
    assert merged("a\nb\nc\nd", "a\nc\nd", "a\nb\nc\nD") == "a\nc\nD"
    assert Chunk("theirs", ("b",), (), ("b",)) in merged_lines("a\nb\nc\nd", "a\nc\nd", "a\nb\nc\nD")


def test_an_article_is_merged_field_by_field() -> None:
    base = Content(title="Reset", body="x", cause="Heat.", similar_questions=("a", "b", "c"))
    theirs = Content(title="Reset it", body="x", cause="Dust.", similar_questions=("a", "c", "new"))
    mine = Content(title="Reset", body="y", cause="Heat.", similar_questions=("b", "c", "own"))
    found = merge(base, theirs, mine)
    assert found.conflicts == ()
    assert found.content == Content(title="Reset it", body="y", cause="Dust.", similar_questions=("c", "new", "own"))
    both = merge(base, theirs, Content(title="Restart", body="x", cause="Dust.", similar_questions=("a", "b", "c")))
    assert (both.conflicts, both.content) == (("title",), None)
