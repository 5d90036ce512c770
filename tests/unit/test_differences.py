"""Differences between texts: nothing is lost in them, and they are as small as a reader needs."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from kb.differences import Segment, operations, segments, unified

LINES = st.lists(st.sampled_from(["", "a", "b", "c d", "重置路由器", "  "]), max_size=12)
TEXTS = st.one_of(LINES.map("\n".join), st.text(max_size=30))


@given(TEXTS, TEXTS)
def test_each_text_is_in_the_segments(old: str, new: str) -> None:
    found = segments(old, new)
    assert "".join(segment.text for segment in found if segment.kind != "added") == old
    assert "".join(segment.text for segment in found if segment.kind != "removed") == new
    assert all(segment.text for segment in found)
    assert all(one.kind != other.kind for one, other in itertools.pairwise(found))


@given(LINES, LINES)
def test_operations_make_the_one_of_the_other_without_gaps(a: list[str], b: list[str]) -> None:
    at, made = (0, 0), list[str]()
    for tag, i1, i2, j1, j2 in operations(a, b):
        assert (i1, j1) == at
        at = (i2, j2)
        made += a[i1:i2] if tag == "equal" else b[j1:j2]
    assert at == (len(a), len(b))
    assert made == b


def test_words_and_chinese_characters_are_the_pieces() -> None:
    assert segments("Hold it 10 seconds.\nDone.", "Hold it 12 seconds.\nDone.") == [
        Segment("same", "Hold it "),
        Segment("removed", "10"),
        Segment("added", "12"),
        Segment("same", " seconds.\nDone."),
    ]
    assert segments("按住重置键十秒。", "按住重启键十秒。") == [
        Segment("same", "按住重"),
        Segment("removed", "置"),
        Segment("added", "启"),
        Segment("same", "键十秒。"),
    ]
    assert segments("型号FB-E21重启", "型号FB-E33重启")[1:3] == [Segment("removed", "E21"), Segment("added", "E33")]
    assert segments("same", "same") == [Segment("same", "same")]
    assert segments("", "") == []


def test_a_unified_diff_has_lines_around_its_changes() -> None:
    old = "\n".join(f"line {n}" for n in range(40))
    new = old.replace("line 3\n", "").replace("line 20", "line twenty").replace("line 39", "line 39\nline 40")
    assert unified(old, old) == ""
    found = unified(old, new)
    assert found.count("@@ -") == 3
    assert "-line 20\n+line twenty" in found
    assert found.startswith("@@ -1,7 +1,6 @@\n line 0")


@given(LINES, LINES)
def test_applied_to_the_old_a_unified_diff_gives_the_new(a: list[str], b: list[str]) -> None:
    old, new = "\n".join(a), "\n".join(b)
    lines, made, at = (old.split("\n") if old else []), list[str](), 0
    for line in unified(old, new).split("\n") if old != new else []:
        if line.startswith("@@"):
            start, count = (int(part) for part in line.split()[1][1:].split(","))
            stop = start - 1 if count else start
            made += lines[at:stop]
            at = stop
        elif line[0] in " -":
            assert lines[at] == line[1:]
            made += [line[1:]] if line[0] == " " else []
            at += 1
        else:
            made.append(line[1:])
    assert [*made, *lines[at:]] == (new.split("\n") if new else [])


def test_texts_made_to_be_slow_are_one_change() -> None:
    a = [piece for n in range(20_000) for piece in ("x", f"a{n}")]
    b = [piece for n in range(20_000) for piece in ("x", f"b{n}")]
    assert operations(a, b) == [("equal", 0, 1, 0, 1), ("replace", 1, 40_000, 1, 40_000)]
