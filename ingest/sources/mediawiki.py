"""A MediaWiki dump (Special:Export, dumpBackup.php, *-pages-articles.xml): each page of the main namespace an article.

Redirects are no articles: links to them lead to where they lead, and their names find the target. Who wrote what is not
read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import Element

from ingest import xml_stream
from ingest.document import Document, Failure, Limits, ReadOptions
from ingest.fields import language_tag, moment
from ingest.html import from_html
from ingest.links import to_item
from ingest.parse import MAX_TITLE, image_warnings, tidy
from ingest.reading import head
from ingest.records import checked, one_line
from ingest.wikitext import Wikitext
from ingest.xml_stream import LOOK, child_text, local
from kb.content import MAX_QUESTIONS
from kb.errors import KBError, UnreadableSource, shown

_CATEGORY, _FILE, _IMAGES, _HELP, _PROJECT = 14, 6, -2, 12, 4
_READ = frozenset(["0", str(_HELP)])
"""Namespaces whose pages become articles: the wiki's pages and its help."""
_ENGLISH = {"category": _CATEGORY, "file": _FILE, "image": _FILE, "media": _IMAGES}


_LANGUAGE = re.compile(r"<mediawiki\b[^>]*\bxml:lang=[\"']([\w-]+)")


@dataclass(slots=True)
class _Wiki:
    """What links need to know of the wiki: where it is, its namespaces, its pages and redirects by title."""

    name: str = ""
    base: str = ""
    lang: str | None = None
    namespaces: dict[str, int] = field(default_factory=lambda: dict(_ENGLISH))
    pages: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)

    def external_id(self, number: str) -> str:
        return f"{self.name}-{number}" if self.name else number

    def namespace(self, target: str) -> int | None:
        """Return the number of the namespace a title names, 0 for none; None if it is another language or wiki."""
        prefix, colon, _ = target.partition(":")
        if not colon or (" " in prefix and prefix.casefold() not in self.namespaces):
            return 0
        known = self.namespaces.get(prefix.replace("_", " ").strip().casefold())
        if known is not None:
            return known
        return None if prefix.isascii() and prefix.islower() and 2 <= len(prefix) <= 12 else 0

    def meant(self, title: str) -> str | None:
        """Return the number of the page that a title leads to, through redirects; None if it is not in the dump."""
        key, seen = _key(title), set[str]()
        while key in self.redirects and key not in seen:
            seen.add(key)
            key = self.redirects[key]
        return self.pages.get(key)

    def address(self, target: str) -> str | None:
        """Return where a link of a text leads: an item, else the wiki; nothing for a place on the same page.

        None for what is no link of the text: categories and other languages, unless said with a colon before.
        """
        title = target.lstrip(":")
        page, _, _ = title.partition("#")
        if not page.strip():
            return ""
        namespace = self.namespace(title)
        if not target.startswith(":") and namespace in (None, _CATEGORY):
            return None
        if number := self.meant(page):
            return to_item(self.external_id(number))
        return self.base + quote(page.strip().replace(" ", "_"), safe="/:") if self.base else ""


class MediaWikiSource:
    """Reads `.xml` that is a dump of MediaWiki, as a stream, twice: for the titles, then for the texts."""

    name = "mediawiki"

    def recognises(self, path: Path) -> bool:
        return "<mediawiki" in head(path, ".xml", LOOK)

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield a document a page of the main and help namespaces that is no redirect.

        Of several revisions the last is taken. A page whose text the wiki has hidden is passed over.
        Raises TooLarge or UnreadableSource for the file.
        """
        wiki = _look(path, options.limits)
        other_names: dict[str, list[str]] = {}
        for source in wiki.redirects:
            if (number := wiki.meant(source)) is not None:
                other_names.setdefault(number, []).append(source)
        for page in _pages(path, options.limits):
            number, title = child_text(page, "id"), child_text(page, "title")
            if child_text(page, "ns") not in _READ or _redirect(page):
                continue
            revision = next((child for child in page if local(child.tag) == "revision"), None)
            if revision is None or any(local(c.tag) == "text" and c.get("deleted") for c in revision):
                continue
            try:
                yield _article(wiki, number, title, revision, other_names.get(number, []), options)
            except KBError as error:
                yield Failure(f"{options.place(path)}: {title}", error.message)


def _pages(path: Path, limits: Limits) -> Iterator[Element]:
    for element in xml_stream.elements(
        path, limits, frozenset(["page", "siteinfo"]), last_only=frozenset(["revision"])
    ):
        if local(element.tag) == "page":
            yield element


def _look(path: Path, limits: Limits) -> _Wiki:
    wiki = _Wiki()
    names = frozenset(["page", "siteinfo"])
    for element in xml_stream.elements(path, limits, names, last_only=frozenset(["revision"])):
        if local(element.tag) == "siteinfo":
            wiki.name = one_line(child_text(element, "dbname"))
            main = child_text(element, "base").strip()
            wiki.base = main.rpartition("/")[0] + "/" if main.startswith(("http://", "https://")) else ""
            for namespace in element.iter():
                key = namespace.get("key") or ""
                if local(namespace.tag) == "namespace" and key.lstrip("-").isdecimal() and namespace.text:
                    wiki.namespaces[namespace.text.casefold()] = int(key)
            continue
        title = _key(child_text(element, "title"))
        if target := _redirect(element):
            wiki.redirects[title] = _key(target.partition("#")[0])
        elif child_text(element, "ns") in _READ:
            wiki.pages[title] = child_text(element, "id")
    # `xml:lang` stands on the outermost element, which a stream of pages does not give.
    if found := _LANGUAGE.search(head(path, path.suffix.lower(), LOOK)):
        wiki.lang = language_tag(found[1])
    return wiki


def _redirect(page: Element) -> str:
    return next((child.get("title") or "" for child in page if local(child.tag) == "redirect"), "")


def _key(title: str) -> str:
    """Return a title as MediaWiki tells titles apart: the first letter in either case, `_` for a space."""
    plain = " ".join(title.replace("_", " ").split())
    return plain[:1].upper() + plain[1:]


def _article(
    wiki: _Wiki, number: str, title: str, revision: Element, other_names: list[str], options: ReadOptions
) -> Document:
    categories: list[str] = []

    def link_of(target: str) -> str | None:
        if not target.startswith(":") and wiki.namespace(target) == _CATEGORY:
            categories.append(" ".join(target.partition(":")[2].replace("_", " ").split()))
        return wiki.address(target)

    def image_of(target: str) -> bool:
        return not target.startswith(":") and wiki.namespace(target) in (_FILE, _IMAGES)

    text = child_text(revision, "text")
    if child_text(revision, "model") not in ("", "wikitext"):
        raise UnreadableSource(f"the page is {shown(child_text(revision, 'model'))}, not wikitext: it was left out")
    converter = Wikitext(link_of, image_of)
    body = tidy(from_html(converter.html(text)).markdown)
    left = converter.left_out
    return checked(
        Document(
            external_id=wiki.external_id(number),
            title=one_line(title)[:MAX_TITLE],
            body=body,
            lang=wiki.lang,
            url=wiki.base + quote(title.replace(" ", "_"), safe="/:") if wiki.base else None,
            updated=moment(child_text(revision, "timestamp")),
            topics=tuple(dict.fromkeys(name for name in categories if name)),
            similar_questions=tuple(other_names[:MAX_QUESTIONS]),
            warnings=(
                *((f"{left} templates that only the wiki can show were left out",) if left else ()),
                *image_warnings(body),
            ),
        ),
        options,
    )
