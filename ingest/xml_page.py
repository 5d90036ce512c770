"""Pages written in XML of their own (Mallard, DITA) as HTML, which `ingest.html` turns into Markdown."""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

from lxml import etree

from ingest.document import Limits
from ingest.reading import file_bytes
from kb.errors import UnreadableSource, shown

Special = Callable[[etree._Element], str | None]
"""From an element to its HTML where a tag of HTML alone would not do; None: a tag does."""


def page_tree(path: Path, limits: Limits) -> etree._Element:
    """Return a page's outermost element. Nothing but the file itself is read: no DTD, no entity.

    Raises TooLarge over the limit, UnreadableSource if it is not XML, declares entities or is nested too deep.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(file_bytes(path, limits.file_bytes), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableSource(f"{shown(path.name)} cannot be read as XML: {error}: mend it") from error
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and next(iter(declared.iterentities()), None) is not None:
        raise UnreadableSource(f"{shown(path.name)} declares entities: save it with them written out")
    return root


def name_of(element: etree._Element) -> str:
    """Return an element's name without its namespace; nothing for what is no element."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def child(element: etree._Element, *names: str) -> etree._Element | None:
    """Return the first child of one of the names."""
    return next((found for found in element if name_of(found) in names), None)


def text_of(element: etree._Element | None) -> str:
    """Return the text of an element on one line."""
    return " ".join("".join(str(text) for text in element.itertext()).split()) if element is not None else ""


def as_html(element: etree._Element, tags: Mapping[str, str], special: Special) -> str:
    """Return what an element holds as HTML: each child by `special`, else as `tags` says, else what is in it.

    A tag of `tags` is a name of HTML (`div class="note"`), or empty: the child is left out.
    """
    parts = [escape(element.text or "", quote=False)]
    for inner in element:
        name = name_of(inner)
        html = special(inner) if name else ""
        if html is None:
            tag = tags.get(name)
            content = "" if tag == "" else as_html(inner, tags, special)
            html = f"<{tag}>{content}</{tag.split()[0]}>" if tag else content
        parts += [html, escape(inner.tail or "", quote=False)]
    return "".join(parts)
