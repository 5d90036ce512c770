"""Markdown as sections of pieces, each of which can be split further: block, list item, row, line of code, sentence."""

import itertools
import re
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from markdown_it.token import Token

from ingest.plain import between, blocks, escaped, inline_plain, plain_of, start_escaped, without_tags
from kb.applies import ALL, Applies, parts, unmarked
from retrieval.text import sentences

Env = MutableMapping[str, Any]

_MARKER = re.compile(r"[\s>]*(?:[-*+]|\d+[.)])[ \t]*")
_CLAUSE_END = re.compile(r"[，；、：]|[,;:](?=\s)")
MARKERS = re.compile(r"[\s>]*(?:(?:[-*+]|\d+[.)]|#{1,6})\s+)*")
"""What may stand before the first word of a block: list, quote and heading markers."""


UNTITLED = 7
"""Level of a section without a heading: below all that have one."""

FLUSH = 1_000
"""Indentation of a piece that goes on inside a paragraph: what follows it may move left as far as it can."""


@dataclass(slots=True)
class Piece:
    """A stretch of Markdown that is not cut unless it has to be."""

    text: str
    """As in the source, up to where the next piece starts."""
    plain: str
    joint: str = "\n"
    """What stands between the plain text before it and its own."""
    indent: int = 0
    """Columns of list indentation, which a passage that starts with this piece leaves out."""
    before: str = ""
    """What a passage that starts with this piece needs first: the table's header, the opening fence."""
    before_plain: str = ""
    opens: bool = False
    """The text itself starts with `before`."""
    after: str = ""
    """What a passage that ends with this piece needs last: the closing fence."""
    closes: bool = False
    """The text itself ends with `after`."""
    table: Token | None = None
    """The table that this piece is rows of."""
    whole: bool = False
    """A list, table or code block: not split to fill a passage up, only where it fits in none."""
    rule: bool = False
    """A thematic break: left out at a passage's ends."""
    split: Callable[[], list["Piece"]] | None = None
    """Gives the smaller pieces that this one consists of (none: it cannot be split)."""
    tokens: int = 0
    """Cost of `plain`, once counted."""
    before_tokens: int = 0


@dataclass(slots=True)
class Section:
    """A heading (level 0: the document) with the pieces directly under it and the sections below it.

    At level UNTITLED a stretch without a heading of its own: what applies to some only, and what follows that.
    """

    level: int
    title: str
    heading: Piece
    applies: Applies = ALL
    """What it applies to, with all below it."""
    pieces: list[Piece] = field(default_factory=list)
    sections: list["Section"] = field(default_factory=list)


def outline(title: str, markdown: str) -> tuple[Section, Env]:
    """Return the text as a tree of sections, and the link references that it defines.

    A heading of the first level that only says `title` again is left out.
    """
    env: Env = {}
    several = parts(markdown)
    if len(several) > 1:
        blocks(unmarked(markdown), env)  # a reference may be defined in another part
    root = Section(0, "", Piece("", ""))
    stack = [root]
    for part in several:
        if part.applies:
            while stack[-1].level == UNTITLED:
                stack.pop()
            _grow([_untitled(stack[-1], part.applies)], title, part.text, env)
        else:
            _grow(stack, title, part.text, env)
    return root, env


def _grow(stack: list[Section], title: str, markdown: str, env: Env) -> None:
    """Add what a text says to the last of these sections, each of which lies in the one before; leave its last ones."""
    lines = markdown.split("\n")
    outermost, applies = len(stack), stack[-1].applies
    for group, start, end in _spans(_groups(blocks(markdown, env)), 0, len(lines)):
        if group[0].type != "heading_open":
            if stack[-1].sections:  # its pieces come before its sections: these follow them
                stack.append(_untitled(stack[-1], applies))
            stack[-1].pieces.append(_piece(group, lines, start, end, env, 0))
            continue
        level, text = int(group[0].tag[1]), inline_plain(group[1].content, env)
        if level == 1 and folded(text) == folded(title):
            continue
        while stack[-1].level >= level and (len(stack) > outermost or not applies):
            stack.pop()
        section = Section(level, text, Piece(_source(lines, start, end), text), applies)
        stack[-1].sections.append(section)
        stack.append(section)


def _untitled(above: Section, applies: Applies) -> Section:
    """Add a section without a heading."""
    section = Section(UNTITLED, "", Piece("", ""), applies)
    above.sections.append(section)
    return section


def folded(text: str) -> str:
    """Return text without whitespace, case folded."""
    return "".join(text.split()).casefold()


def _source(lines: Sequence[str], start: int, end: int) -> str:
    return "\n".join(lines[start:end]) + "\n"


def _groups(tokens: Sequence[Token]) -> list[list[Token]]:
    """Return tokens as groups, one for each block of the outermost level."""
    groups: list[list[Token]] = []
    depth = 0
    for token in tokens:
        if depth == 0:
            groups.append([])
        groups[-1].append(token)
        depth += token.nesting
    return groups


def _spans(groups: list[list[Token]], start: int, end: int) -> list[tuple[list[Token], int, int]]:
    """Return each group with its lines; what lies between two (blank lines, definitions) belongs to the first."""
    starts = [group[0].map[0] if group[0].map else start for group in groups]
    starts[:1] = [start] * len(starts[:1])
    return list(zip(groups, starts, [*starts[1:], end], strict=True)) if groups else []


def _piece(group: list[Token], lines: Sequence[str], start: int, end: int, env: Env, indent: int) -> Piece:
    text = _source(lines, start, end)
    piece = Piece(text, plain_of(group, env), indent=indent)
    match group[0].type:
        case "paragraph_open" | "heading_open":
            piece.split = partial(_sentences, group[1].content, text, piece.plain, env)
        case "bullet_list_open" | "ordered_list_open" | "list_item_open" | "blockquote_open":
            piece.split = partial(_children, group, lines, start, end, env, indent)
            piece.whole = True
        case "table_open":
            piece.split = partial(_rows, group, lines, start, end, env, indent)
            piece.whole = True
        case "fence":
            piece.split = partial(_code_lines, group[0], lines, start, end)
            piece.whole = True
        case "code_block" | "html_block" as kind:
            piece.split = partial(_source_lines, text, piece.plain, indent, is_html=kind == "html_block")
            piece.whole = True
        case "hr":
            piece.rule = True
    return piece


def _children(group: list[Token], lines: Sequence[str], start: int, end: int, env: Env, indent: int) -> list[Piece]:
    later = indent
    if group[0].type == "list_item_open" and group[0].map and (marker := _MARKER.match(lines[group[0].map[0]])):
        later = len(marker[0].expandtabs(4))
    return [
        _piece(inner, lines, first, last, env, later if number else indent)
        for number, (inner, first, last) in enumerate(_spans(_groups(group[1:-1]), start, end))
    ]


def _sentences(content: str, text: str, plain: str, env: Env) -> list[Piece]:
    lead = text[: max(0, text.find(content.split("\n", 1)[0]))]
    quote = "> " if ">" in lead else ""
    pieces = _divided(content, plain, [start for start, _ in sentences(content)], env)
    if len(pieces) < 2 and len(starts := [start for start, _ in sentences(plain)]) > 1:
        # Markup spans sentences: the plain text is cut instead, where nothing can be torn.
        pieces = _divided(plain, plain, starts, None)
    for piece in pieces:
        piece.split = partial(_clauses, piece.text, piece.plain, env, quote)
    if len(pieces) < 2:
        pieces = _clauses(content, plain, env, quote)
    for piece in pieces[1:]:
        piece.before, piece.indent = quote, FLUSH
    return pieces


def _clauses(content: str, plain: str, env: Env, quote: str) -> list[Piece]:
    """Return a sentence that is longer than a passage as clauses."""
    pieces = _divided(content, plain, [0, *(found.end() for found in _CLAUSE_END.finditer(content))], env)
    for piece in pieces[1:]:
        piece.before, piece.indent = quote, FLUSH
    return pieces


def _divided(content: str, plain: str, starts: list[int], env: Env | None) -> list[Piece]:
    """Return a paragraph in parts that begin at `starts`, or nothing if the parts do not say what the whole says.

    Without `env` the content is plain text.
    """
    pieces = []
    for start, end in itertools.pairwise([0, *starts[1:], len(content)]):
        source = content[start:end]
        if env is None:
            pieces.append(Piece(escaped(source), source.strip()))
        else:
            pieces.append(Piece(source, inline_plain(source, env)))
    if folded("".join(piece.plain for piece in pieces)) != folded(plain):
        return []
    for previous, piece in itertools.pairwise(pieces):
        piece.joint = between(previous.text, piece.text)
    return pieces


def _rows(group: list[Token], lines: Sequence[str], start: int, end: int, env: Env, indent: int) -> list[Piece]:
    rows = [_row(group, at) for at, token in enumerate(group) if token.type == "tr_open"]
    if len(rows) < 2:
        return []
    header = plain_of(rows[0], env)
    starts = [row[0].map[0] for row in rows if row[0].map]
    before = _source(lines, starts[0], starts[0] + 2)
    body = [
        Piece(
            _source(lines, first, last),
            plain_of(row, env),
            indent=indent,
            before=before,
            before_plain=header,
            table=group[0],
            split=partial(_cells, row, env),
        )
        for row, first, last in zip(rows[1:], starts[1:], [*starts[2:], end], strict=True)
    ]
    head = Piece(_source(lines, start, starts[0] + 2), header, indent=indent, opens=True, table=group[0])
    head.split = partial(_cells, rows[0], env)
    # A header alone says nothing: it stays with its first row unless the two fit in no passage.
    both = replace(head, text=head.text + body[0].text, plain=f"{header}\n{body[0].plain}")
    both.split = partial(list, [head, body[0]])
    return [both, *body[1:]]


def _row(group: list[Token], at: int) -> list[Token]:
    end = next(i for i in range(at, len(group)) if group[i].type == "tr_close")
    return group[at : end + 1]


def _cells(row: list[Token], env: Env) -> list[Piece]:
    """Return the cells of a row that is too long for a passage, as paragraphs."""
    pieces = []
    for token in row:
        if token.type == "inline" and token.content:
            plain = inline_plain(token.content, env)
            split = partial(_sentences, token.content, token.content, plain, env)
            pieces.append(Piece(start_escaped(token.content) + "\n\n", plain, indent=FLUSH, split=split))
    return pieces


def _code_lines(token: Token, lines: Sequence[str], start: int, end: int) -> list[Piece]:
    assert token.map is not None
    first, last = token.map
    inside = token.content.removesuffix("\n").split("\n")
    if len(inside) < 2:
        return []
    found = MARKERS.match(lines[first])
    # Later lines of the block stand under its fence, not under the list marker before it.
    lead = re.sub(r"[^\s>]", " ", found[0] if found else "")
    indent = len(lead.expandtabs(4))
    opening, closing = f"{lead}{token.markup}{token.info}\n", f"{lead}{token.markup}\n"
    pieces = [
        Piece(source + "\n", said, indent=indent, before=opening, after=closing)
        for source, said in zip(lines[first + 1 :], inside, strict=False)
    ]
    pieces[0].text = _source(lines, start, first + 1) + pieces[0].text
    pieces[0].opens = True
    if last > first + 1 + len(inside):
        pieces[-1].closes = True
    pieces[-1].text += _source(lines, first + 1 + len(inside), end)
    return pieces


def _source_lines(text: str, plain: str, indent: int, *, is_html: bool) -> list[Piece]:
    pieces = [
        Piece(line, without_tags(line).strip() if is_html else line.rstrip("\n"), indent=indent)
        for line in text.splitlines(keepends=True)
    ]
    if folded("".join(piece.plain for piece in pieces)) != folded(plain):
        # A tag or comment spans lines.
        pieces = [Piece(line + "\n", line) for line in plain.split("\n")]
    return pieces if len(pieces) > 1 else []
