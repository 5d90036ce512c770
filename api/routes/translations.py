"""/v1/items/{item}/translations: the family of an item, a translation begun, and what is translated from what."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.routes.items import written
from api.schemas import Shape, Written
from kb import changes, editorial, history, items, translating, translations
from kb.access import Role, scope_of
from kb.models import Significance

router = APIRouter(prefix="/v1/items", tags=["translations"], responses=PROBLEMS)


class TranslationOut(Shape):
    """An item of the family: for those who may write there its newest revision, else the one that readers see."""

    item: str
    lang: str
    title: str
    state: str
    revision: int
    source: bool = Field(description="The others are translated from it.")
    behind: Significance | None = Field(
        description="The most significant change that the source has published since the revision followed; null: up "
        "to date, or it is the source, or the source may not be read."
    )
    follows: int | None = Field(description="Number of the source's revision whose text it gives; for those who write.")


class Translations(Shape):
    family: str | None = Field(description="Null: there are no translations.")
    items: list[TranslationOut] = Field(description="Those that may be read, the source first, then by language.")


class Start(Shape):
    lang: str = Field(description="BCP 47 tag such as zh.")
    title: str | None = Field(default=None, description="Default: that of the source, until it is translated.")


class Follow(Shape):
    follows: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The newest text gives this revision of the source, as it stands."
    )
    source: bool = Field(default=False, description="The others of its family are translated from this one.")


@router.get("/{item}/translations", operation_id="list_translations")
def list_translations(parts: ServicesDep, reader: ReaderDep, item: str) -> Translations:
    """The items of a family that may be read, with how far each is behind its source."""
    with parts.db.read() as session:
        scope = scope_of(session, reader)
        found = items.get(session, item, scope)
        writes = history.sees_all(session, found, actor=reader)
        members = translations.family(session, found, scope, newest=writes)
    return Translations(
        family=found.family,
        items=[
            TranslationOut(
                item=member.item.number,
                lang=member.item.lang,
                title=member.revision.title,
                state=member.item.state.value,
                revision=member.revision.n,
                source=member.source,
                behind=member.behind,
                follows=member.follows if writes else None,
            )
            for member in members
        ],
    )


@router.post("/{item}/translations", operation_id="start_translation", status_code=201)
def start_translation(parts: ServicesDep, reader: WriterDep, item: str, body: Start) -> Written:
    """Begin a translation: a draft of the source's kind, audience and labels, without text yet. For contributors."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        made, revision = translating.start(session, found, body.lang, actor=reader, title=body.title)
        return written(made, revision, changes.latest(session))


@router.put("/{item}/translations", operation_id="place_translation")
def place_translation(parts: ServicesDep, reader: WriterDep, item: str, body: Follow) -> Translations:
    """Say that a translation gives a revision of the source as it stands (contributors; what readers see: publishers),
    or that an item is the source of its family (editors)."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        reader.require_in(session, Role.CONTRIBUTOR, found.space_id, "change items")
        if body.source:
            translating.be_source(session, found, actor=reader)
        if body.follows is not None:
            editorial.follow(session, found, body.follows, actor=reader)
    return list_translations(parts, reader, item)
