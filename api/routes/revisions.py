"""The page of an item's revisions: what differs between any two, and one of them brought back."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.deps import ReaderDep, WriterDep
from api.web import Page, editor, forms
from api.web.differing import pieces
from kb import history
from kb.access import Principal
from kb.errors import Conflict, Forbidden, InvalidInput, KBError, TooLarge

router = APIRouter(include_in_schema=False)

PER_PAGE = 100


class Restored(BaseModel):
    """The form that brings a revision back."""

    revision: int
    based_on: int
    """Number of the newest revision that was seen."""


@router.get("/edit/{ref}/history")
def history_page(
    request: Request, reader: ReaderDep, ref: str, old: str = "", new: str = "", start: str = ""
) -> Response:
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader)) is not None:
        return elsewhere
    return _shown(page, reader, ref, old=forms.number(old, 6), new=forms.number(new, 6), offset=forms.number(start, 6))


@router.post("/edit/{ref}/restore")
def restore(request: Request, reader: WriterDep, ref: str, said: Annotated[Restored, Form()]) -> Response:
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader, to=f"/edit/{ref}/history")) is not None:
        return elsewhere
    try:
        with page.services.db.write() as session:
            item = editor.found(session, ref, reader)
            history.restore(session, item, said.revision, actor=reader, based_on=said.based_on)
            number = item.number
    except (InvalidInput, TooLarge, Conflict, Forbidden) as error:
        return _shown(page, reader, ref, problem=error)
    return editor.done(page, number, said="restored")


def _shown(
    page: Page,
    reader: Principal,
    ref: str,
    *,
    old: int | None = None,
    new: int | None = None,
    offset: int | None = None,
    problem: KBError | None = None,
) -> Response:
    at = offset or 0
    with page.services.db.read() as session:
        item = editor.found(session, ref, reader)
        rows = history.revisions(session, item, actor=reader, limit=PER_PAGE + 1, offset=at)
        newest = next((row.n for row in history.revisions(session, item, actor=reader, limit=1)), 0)
        live = history.live(item)
        compared = None
        if old is not None and new is not None:
            compared = history.compare(session, item, *sorted((old, new)), actor=reader)
    here = f"/edit/{item.number}/history"
    return page.render(
        "edit_history.html",
        status=problem.status if problem is not None else 200,
        item=item,
        rows=rows[:PER_PAGE],
        newest=newest,
        live=live,
        compared=compared,
        fields=[(field.field, pieces(field.segments)) for field in compared.fields] if compared is not None else [],
        old=compared.old if compared is not None else max(newest - 1, 1),
        new=compared.new if compared is not None else newest,
        problem=editor.told(page, problem) if problem is not None else "",
        earlier=page.url(here, start=max(0, at - PER_PAGE)) if at else None,
        later=page.url(here, start=at + PER_PAGE) if len(rows) > PER_PAGE else None,
    )
