"""Wikitext (MediaWiki) as HTML, which `ingest.html` turns into Markdown: headings, lists, tables, code, links.

mwparserfromhell reads the markup; putting lines together to lists and paragraphs is ours, since it leaves that to the
wiki. Templates need the wiki to be shown: what a box names (`{{Infobox|height = 3 m}}`) is kept as a table, notes are
kept as notes, the others are counted.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import mwparserfromhell as mw
from mwparserfromhell import nodes
from mwparserfromhell.parser import ParserError
from mwparserfromhell.wikicode import Wikicode

from kb.errors import UnreadableSource

LinkOf = Callable[[str], str | None]
"""From the target of a link (`Page#Section`) to an address, or None for what is no link of the text (a category)."""
ImageOf = Callable[[str], bool]
"""Say whether the target of a link is an image or another file."""

_HIDDEN = frozenset(
    ["ref", "references", "gallery", "imagemap", "score", "timeline", "graph", "templatestyles", "math"]
)
_CODE = frozenset(["pre", "syntaxhighlight", "source"])
_KEPT = frozenset(
    "b i u s del ins em strong code tt kbd samp var sub sup small big q cite br hr p div span blockquote table tr td "
    "th caption ul ol li dl dt dd h1 h2 h3 h4 h5 h6 abbr".split()
)
_BLOCKS = re.compile(r"(?=</?(?:h[1-6]|table|pre|div|ul|ol|dl|blockquote|hr|p)\b)", re.IGNORECASE)
_MARKERS = {"*": "\ue000", "#": "\ue001", ":": "\ue002", ";": "\ue003"}
_WRITTEN = {ord(mark): sign for sign, mark in _MARKERS.items()}
_NOTHING = "\ue004"
"""Stands where a link to a category was: spaces after it do not begin a line."""
_LEAD = re.compile("^[\ue000-\ue003]+")
_LISTS = {"\ue000": ("ul", "li"), "\ue001": ("ol", "li"), "\ue002": ("dl", "dd"), "\ue003": ("dl", "dt")}
_SWITCH = re.compile(r"__[A-Z]{3,20}__")
_NOTES = re.compile(
    r"(?:ambox\s*)?(note|tip|hint|warning|caution|important|danger|attention)(?:\s*box)?", re.IGNORECASE
)
_OPTION = re.compile(
    r"thumb(?:nail)?|frame(?:d|less)?|border|left|right|cent(?:er|re)|none|(?:up)?right.*|upright.*|\d*x?\d+\s*px|"
    r"baseline|sub|super|top|text-top|middle|bottom|text-bottom|(?:link|lang|page|class|thumb)=.*",
    re.IGNORECASE,
)
_DEEPEST = 40


@dataclass(slots=True)
class Wikitext:
    """A page's wikitext, converted."""

    link_of: LinkOf
    image_of: ImageOf
    left_out: int = 0
    """Templates of which nothing could be kept."""

    def html(self, text: str) -> str:
        """Return wikitext as HTML. Raises UnreadableSource if it is nested beyond use."""
        try:
            return self._blocks(mw.parse(_SWITCH.sub("", text.translate(dict.fromkeys([*_WRITTEN, ord(_NOTHING)])))), 0)
        except (ParserError, RecursionError) as error:
            raise UnreadableSource(f"the wikitext cannot be read: {error}") from error

    def _blocks(self, code: Wikicode, depth: int) -> str:
        return _assembled(self._inline(code, depth))

    def _inline(self, code: Wikicode | None, depth: int) -> str:
        if code is None or depth > _DEEPEST:
            return ""
        return "".join(self._node(node, depth + 1) for node in code.nodes)

    def _node(self, node: nodes.Node, depth: int) -> str:
        match node:
            case nodes.Text():
                return escape(str(node.value), quote=False)
            case nodes.HTMLEntity():
                return str(node)
            case nodes.Heading():
                return f"\n<h{node.level}>{self._inline(node.title, depth).strip()}</h{node.level}>\n"
            case nodes.Wikilink():
                return self._wikilink(node, depth)
            case nodes.ExternalLink():
                address = str(node.url).strip()
                label = self._inline(node.title, depth).strip() or escape(address)
                return f'<a href="{escape(address)}">{label}</a>'
            case nodes.Template():
                return self._template(node, depth)
            case nodes.Tag():
                return self._tag(node, depth)
        return ""

    def _wikilink(self, node: nodes.Wikilink, depth: int) -> str:
        target = " ".join(str(node.title).split())
        if self.image_of(target):
            # The last part that is no option is the caption.
            parts = [part.strip() for part in str(node.text or "").split("|")]
            said = [part for part in parts if part and not _OPTION.fullmatch(part)]
            return self._inline(mw.parse(said[-1].removeprefix("alt=")), depth) if said and depth < _DEEPEST else ""
        address = self.link_of(target)
        if address is None:
            return _NOTHING
        label = self._inline(node.text, depth).strip() or escape(target.lstrip(":"))
        return f'<a href="{escape(address)}">{label}</a>' if address else label

    def _template(self, node: nodes.Template, depth: int) -> str:
        name = str(node.name).strip()
        said = [
            (str(one.name).strip(), self._inline(one.value, depth).strip(), one.showkey)
            for one in node.params
            if str(one.value).strip()
        ]
        if note := _NOTES.fullmatch(name):
            text = " ".join(value for key, value, shown in said if not shown or key in ("1", "text", "content"))
            return f'\n<div class="{note[1].lower()}"><p>{_flat(_assembled(text))}</p></div>\n' if text else ""
        named = [(key.replace("_", " "), _flat(_assembled(value))) for key, value, shown in said if shown]
        if len(named) >= 2:
            rows = "".join(f"<tr><th>{escape(key)}</th><td>{value}</td></tr>" for key, value in named)
            return f"\n<table>{rows}</table>\n"
        self.left_out += 1
        return ""

    def _tag(self, node: nodes.Tag, depth: int) -> str:
        name = str(node.tag).strip().casefold()
        if node.wiki_markup in _MARKERS and name in ("li", "dd", "dt"):
            return _MARKERS[str(node.wiki_markup)]
        if name in _HIDDEN:
            return ""
        if name in _CODE:
            language = next((str(a.value) for a in node.attributes if str(a.name).strip() == "lang"), "")
            text = escape(str(node.contents or "").strip("\n"), quote=False).replace("\n", "&#10;")
            return f'\n<pre class="language-{escape(language)}">{text}</pre>\n'
        if name == "nowiki":
            return escape(str(node.contents or ""), quote=False)
        if name in ("br", "hr"):
            return f"<{name}>"
        if name == "table":
            return f"\n<table>{self._rows(node.contents, depth)}</table>\n"
        if name in ("td", "th", "caption", "li", "dd", "blockquote", "div"):
            # A space that begins a cell says nothing; one that begins a line of the page makes code of it.
            inner = _flat(_assembled(self._inline(node.contents, depth).strip(" ")))
            return f"<{name}{_spans(node)}>{inner}</{name}>"
        inner = self._inline(node.contents, depth)
        return f"<{name}>{inner}</{name}>" if name in _KEPT else inner

    def _rows(self, code: Wikicode | None, depth: int) -> str:
        """Return the rows of a table; cells before the first row mark are a row too."""
        rows, loose, captions = "", "", ""
        for node in code.nodes if code is not None else ():
            if isinstance(node, nodes.Tag) and str(node.tag) == "tr":
                rows += f"<tr>{_cells(self._inline(node.contents, depth + 1))}</tr>"
            elif isinstance(node, nodes.Tag) and str(node.tag) in ("td", "th"):
                loose += self._node(node, depth + 1)
            elif isinstance(node, nodes.Text) and (found := re.search(r"\|\+(.+)", str(node.value))):
                captions += f"<caption>{escape(found[1].strip())}</caption>"
        return captions + (f"<tr>{loose}</tr>" if loose else "") + rows


def _cells(inner: str) -> str:
    return inner.replace("\n", " ")


def _spans(node: nodes.Tag) -> str:
    found = ""
    for attribute in node.attributes:
        name, value = str(attribute.name).strip().casefold(), str(attribute.value or "").strip()
        if name in ("colspan", "rowspan") and value.isdecimal():
            found += f' {name}="{value}"'
    return found


def _flat(html: str) -> str:
    return html.replace("\n", " ")


def _assembled(text: str) -> str:
    """Return lines put together: list lines to nested lists, lines that begin with a space to code, others to text."""
    out: list[str] = []
    paragraph: list[str] = []
    items: list[tuple[str, str]] = []
    code: list[str] = []

    def close() -> None:
        if paragraph:
            out.append(f"<p>{' '.join(paragraph)}</p>")
        if items:
            out.append(_list(items))
        if any(line.strip() for line in code):
            out.append(f"<pre>{'&#10;'.join(code)}</pre>")
        paragraph.clear()
        items.clear()
        code.clear()

    for line in re.sub(f"{_NOTHING} *", "", text).split("\n"):
        if lead := _LEAD.match(line):
            if paragraph or code:
                close()
            items.append((lead[0], line[lead.end() :].translate(_WRITTEN).strip()))
        elif line.startswith(" ") and line.strip() and not _BLOCKS.match(line.strip()) and not paragraph:
            if items:
                close()
            code.append(line[1:])
        elif not line.strip():
            close()
        elif _BLOCKS.match(line):
            close()
            out.append(line)
        else:
            if items or code:
                close()
            paragraph.append(line.translate(_WRITTEN).strip())
    close()
    return "\n".join(out)


def _list(items: list[tuple[str, str]]) -> str:
    html, opened = "", ""
    for lead, text in items:
        shared = 0
        while shared < min(len(lead), len(opened)) and _LISTS[lead[shared]][0] == _LISTS[opened[shared]][0]:
            shared += 1
        for mark in reversed(opened[shared:]):
            html += _closed(mark)
        if shared == len(lead):
            html += f"</{_LISTS[opened[shared - 1]][1]}><{_LISTS[lead[-1]][1]}>"
        for mark in lead[shared:]:
            html += f"<{_LISTS[mark][0]}><{_LISTS[mark][1]}>"
        html += text
        opened = lead
    for mark in reversed(opened):
        html += _closed(mark)
    return html


def _closed(mark: str) -> str:
    return f"</{_LISTS[mark][1]}></{_LISTS[mark][0]}>"
