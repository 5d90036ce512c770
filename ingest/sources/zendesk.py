"""Help-centre articles as Zendesk's API gives them: JSON with `articles`, and sections and categories beside them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest import json_stream
from ingest.document import Document, Failure, Limits, ReadOptions
from ingest.fields import language_tag, moment
from ingest.html import from_html
from ingest.parse import tidy
from ingest.reading import head
from ingest.records import page_of
from kb.errors import KBError, UnreadableSource, shown

_LOOK = 1 << 20
_ARTICLES = re.compile(r'"articles"\s*:\s*\[')


@dataclass(slots=True)
class _Places:
    """Names of the sections and categories that articles stand in, by id."""

    sections: dict[int, tuple[str, int | None]] = field(default_factory=dict)
    categories: dict[int, str] = field(default_factory=dict)

    def topics(self, section: Any) -> list[str]:
        name, category = self.sections.get(section, ("", None)) if isinstance(section, int) else ("", None)
        return [topic for topic in (self.categories.get(category or 0, ""), name) if topic]


class ZendeskSource:
    """Reads `.json` with an array `articles`; sections and categories in it or in files of these names beside it."""

    name = "zendesk"

    def recognises(self, path: Path) -> bool:
        return bool(_ARTICLES.search(head(path, ".json", _LOOK)))

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield a document an article, or a failure that names its number. Raises TooLarge or UnreadableSource."""
        places = _Places()
        for file in (
            path,
            *sorted({*path.parent.glob("sections*.json"), *path.parent.glob("categories*.json")} - {path}),
        ):
            _collect(file, options.limits, places)
        for name, number, value in json_stream.records(path, options.limits):
            if name == "articles":
                try:
                    yield _article(value, places, options)
                except KBError as error:
                    yield Failure(f"{options.place(path)}:{number}", error.message)


def _collect(path: Path, limits: Limits, places: _Places) -> None:
    for name, _, value in json_stream.records(path, limits):
        if (
            not isinstance(value, dict)
            or not isinstance(value.get("id"), int)
            or not isinstance(value.get("name"), str)
        ):
            continue
        if name == "sections":
            places.sections[value["id"]] = (value["name"], value.get("category_id"))
        elif name == "categories":
            places.categories[value["id"]] = value["name"]


def _article(value: Any, places: _Places, options: ReadOptions) -> Document:
    if not isinstance(value, dict) or not isinstance(value.get("id"), int | str):
        raise UnreadableSource(f"an article is an object with an id, not {shown(value)}")
    body, title = value.get("body"), value.get("title") or value.get("name")
    if not isinstance(body, str) or not body.strip():
        raise UnreadableSource(f"the article {shown(value['id'])} has no body")
    locale = value.get("locale") if isinstance(value.get("locale"), str) else ""
    labels = [label for label in value.get("label_names") or () if isinstance(label, str)]
    converted = from_html(body)
    known: Mapping[str, Any] = {
        "title": title if isinstance(title, str) else "",
        "lang": language_tag(locale),
        "family": str(value["id"]),
        "state": "draft" if value.get("draft") is True else None,
        # A segment is a group of signed-in users that this product does not know: nothing is opened to others.
        "audience": "internal" if value.get("user_segment_id") or value.get("user_segment_ids") else None,
        "url": value.get("html_url") if isinstance(value.get("html_url"), str) else None,
        "updated": moment(value.get("edited_at") or value.get("updated_at")),
        "topics": tuple(dict.fromkeys([*places.topics(value.get("section_id")), *labels])),
    }
    dropped = converted.images_dropped
    return page_of(
        tidy(converted.markdown),
        options,
        place=f"{value['id']}-{locale}" if locale else str(value["id"]),
        name=str(value["id"]),
        known=known,
        warnings=(f"{dropped} images that cannot be shown were left out",) if dropped else (),
    )
