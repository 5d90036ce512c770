"""What an editor sees before publishing: what a draft would change for the questions asked, and who says it already.

Each is a page of its own for a browser without scripts; editor.js shows the same piece beside the text.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from api.deps import WriterDep
from api.routes.replay import replayed
from api.web import Page
from api.web.editor import Sent
from kb.access import Role
from kb.errors import Conflict, InvalidInput
from retrieval.duplicates import near_duplicates
from retrieval.replay import Outcome

router = APIRouter(include_in_schema=False)

SHOWN = 12
"""Most questions shown of each outcome."""
ORDER = (Outcome.BROKEN, Outcome.LOST, Outcome.NEWLY_ANSWERED, Outcome.TAKEN, Outcome.OTHER)
"""What an editor must see first."""


@router.post("/edit/duplicates")
def duplicates_piece(request: Request, reader: WriterDep, said: Annotated[Sent, Form()]) -> Response:
    """Return the published items that say what the form says, as it stands."""
    reader.require(Role.CONTRIBUTOR, "look for duplicates")
    page = Page(request)
    own = said.own.upper()
    try:
        found = near_duplicates(page.services.searcher, said.content(), lang=said.lang, reader=reader)
    except InvalidInput:  # nothing is written yet that could be looked for
        found = []
    return _piece(page, "_duplicates.html", found=[one for one in found if one.view.item.number != own])


@router.post("/edit/{ref}/replay")
def replay_piece(request: Request, reader: WriterDep, ref: str) -> Response:
    """Return what publishing the newest revision would change: it is the one that is saved, not the form."""
    page = Page(request)
    try:
        found = replayed(page.services, reader, ref)
    except (Conflict, InvalidInput) as error:
        return _piece(page, "_replay.html", found=None, groups=[], refused=error.message)
    groups = [(outcome.value, of[:SHOWN], len(of)) for outcome in ORDER if (of := found.of(outcome))]
    return _piece(page, "_replay.html", found=found, groups=groups, refused="")


def _piece(page: Page, template: str, **values: Any) -> Response:
    """Return the piece alone for the editor's script, else inside a page."""
    alone = page.request.headers.get("x-piece") == "1"
    return page.render(template if alone else "piece.html", piece=template, **values)
