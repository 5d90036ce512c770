"""HTML as Markdown: headings, lists, tables, code, quotes, definitions and admonitions keep their structure.

A walk of our own over lxml's tree (docs/decisions/0006-parsers.md).
"""

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from ingest import html_inline as inline
from ingest.html_table import cells_of, pipe_table
from ingest.plain import BLOCK_TAGS
from kb.errors import TooLarge, UnreadableSource

_SKIPPED = frozenset(
    ["script", "style", "template", "svg", "head", "noscript", "button", "select", "textarea", "canvas", "datalist"]
)
_BLOCKS = BLOCK_TAGS - {"html", "head", "title", "br"}
_CODE = frozenset(["code", "samp", "tt", "kbd"])
_STRONG = frozenset(["strong", "b"])
_EMPHASIS = frozenset(["em", "i", "cite", "dfn"])
_MEDIA = frozenset(["iframe", "video", "audio", "embed", "object"])
_HTML = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:!doctype|html|body|p|div|h[1-6]|ul|ol|table|section|article|span|strong|b|br|a|pre)\b[^>]*>",
    re.IGNORECASE | re.DOTALL,
)
_ADMONITION = re.compile(
    r"(?:(?:\w+-)?(?:admonition|alert|callout|panel|message|box)[-_]+)?(note|tip|hint|warning|caution|important|danger|attention)"
    r"|(?:admonition|alert|callout|panel|message)[-_]+(info|success|error)",
    re.IGNORECASE,
)
_ADMONITION_LENGTH = 3_000
_LABELS = {
    "note": ("Note", "注意"),
    "info": ("Note", "说明"),
    "tip": ("Tip", "提示"),
    "hint": ("Tip", "提示"),
    "success": ("Tip", "提示"),
    "important": ("Important", "重要"),
    "warning": ("Warning", "警告"),
    "caution": ("Caution", "小心"),
    "danger": ("Danger", "危险"),
    "error": ("Warning", "警告"),
    "attention": ("Attention", "注意"),
}
_HAN = re.compile("[一-鿿]")
_LANGUAGE = re.compile(r"(?:language|lang|highlight-source|brush:)[-\s]*([\w+#.-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Converted:
    """Markdown made from HTML."""

    markdown: str
    images_dropped: int = 0
    """Images without alternative text that no reader could load."""


@dataclass(frozen=True, slots=True)
class _Block:
    text: str
    kind: str = "text"
    """text, heading, list, code, table or rule."""


def looks_like_html(text: str) -> bool:
    """Say whether a text field of an export holds HTML: it starts with a tag of HTML and closes or breaks."""
    return bool(_HTML.match(text)) and bool(re.search(r"</\w+\s*>|<br\s*/?>", text))


def from_html(source: str) -> Converted:
    """Return an HTML text or fragment as Markdown. Raises TooLarge if it is nested too deep."""
    try:
        return from_tree(tree_of(source))
    except UnreadableSource:
        return Converted("")


def tree_of(source: str) -> HtmlElement:
    """Return HTML as a tree. Raises TooLarge if it is nested more than 255 deep, UnreadableSource if there is none."""
    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        tree = document_fromstring(source.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError as error:
        raise UnreadableSource(f"the HTML holds nothing: {error}") from error
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        raise TooLarge("the HTML is nested more than 255 elements deep: it cannot be a page for people")
    return tree


def from_tree(root: HtmlElement) -> Converted:
    """Return an element of a tree as Markdown."""
    converter = _Converter(root)
    blocks = converter.blocks(root)
    return Converted("\n\n".join(block.text for block in blocks), converter.images_dropped)


@dataclass(slots=True)
class _Converter:
    root: HtmlElement
    images_dropped: int = 0
    _with_blocks: set[HtmlElement] = field(default_factory=set)
    """Elements that are or hold a block."""

    def __post_init__(self) -> None:
        for element in self.root.iter(*_BLOCKS):
            while element is not None and element not in self._with_blocks:
                self._with_blocks.add(element)
                element = element.getparent()

    def blocks(self, element: HtmlElement) -> list[_Block]:
        """Return what an element holds as blocks, in order."""
        found: list[_Block] = []
        run = [inline.text_of(element.text)]
        for child in element:
            if child in self._with_blocks and child.tag not in _SKIPPED:
                found += map(_Block, inline.finished("".join(run)))
                run = []
                found += self._block(child, found)
            else:
                run.append(self._inline(child))
            run.append(inline.text_of(child.tail))
        found += map(_Block, inline.finished("".join(run)))
        return found

    def _block(self, element: HtmlElement, before: list[_Block]) -> list[_Block]:
        match element.tag:
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                text = inline.one_line(self._run(element))
                return [_Block(f"{'#' * int(element.tag[1])} {text}", "heading")] if text else []
            case "pre":
                return self._code(element)
            case "ul" | "ol" | "menu":
                return self._list(element, before)
            case "li":
                return self._items([element], ordered=False, start=1, marker="-")
            case "dl":
                return self._definitions(element)
            case "blockquote":
                return _quoted(self.blocks(element))
            case "table":
                return self._table(element)
            case "hr":
                return [_Block("---", "rule")]
            case "summary" | "legend" | "caption":
                text = inline.one_line(self._run(element))
                return [_Block(f"**{text}**")] if text else []
        kind = _admonition(element)
        return self._admonition(element, kind) if kind else self.blocks(element)

    def _run(self, element: HtmlElement) -> str:
        """Return what an element holds as one inline run, blocks included."""
        parts = [inline.text_of(element.text)]
        for child in element:
            parts.append(self._inline(child))
            if child in self._with_blocks:
                parts.append(" ")
            parts.append(inline.text_of(child.tail))
        return "".join(parts)

    def _inline(self, element: HtmlElement) -> str:
        tag = element.tag
        if tag in _SKIPPED or not isinstance(tag, str):
            return ""
        if tag == "br":
            return inline.BREAK
        if tag == "img":
            return self._image(element)
        if tag in _MEDIA:
            return _media(element)
        if tag == "input":
            if (element.get("type") or "").lower() != "checkbox":
                return ""
            return "\\[x\\] " if element.get("checked") is not None else "\\[ \\] "
        if tag in _CODE:
            return inline.code(element.text_content())
        run = self._run(element)
        if tag in _STRONG:
            return f"{inline.STRONG}{run}{inline.END_STRONG}"
        if tag in _EMPHASIS:
            return f"{inline.EMPHASIS}{run}{inline.END_EMPHASIS}"
        if tag == "a":
            return inline.link(run, element.get("href") or "")
        if tag in ("sup", "sub") and run.strip():
            return f"<{tag}>{run.strip()}</{tag}>"
        if tag in ("del", "s", "strike") and run.strip():
            return f"~~{run.strip()}~~"
        return f"“{run}”" if tag == "q" else run

    def _image(self, element: HtmlElement) -> str:
        alt = " ".join((element.get("alt") or element.get("title") or "").split())
        source = element.get("src") or element.get("data-src") or ""
        loadable = not source.startswith("data:") and bool(source)
        if alt:
            return inline.image(alt, source) if loadable else inline.text_of(alt)
        if loadable and source.startswith(("http://", "https://", "//")):
            return inline.image("", source)
        # An image marked as decoration (alt="") is no loss.
        self.images_dropped += element.get("alt") is None
        return ""

    def _code(self, element: HtmlElement) -> list[_Block]:
        for line_break in element.iter("br"):
            line_break.tail = "\n" + (line_break.tail or "")
        text = textwrap.dedent(element.text_content().strip("\n")).rstrip()
        if not text.strip():
            return []
        classes = " ".join(
            part.get("class") or "" for part in (element.getparent(), element, *element) if part is not None
        )
        named = _LANGUAGE.search(classes)
        fence = "`" * max(3, max(map(len, re.findall("`+", text)), default=0) + 1)
        return [_Block(f"{fence}{named[1] if named else ''}\n{text}\n{fence}", "code")]

    def _list(self, element: HtmlElement, before: list[_Block]) -> list[_Block]:
        ordered = element.tag == "ol"
        start = int(given) if ordered and re.fullmatch(r"\d{1,8}", given := element.get("start") or "") else 1
        marker = ")" if ordered else "-"
        # Two lists in a row would become one: the second has the other marker.
        follows = bool(before) and before[-1].kind == "list"
        if ordered:
            marker = ")" if follows and re.match(r"\d+\.", before[-1].text) else "."
        elif follows and before[-1].text.startswith("-"):
            marker = "*"
        return self._items(list(element), ordered=ordered, start=start, marker=marker)

    def _items(self, elements: Iterable[HtmlElement], *, ordered: bool, start: int, marker: str) -> list[_Block]:
        items: list[list[_Block]] = []
        for child in elements:
            if child.tag in ("ul", "ol", "menu") and items:
                # A list straight inside a list is meant to belong to the item before it.
                items[-1] += self._list(child, items[-1])
            elif child.tag in ("ul", "ol", "menu") or child in self._with_blocks:
                items.append(
                    self._list(child, []) if child.tag != "li" and child.tag in ("ul", "ol") else self.blocks(child)
                )
            else:
                items.append([_Block(text) for text in inline.finished(self._inline(child))])
        items = [blocks for blocks in items if blocks]
        tight = all(_is_tight(blocks) for blocks in items)
        lines = []
        for number, blocks in enumerate(items, start):
            mark = f"{number}{marker} " if ordered else f"{marker} "
            text = ("\n" if tight else "\n\n").join(_within(block).text for block in blocks)
            lines.append(mark + _indented(text, len(mark)))
        return [_Block(("\n" if tight else "\n\n").join(lines), "list")] if lines else []

    def _definitions(self, element: HtmlElement) -> list[_Block]:
        items: list[list[_Block]] = []
        for child in element.iter("dt", "dd"):
            if next(child.iterancestors("dl"), None) is not element:
                continue
            if child.tag == "dt":
                term = inline.one_line(self._run(child))
                items.append([_Block(f"**{term}**" if term and not term.startswith("**") else term)])
            elif items:
                items[-1] += self.blocks(child)
            else:
                items.append(self.blocks(child))
        lines = []
        for blocks in items:
            text = "\n\n".join(_within(block).text for block in blocks if block.text)
            lines.append("- " + _indented(text, 2))
        return [_Block("\n\n".join(lines), "list")] if lines else []

    def _admonition(self, element: HtmlElement, kind: str) -> list[_Block]:
        label = _LABELS[kind][bool(_HAN.search(element.text_content()))]
        for icon in list(element.iter("img")):
            around = " ".join(parent.get("class") or "" for parent in (icon, icon.getparent()))
            if "icon" in around or (icon.get("alt") or "").strip().casefold() in ("", kind, label.casefold()):
                icon.drop_tree()
        blocks = self.blocks(element)
        if not blocks:
            return []
        first = blocks[0].text
        bare = re.sub(r"[*_#\s:：]", "", first).casefold()
        if bare in (label.casefold(), kind, _LABELS[kind][0].casefold(), _LABELS[kind][1]):
            blocks = [_Block(f"**{label}**"), *blocks[1:]]
        elif not bare.startswith((label.casefold(), kind)):
            joined = f"**{label}:** {first}" if blocks[0].kind == "text" else f"**{label}**"
            blocks = [_Block(joined), *(blocks[1:] if blocks[0].kind == "text" else blocks)]
        return _quoted(blocks)

    def _table(self, table: HtmlElement) -> list[_Block]:
        cells = cells_of(table)
        captions = [block for child in table if child.tag == "caption" for block in self._block(child, [])]
        contents = [[self.blocks(cell) for cell in row] for row in cells]
        if _is_layout(table, cells, contents):
            return captions + [block for row in contents for blocks in row for block in blocks]
        text = pipe_table(cells, [[_cell(blocks) for blocks in row] for row in contents])
        return [*captions, _Block(text, "table")] if text else captions


def _media(element: HtmlElement) -> str:
    source = (
        element.get("src") or element.get("data") or next((s.get("src") for s in element.iter("source")), None) or ""
    )
    if not source.startswith(("http://", "https://", "//")):
        return ""
    label = element.get("title") or element.get("aria-label") or ("Audio" if element.tag == "audio" else "Video")
    return f" {inline.link(inline.text_of(label), source)} "


def is_admonition(element: HtmlElement) -> bool:
    """Say whether an element is a note, tip or warning by its class."""
    return _admonition(element) is not None


def _admonition(element: HtmlElement) -> str | None:
    if element.tag not in ("div", "aside", "section", "p"):
        return None
    for name in (element.get("class") or "").split():
        found = _ADMONITION.fullmatch(name)
        if found and next(element.iter("h1", "h2"), None) is None and len(element.text_content()) < _ADMONITION_LENGTH:
            return (found[1] or found[2]).lower()
    return None


def _quoted(blocks: list[_Block]) -> list[_Block]:
    text = "\n\n".join(block.text for block in blocks)
    return [_Block("\n".join(f"> {line}".rstrip() for line in text.split("\n")), "quote")] if text else []


def _within(block: _Block) -> _Block:
    """Return a block as it stands inside an item: a heading there is a label."""
    return _Block(f"**{block.text.lstrip('# ')}**") if block.kind == "heading" else block


def _is_tight(blocks: list[_Block]) -> bool:
    return blocks[0].kind == "text" and all(block.kind == "list" and "\n\n" not in block.text for block in blocks[1:])


def _indented(text: str, width: int) -> str:
    return "\n".join(" " * width + line if number and line else line for number, line in enumerate(text.split("\n")))


def _is_layout(table: HtmlElement, cells: list[list[HtmlElement]], contents: list[list[list[_Block]]]) -> bool:
    """Say whether a table only places things: it has one column or row, or says so, or holds tables."""
    if table.get("role") == "presentation" or max(map(len, cells), default=0) < 2:
        return True
    kinds = {block.kind for row in contents for blocks in row for block in blocks}
    return "table" in kinds or (len(cells) == 1 and bool(kinds - {"text"}))


def _cell(blocks: list[_Block]) -> str:
    """Return what a cell holds on one line."""
    lines: list[str] = []
    for block in blocks:
        if block.kind == "code":
            lines += [inline.code(line) for line in block.text.split("\n")[1:-1] if line.strip()]
        else:
            text = _within(block).text.replace("\\\n", "\n")
            lines += [line.strip() for line in text.split("\n") if line.strip()]
    return re.sub(r"(?<!\\)\|", r"\\|", "<br>".join(lines))
