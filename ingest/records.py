"""From a record of an export, or a page with front matter, to a Document."""

import hashlib
from collections.abc import Mapping
from typing import Any

from ingest.document import Document, ReadOptions
from ingest.fields import TEXTS, Fields
from ingest.html import from_html, looks_like_html
from ingest.parse import MAX_TITLE, decompose, image_warnings, split_title, tidy, title_of
from kb.errors import InvalidInput, TooLarge, UnreadableSource, shown


def document_of(values: Mapping[str, Any], options: ReadOptions, *, place: str) -> Document:
    """Return the document that a record of an export says. `place`: the file's path inside the source.

    A question without a title is the title; beside one it is the issue. A record without an id is known by its title.
    Raises InvalidInput naming the field that cannot be used, UnreadableSource if the record says nothing, TooLarge
    over the limits.
    """
    record = Fields(values, options.columns)
    texts: dict[str, Any] = {field: markdown_of(record.text(field) or "") for field in TEXTS}
    title, question, answer = (record.text(field) or "" for field in ("title", "question", "answer"))
    if question and title and not texts["issue"]:
        texts["issue"] = markdown_of(question)
    if answer:
        field = "resolution" if texts["issue"] and not texts["resolution"] else "body"
        texts[field] = "\n\n".join(text for text in (markdown_of(answer), texts[field]) if text)
    title = one_line(title or question) or _own_title(texts)
    if not title:
        raise UnreadableSource(f"the record has no title, question or text; its names are {shown(list(values))}")
    known = record.described()
    known.setdefault("kind", options.kind or _kind(record, texts))
    return checked(
        Document(
            external_id=record.text("external_id") or f"{place}#{_digest(title)}",
            title=title[:MAX_TITLE],
            warnings=image_warnings("\n".join(texts.values())),
            **texts,
            **known,
        ),
        options,
    )


def page_of(
    markdown: str,
    options: ReadOptions,
    *,
    place: str,
    name: str,
    front: Mapping[str, Any] | None = None,
    known: Mapping[str, Any] | None = None,
    warnings: tuple[str, ...] = (),
) -> Document:
    """Return the document that a page says.

    `front` is its front matter; `known` holds fields of `Document` that the format tells, which `front` overrides.
    The title is that of `front`, else of `known`, else the first heading, else `name`. Raises as `document_of`.
    """
    record = Fields(front or {}, {})
    told = {**(known or {}), **record.described()}
    title = one_line(record.text("title") or told.pop("title", ""))
    heading, body = split_title(markdown)
    if title and heading and _folded(title) != _folded(heading):
        body = markdown
    parts = decompose(body)
    texts: dict[str, Any] = {field: getattr(parts, field) for field in TEXTS}
    return checked(
        Document(
            external_id=record.text("external_id") or place,
            title=(title or one_line(heading) or name)[:MAX_TITLE],
            warnings=(*warnings, *image_warnings(markdown)),
            **texts,
            **told,
        ),
        options,
    )


def checked(document: Document, options: ReadOptions) -> Document:
    """Return a document that is inside the limits. Raises TooLarge or InvalidInput if it is not."""
    length = sum(len(getattr(document, field)) for field in TEXTS)
    most = options.limits.document_characters
    if length > most:
        raise TooLarge(
            f"{shown(document.external_id)} has {length:,} characters; a document has at most {most:,}: split it"
        )
    if not document.external_id.strip() or len(document.external_id) > 500:
        raise InvalidInput(f"an id has 1 to 500 characters, not {shown(document.external_id)}", field="id")
    return document


def markdown_of(text: str) -> str:
    """Return a text of a record as tidy Markdown; what is HTML is converted."""
    return tidy(from_html(text).markdown if looks_like_html(text) else text)


def one_line(text: str) -> str:
    """Return text on one line, without invisible characters."""
    return " ".join(tidy(text).split())


def _kind(record: Fields, texts: Mapping[str, str]) -> str | None:
    if record.has("recommendation") or record.has("recommendations"):
        return "lesson"
    return "case" if texts["resolution"] and texts["issue"] else None


def _own_title(texts: Mapping[str, str]) -> str:
    return next((title for field in ("issue", "body", "resolution", "cause") if (title := title_of(texts[field]))), "")


def _folded(title: str) -> str:
    return "".join(title.split()).casefold()


def _digest(title: str) -> str:
    return hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()[:16]
