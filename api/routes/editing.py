"""The pages of those who write: queues, and the editor of one item. Plain forms; editor.js adds comfort."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlmodel import Session

from api.deps import ReaderDep, WriterDep
from api.web import Page, editor, forms, meanwhile
from api.web.editor import KINDS, Sent, Written
from kb import editorial, pending, queues, review, spaces, three_way
from kb.access import Principal, Role
from kb.errors import Conflict, Forbidden, InvalidInput, StaleRevision, TooLarge
from kb.models import Item, Kind, Revision
from kb.queues import Queue

router = APIRouter(include_in_schema=False)

PER_PAGE = 50


@router.get("/edit")
def queue_page(request: Request, reader: ReaderDep, queue: str = "", q: str = "", start: str = "") -> Response:
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader)) is not None:
        return elsewhere
    offset = forms.number(start, 6) or 0
    with page.services.db.read() as session:
        counts = queues.counts(session, reader)
        shown = _queue(queue, counts)
        rows = queues.listed(session, reader, shown, text=q[:200], limit=PER_PAGE + 1, offset=offset)
    return page.render(
        "edit_queue.html",
        queues=[(one.value, counts[one]) for one in Queue],
        chosen=shown.value,
        typed=q[:200],
        rows=rows[:PER_PAGE],
        earlier=page.url("/edit", queue=shown.value, q=q, start=max(0, offset - PER_PAGE)) if offset else None,
        later=page.url("/edit", queue=shown.value, q=q, start=offset + PER_PAGE) if len(rows) > PER_PAGE else None,
    )


@router.get("/edit/new")
def new_page(request: Request, reader: ReaderDep, kind: str = "", issue: str = "", title: str = "") -> Response:
    """An empty form; `title` and `issue` come from where nothing answered a question."""
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader)) is not None:
        return elsewhere
    kept = kind if kind in {one.value for one in KINDS} else Kind.ARTICLE.value
    return editor.form(page, reader, Written(kind=kept, lang=page.lang, title=title[:500], issue=issue[:5000]))


@router.post("/edit/new")
def create(request: Request, reader: WriterDep, said: Annotated[Sent, Form()]) -> Response:
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader)) is not None:
        return elsewhere
    try:
        with page.services.db.write() as session:
            space = spaces.by_key(session, said.space).id if said.space else None
            item, revision = editorial.create(session, said.content(), said.profile(), actor=reader, space_id=space)
            seq = _act(session, item, revision, reader, said)
            number = item.number
    except (InvalidInput, TooLarge, Conflict, Forbidden) as error:
        return editor.form(page, reader, said, problem=error, space=said.space)
    return editor.done(page, number, seq, said=_told(said))


@router.post("/edit/preview")
def preview(request: Request, reader: WriterDep, said: Annotated[Sent, Form()]) -> Response:
    """Return what readers would see of the form as it stands, as a piece of HTML."""
    reader.require(Role.CONTRIBUTOR, "write items")
    page = Page(request)
    return page.render("_preview.html", title=said.title, body=editor.rendered(page, said))


@router.get("/edit/{ref}")
def edit_page(request: Request, reader: ReaderDep, ref: str, saved: str = "", draft: str = "") -> Response:
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader)) is not None:
        return elsewhere
    return editor.going_on(page, reader, ref) if draft else editor.as_it_is(page, reader, ref, saved=saved)


@router.post("/edit/{ref}")
def save(request: Request, reader: WriterDep, ref: str, said: Annotated[Sent, Form()]) -> Response:
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader)) is not None:
        return elsewhere
    try:
        with page.services.db.write() as session:
            item = editor.found(session, ref, reader)
            if said.action == "discard":
                pending.drop_draft(session, item, actor=reader)
                seq = 0
            elif said.action == "retire":
                seq = editorial.retire(session, item, actor=reader)
            else:
                revision = editorial.revise(
                    session,
                    item,
                    said.content(),
                    actor=reader,
                    based_on=said.based_on,
                    message=said.message,
                )
                before, seq = editorial.profile_of(session, item), 0
                wanted, clashing = three_way.merge_profiles(said.opened(before), before, said.profile(before))
                if clashing:
                    raise StaleRevision(f"{clashing[0]} of {item.number} was changed meanwhile", field=clashing[0])
                if wanted != before:
                    seq = editorial.reprofile(session, item, wanted, actor=reader)
                seq = _act(session, item, revision, reader, said) or seq
            number = item.number
    except StaleRevision as error:
        return _together(page, reader, ref, said, error)
    except (InvalidInput, TooLarge, Conflict, Forbidden) as error:
        with page.services.db.read() as session:
            item = editor.found(session, ref, reader)
        return editor.form(page, reader, said, item=item, problem=error, based_on=said.based_on, was=said.was)
    return editor.done(page, number, seq, said=_told(said))


def _together(page: Page, reader: Principal, ref: str, said: Sent, error: StaleRevision) -> Response:
    """Return the editor with what was typed and what came meanwhile in one; saved again, it goes on top of that."""
    with page.services.db.read() as session:
        item = editor.found(session, ref, reader)
        now, newest = editorial.profile_of(session, item), editorial.newest_revision(session, item)
        was, mine = said.opened(now), said.profile(now)
        wanted, clashing = three_way.merge_profiles(was, now, mine)
        found = meanwhile.of(
            session,
            item,
            said.content(),
            min(said.based_on or newest.n, newest.n),
            actor=reader,
            profiles=(was, now, mine),
            clashing=clashing,
        )
    both = said.saying(found.together, wanted)
    return editor.form(page, reader, both, item=item, problem=error, based_on=found.newest, meanwhile=found)


def _act(session: Session, item: Item, revision: Revision, reader: Principal, said: Sent) -> int:
    """Do what the button pressed says, beyond saving; return the sequence number to wait for, 0 for none."""
    if said.action == "publish":
        return editorial.publish(session, item, revision, actor=reader).seq
    if said.action == "submit":
        review.submit(session, item, actor=reader, message=said.message)
    return 0


def _told(said: Sent) -> str:
    return {"submit": "submitted", "discard": "discarded"}.get(said.action, "saved")


def _queue(name: str, counts: dict[Queue, int]) -> Queue:
    """Return the queue asked for, else the first in which something waits."""
    if name in set(Queue):
        return Queue(name)
    return next((queue for queue in Queue if counts[queue]), Queue.ALL)
