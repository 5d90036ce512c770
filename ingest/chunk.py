"""Cutting a text into passages: by heading, then by block and sentence, up to a number of the embedder's own tokens.

Nothing is lost and nothing said twice: every word is in the text of exactly one passage, or in the path of headings
above it. (The header row of a table that has to be split is repeated.) Sections too short to be a good passage are
merged with their neighbours under the same heading, where their own heading then stays in the text. What applies to
some products, versions or platforms only (`kb.applies`) shares no passage with anything else.
"""

import itertools
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ingest.blocks import FLUSH, MARKERS, UNTITLED, Env, Piece, Section, outline
from ingest.plain import escaped, start_escaped
from kb.applies import ALL, Applies
from kb.compose import PATH_SEPARATOR

CHUNKER_VERSION = "2"
"""Changes whenever the same text would be cut differently."""

TINY = 5
"""A section of less than one in TINY parts of the limit is merged with a neighbour."""

LARGEST_HEADER = 3
"""A table header that costs more than one in LARGEST_HEADER parts of a passage is not repeated."""

NEAR = 10
"""A passage within one in NEAR parts of the limit is counted as a whole: its tokens may differ from the pieces' sum."""

_QUOTE = re.compile(r" {0,3}(?:> ?)+")
_EMPTY_END = re.compile(r"(?:\n[ \t>]*)+\Z")
_REFERENCE = re.compile(r"\[([^\[\]]+)\]")


class TokenCounter(Protocol):
    """The part of an embedder that knows its tokenizer."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text as the model would see it, special tokens and prefix included."""

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return start and end in characters of each token of the text itself."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage in the making."""

    ordinal: int
    path: tuple[str, ...]
    """Plain headings above it, outermost first, without the title."""
    text: str
    """Markdown as in the source. A passage that starts inside a table or code block has the header or fence again."""
    search_text: str
    """Plain text of title, path, what it applies to, and passage, a line each: what is analyzed and embedded."""
    applies: Applies = ALL


@dataclass(slots=True)
class _Run:
    """Neighbouring pieces that make one passage."""

    path: tuple[str, ...]
    pieces: list[Piece]
    lift: list[Piece] = field(default_factory=list)
    """Headings of the sections that this run is the whole of: what stays in the text when it moves up that far."""
    applies: Applies = ALL

    @property
    def tokens(self) -> int:
        return _cost(self.pieces)

    def at(self, depth: int) -> list[Piece]:
        """Return the pieces with the headings that are no longer in a path of this depth."""
        up = len(self.path) - depth
        return [*self.lift[len(self.lift) - up :], *self.pieces] if up else self.pieces


def chunk(title: str, markdown: str, *, lang: str, embedder: TokenCounter, max_tokens: int = 400) -> list[Chunk]:
    """Cut Markdown into passages of at most about `max_tokens` tokens, title and path included.

    No rule depends on `lang` yet. A text without content gives one passage that says the title, if there is one.
    """
    root, env = outline(title, markdown)
    cutter = _Cutter(title, root, embedder, max_tokens)
    runs = [run for run in cutter.gather(root, ()) if run.pieces or run.lift]
    chunks = [
        Chunk(ordinal, run.path, text, cutter.search_text(run), run.applies)
        for ordinal, (run, text) in enumerate((run, _assembled(run.pieces)) for run in cutter.checked(runs))
    ]
    if not chunks and title.strip():
        return [Chunk(0, (), title, title)]
    return _with_references(chunks, env) if env.get("references") else chunks


class _Cutter:
    """Cuts one document: knows the limit and what each piece costs."""

    def __init__(self, title: str, root: Section, embedder: TokenCounter, max_tokens: int) -> None:
        self._title = " ".join(title.split())
        self._embedder = embedder
        self._max_tokens = max_tokens
        self._tiny = max_tokens // TINY
        sections = list(_walk(root))
        pieces = [piece for section in sections for piece in (section.heading, *section.pieces)]
        empty, of_title, *counts = embedder.count_tokens(["", self._title, *(piece.plain for piece in pieces)])
        self._overhead = empty
        """Special tokens and the model's prefix."""
        self._heads: dict[tuple[str, ...], int] = {(): of_title - empty}
        several = list({section.applies: None for section in sections if section.applies})
        of_several = embedder.count_tokens([applies.words for applies in several]) if several else []
        self._said = {ALL: 0, **{one: count - empty + 1 for one, count in zip(several, of_several, strict=True)}}
        """What it costs to say what a passage applies to."""
        self._price(pieces, counts)

    def gather(self, section: Section, above: tuple[str, ...]) -> list[_Run]:
        """Return the runs of a section and all below it, in order."""
        path, titled = above, 0 < section.level < UNTITLED
        if titled:
            path = (*above, section.title)
            self._heads.setdefault(path, self._heads[above] + section.heading.tokens + 1)
        applies = section.applies
        packed = self._packed(section.pieces, self._room(path, applies))
        runs = [_Run(path, pieces, applies=applies) for pieces in packed]
        for below in section.sections:
            runs += self.gather(below, path)
        if titled and not runs:
            runs = [_Run(path, [], applies=applies)]
        runs = self._merged(runs, path)
        if titled and len(runs) == 1 and len(runs[0].path) - len(runs[0].lift) == len(path):
            runs[0].lift.insert(0, section.heading)
        return runs

    def checked(self, runs: Iterable[_Run]) -> list[_Run]:
        """Return the runs, cut again where the tokens of the whole are more than the sum of its pieces said."""
        runs = [run if run.pieces else _Run(run.path[:-1], run.lift[-1:], applies=run.applies) for run in runs]
        for _ in range(8):
            full = [self._room(run.path, run.applies) - self._max_tokens // NEAR for run in runs]
            near = [at for at, run in enumerate(runs) if run.tokens > full[at]]
            counts = self._embedder.count_tokens([self.search_text(runs[at]) for at in near]) if near else []
            over = {
                at: count - self._max_tokens for at, count in zip(near, counts, strict=True) if count > self._max_tokens
            }
            if not over:
                break
            runs = [
                smaller
                for at, run in enumerate(runs)
                for smaller in (self._smaller(run, over[at]) if at in over else [run])
            ]
        return runs

    def search_text(self, run: _Run) -> str:
        lines = [self._head(run.path), run.applies.words]
        if run.pieces and run.pieces[0].before_plain:
            lines.append(run.pieces[0].before_plain)
        said = ""
        for piece in run.pieces:
            if piece.plain:
                said += piece.joint + piece.plain if said else piece.plain
        return "\n".join(line for line in (*lines, said) if line)

    def _head(self, path: tuple[str, ...]) -> str:
        head = f"{self._title}\n{PATH_SEPARATOR.join(path)}" if path else self._title
        most = self._max_tokens // 2
        if self._heads[path] <= most:
            return head
        # A title or path that would fill the passage by itself is cut, so that room is left for what is said.
        offsets = self._embedder.token_offsets(head)
        return head[: offsets[most][0]].rstrip() if len(offsets) > most else head

    def _room(self, path: tuple[str, ...], applies: Applies) -> int:
        """Return how many tokens the pieces of a passage under this path may cost."""
        head = min(self._heads[path], self._max_tokens // 2) + self._said[applies]
        return max(8, self._max_tokens - self._overhead - head)

    def _smaller(self, run: _Run, over: int) -> list[_Run]:
        pieces = run.pieces
        room = max(8, min(run.tokens, self._room(run.path, run.applies)) - over)
        if len(pieces) == 1:
            pieces = self._parts(pieces[0], room) or self._cut(pieces[0], room)
        return [_Run(run.path, some, applies=run.applies) for some in self._packed(pieces, room)]

    def _merged(self, runs: list[_Run], path: tuple[str, ...]) -> list[_Run]:
        """Return the runs with tiny ones joined to the next, or else to the one before."""
        kept: list[_Run] = []
        for run in runs:
            if kept and kept[-1].tokens < self._tiny and (joined := self._joined(kept[-1], run, path)):
                kept[-1] = joined
            else:
                self._join_back(kept, path)
                kept.append(run)
        self._join_back(kept, path)
        return kept

    def _join_back(self, kept: list[_Run], path: tuple[str, ...]) -> None:
        if len(kept) > 1 and kept[-1].tokens < self._tiny and (joined := self._joined(kept[-2], kept[-1], path)):
            kept[-2:] = [joined]

    def _joined(self, one: _Run, two: _Run, path: tuple[str, ...]) -> _Run | None:
        if one.applies != two.applies or any(len(run.path) - len(run.lift) > len(path) for run in (one, two)):
            return None
        joined = _Run(path, [*one.at(len(path)), *two.at(len(path))], applies=one.applies)
        return joined if joined.tokens <= self._room(path, joined.applies) else None

    def _packed(self, pieces: Sequence[Piece], room: int) -> list[list[Piece]]:
        """Return the pieces as passages of at most `room` tokens, splitting those that are too long."""
        runs: list[list[Piece]] = []
        current: list[Piece] = []
        used = 0
        queue = deque(pieces)
        while queue:
            piece = queue.popleft()
            alone = piece.tokens + piece.before_tokens
            if used + (piece.tokens if current else alone) <= room:
                used += piece.tokens if current else alone
                current.append(piece)
            elif alone > room:
                queue.extendleft(reversed(self._parts(piece, room) or self._cut(piece, room)))
            elif used < self._tiny and not piece.whole and (parts := self._parts(piece, room)):
                queue.extendleft(reversed(parts))
            else:
                runs.append(current)
                current, used = [], 0
                queue.appendleft(piece)
        if current:
            runs.append(current)
        return self._balanced(runs, room)

    def _balanced(self, runs: list[list[Piece]], room: int) -> list[list[Piece]]:
        """Return the runs with the last two levelled if the last is tiny."""
        if len(runs) < 2 or _cost(runs[-1]) >= self._tiny:
            return runs
        pieces = [*runs[-2], *runs[-1]]
        total = _cost(pieces)
        left = pieces[0].before_tokens
        best, least = len(runs[-2]), total
        for at in range(1, len(pieces)):
            left += pieces[at - 1].tokens
            right = total - left + pieces[at].before_tokens
            if max(left, right) <= room and abs(right - left) < least:
                best, least = at, abs(right - left)
        return [*runs[:-2], pieces[:best], pieces[best:]]

    def _parts(self, piece: Piece, room: int) -> list[Piece]:
        """Return the smaller pieces of a piece with their cost, or none if it cannot be split."""
        parts = piece.split() if piece.split else []
        if len(parts) < 2:
            return []
        _keep_ends(piece, parts)
        headers = list({part.before_plain: None for part in parts if part.before_plain})
        counts = self._embedder.count_tokens([*headers, *(part.plain for part in parts)])
        costs = {header: count - self._overhead for header, count in zip(headers, counts, strict=False)}
        self._price(parts, counts[len(headers) :])
        for part in parts:
            part.before_tokens = costs.get(part.before_plain, 0)
            if part.before_tokens > room // LARGEST_HEADER:
                part.before, part.before_plain, part.before_tokens = _without_words(part.before), "", 0
        return parts

    def _cut(self, piece: Piece, room: int) -> list[Piece]:
        """Cut plain text at token borders: the last resort for a sentence, line or cell longer than a passage."""
        plain = piece.plain
        offsets = self._embedder.token_offsets(plain)
        # In parts of one length, so that no scrap is left at the end.
        count = max(2, -(-len(offsets) // (room - 1)))
        starts = [offsets[len(offsets) * part // count][0] for part in range(1, count) if offsets]
        borders = sorted({0, len(plain), *(start for start in starts if 0 < start < len(plain))})
        if len(borders) == 2 and len(plain) > 1:
            borders.insert(1, len(plain) // 2)
        parts = [
            Piece(
                plain[a:b] if piece.after else escaped(plain[a:b]),
                plain[a:b],
                joint="",
                indent=FLUSH,
                before=piece.before,
                after=piece.after,
            )
            for a, b in itertools.pairwise(borders)
        ]
        parts[0].joint = piece.joint
        parts[0].opens, parts[-1].closes = piece.opens, piece.closes
        _keep_ends(piece, parts)
        self._price(parts, self._embedder.count_tokens([part.plain for part in parts]))
        for part in parts:
            if len(part.plain) == 1:
                part.tokens = min(part.tokens, room)
        return parts

    def _price(self, pieces: Sequence[Piece], counts: Sequence[int]) -> None:
        """Note what each piece costs: at least one token, so that empty ones cannot pile up in a passage."""
        for piece, count in zip(pieces, counts, strict=True):
            piece.tokens = max(1, count - self._overhead)


def _cost(pieces: Sequence[Piece]) -> int:
    return pieces[0].before_tokens + sum(piece.tokens for piece in pieces) if pieces else 0


def _walk(section: Section) -> Iterable[Section]:
    yield section
    for below in section.sections:
        yield from _walk(below)


def _keep_ends(piece: Piece, parts: list[Piece]) -> None:
    """Give the parts of a piece what stands before and after them: list markers, fences, blank lines."""
    said = "".join(part.text for part in parts)
    lead, found, trail = piece.text.partition(said)
    parts[0].indent = piece.indent
    if found and (piece.opens or MARKERS.fullmatch(lead)) and (piece.closes or not trail.strip()):
        parts[0].text = lead + parts[0].text
        parts[-1].text += trail
    elif not parts[-1].text.endswith("\n"):
        parts[-1].text += "\n\n"


def _without_words(header: str) -> str:
    """Return a table's header row and delimiters with the cells of the header empty."""
    row, _, rest = header.partition("\n")
    return re.sub(r"(?:\\.|[^|\s>])+", "", row) + "\n" + rest


def _assembled(pieces: list[Piece]) -> str:
    """Return the Markdown of a passage: its pieces, with the table header or fence that they need to stand alone."""
    first, last = 0, len(pieces)
    while first < last and pieces[first].rule:
        first += 1
    while last > first and pieces[last - 1].rule:
        last -= 1
    if first == last:
        first, last = 0, len(pieces)
    indent = pieces[first].indent
    text = ""
    previous: Piece | None = None
    for piece in pieces[first:last]:
        indent = min(indent, piece.indent)
        # A table goes on after rows that had to become paragraphs.
        if previous is None or previous.table is not piece.table:
            text += "\n" if previous and previous.table else ""
            resumes = previous is None or piece.table is not None
            text += _dedented(piece.before, indent) if resumes and not piece.opens else ""
        text += start_escaped(piece.text) if not text and indent == FLUSH else _dedented(piece.text, indent)
        previous = piece
    if previous is not None and not previous.closes and previous.after:
        text = text.removesuffix("\n") + "\n" + _dedented(previous.after, indent)
    return _EMPTY_END.sub("", text).strip("\n")


def _dedented(text: str, columns: int) -> str:
    if not columns:
        return text
    return "".join(_without_indent(line, columns) for line in text.splitlines(keepends=True))


def _without_indent(line: str, columns: int) -> str:
    if quote := _QUOTE.match(line):
        return quote[0] + _without_indent(line[quote.end() :], columns - quote.end())
    column = at = 0
    while column < columns and at < len(line) and line[at] in " \t":
        column += 1 if line[at] == " " else 4 - column % 4
        at += 1
    return line[at:]


def _with_references(chunks: list[Chunk], env: Env) -> list[Chunk]:
    """Give each passage the link definitions that it uses and that stand elsewhere."""
    found = []
    for piece in chunks:
        labels = {" ".join(label.split()).upper() for label in _REFERENCE.findall(piece.text)}
        missing = [
            f"[{label.lower()}]: <{env['references'][label]['href']}>"
            for label in sorted(labels & env["references"].keys())
            if not re.search(rf"^ {{0,3}}\[{re.escape(label)}\]:", piece.text, re.IGNORECASE | re.MULTILINE)
        ]
        text = "\n".join([piece.text, "", *missing]) if missing else piece.text
        found.append(replace(piece, text=text))
    return found
