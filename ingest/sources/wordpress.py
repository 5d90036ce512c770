"""A WordPress export (WXR, Tools > Export): each post and page an article. Comments and who wrote are not read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

from ingest import xml_stream
from ingest.document import Document, Failure, Gone, Limits, ReadOptions
from ingest.fields import language_tag, moment
from ingest.links import address_key, from_linked
from ingest.parse import MAX_TITLE, image_warnings, tidy
from ingest.reading import head
from ingest.records import checked, one_line
from ingest.xml_stream import LOOK, child_text, local
from kb.errors import KBError, UnreadableSource

_NO_TEXTS = frozenset(
    "attachment nav_menu_item revision custom_css customize_changeset oembed_cache user_request wp_block wp_template "
    "wp_template_part wp_global_styles wp_navigation wp_font_family wp_font_face".split()
)
"""Post types that are no page of their own."""
_TRASH = "trash"
_NO_ENTRY = frozenset(["auto-draft", "inherit"])
_TAXONOMIES = frozenset(["category", "post_tag"])
_SHORTCODE = re.compile(r"\[/?(?:caption|gallery|embed|audio|video|playlist|wp_caption)\b[^\]]*\]")
_BLANK = re.compile(r"\n[ \t]*\n")
_PRE = re.compile(r"(<pre\b.*?</pre>)", re.DOTALL | re.IGNORECASE)
_BLOCK = re.compile(
    r"\s*</?(?:p|h[1-6]|ul|ol|li|dl|dt|dd|div|table|thead|tbody|tr|td|th|caption|pre|blockquote|hr|figure|figcaption|"
    r"section|article|aside|form|address|!--)\b|\s*<!--",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Site:
    base: str = ""
    lang: str | None = None
    pages: dict[str, str] = field(default_factory=dict)
    """Id of a post by each address that it has."""


class WordPressSource:
    """Reads `.xml` that is a WXR file, as a stream, twice: for the addresses, then for the texts."""

    name = "wordpress"

    def recognises(self, path: Path) -> bool:
        return "wordpress.org/export/" in head(path, ".xml", LOOK)

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure | Gone]:
        """Yield a document a post, page or page of a type of the site's own.

        Only what is published without a password is published here; drafts, scheduled, private and protected posts are
        drafts, and what lies in the trash is gone. Raises TooLarge or UnreadableSource for the file.
        """
        site = _look(path, options.limits)
        for item in _items(path, options.limits):
            number = child_text(item, "post_id")
            if child_text(item, "status") == _TRASH:
                yield Gone(number)
                continue
            try:
                if document := _article(site, number, item, options):
                    yield document
            except KBError as error:
                yield Failure(f"{options.place(path)}:{number}", error.message)


def _items(path: Path, limits: Limits) -> Iterator[Element]:
    for item in xml_stream.elements(path, limits, frozenset(["item"])):
        if child_text(item, "post_type") not in _NO_TEXTS and child_text(item, "status") not in _NO_ENTRY:
            yield item


def _look(path: Path, limits: Limits) -> _Site:
    site = _Site()
    for element in xml_stream.elements(path, limits, frozenset(["item", "base_blog_url", "language"])):
        match local(element.tag):
            case "base_blog_url":
                site.base = (element.text or "").strip()
            case "language":
                site.lang = language_tag(element.text)
            case _ if child_text(element, "post_type") not in _NO_TEXTS:
                number = child_text(element, "post_id")
                for address in (child_text(element, "link"), child_text(element, "guid")):
                    if key := address_key(address):
                        site.pages[key] = number
                if site.base:
                    for name in ("p", "page_id"):
                        site.pages[f"{address_key(site.base)}?{name}={number}"] = number
                        site.pages[f"{address_key(site.base)}/?{name}={number}"] = number
    return site


def _article(site: _Site, number: str, item: Element, options: ReadOptions) -> Document | None:
    if not number:
        raise UnreadableSource("an entry has no wp:post_id: export it again with WordPress 2.1 or later")
    source = next((c.text or "" for c in item if local(c.tag) == "encoded" and "excerpt" not in c.tag), "")
    title, link = one_line(child_text(item, "title")), child_text(item, "link").strip()
    base = link if link.startswith(("http://", "https://")) else site.base

    def resolve(address: str) -> str | None:
        found = site.pages.get(address_key(address))
        return found if found != number else None

    converted = from_linked(_paragraphs(source), resolve, base=base)
    body = tidy(converted.markdown)
    if not body and not title:
        return None
    open_to_all = child_text(item, "status") == "publish" and not child_text(item, "post_password").strip()
    topics = [
        one_line(child.text or "")
        for child in item
        if local(child.tag) == "category" and child.get("domain") in _TAXONOMIES
    ]
    dropped = converted.images_dropped
    return checked(
        Document(
            external_id=number,
            title=(title or number)[:MAX_TITLE],
            body=body,
            lang=site.lang,
            state=None if open_to_all else "draft",
            # What was open at an earlier import and is no longer is closed to customers at once.
            audience=None if open_to_all else "internal",
            url=link if open_to_all and link.startswith(("http://", "https://")) else None,
            updated=_moment(item),
            topics=tuple(dict.fromkeys(topic for topic in topics if topic and topic != "Uncategorized")),
            warnings=(
                *((f"{dropped} images that cannot be shown were left out",) if dropped else ()),
                *image_warnings(body),
            ),
        ),
        options,
    )


def _paragraphs(source: str) -> str:
    """Return a post's text as HTML: what the classic editor stores has blank lines where the page has paragraphs."""
    text = _SHORTCODE.sub("", source.replace("\r\n", "\n"))
    if "<!-- wp:" in text:
        return text
    parts = []
    for at, piece in enumerate(_PRE.split(text)):
        if at % 2:
            parts.append(piece)
            continue
        for chunk in _BLANK.split(piece):
            bare = chunk.strip()
            if bare:
                parts.append(bare if _BLOCK.match(bare) else "<p>" + bare.replace("\n", "<br>") + "</p>")
    return "\n".join(parts)


def _moment(item: Element) -> datetime | None:
    for name in ("post_modified_gmt", "post_date_gmt"):
        value = child_text(item, name)
        if value and not value.startswith("0000") and (found := moment(value)):
            return found
    return None
