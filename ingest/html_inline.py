"""Inline HTML as inline Markdown: escaping of what would be markup, emphasis that Markdown recognises, line breaks.

While a paragraph is put together, marks stand for emphasis, line breaks and the opening of links and images: Unicode
noncharacters, which no text holds (they are taken out of what is read). `finished` turns them into Markdown.
"""

import re
import unicodedata

from ingest.plain import escaped, start_escaped

STRONG, END_STRONG, EMPHASIS, END_EMPHASIS, BREAK, LINK, IMAGE = "\ufdd0\ufdd1\ufdd2\ufdd3\ufdd4\ufdd5\ufdd6"

_NONCHARACTERS = re.compile("[\ufdd0-\ufdef\0]")
_SPACES = re.compile(r"[ \t\n\r\f\v]+")
_TOKENS = re.compile(f"([{STRONG}{END_STRONG}{EMPHASIS}{END_EMPHASIS}{BREAK}])")
_END = {STRONG: END_STRONG, EMPHASIS: END_EMPHASIS}
_MARKS = frozenset([STRONG, END_STRONG, EMPHASIS, END_EMPHASIS, "**", "*", ""])
_WRITTEN = {STRONG: "**", END_STRONG: "**", EMPHASIS: "*", END_EMPHASIS: "*"}
_NOWHERE = re.compile(r"#|(?:javascript|data|vbscript|about|blob):|$", re.IGNORECASE)


def text_of(raw: str | None) -> str:
    """Return the text of a node as Markdown: white space as single spaces, markup characters escaped."""
    if not raw:
        return ""
    return escaped(_SPACES.sub(" ", _NONCHARACTERS.sub("", raw)))


def code(raw: str) -> str:
    """Return a code span."""
    content = " ".join(_NONCHARACTERS.sub("", raw).split())
    if not content:
        return ""
    ticks = "`" * (max(map(len, re.findall("`+", content)), default=0) + 1)
    pad = " " if content[0] == "`" or content[-1] == "`" else ""
    return f"{ticks}{pad}{content}{pad}{ticks}"


def link(label: str, target: str) -> str:
    """Return a link, or the label alone if the target leads nowhere outside of the page."""
    bare = label.replace(BREAK, " ").strip()
    if not bare or _NOWHERE.match(target.strip()) or LINK in bare:
        return label
    lead = " " if label[0] in f" {BREAK}" else ""
    trail = " " if label[-1] in f" {BREAK}" else ""
    return f"{lead}{LINK}{bare}]({destination(target)}){trail}"


def image(alt: str, source: str) -> str:
    """Return an image."""
    label = re.sub(r"[\\\[\]`*]", r"\\\g<0>", " ".join(alt.split()))
    return f"{IMAGE}{label}]({destination(source)})"


def destination(target: str) -> str:
    """Return the target of a link in a form that Markdown takes whole."""
    target = re.sub(r"[\x00-\x20\ufdd0-\ufdef]", lambda found: "%20" if found[0] == " " else "", target.strip())
    if "<" in target or ">" in target or "(" in target or ")" in target:
        return f"<{target.replace('<', '%3C').replace('>', '%3E')}>"
    return target


def finished(run: str) -> list[str]:
    """Return the paragraphs of an inline run; two line breaks or more start a new one."""
    run = _SPACES.sub(" ", run)
    if _TOKENS.search(run):
        run = _emphasised(run)
    run = re.sub(f"!(?={LINK})", r"\\!", run).replace(LINK, "[").replace(IMAGE, "![")
    paragraphs = []
    for part in re.split(rf"(?: *{BREAK} *){{2,}}", run):
        lines = [start_escaped(line.strip()) for line in part.split(BREAK)]
        text = "\\\n".join(line for line in lines if line)
        if text:
            paragraphs.append(text)
    return paragraphs


def one_line(run: str) -> str:
    """Return an inline run on one line, for a heading or a label."""
    return " ".join(finished(run.replace(BREAK, " ")))


def _emphasised(run: str) -> str:
    """Return a run with its emphasis as asterisks, where Markdown takes them as emphasis.

    An asterisk beside punctuation opens or closes only with white space or punctuation on its other side (CommonMark
    0.31, 6.2), which Chinese text does not have: there the punctuation moves out of the emphasis, or the emphasis goes.
    """
    run = "".join(_levelled(_TOKENS.split(run)))
    for start, end in (*_END.items(), *_END.items()):
        run = re.sub(f"{end}( ?){start}", r"\1", run)
        run = re.sub(f"{start}( +)", rf"\1{start}", run)
        run = re.sub(f"( +){end}", rf"{end}\1", run)
        run = re.sub(rf"([：:，,。.；;！!？?、”’」』）》]+){end}(?=\w)", rf"{end}\1", run)
        run = re.sub(rf"(?<=\w){start}([“‘「『（《]+)", rf"\1{start}", run)
        run = run.replace(start + end, "")
    tokens = _TOKENS.split(run)
    opened: list[int] = []
    for at, token in enumerate(tokens):
        if token in _END:
            opened.append(at)
        elif token in _END.values():
            start_at = opened.pop()
            if _flanks(tokens, start_at, after=True) and _flanks(tokens, at, after=False):
                tokens[start_at], tokens[at] = _WRITTEN[token], _WRITTEN[token]
            else:
                tokens[start_at] = tokens[at] = ""
    return "".join(tokens)


def _levelled(tokens: list[str]) -> list[str]:
    """Return the tokens with each kind of emphasis open once at most, and none open across a line break."""
    levelled: list[str] = []
    opened: list[str] = []
    ignored: list[str] = []
    for token in tokens:
        if token in _END:
            (ignored if token in opened else opened).append(token)
            levelled.append("" if ignored and ignored[-1] == token else token)
        elif token in _END.values():
            start = STRONG if token == END_STRONG else EMPHASIS
            if start in ignored:
                ignored.remove(start)
            else:
                opened.remove(start)
                levelled.append(token)
        elif token == BREAK:
            levelled += [*(_END[start] for start in reversed(opened)), BREAK, *opened]
        else:
            levelled.append(token)
    return levelled


def _flanks(tokens: list[str], at: int, *, after: bool) -> bool:
    """Say whether the emphasis mark at `at` touches its text (which is after or before it) as Markdown wants."""
    before = next((token[-1] for token in reversed(tokens[:at]) if token not in _MARKS), " ")
    behind = next((token[0] for token in tokens[at + 1 :] if token not in _MARKS), " ")
    inner, outer = (behind, before) if after else (before, behind)
    return not inner.isspace() and (not _is_punctuation(inner) or outer.isspace() or _is_punctuation(outer))


def _is_punctuation(char: str) -> bool:
    return char in (BREAK, LINK, IMAGE) or unicodedata.category(char)[0] in "PS"
