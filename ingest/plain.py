"""Plain text of Markdown, for analysis and embedding: links keep their text, images their alternative text, code stays.

Markup goes, words stay: HTML tags are dropped, but a placeholder such as <host-name> is a word and is kept.
"""

import html
import re
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_NESTING = 100
MAX_INLINE = 10_000
"""Longest inline text in characters that is parsed: some inline rules take time with the square of the length."""

_MARKDOWN = (
    MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})
    .enable(["table", "strikethrough"])
    .disable(["inline", "text_join"])
)
_MARKUP = re.compile(r"[\\`*_\[\]<>&!~\n]")
_ESCAPED = re.compile(
    r"[\\`*]|(?<![^\W_])_|_(?![^\W_])|~~|\[(?=[^\[\]]*\](?:[(\[:]|$))|<(?=[a-zA-Z/!?])|&(?=#?\w{1,31};)"
)
_LINE_START = re.compile(
    r"\A(?:#{1,6}(?=\s|$)|[-+](?=\s|$)|>|-+$|=+$|~{3}|\|?[ :|-]*-[ :|-]*\|[ :|-]*$|(\d{1,9})(?=[.)](?:\s|$)))"
)
_TAG = re.compile(r"<(/?)([a-zA-Z][\w.:-]*)((?:\s[^<>]*)?)/?>")
_HIDDEN = re.compile(r"<(?:(!--)|(!\[CDATA\[)|(\?)|(![a-z])|(script)\b|(style)\b)", re.IGNORECASE)
_CLOSERS = [
    re.compile(closer, re.IGNORECASE) for closer in ("-->", "]]>", r"\?>", ">", r"</script[^>]*>", r"</style[^>]*>")
]
_ALT = re.compile(r"""\balt\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_WIDE = "⺀-〿぀-ヿ㐀-䶿一-鿿豈-﫿＀-￯"
_WIDE_ONE = re.compile(f"[{_WIDE}]")
_WIDE_PAIR = re.compile(rf"[{_WIDE}]{{2}}")
_SOFT_BREAK = re.compile(rf"(?<=[{_WIDE}])[ \t]*\n[ \t]*(?=[{_WIDE}])")

_INLINE_NAMES = """
a abbr audio b bdi bdo big button canvas center cite code data del dfn em embed font i iframe img input ins kbd label
map mark meter noscript object output picture progress q rp rt ruby s samp script select slot small source span strike
strong style sub sup svg path template textarea time track tt u use var video wbr area base link meta param
"""
_BLOCK_NAMES = """
address article aside blockquote body br caption col colgroup datalist dd details dialog div dl dt fieldset figcaption
figure footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li main menu nav ol optgroup option p pre search
section summary table tbody td tfoot th thead title tr ul
"""
BLOCK_TAGS = frozenset(_BLOCK_NAMES.split())
HTML_TAGS = BLOCK_TAGS | frozenset(_INLINE_NAMES.split())
"""Names of HTML elements: a tag with another name is a placeholder, unless it has attributes or capitals."""


def plain(markdown: str) -> str:
    """Return the plain text of a Markdown text: one line a block, list item or table row; code keeps its lines."""
    env: dict[str, Any] = {}
    return plain_of(blocks(markdown, env), env)


def blocks(markdown: str, env: MutableMapping[str, Any]) -> list[Token]:
    """Return the block tokens of a text, with line maps; inline content is left unparsed. `env` takes references."""
    tokens = _MARKDOWN.parse(markdown, env)
    if any(token.level >= MAX_NESTING - 2 for token in tokens):
        return list(_with_deepest(tokens, markdown.split("\n")))
    return tokens


def plain_of(tokens: Sequence[Token], env: MutableMapping[str, Any]) -> str:
    """Return the plain text of block tokens: a line for each block, table row or line of code."""
    lines: list[str] = []
    cells: list[str] | None = None
    for token in tokens:
        match token.type:
            case "inline":
                text = inline_plain(token.content, env)
                if cells is None:
                    lines.append(text)
                elif text:
                    cells.append(text)
            case "fence" | "code_block":
                lines.append(token.content.strip("\n"))
            case "html_block":
                lines.append(without_tags(token.content).strip())
            case "tr_open":
                cells = []
            case "tr_close":
                lines.append(" ".join(cells or ()))
                cells = None
    return "\n".join(line for line in lines if line)


def inline_plain(content: str, env: MutableMapping[str, Any]) -> str:
    """Return the plain text of inline Markdown (of a paragraph, heading or cell), without outer whitespace."""
    if not _MARKUP.search(content):
        return content.strip()
    if len(content) > MAX_INLINE:
        return _joined(content)
    tokens: list[Token] = []
    _MARKDOWN.inline.parse(content, _MARKDOWN, env, tokens)
    return _joined("".join(map(_inline, tokens)))


def without_tags(source: str) -> str:
    """Return HTML as plain text: tags, comments, scripts and styles dropped; alternative texts kept."""
    if "<" in source:
        source = _TAG.sub(_tag, without_hidden(source))
    return html.unescape(source) if "&" in source else source


def without_hidden(source: str) -> str:
    """Return HTML without comments, declarations, scripts and styles."""
    kept: list[str] = []
    at = 0
    missing: set[int] = set()
    for found in _HIDDEN.finditer(source):
        kind = (found.lastindex or 1) - 1
        # A closer that is not there is looked for once: a text full of openers must not cost its square.
        if found.start() < at or kind in missing:
            continue
        closer = _CLOSERS[kind].search(source, found.end())
        if closer is None:
            missing.add(kind)
            continue
        kept.append(source[at : found.start()])
        at = closer.end()
    return "".join(kept) + source[at:]


def escaped(text: str) -> str:
    """Return plain text as Markdown that says it: characters that would be inline markup are escaped."""
    return _ESCAPED.sub(r"\\\g<0>", text)


def start_escaped(line: str) -> str:
    """Return a line of a paragraph so that it does not start a heading, list, quote, rule or table."""
    return _LINE_START.sub(lambda found: f"{found[1]}\\" if found[1] else f"\\{found[0]}", line)


def is_wide(char: str) -> bool:
    """Say whether a character is Chinese, Japanese, or full-width punctuation: no space stands beside it."""
    return bool(_WIDE_ONE.match(char))


def between(left: str, right: str) -> str:
    """Return what stands in plain text between two stretches of one paragraph: a space or nothing."""
    if not left[-1:].isspace():
        return ""
    return "" if "\n" in left[len(left.rstrip()) :] and _WIDE_PAIR.fullmatch(left.rstrip()[-1:] + right[:1]) else " "


def _with_deepest(tokens: Sequence[Token], lines: Sequence[str]) -> Iterator[Token]:
    """Yield the tokens, with what is nested deeper than the parser goes as code."""
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        yield token
        if following is not None and token.nesting == 1 and following.nesting == -1 and token.map:
            source = "\n".join(lines[token.map[0] : token.map[1]])
            yield Token("code_block", "code", 0, map=token.map, content=source, level=token.level + 1)


def _inline(token: Token) -> str:
    match token.type:
        case "text" | "text_special" | "code_inline":
            return token.content
        case "softbreak":
            return "\n"
        case "hardbreak":
            return "\n "
        case "image":
            return "".join(map(_inline, token.children or ()))
        case "html_inline":
            return without_tags(token.content)
    return ""


def _tag(found: re.Match[str]) -> str:
    closing, name, attributes = found.groups()
    lower = name.lower()
    if lower == "img":
        alt = _ALT.search(attributes)
        return f" {alt[1] or alt[2] or ''} " if alt else ""
    if lower in HTML_TAGS:
        return "\n " if lower in BLOCK_TAGS else ""
    return found[0] if name == lower and not attributes.strip() and not closing else ""


def _joined(text: str) -> str:
    """Return text with its soft line breaks as spaces, or as nothing between Chinese characters."""
    if "\n" not in text:
        return text.strip()
    return " ".join(_SOFT_BREAK.sub("", text).split())
