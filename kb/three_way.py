"""Three-way merge: what two people made of one text, put together where they do not touch the same lines.

After Khanna, Kunal and Pierce, A Formal Investigation of Diff3 (FSTTCS 2007): lines of the base that both kept divide
the three texts into chunks; in each, what only one side changed counts, and where both did differently it is a
conflict.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

from kb.content import TEXTS, Content, Profile
from kb.differences import operations


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of lines, as the base and each side have it; a side that removed them has none."""

    kind: Literal["same", "theirs", "mine", "both", "conflict"]
    """Who changed it: nobody, one side, both alike, both differently."""
    base: tuple[str, ...]
    theirs: tuple[str, ...]
    mine: tuple[str, ...]

    @property
    def merged(self) -> tuple[str, ...] | None:
        """The lines that count; None for a conflict."""
        if self.kind == "conflict":
            return None
        return self.theirs if self.kind == "theirs" else self.mine


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an article, as it was, as each side has it, and put together."""

    name: str
    base: str
    theirs: str
    mine: str
    chunks: tuple[Chunk, ...]

    @property
    def merged(self) -> str | None:
        """The text of both sides; None where a person has to decide."""
        lines: list[str] = []
        for chunk in self.chunks:
            if chunk.merged is None:
                return None
            lines += chunk.merged
        return "\n".join(lines)

    @property
    def with_mine(self) -> str:
        """The text of both sides, as I wrote it where a person has to decide."""
        return "\n".join(
            line for chunk in self.chunks for line in (chunk.mine if chunk.merged is None else chunk.merged)
        )


@dataclass(frozen=True, slots=True)
class Merge:
    """What two sides made of one content."""

    fields: tuple[Field, ...]
    similar_questions: tuple[str, ...]
    """Those of both, without those that either removed: never a conflict."""

    @property
    def conflicts(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields if field.merged is None)

    @property
    def content(self) -> Content | None:
        """Both sides in one; None while there is a conflict."""
        texts = {field.name: field.merged for field in self.fields}
        if None in texts.values():
            return None
        return Content(
            **{name: text for name, text in texts.items() if text is not None},
            similar_questions=self.similar_questions,
        )


def merge(base: Content, theirs: Content, mine: Content) -> Merge:
    """Return `theirs` and `mine` put together, field by field; the title is one piece, the texts go by lines."""
    found = []
    for name in TEXTS:
        one, two, three = getattr(base, name), getattr(theirs, name), getattr(mine, name)
        chunks = (_chunk([one], [two], [three]),) if name == "title" else tuple(merged_lines(one, two, three))
        found.append(Field(name, one, two, three, chunks))
    return Merge(tuple(found), _questions(base.similar_questions, theirs.similar_questions, mine.similar_questions))


def merge_profiles(base: Profile, theirs: Profile, mine: Profile) -> tuple[Profile, tuple[str, ...]]:
    """Return `theirs` with what `mine` changes of `base`, and the names of what both made different: those say `mine`.

    Labels are put together one by one, and never clash.
    """
    names = [field.name for field in fields(Profile) if field.name != "labels"]
    changed = {name: getattr(mine, name) for name in names if getattr(mine, name) != getattr(base, name)}
    clashing = tuple(
        name for name, value in changed.items() if getattr(theirs, name) not in (getattr(base, name), value)
    )
    together = (theirs.labels - (base.labels - mine.labels)) | (mine.labels - base.labels)
    return replace(theirs, **changed, labels=together), clashing


def merged_lines(base: str, theirs: str, mine: str) -> list[Chunk]:
    """Return the chunks of three texts, in order; the lines of a side, joined by newlines, are its text again."""
    a, b, c = base.split("\n"), theirs.split("\n"), mine.split("\n")
    if base in (theirs, mine) or theirs == mine:
        return [_chunk(a, b, c)]
    in_b, in_c = _kept(a, b), _kept(a, c)
    chunks: list[Chunk] = []
    i = j = k = 0
    while i < len(a) or j < len(b) or k < len(c):
        stop = i
        while stop < len(a) and in_b.get(stop) == j + stop - i and in_c.get(stop) == k + stop - i:
            stop += 1
        if stop > i:
            j, k, lines = j + stop - i, k + stop - i, a[i:stop]
            chunks.append(_chunk(lines, lines, lines))
            i = stop
            continue
        while stop < len(a) and not (stop in in_b and stop in in_c):
            stop += 1
        end_b, end_c = in_b.get(stop, len(b)), in_c.get(stop, len(c))
        chunks.append(_chunk(a[i:stop], b[j:end_b], c[k:end_c]))
        i, j, k = stop, end_b, end_c
    return chunks


def _kept(a: Sequence[str], b: Sequence[str]) -> dict[int, int]:
    """Return the place in `b` of each line of `a` that is kept there."""
    return {i1 + n: j1 + n for tag, i1, i2, j1, _ in operations(a, b) if tag == "equal" for n in range(i2 - i1)}


def _chunk(base: Sequence[str], theirs: Sequence[str], mine: Sequence[str]) -> Chunk:
    kind: Literal["same", "theirs", "mine", "both", "conflict"]
    if theirs == mine:
        kind = "same" if base == mine else "both"
    elif base == mine:
        kind = "theirs"
    else:
        kind = "mine" if base == theirs else "conflict"
    return Chunk(kind, tuple(base), tuple(theirs), tuple(mine))


def _questions(base: Sequence[str], theirs: Sequence[str], mine: Sequence[str]) -> tuple[str, ...]:
    gone = (set(base) - set(mine)) | (set(base) - set(theirs))
    return tuple(question for question in dict.fromkeys((*theirs, *mine)) if question not in gone)
