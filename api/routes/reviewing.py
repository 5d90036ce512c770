"""Review on the editor's page: approved, given back or withdrawn. Asking for one is a button of the text's own form."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.deps import WriterDep
from api.web import Page, editor
from kb import review
from kb.errors import Conflict, Forbidden, InvalidInput, TooLarge

router = APIRouter(include_in_schema=False)


class Decided(BaseModel):
    """The form of who decides a review."""

    action: str = ""
    """approve, defer or withdraw."""
    revision: int | None = None
    """Number of the one that was read."""
    message: str = ""


@router.post("/edit/{ref}/review")
def decide(request: Request, reader: WriterDep, ref: str, said: Annotated[Decided, Form()]) -> Response:
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader, to=f"/edit/{ref}")) is not None:
        return elsewhere
    seq, told = 0, "saved"
    try:
        with page.services.db.write() as session:
            item = editor.found(session, ref, reader)
            if said.action == "approve" and said.revision is not None:
                seq = review.approve(session, item, actor=reader, revision=said.revision, message=said.message).seq
            elif said.action == "defer":
                review.defer(session, item, actor=reader, revision=said.revision, message=said.message)
                told = "deferred"
            elif said.action == "withdraw":
                review.withdraw(session, item, actor=reader)
                told = "withdrawn"
            else:
                raise InvalidInput("approve (the revision that was read), defer or withdraw", field="action")
            number = item.number
    except (InvalidInput, TooLarge, Conflict, Forbidden) as error:
        return editor.as_it_is(page, reader, ref, problem=error, typed=said.message)
    return editor.done(page, number, seq, said=told)
