"""DITA topics, one article a file (OASIS DITA 1.3); maps beside them give keys to links, words and reused passages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from lxml import etree

from ingest.document import Document, Failure, Limits, ReadOptions
from ingest.fields import language_tag
from ingest.html import from_html
from ingest.language_paths import told_by_path
from ingest.parse import tidy
from ingest.reading import head
from ingest.records import page_of
from ingest.xml_page import as_html, child, name_of, page_tree, text_of
from ingest.xml_stream import LOOK
from kb.errors import KBError, UnreadableSource, shown

_TOPICS = frozenset(["topic", "concept", "task", "reference", "glossentry", "troubleshooting", "dita"])
_TAGS = {
    **dict.fromkeys("p shortdesc abstract cmd glossdef".split(), "p"),
    **dict.fromkeys("ul choices steps-unordered sl".split(), "ul"),
    **dict.fromkeys("ol steps substeps".split(), "ol"),
    **dict.fromkeys("li choice step substep sli".split(), "li"),
    **dict.fromkeys("dl parml".split(), "dl"),
    **dict.fromkeys("dt pt".split(), "dt"),
    **dict.fromkeys("dd pd".split(), "dd"),
    **dict.fromkeys("tgroup properties simpletable choicetable".split(), "table"),
    **dict.fromkeys("row strow sthead chrow chhead property prophead".split(), "tr"),
    **dict.fromkeys(
        "entry stentry choption chdesc choptionhd chdeschd proptype propvalue propdesc proptypehd propvaluehd "
        "propdeschd".split(),
        "td",
    ),
    **dict.fromkeys(
        "codeph filepath cmdname option parmname xmlelement xmlatt varname msgph systemoutput userinput".split(),
        "code",
    ),
    **dict.fromkeys("i em term".split(), "em"),
    **dict.fromkeys("b strong uicontrol wintitle".split(), "b"),
    **dict.fromkeys("prolog titlealts indexterm draft-comment required-cleanup colspec data related-links".split(), ""),
    "lq": "blockquote", "line-through": "s", "sup": "sup", "sub": "sub", "q": "q", "fig": "div", "example": "div",
    "info": "div", "stepresult": "div", "stepxmp": "div", "context": "div", "prereq": "div", "result": "div",
    "postreq": "div", "div": "div", "sectiondiv": "div", "bodydiv": "div",
}  # fmt: skip
_NOTES = frozenset("tip warning caution important danger attention".split())
_PRE = frozenset(["codeblock", "screen", "pre", "msgblock", "lines"])
_CLEAN = re.compile(r"normalize-space|show-\S+")
_DEEPEST = 8
"""Reused passages inside reused passages."""


@dataclass(slots=True)
class _Keys:
    """What the maps of a folder say: the file of a key, or its words."""

    files: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


class DitaSource:
    """Reads `.dita`. Only the file, the maps in its folder and what it reuses inside of the source are opened."""

    name = "dita"

    def __init__(self) -> None:
        self._known: tuple[tuple[tuple[str, int], ...], _Keys] | None = None

    def recognises(self, path: Path) -> bool:
        return "<" in head(path, ".dita", LOOK)

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield the file's document, topics inside its topic as sections. Raises TooLarge or UnreadableSource."""
        root = page_tree(path, options.limits)
        if name_of(root) not in _TOPICS:
            raise UnreadableSource(f"{shown(path.name)} is no topic of DITA: it begins with {shown(name_of(root))}")
        first = child(root, *_TOPICS) if name_of(root) == "dita" else root
        if first is None:
            raise UnreadableSource(f"{shown(path.name)} holds no topic")
        reader = _Reader(path, options, self._keys(path.parent, options.limits))
        html = as_html(first, _TAGS, reader.special)
        place = options.place(path)
        told = told_by_path(place)
        lang = root.get("{http://www.w3.org/XML/1998/namespace}lang")
        title = child(first, "title", "glossterm")
        known = {
            "title": reader.plain(title) if title is not None else "",
            "lang": language_tag(lang) or told.get("lang"),
            "family": told.get("family"),
        }
        missing = reader.missing
        warnings = (f"{missing} reused passages or words could not be found",) if missing else ()
        yield page_of(
            tidy(from_html(html).markdown), options, place=place, name=path.stem, known=known, warnings=warnings
        )

    def _keys(self, folder: Path, limits: Limits) -> _Keys:
        """Return the keys of the maps in a folder, read again when one has changed."""
        maps = sorted(folder.glob("*.ditamap")) + sorted(folder.parent.glob("*.ditamap"))
        stamp = tuple((str(path), path.stat().st_mtime_ns) for path in maps)
        if self._known is None or self._known[0] != stamp:
            keys = _Keys()
            for path in maps:
                try:
                    _collect(page_tree(path, limits), keys)
                except KBError:
                    continue  # a topic without its map still says what it says
            self._known = (stamp, keys)
        return self._known[1]


def _collect(root: etree._Element, keys: _Keys) -> None:
    for one in root.iter():
        for key in (one.get("keys") or "").split() if name_of(one) else ():
            if href := one.get("href"):
                keys.files.setdefault(key, href)
            meta = child(one, "topicmeta")
            words = (
                next((found for found in meta.iter() if name_of(found) in ("keyword", "linktext")), None)
                if (meta is not None)
                else None
            )
            if words is not None:
                keys.words.setdefault(key, text_of(words))


class _Reader:
    """One topic's elements as HTML."""

    def __init__(self, path: Path, options: ReadOptions, keys: _Keys) -> None:
        self._path = path
        self._options = options
        self._keys = keys
        self._depth = 0
        self._level = 1
        self.missing = 0

    def plain(self, element: etree._Element) -> str:
        """Return an element on one line, its keys put in."""
        tree = etree.fromstring(f"<p>{as_html(element, _TAGS, self.special)}</p>", etree.HTMLParser())
        return text_of(tree)

    def special(self, element: etree._Element) -> str | None:
        """Return the HTML of what is no plain tag."""
        if element.get("conref") or element.get("conkeyref"):
            return self._reused(element)
        name = name_of(element)
        if name in _PRE:
            language = _CLEAN.sub("", element.get("outputclass") or "").strip()
            text = "".join(map(str, element.itertext())).strip("\n")
            return f'<pre class="{escape(language)}">{escape(text, quote=False)}</pre>' if text.strip() else ""
        match name:
            case "title":
                parent = element.getparent()
                within = name_of(parent) if parent is not None else ""
                if within in _TOPICS:
                    return ""
                return f"<p><strong>{as_html(element, _TAGS, self.special)}</strong></p>"
            case "section" | "refsyn" | "topic" | "concept" | "task" | "reference":
                return self._section(element)
            case "note":
                kind = element.get("type") if element.get("type") in _NOTES else "note"
                return f'<div class="{kind}">{as_html(element, _TAGS, self.special)}</div>'
            case "xref" | "link":
                return self._link(element)
            case "image":
                return escape(element.get("alt") or text_of(child(element, "alt")))
            case "menucascade":
                return "<b>" + " ▸ ".join(escape(text_of(one)) for one in element if name_of(one)) + "</b>"
            case "dlentry" | "plentry" | "thead" | "tbody" | "table" | "ph" | "keyword" | "cite" | "tm":
                key = element.get("keyref")
                if key and not text_of(element):
                    return self._word(key)
        return None

    def _section(self, element: etree._Element) -> str:
        title = child(element, "title")
        self._level += 1
        level = min(6, self._level)
        heading = f"<h{level}>{as_html(title, _TAGS, self.special)}</h{level}>" if title is not None else ""
        copied = [one for one in element if one is title]
        html = as_html(element, _TAGS, lambda one: "" if one in copied else self.special(one))
        self._level -= 1
        return heading + html

    def _word(self, key: str) -> str:
        words = self._keys.words.get(key)
        self.missing += words is None
        return escape(words if words is not None else key)

    def _link(self, element: etree._Element) -> str:
        said = as_html(element, _TAGS, self.special).strip()
        key = (element.get("keyref") or "").partition("/")[0]
        href = element.get("href") or self._keys.files.get(key, "")
        if href.startswith(("http://", "https://")):
            return f'<a href="{escape(href)}">{said or escape(self._keys.words.get(key, href))}</a>'
        page, _, place = href.partition("#")
        if not page:
            return said or escape(self._keys.words.get(key, self._beside(place) if place else key))
        return f'<a href="{escape(page)}">{said or escape(self._title(page))}</a>'

    def _beside(self, place: str) -> str:
        """Return the words of a place of this topic (`./step-one`): a step's number, else what stands there."""
        root = page_tree(self._path, self._options.limits)
        found = next((one for one in root.iter() if name_of(one) and one.get("id") == place.rpartition("/")[2]), None)
        if found is not None and name_of(found) in ("step", "substep"):
            return str(1 + sum(1 for _ in found.itersiblings(found.tag, preceding=True)))
        named = child(found, "title", "cmd") if found is not None else None
        return text_of(named if named is not None else found)[:100]

    def _title(self, page: str) -> str:
        root = self._opened(page)
        return text_of(child(root, "title")) if root is not None else page

    def _opened(self, page: str) -> etree._Element | None:
        """Return the tree of another file of the same source; None if it is not inside, or cannot be read."""
        path = (self._path.parent / page).resolve()
        inside = self._options.root if self._options.root is not None else self._path.parent
        if not path.is_relative_to(inside.resolve()) or not path.is_file():
            return None
        try:
            return page_tree(path, self._options.limits)
        except KBError:
            return None

    def _reused(self, element: etree._Element) -> str:
        """Return the passage that a conref or conkeyref takes from elsewhere; what stands here if it is not there."""
        key, _, place = (element.get("conkeyref") or "").partition("/")
        page = self._keys.files.get(key, "")
        if reference := element.get("conref"):
            page, _, place = reference.partition("#")
            place = place.rpartition("/")[2]
        root = self._opened(page or self._path.name) if self._depth < _DEEPEST and (page or reference) else None
        for found in root.iter() if root is not None else ():
            if name_of(found) and found.get("id") == place:
                self._depth += 1
                tag = _TAGS.get(name_of(found))
                html = self.special(found)
                if html is None:
                    html = as_html(found, _TAGS, self.special)
                    html = f"<{tag}>{html}</{tag}>" if tag else html
                self._depth -= 1
                return html
        self.missing += 1
        return as_html(element, _TAGS, self.special)
