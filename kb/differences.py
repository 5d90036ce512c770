"""What differs between two texts: for reading, by words and Chinese characters; for tools, as a unified diff."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

MOST_PAIRS = 50_000
"""Most pairs of equal pieces that are weighed against each other. Beyond it, what lies between the common beginning and
the common end counts as one change: difflib's time grows with these pairs, and texts come from anybody who writes."""

_HAN = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PIECES = re.compile(rf"[{_HAN}]|[^\W{_HAN}]+|\s+|[^\w\s]|.", re.DOTALL)

Operation = tuple[Literal["equal", "replace", "delete", "insert"], int, int, int, int]
"""As difflib has it: a[i1:i2] becomes b[j1:j2]."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of text that is in both, was removed or was added."""

    kind: Literal["same", "removed", "added"]
    text: str


def operations(a: Sequence[str], b: Sequence[str]) -> list[Operation]:
    """Return what makes `b` of `a`, in order, without gaps. Blank pieces are matched only beside others."""
    start, most = 0, min(len(a), len(b))
    while start < most and a[start] == b[start]:
        start += 1
    end = 0
    while end < most - start and a[-1 - end] == b[-1 - end]:
        end += 1
    stop_a, stop_b = len(a) - end, len(b) - end
    found: list[Operation] = [("equal", 0, start, 0, start)] if start else []
    if start < stop_a or start < stop_b:
        found += [
            (tag, start + i1, start + i2, start + j1, start + j2)
            for tag, i1, i2, j1, j2 in _between(a[start:stop_a], b[start:stop_b])
        ]
    if end:
        found.append(("equal", stop_a, len(a), stop_b, len(b)))
    return found


def _between(a: Sequence[str], b: Sequence[str]) -> Sequence[Operation]:
    in_a, in_b = Counter(a), Counter(b)
    if sum(count * in_b[piece] for piece, count in in_a.items() if piece.strip()) > MOST_PAIRS:
        return [("replace", 0, len(a), 0, len(b))]
    return SequenceMatcher(lambda piece: not piece.strip(), a, b, autojunk=False).get_opcodes()


def segments(old: str, new: str) -> list[Segment]:
    """Return both texts as one: without what was added it is `old`, without what was removed it is `new`.

    Lines first, then words within the lines that changed; Chinese and Japanese by characters.
    """
    found: list[Segment] = []
    a, b = _lines(old), _lines(new)
    for tag, i1, i2, j1, j2 in operations(a, b):
        before, after = "".join(a[i1:i2]), "".join(b[j1:j2])
        if tag == "replace":
            _add_words(found, _PIECES.findall(before), _PIECES.findall(after))
        else:
            _add(found, tag, before, after)
    return found


def unified(old: str, new: str, *, context: int = 3) -> str:
    """Return a unified diff of the lines, without file names; empty where nothing differs."""
    if old == new:
        return ""
    a, b = old.split("\n") if old else [], new.split("\n") if new else []
    out: list[str] = []
    for hunk in _hunks(operations(a, b), context):
        i1, i2, j1, j2 = hunk[0][1], hunk[-1][2], hunk[0][3], hunk[-1][4]
        out.append(f"@@ -{_range(i1, i2)} +{_range(j1, j2)} @@")
        for tag, i1, i2, j1, j2 in hunk:
            if tag == "equal":
                out += [f" {line}" for line in a[i1:i2]]
            else:
                out += [f"-{line}" for line in a[i1:i2]] + [f"+{line}" for line in b[j1:j2]]
    return "\n".join(out)


def _hunks(found: list[Operation], context: int) -> list[list[Operation]]:
    """Return the changes in groups, with `context` lines around each; groups that touch are one."""
    hunks: list[list[Operation]] = []
    for at, (tag, i1, i2, j1, j2) in enumerate(found):
        if tag != "equal":
            if not hunks:
                hunks.append([])
            hunks[-1].append((tag, i1, i2, j1, j2))
            continue
        first, last = at == 0, at == len(found) - 1
        if first:
            cut = min(context, i2 - i1)
            hunks.append([("equal", i2 - cut, i2, j2 - cut, j2)])
        elif last or i2 - i1 > 2 * context:
            cut = min(context, i2 - i1)
            hunks[-1].append(("equal", i1, i1 + cut, j1, j1 + cut))
            if not last:
                hunks.append([("equal", i2 - context, i2, j2 - context, j2)])
        else:
            hunks[-1].append((tag, i1, i2, j1, j2))
    return hunks


def _range(start: int, stop: int) -> str:
    """Return lines as POSIX writes them in a unified diff: the first from 1, and how many."""
    count = stop - start
    return f"{start + (1 if count else 0)},{count}"


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _add_words(found: list[Segment], a: Sequence[str], b: Sequence[str]) -> None:
    for tag, i1, i2, j1, j2 in operations(a, b):
        _add(found, tag, "".join(a[i1:i2]), "".join(b[j1:j2]))


def _add(found: list[Segment], tag: str, before: str, after: str) -> None:
    added: list[Segment] = []
    if tag == "equal":
        added.append(Segment("same", before))
    else:
        added += [Segment("removed", before)] if before else []
        added += [Segment("added", after)] if after else []
    for segment in added:
        if found and found[-1].kind == segment.kind:
            found[-1] = Segment(segment.kind, found[-1].text + segment.text)
        else:
            found.append(segment)
