"""Pages of GNOME's Mallard (projectmallard.org), one article a file; editors' comments and credits are not read."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from lxml import etree

from ingest.document import Document, Failure, ReadOptions
from ingest.fields import language_tag, moment
from ingest.html import from_html
from ingest.language_paths import told_by_path
from ingest.parse import tidy
from ingest.reading import head
from ingest.records import page_of
from ingest.xml_page import as_html, child, name_of, page_tree, text_of
from ingest.xml_stream import LOOK
from kb.errors import KBError, UnreadableSource, shown

_TAGS = {
    "p": "p", "list": "ul", "steps": "ol", "terms": "dl", "table": "table", "thead": "thead", "tbody": "tbody",
    "tfoot": "tbody", "tr": "tr", "td": "td", "th": "th", "quote": "blockquote", "example": "div", "figure": "div",
    "listing": "div", "synopsis": "div", "em": "em", "app": "b", "code": "code", "cmd": "code", "file": "code",
    "input": "code", "output": "code", "sys": "code", "var": "em", "subtitle": "p", "desc": "p", "cite": "",
    "info": "", "comment": "", "links": "", "credit": "", "include": "", "tt": "",
}  # fmt: skip
_NOTES = {"tip": "tip", "warning": "warning", "important": "important", "advanced": "note", "bug": "warning",
          "caution": "caution", "danger": "danger", "sidebar": "note"}  # fmt: skip
_TITLED = frozenset(["page", "section", "list", "steps", "terms", "item"])
"""What writes its title itself."""
_NAMESPACES = ("http://projectmallard.org/1.0/", "http://projectmallard.org/if/1.0/")


class MallardSource:
    """Reads `.page`. A link leads to the page of that id in the same folder, with its title if it has no text."""

    name = "mallard"

    def recognises(self, path: Path) -> bool:
        return _NAMESPACES[0] in head(path, ".page", LOOK)

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield the file's document. Raises TooLarge or UnreadableSource if it cannot be read."""
        root = page_tree(path, options.limits)
        if name_of(root) != "page":
            raise UnreadableSource(f"{shown(path.name)} is no page of Mallard: it begins with {shown(name_of(root))}")
        info = child(root, "info")
        desc = child(info, "desc") if info is not None else None
        reader = _Reader(path, options)
        lead = f"<p>{as_html(desc, _TAGS, reader.special)}</p>" if desc is not None else ""
        converted = from_html(lead + reader.content(root))
        place = options.place(path)
        told = told_by_path(place)
        lang = root.get("{http://www.w3.org/XML/1998/namespace}lang")
        revised = [one.get("date") for one in info if name_of(one) == "revision"] if info is not None else []
        known = {
            "title": text_of(child(root, "title")),
            "lang": language_tag(lang) or told.get("lang"),
            "family": told.get("family"),
            "updated": max((found for date in revised if (found := moment(date))), default=None),
        }
        body = tidy(converted.markdown)
        if not body:
            # A guide page without text is a list of links that the help viewer makes.
            body = "\n".join(f"- [{title}]({name}.page)" for name, title in reader.guided(root.get("id") or ""))
        yield page_of(body, options, place=place, name=path.stem, known=known)


class _Reader:
    """One page's elements as HTML."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path = path
        self._options = options
        self._level = 1

    def content(self, element: etree._Element) -> str:
        """Return what a page says, without its title."""
        return as_html(element, _TAGS, self.special)

    def special(self, element: etree._Element) -> str | None:
        """Return the HTML of what is no plain tag."""
        if etree.QName(element).namespace not in _NAMESPACES:
            return ""
        match name_of(element):
            case "title":
                parent = element.getparent()
                if parent is None or name_of(parent) in _TITLED:
                    return ""
                return f"<p><strong>{as_html(element, _TAGS, self.special)}</strong></p>"
            case "section":
                title = child(element, "title")
                outer, self._level = self._level, self._level + 1
                heading = as_html(title, _TAGS, self.special) if title is not None else ""
                html = f"<h{min(6, self._level)}>{heading}</h{min(6, self._level)}>"
                html += as_html(element, _TAGS, self.special)
                self._level = outer
                return html
            case "list" | "steps" | "terms":
                title, tag = child(element, "title"), _TAGS[name_of(element)]
                label = f"<p><strong>{as_html(title, _TAGS, self.special)}</strong></p>" if title is not None else ""
                return f"{label}<{tag}>{as_html(element, _TAGS, self.special)}</{tag}>"
            case "item":
                return self._item(element)
            case "note":
                kind = next((_NOTES[s] for s in (element.get("style") or "").split() if s in _NOTES), "note")
                return f'<div class="{kind}">{as_html(element, _TAGS, self.special)}</div>'
            case "screen" | "code" if name_of(element) == "screen" or element.get("mime") or _is_block(element):
                return f"<pre>{escape(''.join(map(str, element.itertext())).strip())}</pre>"
            case "gui" | "key" | "gui-label":
                return f"<b>{as_html(element, _TAGS, self.special)}</b>"
            case "guiseq" | "keyseq":
                joint = " ▸ " if name_of(element) == "guiseq" else "+"
                return "<b>" + joint.join(escape(text_of(one)) for one in element if name_of(one)) + "</b>"
            case "link":
                return self._link(element)
            case "media":
                return escape(text_of(element))
            case "choose":
                # The text for the case that holds here is unknown: the first is the common one.
                chosen = child(element, "when", "else")
                return as_html(chosen, _TAGS, self.special) if chosen is not None else ""
        return None

    def _item(self, element: etree._Element) -> str:
        parent = element.getparent()
        if parent is None or name_of(parent) != "terms":
            return f"<li>{as_html(element, _TAGS, self.special)}</li>"
        title = child(element, "title")
        term = as_html(title, _TAGS, self.special) if title is not None else ""
        return f"<dt>{term}</dt><dd>{as_html(element, _TAGS, self.special)}</dd>"

    def _link(self, element: etree._Element) -> str:
        said = as_html(element, _TAGS, self.special).strip()
        target, href = element.get("xref"), element.get("href") or ""
        if target is None:
            return f'<a href="{escape(href)}">{said or escape(href)}</a>' if href.startswith("http") else said
        page, _, section = target.partition("#")
        if not page:
            return said or escape(section)
        return f'<a href="{escape(page)}.page">{said or escape(self._title(page))}</a>'

    def _title(self, page: str) -> str:
        """Return the title of a page beside this one; its id if there is none."""
        beside = self._path.with_name(f"{Path(page).name}.page")
        try:
            if beside.is_symlink():
                return page
            return text_of(child(page_tree(beside, self._options.limits), "title")) or page
        except KBError:
            return page

    def guided(self, page: str) -> list[tuple[str, str]]:
        """Return (id, title) of the pages beside this one that name it as their guide."""
        found = []
        for beside in sorted(self._path.parent.glob("*.page")):
            if beside.is_symlink():
                continue
            try:
                info = child(root := page_tree(beside, self._options.limits), "info")
            except KBError:
                continue
            guides = [
                (one.get("xref") or "").partition("#")[0]
                for one in (info if info is not None else ())
                if name_of(one) == "link" and one.get("type") == "guide"
            ]
            if page in guides:
                found.append((beside.stem, text_of(child(root, "title"))))
        return found


def _is_block(element: etree._Element) -> bool:
    parent = element.getparent()
    return parent is not None and name_of(parent) in ("page", "section", "listing", "item", "example", "note")
