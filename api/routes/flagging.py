"""Flags on the pages: a problem reported below an article, and settled beside its text in the editor."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from api.deps import ReaderDep, WriterDep
from api.schemas import LARGEST
from api.web import Page, editor
from kb import flags, items
from kb.access import scope_of
from kb.content import choice
from kb.errors import Conflict, Forbidden, InvalidInput, TooLarge
from kb.models import FlagReason, FlagState

router = APIRouter(include_in_schema=False)


@router.post("/report/{ref}")
def report(
    request: Request,
    reader: ReaderDep,
    ref: str,
    reason: Annotated[str, Form()] = "",
    comment: Annotated[str, Form()] = "",
    revision: Annotated[int | None, Form(ge=1, le=LARGEST)] = None,
) -> Response:
    """Report a problem with an article, for who is signed in. A plain form, answered by the article."""
    page = Page(request)
    with page.services.db.write() as session:
        view = items.view(session, ref, scope_of(session, reader).published_only())
        chosen = choice(FlagReason, reason, "reason")
        flags.report(session, view, chosen, actor=reader, comment=comment, revision=revision)
        address = urlsplit(page.article(int(view.item.id or 0), view.revision.title)).path
    return RedirectResponse(page.url(address, reported="1") + "#report", 303)


@router.post("/edit/{ref}/flags")
def settle(
    request: Request,
    reader: WriterDep,
    ref: str,
    number: Annotated[int, Form(ge=1, le=LARGEST)],
    state: Annotated[str, Form()] = "",
    answer: Annotated[str, Form()] = "",
) -> Response:
    """Settle one of an article's flags."""
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader, to=f"/edit/{ref}")) is not None:
        return elsewhere
    try:
        with page.services.db.write() as session:
            shown = editor.found(session, ref, reader).number
            flags.settle(session, number, choice(FlagState, state, "state"), actor=reader, answer=answer)
    except (InvalidInput, TooLarge, Conflict, Forbidden) as error:
        return editor.as_it_is(page, reader, ref, problem=error)
    return editor.done(page, shown, said="flag_settled")
