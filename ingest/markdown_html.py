"""HTML, site generators' shortcodes and alerts inside Markdown files, as plain Markdown. Code is left alone."""

import html
import re
from collections.abc import Iterator

from markdown_it.token import Token

from ingest.html import from_html
from ingest.plain import HTML_TAGS, blocks, without_hidden, without_tags

_SHORTCODE = re.compile(r"\{\{[<%]\s*/?\s*[\w-].*?[>%]\}\}")
_ATTRIBUTE_LIST = re.compile(r"(?<=[\])*_])\{:?\s*[.#][\w-][^{}\n]*\}|[ \t]+\{:?\s*#[\w-]+\}[ \t]*$", re.MULTILINE)
"""Classes and ids given to a link, image or heading: `{.external}`, `{#install}`."""
_ALERT = re.compile(r"^(\s*(?:>\s*)+)\[!(\w+)\][-+]?[ \t]*$", re.MULTILINE)
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_TAG = re.compile(r"(?<!\\)<(/?)([a-zA-Z][\w.-]*)((?:\s[^<>]*)?)(/?)>")
_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|\{?["']?([^\s"'>]+))""")
_LABELS = ("label", "title")
_VOID_NAMES = "area base br col embed hr img input link meta param source track wbr"
_VOID = frozenset(_VOID_NAMES.split())

# In inline text: what each tag becomes. Tags that say nothing go; <br>, <sub> and <sup> have no Markdown.
_MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "del": "~~", "s": "~~"}
_SILENT_NAMES = "span font u small mark big center label ins abbr cite var q div p nobr code kbd samp tt"
_SILENT = frozenset(_SILENT_NAMES.split())
_KEPT = frozenset([*_MARKS, "img", "br"])
_PREFIX = re.compile(r"[ \t>]*")
_STRUCTURE = re.compile(r"[\s>]*<(table|ul|ol|dl)\b", re.IGNORECASE)
_SUMMARY = re.compile(r"<summary\b[^<>]*>(.{0,500}?)</summary\s*>", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"<(code|kbd|samp|tt)\b[^<>]*>([^<>]{0,500}?)</\1\s*>", re.IGNORECASE)
_ANCHOR = re.compile(r"<a\b([^<>]*)>(.*?)</a\s*>", re.IGNORECASE | re.DOTALL)
_LONGEST = 20_000
"""Longest run of inline text in characters in which tags are looked for."""


def cleaned(markdown: str) -> str:
    """Return Markdown without HTML as far as Markdown can say the same, without shortcodes, with alerts as labels."""
    if "<" not in markdown and "{" not in markdown and "[!" not in markdown:
        return markdown
    lines = markdown.split("\n")
    for start, end, is_html in reversed(list(_edits(blocks(markdown, {}), lines))):
        source = "\n".join(lines[start:end])
        lines[start:end] = (_html_block(source) if is_html else _inline(source)).split("\n")
    return "\n".join(lines)


def _edits(tokens: list[Token], lines: list[str]) -> Iterator[tuple[int, int, bool]]:
    """Yield the line ranges to look at, in order and apart, and whether each is HTML."""
    done = 0
    for token in tokens:
        # Cells of one row share its line, and a table of HTML may go on over blank lines: each line is taken once.
        if token.map is None or token.map[0] < done or token.type not in ("html_block", "inline"):
            continue
        start, end = token.map
        if token.type == "html_block":
            end = _end_of_element(lines, start, end)
        yield start, end, token.type == "html_block"
        done = end


def _end_of_element(lines: list[str], start: int, end: int) -> int:
    """Return where HTML from `start` ends: a table or list goes on over blank lines until it is closed."""
    opened = _STRUCTURE.match("\n".join(lines[start:end]))
    if opened is None:
        return end
    depth = 0
    for at in range(start, len(lines)):
        found = re.findall(rf"<(/?){opened[1]}\b", lines[at], re.IGNORECASE)
        depth += sum(-1 if closing else 1 for closing in found)
        if depth <= 0 and at + 1 >= end:
            return at + 1
    return end


def _inline(source: str) -> str:
    source = _ALERT.sub(lambda found: f"{found[1]}**{found[2].capitalize()}:**", source)
    if "{" in source:
        source = _ATTRIBUTE_LIST.sub("", source)
    if ("<" not in source and "{{" not in source) or len(source) > _LONGEST:
        return source
    parts = []
    at = 0
    for span in _CODE_SPAN.finditer(source):
        parts += [_tags(source[at : span.start()]), span[0]]
        at = span.end()
    return "".join([*parts, _tags(source[at:])])


def _tags(source: str) -> str:
    source = without_hidden(_SHORTCODE.sub("", source))
    return _TAG.sub(_tag, _CODE.sub(_code, _links(source))) if "<" in source else source


def _summary(found: re.Match[str]) -> str:
    return f"\n**{' '.join(without_tags(found[1]).split())}**\n"


def _code(found: re.Match[str]) -> str:
    text = html.unescape(found[2]).strip()
    # Markdown inside would be shown as it is written.
    return f"`{text}`" if text and not set(text) & set("`*\n") else text


def _links(source: str) -> str:
    return _ANCHOR.sub(_anchor, source) if "</a" in source and len(source) <= _LONGEST else source


def _anchor(found: re.Match[str]) -> str:
    target = _attributes(found[1]).get("href", "")
    text = found[2].strip()
    return f"[{text}]({target})" if text and target and not target.startswith("#") and "[" not in text else found[2]


def _tag(found: re.Match[str]) -> str:
    name = found[2].lower()
    if name == "img":
        attributes = _attributes(found[3])
        return f"![{attributes.get('alt', '').strip()}]({attributes['src']})" if attributes.get("src") else ""
    if name in ("ul", "ol", "li"):
        # Lists in the cells of a table, which hold one line.
        return "<br>- " if name == "li" and not found[1] else ""
    if name in _SILENT or name == "a":
        return ""
    if _is_placeholder(found):
        return f"\\{found[0]}"
    return _MARKS.get(name, found[0])


def _is_placeholder(found: re.Match[str]) -> bool:
    """Say whether this is no tag but what a writer wants replaced: <host-name>."""
    return found[2] == found[2].lower() and found[2] not in HTML_TAGS and not (found[1] or found[3].strip() or found[4])


def _attributes(source: str) -> dict[str, str]:
    return {found[1].lower(): found[2] or found[3] or found[4] or "" for found in _ATTRIBUTE.finditer(source)}


def _html_block(source: str) -> str:
    """Return a block of HTML as Markdown: all of it if it is whole, else what its tags say around the text between."""
    prefix = _PREFIX.match(source)
    lead = prefix[0] if prefix else ""
    if ">" in lead:
        source = "\n".join(_PREFIX.sub("", line) for line in source.split("\n"))
    source = without_hidden(source)
    if _is_whole(source):
        made = from_html(source).markdown
    else:
        made = _TAG.sub(_block_tag, _CODE.sub(_code, _links(_SUMMARY.sub(_summary, source))))
    return "\n".join((lead + line).rstrip() for line in ["", *made.strip("\n").split("\n"), ""])


def _is_whole(source: str) -> bool:
    """Say whether every tag that opens in this HTML closes in it."""
    depth = 0
    for closing, name, _, closed in _TAG.findall(source):
        if name.lower() in _VOID or closed:
            continue
        depth += -1 if closing else 1
        if depth < 0:
            return False
    return depth == 0


def _block_tag(found: re.Match[str]) -> str:
    attributes = _attributes(found[3])
    label = next((attributes[name].strip() for name in _LABELS if attributes.get(name, "").strip()), "")
    if label and not found[1]:
        target = attributes.get("href") or attributes.get("link")
        return f"**[{label}]({target})**\n\n" if target else f"**{label}**\n\n"
    return _tag(found) if found[2].lower() in _KEPT or _is_placeholder(found) else ""
