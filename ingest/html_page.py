"""What a saved web page says: its own content without navigation, banners and footers, its title and language."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lxml.html import HtmlElement

from ingest.fields import language_tag, moment
from ingest.html import from_tree, is_admonition, tree_of
from kb.errors import UnreadableSource

_AROUND = ("nav", "footer", "aside", "header", "form", "dialog", "menu")
_ROLES = frozenset(["navigation", "banner", "contentinfo", "search", "complementary", "dialog", "alertdialog"])
# Names that generators of documentation and help centres give to what stands around an article.
_NAMED = re.compile(
    r"(?:bread-?crumbs?|side-?bar|site-?(?:header|footer|nav)|nav(?:bar|igation)?|(?:page-?)?footer|cookie[\w-]*|toc|"
    r"table-of-contents|skip-?(?:link|nav)[\w-]*|share|social[\w-]*|pagination|pager|article-(?:votes|return-to-top|"
    r"relatives)|recent-articles|related-articles|edit-(?:page|link)|print-?only|sphinxsidebar|headerlink|comments?)",
    re.IGNORECASE,
)
_MOST = 0.5
"""Largest share of a page's text that one element around the content may hold."""


@dataclass(frozen=True, slots=True)
class Page:
    """A web page. Texts are Markdown but the title."""

    title: str
    body: str
    lang: str | None
    url: str | None
    updated: datetime | None
    images_dropped: int


def page(source: str) -> Page:
    """Return what a page says. Raises UnreadableSource if that is nothing, TooLarge if it is nested too deep."""
    tree = tree_of(source)
    lang = language_tag(tree.get("lang") or tree.get("xml:lang") or _meta(tree, "http-equiv", "content-language"))
    canonical = next((link.get("href") for link in tree.iter("link") if link.get("rel") == "canonical"), None)
    content = _content(tree)
    _strip(content)
    heading = next((found for found in content.iter("h1") if found.text_content().strip()), None)
    title = " ".join(heading.text_content().split()) if heading is not None else _title(tree)
    if heading is not None:
        heading.drop_tree()
    converted = from_tree(content)
    if not converted.markdown.strip():
        raise UnreadableSource("the page holds no text of its own: it may be a frame, a redirection or made by scripts")
    return Page(
        title=title,
        body=converted.markdown,
        lang=lang,
        url=canonical if canonical and canonical.startswith(("http://", "https://")) else None,
        updated=moment(_meta(tree, "property", "article:modified_time") or _meta(tree, "name", "last-modified")),
        images_dropped=converted.images_dropped,
    )


def _meta(tree: HtmlElement, attribute: str, value: str) -> str | None:
    return next((m.get("content") for m in tree.iter("meta") if (m.get(attribute) or "").lower() == value), None)


def _title(tree: HtmlElement) -> str:
    given = _meta(tree, "property", "og:title") or next(
        (" ".join(t.text_content().split()) for t in tree.iter("title")), ""
    )
    site = _meta(tree, "property", "og:site_name")
    if site and (found := re.fullmatch(rf"(.+?)\s+[-|–—·:]\s+{re.escape(site)}", given)):
        return found[1]
    return given


def _content(tree: HtmlElement) -> HtmlElement:
    """Return the element that holds the page's own content, as the page marks it, else its body."""
    body = next(tree.iter("body"), tree)
    whole = len(body.text_content())
    marked = [element for element in body.iter() if element.tag == "main" or element.get("role") == "main"]
    for candidates in (marked, list(body.iter("article"))):
        if len(candidates) == 1 and len(candidates[0].text_content()) > whole // 10:
            return candidates[0]
    return body


def _strip(content: HtmlElement) -> None:
    """Take out of `content` what stands around it."""
    whole = max(1, len(content.text_content()))
    for element in list(_around(content)):
        if element is not content and element.getparent() is not None and len(element.text_content()) <= _MOST * whole:
            element.drop_tree()


def _around(content: HtmlElement) -> Iterator[HtmlElement]:
    for element in content.iter():
        named = {*(element.get("class") or "").split(), element.get("id") or ""}
        if element.tag in _AROUND:
            # The header of an article holds its title; an aside may be a note.
            keeps = next(element.iter("h1"), None) is not None or is_admonition(element)
            if not keeps:
                yield element
        elif element.get("role") in _ROLES or any(_NAMED.fullmatch(name) for name in named if name):
            yield element
