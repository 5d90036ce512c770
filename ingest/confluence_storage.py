"""Confluence's storage format as HTML: links, images, code, notes and tasks that it writes in elements of its own."""

import re
from collections.abc import Callable
from html import escape, unescape

from lxml.html import HtmlElement, tostring

from ingest.html import tree_of
from kb.errors import UnreadableSource

_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_EMPTY = re.compile(r"<((?:ac|ri):[\w-]+)([^<>]*?)/>")
_NOTES = {"info": "admonition-info", "note": "note", "tip": "tip", "warning": "warning"}
_CODE = frozenset(["code", "noformat"])
_PRIVATE = frozenset(["ac:placeholder", "ac:parameter", "ac:task-id", "ac:emoticon", "ri:user"])

PageOf = Callable[[str, str], str | None]
"""From the title of a page and the key of its space (empty: this one) to an address."""


def html_of(storage: str, page_of: PageOf) -> str:
    """Return a text in storage format as HTML. Raises TooLarge if it is nested too deep."""
    text = _CDATA.sub(lambda found: escape(found[1], quote=False), storage)
    text = _EMPTY.sub(r"<\1\2></\1>", text)
    try:
        tree = tree_of(f"<div>{text}</div>")
    except UnreadableSource:
        return ""
    # From the inside out: what is inside a macro is turned before the macro is.
    for element in reversed([found for found in tree.iter() if isinstance(found.tag, str)]):
        if element.tag.startswith(("ac:", "ri:")) and element.getparent() is not None:
            _turn(element, page_of)
    return str(tostring(tree, encoding="unicode"))


def _turn(element: HtmlElement, page_of: PageOf) -> None:
    match element.tag:
        case tag if tag in _PRIVATE and not _still_needed(element):
            element.drop_tree()
        case "ac:link":
            _link(element, page_of)
        case "ac:image":
            _image(element)
        case "ac:task-list":
            element.tag = "ul"
        case "ac:task":
            element.tag = "li"
        case "ac:task-status":
            done = element.text_content().strip() == "complete"
            element.text = "[x] " if done else "[ ] "
            element.tag = "span"
        case "ac:structured-macro" | "ac:macro":
            _macro(element)
        case "ac:plain-text-body" | "ac:parameter" | "ri:page" | "ri:attachment" | "ri:url":
            return  # read by what stands around it
        case "ac:rich-text-body" | "ac:layout" | "ac:layout-section" | "ac:layout-cell":
            element.tag = "div"
        case _:
            element.drop_tag()


def _still_needed(element: HtmlElement) -> bool:
    return element.tag == "ac:parameter" and element.getparent().tag in ("ac:structured-macro", "ac:macro")


def _link(element: HtmlElement, page_of: PageOf) -> None:
    page = element.find("ri:page")
    body = next((child for child in element if child.tag.startswith("ac:") and "body" in child.tag), None)
    said = (body.text_content() if body is not None else element.text_content()).strip()
    title = unescape(page.get("ri:content-title") or "") if page is not None else ""
    address = page_of(title, page.get("ri:space-key") or "") if title else None
    label = said or title
    tail = element.tail
    element.clear()
    element.tail = tail
    element.text = label
    element.tag = "a" if address else "span"
    if address:
        element.set("href", address)


def _image(element: HtmlElement) -> None:
    alt = element.get("ac:alt") or element.get("ac:title") or ""
    url = element.find("ri:url")
    source = (url.get("ri:value") or "") if url is not None else ""
    tail = element.tail
    element.clear()
    element.tail = tail
    element.tag = "img"
    element.set("alt", alt)
    element.set("src", source)


def _macro(element: HtmlElement) -> None:
    name = element.get("ac:name") or ""
    given = {child.get("ac:name") or "": child.text_content() for child in element if child.tag == "ac:parameter"}
    plain = element.find("ac:plain-text-body")
    for child in [child for child in element if child.tag == "ac:parameter"]:
        child.drop_tree()
    if name in _CODE:
        code, tail = plain.text_content() if plain is not None else element.text_content(), element.tail
        element.clear()
        element.tail, element.text, element.tag = tail, code, "pre"
        element.set("class", f"language-{given['language']}" if given.get("language") else "")
        return
    element.tag = "div"
    if name in _NOTES:
        element.set("class", _NOTES[name])
    elif plain is not None:
        plain.tag = "pre"
    if given.get("title", "").strip():
        label = element.makeelement("p")
        strong = element.makeelement("strong")
        strong.text = given["title"].strip()
        label.append(strong)
        element.insert(0, label)
