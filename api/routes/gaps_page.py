"""The page of gaps, for those who write: a Pareto chart with its table, and one gap with what to do about it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from api.deps import ReaderDep, WriterDep
from api.gap_shapes import CENTRAL
from api.routes.gaps import Act, GapNumber, do
from api.web import Page, editor, forms, pareto
from kb import gaps
from kb.access import Principal
from kb.errors import Conflict, Forbidden, InvalidInput, KBError, NotFound, TooLarge
from kb.gaps import ACTIVE, ANSWERABLE, UNANSWERED
from kb.models import GapState

router = APIRouter(include_in_schema=False)

PER_PAGE = 50
BARS = 12
"""Gaps in the chart: as many as can be told apart on a phone."""
ASKED = 20
"""Questions shown of a gap, most asked first."""


class Acted(BaseModel):
    """The form of a button on the page of a gap."""

    action: Act
    item: str = ""
    reason: str = ""


@router.get("/gaps")
def gaps_page(
    request: Request, reader: ReaderDep, gap: str = "", state: str = "", start: str = "", done: str = ""
) -> Response:
    """The list, or one gap of it. What an address says wrongly is left out; a gap of others is not there."""
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader, to=page.url("/gaps", gap=gap, state=state))) is not None:
        return elsewhere
    if gap:
        return _one(page, reader, forms.number(gap, 15) or 0, done=done)
    return _list(page, reader, state, forms.number(start, 6) or 0)


@router.post("/gaps/{number}")
def act(request: Request, reader: WriterDep, number: GapNumber, said: Annotated[Acted, Form()]) -> Response:
    """Do what the button says: a draft is shown in its editor, everything else on the gap's page."""
    page = Page(request)
    if (elsewhere := editor.sign_in(page, reader, to=page.url("/gaps", gap=number))) is not None:
        return elsewhere
    try:
        with page.services.db.write() as session:
            do(session, reader, number, said.action, item=said.item.strip(), reason=said.reason, space="")
            item = gaps.get(session, number, actor=reader).item
            drafted = item.number if item is not None and said.action == "draft" else ""
    except (InvalidInput, TooLarge, Conflict, Forbidden, NotFound) as error:
        return _one(page, reader, number, problem=error, typed=said)
    if drafted:
        return editor.done(page, drafted)
    return RedirectResponse(page.url("/gaps", gap=number, done=said.action), 303)


def _list(page: Page, reader: Principal, state: str, offset: int) -> Response:
    wanted = (GapState(state),) if state in set(GapState) else ACTIVE
    with page.services.db.read() as session:
        found = gaps.listing(session, actor=reader, states=wanted)
    drawn = [one for one in found[:BARS] if one.times]
    chosen = state if state in set(GapState) else ""
    before, after = max(0, offset - PER_PAGE), offset + PER_PAGE
    return page.render(
        "gaps.html",
        rows=found[offset:after],
        count=len(found),
        times=sum(one.times for one in found),
        drawn=drawn,
        chart=pareto.chart([one.times for one in drawn], [one.cumulative for one in drawn]),
        states=list(GapState),
        chosen=chosen,
        earlier=page.url("/gaps", state=chosen, start=before) if offset else None,
        later=page.url("/gaps", state=chosen, start=after) if len(found) > after else None,
    )


def _one(
    page: Page,
    reader: Principal,
    number: int,
    *,
    done: str = "",
    problem: KBError | None = None,
    typed: Acted | None = None,
) -> Response:
    with page.services.db.read() as session:
        found = gaps.get(session, number, actor=reader)
    state = found.gap.state
    return page.render(
        "gap.html",
        status=problem.status if problem is not None else 200,
        found=found,
        asked=found.questions[:ASKED],
        central=found.central[:CENTRAL],
        drafts=state in UNANSWERED,
        answers=state in ANSWERABLE,
        ignores=state in ACTIVE,
        reopens=state is GapState.IGNORED,
        did=page.words(f"gap_did_{done}") if page.words.has(f"gap_did_{done}") else "",
        problem=page.words("people_problem", detail=problem.message) if problem is not None else "",
        typed=typed,
    )
