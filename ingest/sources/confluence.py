"""Pages as Confluence's REST API gives them (`/rest/api/content?expand=body.storage,version,space,metadata.labels`).

A file of one page or of `results`, or a folder of such files alone, which is read as one: links go across its files,
and of several versions of a page the newest counts.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ingest import json_stream
from ingest.confluence_storage import html_of
from ingest.document import Document, Failure, Gone, Limits, ReadOptions
from ingest.fields import moment
from ingest.links import address_key, from_linked
from ingest.parse import MAX_TITLE, image_warnings, tidy
from ingest.reading import file_text, head
from ingest.records import checked, one_line
from kb.errors import KBError, UnreadableSource, shown

_LOOK = 1 << 16
_API = "/rest/api/"
_PAGES = frozenset(["page", "blogpost"])
_ITEM = "item:"
"""Marks the address of a page that a link names by its title."""
_GONE = frozenset(["historical", "trashed", "deleted"])


@dataclass(slots=True)
class _Space:
    """What is known of all pages before one is read."""

    newest: dict[str, int] = field(default_factory=dict)
    titles: dict[tuple[str, str], str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)


class ConfluenceSource:
    """Reads `.json` of pages, and folders that hold nothing else."""

    name = "confluence"

    def recognises(self, path: Path) -> bool:
        if path.is_dir():
            files = [file for file in path.iterdir() if not file.name.startswith(".")]
            return bool(files) and all(file.is_file() and self.recognises(file) for file in files)
        start = head(path, ".json", _LOOK)
        return f"{_API}content" in start and '"_links"' in start

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure | Gone]:
        """Yield a document a current page or blog post; attachments and comments are passed over.

        What is a draft, archived or restricted in reading is a draft. Raises TooLarge or UnreadableSource for a file.
        """
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        files = [file for file in files if not file.name.startswith(".")]
        space = _Space()
        broken: dict[Path, Failure] = {}
        for file in files:
            try:
                for content in _contents(file, options.limits):
                    _look(content, space)
            except KBError as error:
                broken[file] = Failure(options.place(file), error.message)
        yield from broken.values()
        done: set[str] = set()
        for file in files:
            for content in _contents(file, options.limits) if file not in broken else ():
                number = _number(content)
                if number in done or not number or _version(content) != space.newest.get(number):
                    continue
                done.add(number)
                if content.get("status") in _GONE:
                    yield Gone(number)
                    continue
                try:
                    yield _page(number, content, space, options)
                except KBError as error:
                    yield Failure(f"{options.place(file)}:{number}", error.message)


def _contents(path: Path, limits: Limits) -> Iterator[dict[str, Any]]:
    listed = False
    for name, _, value in json_stream.records(path, limits):
        if name == "results":
            listed = True
            if isinstance(value, dict) and value.get("type") in _PAGES:
                yield value
    if listed:
        return
    text, _ = file_text(path, limits)
    try:
        page = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableSource(f"{shown(path.name)} is not JSON: {error}: export it again") from error
    if isinstance(page, dict) and page.get("type") in _PAGES:
        yield page


def _number(content: dict[str, Any]) -> str:
    return str(content["id"]) if isinstance(content.get("id"), str | int) else ""


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _version(content: dict[str, Any]) -> int:
    number = _at(content, "version", "number")
    return number if isinstance(number, int) else 0


def _space_key(content: dict[str, Any]) -> str:
    key = _at(content, "space", "key") or str(_at(content, "_expandable", "space") or "").rpartition("/")[2]
    return key if isinstance(key, str) else ""


def _address(content: dict[str, Any]) -> str | None:
    base, webui = _at(content, "_links", "base"), _at(content, "_links", "webui")
    if not isinstance(base, str):
        base = str(_at(content, "_links", "self") or "").partition(_API)[0]
    whole = base + webui if isinstance(webui, str) else ""
    return whole if whole.startswith(("http://", "https://")) else None


def _look(content: dict[str, Any], space: _Space) -> None:
    number, title = _number(content), content.get("title")
    space.newest[number] = max(space.newest.get(number, 0), _version(content))
    if isinstance(title, str) and content.get("status") not in _GONE:
        space.titles[_space_key(content), title] = number
        if address := _address(content):
            space.addresses[address_key(address)] = number


def _page(number: str, content: dict[str, Any], space: _Space, options: ReadOptions) -> Document:
    title, storage = content.get("title"), _at(content, "body", "storage", "value")
    if not isinstance(title, str) or not title.strip() or not isinstance(storage, str):
        raise UnreadableSource(f"the page {shown(number)} has no title or text: export it with expand=body.storage")
    key, address = _space_key(content), _address(content)

    def page_of(name: str, other: str) -> str | None:
        found = space.titles.get((other or key, name))
        return _ITEM + found if found else None

    def resolve(whole: str) -> str | None:
        if whole.startswith(_ITEM):
            return whole.removeprefix(_ITEM)
        asked = parse_qs(urlsplit(whole).query).get("pageId", [""])[0]
        numbered = re.search(r"/pages/(\d+)(?:/|$)", urlsplit(whole).path)
        meant = asked or (numbered[1] if numbered else "")
        return meant if meant in space.newest else space.addresses.get(address_key(whole))

    html = html_of(storage, page_of)
    converted = from_linked(html, resolve) if address is None else from_linked(html, resolve, base=address)
    body = tidy(converted.markdown)
    labels = [
        label.get("name") for label in _at(content, "metadata", "labels", "results") or () if isinstance(label, dict)
    ]
    restricted = any(_at(content, "restrictions", "read", "restrictions", who, "results") for who in ("user", "group"))
    is_open = content.get("status") in (None, "current") and not restricted
    return checked(
        Document(
            external_id=number,
            title=one_line(title)[:MAX_TITLE],
            body=body,
            state=None if is_open else "draft",
            # What was open at an earlier import and is no longer is closed to customers at once.
            audience=None if is_open else "internal",
            url=address,
            updated=moment(_at(content, "version", "when")),
            topics=tuple(dict.fromkeys(label for label in labels if isinstance(label, str))),
            warnings=image_warnings(body),
        ),
        options,
    )
