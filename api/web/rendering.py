"""From Markdown and questions to HTML that is safe to show. Nothing that a writer or reader typed becomes markup."""

import posixpath
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from ingest.plain import plain
from kb.applies import Applies, Picks, parts, unmarked
from kb.attachments import ADDRESS
from retrieval.text import spans

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "img", "mark", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul", "div", "section", "span",
}  # fmt: skip
_IDS = {"h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "pre", "table", "blockquote"}
_ATTRIBUTES: dict[str, set[str]] = {
    **{tag: {"id"} for tag in _IDS},
    "p": {"id", "class"},
    "section": {"class"},
    "a": {"href", "class"},
    "img": {"src", "alt", "loading"},
    "ol": {"id", "start"},
    "span": {"class"},
    "td": {"align"},
    "th": {"align"},
}
_SCHEMES = {"http", "https", "mailto", "tel"}
_ID = re.compile(r"[hp]-[\w-]{1,80}")
_CITATION = re.compile(r"\[(\d{1,2})\]")
_HEADING_LINE = re.compile(r"^ {0,3}#{1,6}[ \t][^\n]*$", re.MULTILINE)
_MARK_SIGNS = ("\u2e28", "\u2e29")
"""Stand for the beginning and end of a mark while Markdown is parsed."""
_SIGN = re.compile("([\u2e28\u2e29])")
_CELL = re.compile(r"(\|[ \t]*)((?:\\.|[^|\\])*?(?:\\.|[^\s|\\]))(?=[ \t]*\|)")
_SNIPPET = 260
"""Characters of a snippet; Chinese characters count double."""

Resolve = Callable[[str], str | None]
"""From the address of a relative link to a page of ours, None if there is none that may be read."""


def article(
    markdown: str,
    *,
    resolve: Resolve,
    passages: Sequence[tuple[int, str]] = (),
    image: Callable[[str], str] = str,
    label: Callable[[Applies], str] = lambda applies: applies.words,
    picks: Picks = MappingProxyType({}),
) -> Markup:
    """Return the HTML of an article's Markdown.

    `passages`: (id, Markdown) in order; each begins at an element with the id `p-<id>`. Of images only our own are
    loaded: an address elsewhere becomes a link with the text that `image` makes of the alternative text.
    Sections for some products, versions or platforms have a `label`; those that do not apply to `picks` are left out.
    """
    tokens = _tokens(markdown, label, picks)
    _anchor_passages(tokens, markdown, passages)
    used: set[str] = set()
    for at, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, max(2, int(token.tag[1])))}"
        if token.type == "heading_open" and not token.attrGet("id"):
            token.attrSet("id", _fresh(f"h-{slug(tokens[at + 1].content)}", used))
        if token.type == "inline" and token.children:
            token.children = _inline(token.children, resolve, image)
    return _clean(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _tokens(markdown: str, label: Callable[[Applies], str], picks: Picks) -> list[Token]:
    """Return the tokens of a text, with the lines that they have in the whole."""
    several = parts(markdown)
    if not any(part.applies for part in several):
        return _MARKDOWN.parse(markdown)
    env: dict[str, Any] = {}
    _MARKDOWN.parse(unmarked(markdown), env)  # a reference may be defined in another part
    tokens: list[Token] = []
    for part in several:
        if not part.applies.to(picks):
            continue
        own = _MARKDOWN.parse(part.text, env)
        for token in own:
            if token.map:
                token.map = [token.map[0] + part.start, token.map[1] + part.start]
        tokens += _boxed(own, label(part.applies)) if part.applies else own
    return tokens


def _boxed(tokens: list[Token], label: str) -> list[Token]:
    said = Token("text", "", 0, content=label)
    return [
        Token("section_open", "section", 1, attrs={"class": "applies"}),
        Token("label_open", "p", 1, attrs={"class": "applies-to"}),
        Token("inline", "", 0, content=label, children=[said]),
        Token("label_close", "p", -1),
        *tokens,
        Token("section_close", "section", -1),
    ]


def answer(
    markdown: str, cited: Callable[[int], str | None], *, resolve: Resolve, marks: Sequence[tuple[int, int]] = ()
) -> Markup:
    """Return the HTML of an answer; [1] becomes a link to what `cited` gives for 1.

    `marks`: start and end of what is marked, each a sentence, a list item or a table row, in order, none in another.
    """
    if any(sign in markdown for sign in _MARK_SIGNS):
        marks = ()
    tokens = _MARKDOWN.parse(_signed(markdown, marks))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = "h4"
        if token.type == "inline" and token.children:
            token.children = _inline(token.children, resolve, str)
            token.children = [piece for child in token.children for piece in _cited(child, cited)]
            token.children = _marked(token.children) if marks else token.children
    return _clean(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _signed(markdown: str, marks: Sequence[tuple[int, int]]) -> str:
    """Return Markdown with signs around what is marked, of a table row around the text of each cell.

    The signs are punctuation, so that emphasis beside them is read as before.
    """
    opens, closes = _MARK_SIGNS
    pieces: list[str] = []
    at = 0
    for start, end in marks:
        said = markdown[start:end]
        if said.startswith("|"):
            said = _CELL.sub(lambda cell: f"{cell[1]}{opens}{cell[2]}{closes}", said)
        else:
            said = f"{opens}{said}{closes}"
        pieces += [markdown[at:start], said]
        at = end
    return "".join([*pieces, markdown[at:]])


def _marked(tokens: list[Token]) -> list[Token]:
    """Turn the signs in text into marks, one for each stretch of text between markup."""
    result: list[Token] = []
    marking = False
    for token in tokens:
        pieces = _SIGN.split(token.content) if token.type == "text" else [""]
        if token.type != "text":
            result.append(token)
        for piece in pieces:
            if piece in _MARK_SIGNS:
                marking = piece == _MARK_SIGNS[0]
            elif piece and marking:
                text = Token("text", "", 0, content=piece)
                result += [Token("mark_open", "mark", 1), text, Token("mark_close", "mark", -1)]
            elif piece:
                result.append(Token("text", "", 0, content=piece))
    return result


def _cited(token: Token, cited: Callable[[int], str | None]) -> list[Token]:
    """Return a text token with its [1] as links; any other token as it is."""
    if token.type != "text":
        return [token]
    pieces: list[Token] = []
    for at, piece in enumerate(_CITATION.split(token.content)):
        href = cited(int(piece)) if at % 2 else None
        text = Token("text", "", 0, content=f"[{piece}]" if at % 2 else piece)
        if href is None:
            pieces.append(text)
        else:
            link = Token("link_open", "a", 1, attrs={"class": "cite", "href": href})
            pieces += [link, text, Token("link_close", "a", -1)]
    return pieces


def snippet(markdown: str, terms: Collection[str]) -> Markup:
    """Return a plain stretch of a passage around most of the terms, with the terms marked; headings are left out."""
    text = " ".join(plain(_HEADING_LINE.sub("", markdown)).split()) or " ".join(plain(markdown).split())
    wanted = set(terms)
    found = [(span.start, span.end) for span in spans(text) if span.term in wanted]
    start, end = _window(text, found)
    pieces: list[Markup | str] = ["…" if start > 0 else ""]
    at = start
    for a, b in _joined([(a, b) for a, b in found if start <= a and b <= end]):
        pieces += [escape(text[at:a]), Markup("<mark>"), escape(text[a:b]), Markup("</mark>")]
        at = b
    pieces += [escape(text[at:end]), "…" if end < len(text) else ""]
    return Markup("").join(pieces)


def marked(text: str, terms: Collection[str]) -> Markup:
    """Return a title with the terms marked."""
    wanted = set(terms)
    pieces: list[Markup | str] = []
    at = 0
    for a, b in _joined([(span.start, span.end) for span in spans(text) if span.term in wanted]):
        pieces += [escape(text[at:a]), Markup("<mark>"), escape(text[a:b]), Markup("</mark>")]
        at = b
    return Markup("").join([*pieces, escape(text[at:])])


def slug(text: str) -> str:
    """Return a short readable form of a title for an address: letters and digits of any script, and hyphens."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "-".join("".join(c if c.isalnum() else " " for c in folded).split())[:60].rstrip("-")


def candidates(href: str, external_id: str) -> list[str]:
    """Return the external ids that a relative link on the page `external_id` may mean, likeliest first."""
    path = unquote(urlsplit(href).path).lstrip("/")
    if not path or len(path) > 500:
        return []
    near = posixpath.normpath(posixpath.join(posixpath.dirname(external_id), path))
    names = [near, path, posixpath.basename(path)]
    return list(dict.fromkeys([*names, *(posixpath.splitext(name)[0] for name in names)]))


def relative_links(markdown: str) -> list[str]:
    """Return the addresses of the links of a text that lead to a page of the same source."""
    found: list[str] = []
    for token in _MARKDOWN.parse(markdown):
        for child in token.children or ():
            href = str(child.attrGet("href") or "") if child.type == "link_open" else ""
            if href and _is_relative(href) and not ADDRESS.fullmatch(href):
                found.append(href)
    return list(dict.fromkeys(found))


def _is_relative(href: str) -> bool:
    try:
        parts = urlsplit(href)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and bool(parts.path)


def _inline(children: list[Token], resolve: Resolve, image: Callable[[str], str]) -> list[Token]:
    """Lead links to our own pages; turn images into links or text."""
    result: list[Token] = []
    for token in children:
        if token.type == "link_open":
            href = str(token.attrGet("href") or "")
            if ADDRESS.fullmatch(href):
                token.attrs = {"href": href}
            elif _is_relative(href):
                found = resolve(href)
                token.attrs = {"href": found} if found else {}
            elif not href.startswith("#") and urlsplit(href).scheme not in _SCHEMES:
                token.attrs = {}
            result.append(token)
        elif token.type == "image":
            result += _image(token, image)
        else:
            result.append(token)
    return result


def _image(token: Token, image: Callable[[str], str]) -> list[Token]:
    href = str(token.attrGet("src") or "")
    if ADDRESS.fullmatch(href):
        token.attrs = {"src": href, "alt": "", "loading": "lazy"}  # the renderer fills in the alternative text
        return [token]
    text = Token("text", "", 0, content=image(token.content) if token.content else "")
    if urlsplit(href).scheme not in ("http", "https"):
        return [text] if text.content else []
    text.content = text.content or href
    return [Token("link_open", "a", 1, attrs={"href": href}), text, Token("link_close", "a", -1)]


def _anchor_passages(tokens: list[Token], markdown: str, passages: Sequence[tuple[int, str]]) -> None:
    """Give the first element of each passage its id."""
    places: dict[int, int] = {}
    at = 0
    for number, text in passages:
        first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
        found = markdown.find(first, at) if first else -1
        if found >= 0:
            places[markdown.count("\n", 0, found)] = number
            at = found
    for token in tokens:
        if token.level == 0 and token.map and token.nesting >= 0 and token.type != "heading_open":
            for line in range(*token.map):
                if line in places and not token.attrGet("id"):
                    token.attrSet("id", f"p-{places.pop(line)}")


def _fresh(name: str, used: set[str]) -> str:
    chosen, number = name, 2
    while chosen in used:
        chosen, number = f"{name}-{number}", number + 1
    used.add(chosen)
    return chosen


def _clean(html: str) -> Markup:
    def keep(tag: str, name: str, value: str) -> str | None:
        if name == "id":
            return value if _ID.fullmatch(value) else None
        if name == "class":
            return value if value in ("cite", "applies", "applies-to") else None
        if name == "src":
            return value if ADDRESS.fullmatch(value) else None
        return value

    return Markup(
        nh3.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=keep,
            url_schemes=_SCHEMES,
            link_rel="noopener noreferrer nofollow",
        )
    )


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _window(text: str, found: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the stretch of about _SNIPPET width that holds most marks, from a word's or sentence's start."""
    length = _SNIPPET if _width(text[:400]) < 1.5 * len(text[:400]) else _SNIPPET // 2
    if len(text) <= length:
        return 0, len(text)
    best = max((a for a, _ in found), key=lambda a: sum(a <= b < a + length for b, _ in found), default=0)
    start = 0 if best < length // 2 else max(0, best - 40)
    if start:
        border = max(text.rfind(mark, max(0, start - 30), start + 1) for mark in (" ", "。", "，", "、"))
        start = border + 1 if border >= 0 else start
    end = min(len(text), start + length)
    if end < len(text):
        border = max(text.rfind(mark, end - 30, end) for mark in (" ", "。", "，", "、"))
        end = border if border > start else end
    return start, end


def _joined(marks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join marks that overlap or touch."""
    joined: list[tuple[int, int]] = []
    for a, b in sorted(marks):
        if joined and a <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(b, joined[-1][1]))
        else:
            joined.append((a, b))
    return joined
