"""/v1/items/{item}/revisions, diff, merge-preview: what an item said, what differs, what two people made of it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.routes.items import written
from api.schemas import ItemIn, Number, Shape, Written
from kb import changes, history, items
from kb.access import scope_of
from kb.models import Revision

router = APIRouter(prefix="/v1/items", tags=["history"], responses=PROBLEMS)


class RevisionRow(Shape):
    revision: int
    title: str
    created_at: str
    live: bool = Field(description="The one that readers see.")
    author: str | None = Field(description="For those who may write there; null for other readers.")
    message: str = Field(description="For those who may write there.")


class Revisions(Shape):
    item: str
    revisions: list[RevisionRow] = Field(description="Newest first. Who may not write there gets the live one alone.")


class RevisionOut(RevisionRow):
    """What an item said in one revision."""

    item: str
    body: str
    issue: str
    environment: str
    resolution: str
    cause: str
    similar_questions: list[str]


class SegmentOut(Shape):
    kind: Literal["same", "removed", "added"]
    text: str


class DifferenceOut(Shape):
    field: str = Field(description="title, body, issue, ...; similar_questions: one a line.")
    old: str
    new: str
    unified: str = Field(description="Unified diff of the lines.")
    segments: list[SegmentOut] = Field(description="Both as one text: by words, Chinese by characters.")


class Diff(Shape):
    item: str
    old: int
    new: int
    fields: list[DifferenceOut] = Field(description="Those that differ.")


class Restore(Shape):
    based_on: Number = Field(description="Number of the newest revision that was seen.")
    message: str = ""


class MergeIn(ItemIn):
    """What is in the editor, as for a save."""

    based_on: Number = Field(description="Number of the revision the change started from.")


class ChunkOut(Shape):
    """A run of lines; only what `kind` says differs."""

    kind: Literal["same", "theirs", "mine", "both", "conflict"] = Field(
        description="Who changed it: nobody, one side, both alike, both differently."
    )
    base: list[str]
    theirs: list[str]
    mine: list[str]


class MergedField(Shape):
    field: str
    base: str
    theirs: str
    mine: str
    merged: str | None = Field(description="Both sides in one; null: a person has to decide.")
    chunks: list[ChunkOut]


class MergePreview(Shape):
    item: str
    based_on: int = Field(description="The revision that both sides started from.")
    revision: int = Field(description="The newest revision, `theirs`: save the merged text with it as `based_on`.")
    author: str | None = Field(description="Of the newest revision.")
    conflicts: list[str] = Field(description="Fields that a person has to decide; empty: all of `merged` is there.")
    fields: list[MergedField]
    similar_questions: list[str] = Field(description="Those of both, without those that either removed.")


@router.get("/{item}/revisions", operation_id="list_revisions")
def list_revisions(
    parts: ServicesDep,
    reader: ReaderDep,
    item: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Revisions:
    """All revisions, newest first, for those who may write there; for other readers the live one."""
    with parts.db.read() as session:
        found = items.get(session, item, scope_of(session, reader))
        rows = history.revisions(session, found, actor=reader, limit=limit, offset=offset)
        full, live = history.sees_all(session, found, actor=reader), history.live(found)
    return Revisions(item=found.number, revisions=[_row(row, live, full=full) for row in rows])


@router.get("/{item}/revisions/{n}", operation_id="read_revision")
def read_revision(parts: ServicesDep, reader: ReaderDep, item: str, n: Number) -> RevisionOut:
    """What an item said in one revision; for those who may not write there, only the live one is there."""
    with parts.db.read() as session:
        found = items.get(session, item, scope_of(session, reader))
        row = history.revision(session, found, n, actor=reader)
        shown = _row(row, history.live(found), full=history.sees_all(session, found, actor=reader))
    return RevisionOut(
        **shown.model_dump(),
        item=found.number,
        body=row.body,
        issue=row.issue,
        environment=row.environment,
        resolution=row.resolution,
        cause=row.cause,
        similar_questions=row.similar_questions,
    )


@router.get("/{item}/diff", operation_id="diff_revisions")
def diff_revisions(
    parts: ServicesDep,
    reader: ReaderDep,
    item: str,
    old: Annotated[Number | None, Query(description="Number of the one revision (default: the live one).")] = None,
    new: Annotated[Number | None, Query(description="Number of the other (default: the newest).")] = None,
) -> Diff:
    """What differs between any two revisions, field by field. For those who may write there."""
    with parts.db.read() as session:
        found = items.get(session, item, scope_of(session, reader))
        compared = history.compare(session, found, old, new, actor=reader)
    return Diff(
        item=found.number,
        old=compared.old,
        new=compared.new,
        fields=[
            DifferenceOut(
                field=row.field,
                old=row.old,
                new=row.new,
                unified=row.unified,
                segments=[SegmentOut(kind=segment.kind, text=segment.text) for segment in row.segments],
            )
            for row in compared.fields
        ],
    )


@router.post("/{item}/revisions/{n}/restore", operation_id="restore_revision")
def restore_revision(parts: ServicesDep, reader: WriterDep, item: str, n: Number, body: Restore) -> Written:
    """Add a revision that says what this one said; readers see it when it is published. For contributors."""
    with parts.db.write() as session:
        found = items.get(session, item, scope_of(session, reader))
        row = history.restore(session, found, n, actor=reader, based_on=body.based_on, message=body.message)
        result = written(found, row, changes.latest(session))
    parts.follower.wake()
    return result


@router.post("/{item}/merge-preview", operation_id="preview_merge")
def preview_merge(parts: ServicesDep, reader: WriterDep, item: str, body: MergeIn) -> MergePreview:
    """Put what is in the editor together with a revision that came meanwhile; nothing is saved. For contributors."""
    with parts.db.read() as session:
        found = items.get(session, item, scope_of(session, reader))
        merge, newest = history.merged(session, found, body.content(), body.based_on, actor=reader)
    return MergePreview(
        item=found.number,
        based_on=body.based_on,
        revision=newest.n,
        author=newest.author,
        conflicts=list(merge.conflicts),
        fields=[
            MergedField(
                field=field.name,
                base=field.base,
                theirs=field.theirs,
                mine=field.mine,
                merged=field.merged,
                chunks=[
                    ChunkOut(kind=chunk.kind, base=list(chunk.base), theirs=list(chunk.theirs), mine=list(chunk.mine))
                    for chunk in field.chunks
                ],
            )
            for field in merge.fields
        ],
        similar_questions=list(merge.similar_questions),
    )


def _row(row: Revision, live: int | None, *, full: bool) -> RevisionRow:
    return RevisionRow(
        revision=row.n,
        title=row.title,
        created_at=row.created_at.isoformat(timespec="seconds"),
        live=row.id == live,
        author=row.author if full else None,
        message=row.message if full else "",
    )
