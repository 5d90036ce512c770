"""/v1/drafts: what one is writing, kept as it is typed; /v1/items/{item}/editing: who else is at it."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.schemas import LARGEST, ItemIn, Number, Shape
from kb import drafts, items
from kb.access import scope_of
from kb.models import Draft, Facet

router = APIRouter(prefix="/v1", tags=["drafts"], responses=PROBLEMS)


class DraftIn(ItemIn):
    """The whole of what is in the editor, finished or not."""

    title: str = ""
    based_on: Number | None = Field(
        default=None, description="Number of the revision it started from; null: a new item."
    )
    version: Annotated[int, Field(ge=0, le=LARGEST)] = Field(
        default=0, description="Version of the draft that this goes on from, as the last answer said; 0: there is none."
    )


class Person(Shape):
    name: str
    at: str = Field(description="When they last wrote.")


class Editing(Shape):
    editing: list[Person] = Field(description="Others who are writing on the item now, last first.")


class Kept(Editing):
    key: str
    version: int
    saved_at: str


class DraftOut(DraftIn, Editing):
    key: str
    saved_at: str


class DraftRow(Shape):
    key: str
    item: str | None = Field(description="Number of the item; null: it is not there yet.")
    title: str
    based_on: int | None
    version: int
    saved_at: str


class Drafts(Shape):
    drafts: list[DraftRow] = Field(description="Last kept first.")


@router.get("/drafts", operation_id="list_drafts")
def list_drafts(parts: ServicesDep, reader: ReaderDep) -> Drafts:
    """List one's own drafts. For contributors."""
    with parts.db.read() as session:
        rows = drafts.mine(session, scope_of(session, reader), actor=reader)
    return Drafts(
        drafts=[
            DraftRow(
                key=row.key,
                item=row.key if row.item_id is not None else None,
                title=drafts.content_of(row).title,
                based_on=row.based_on,
                version=row.version,
                saved_at=row.saved_at.isoformat(timespec="seconds"),
            )
            for row in rows
        ]
    )


@router.get("/drafts/{key}", operation_id="read_draft")
def read_draft(parts: ServicesDep, reader: ReaderDep, key: str) -> DraftOut:
    """Return one's own draft; nobody else's. For contributors."""
    with parts.db.read() as session:
        scope = scope_of(session, reader)
        row = drafts.get(session, key, scope, actor=reader)
        editing = _editing(drafts.others(session, items.get(session, key, scope), actor=reader) if row.item_id else [])
    return _draft_out(row, editing)


@router.put("/drafts/{key}", operation_id="keep_draft")
def keep_draft(parts: ServicesDep, reader: WriterDep, key: str, body: DraftIn) -> Kept:
    """Keep what is in the editor, as the draft of an item (`KB-1`) or of one not there yet (`new-...`). Not a revision:
    nobody else sees it, and it goes when the revision is saved. For contributors."""
    with parts.db.write() as session:
        scope = scope_of(session, reader)
        row = drafts.save(
            session,
            key,
            body.content(),
            body.profile(),
            scope,
            actor=reader,
            based_on=body.based_on,
            version=body.version,
        )
        editing = _editing(drafts.others(session, items.get(session, key, scope), actor=reader) if row.item_id else [])
    return Kept(key=row.key, version=row.version, saved_at=row.saved_at.isoformat(timespec="seconds"), editing=editing)


@router.delete("/drafts/{key}", operation_id="discard_draft", status_code=204, response_class=Response)
def discard_draft(parts: ServicesDep, reader: WriterDep, key: str) -> None:
    """Remove one's own draft, if there is one. For contributors."""
    with parts.db.write() as session:
        drafts.discard(session, key, scope_of(session, reader), actor=reader)


@router.get("/items/{item}/editing", operation_id="read_editing")
def read_editing(parts: ServicesDep, reader: ReaderDep, item: str) -> Editing:
    """Who else is writing on the item now (kept a draft in the last ten minutes). For those who may write there."""
    with parts.db.read() as session:
        found = items.get(session, item, scope_of(session, reader))
        return Editing(editing=_editing(drafts.others(session, found, actor=reader)))


def _editing(found: list[drafts.Writing]) -> list[Person]:
    return [Person(name=one.person, at=one.at.isoformat(timespec="seconds")) for one in found]


def _draft_out(row: Draft, editing: list[Person]) -> DraftOut:
    content, profile = drafts.content_of(row), drafts.profile_of(row)
    return DraftOut(
        key=row.key,
        version=row.version,
        saved_at=row.saved_at.isoformat(timespec="seconds"),
        based_on=row.based_on,
        editing=editing,
        title=content.title,
        body=content.body,
        issue=content.issue,
        environment=content.environment,
        resolution=content.resolution,
        cause=content.cause,
        similar_questions=list(content.similar_questions),
        kind=profile.kind.value,
        lang=profile.lang,
        audience=profile.audience.value,
        confidence=profile.confidence.value,
        governance=profile.governance.value,
        family=profile.family,
        owner=profile.owner,
        url=profile.url,
        products=profile.values(Facet.PRODUCT),
        versions=profile.values(Facet.VERSION),
        topics=profile.values(Facet.TOPIC),
        groups=profile.values(Facet.GROUP),
    )
