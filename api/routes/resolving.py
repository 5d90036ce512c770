"""The page on which an agent resolves a case: what is known of it, the review of what is personal, what was kept.

Between the steps the case is in hidden fields of the page and nowhere else; no browser may keep the page.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict

from api.deps import ReaderDep, WriterDep
from api.routes.cases import beside, captured
from api.web import Page, editor
from ingest.capture import FIELDS, LABELS, TEXTS, Case, Decisions, Marked, Reviewed, reviewed
from ingest.redaction import Kind
from kb import items, spaces
from kb.access import Principal, Role, scope_of
from kb.content import choice, storable
from kb.errors import InvalidInput, KBError

router = APIRouter(include_in_schema=False)

PATH = "/cases/new"
MORE_TO_HIDE = 3
"""Empty lines for what was not found."""


class Told(BaseModel):
    """The form of a case, in each of its steps. A missing field decides for what shows less."""

    model_config = ConfigDict(frozen=True)

    number: str = ""
    title: str = ""
    issue: str = ""
    environment: str = ""
    resolution: str = ""
    cause: str = ""
    product: str = ""
    version: str = ""
    channel: str = ""
    lang: str = ""
    """Empty: told from the text."""
    space: str = ""
    undone: list[str] = []
    """Found, and not personal."""
    hide: list[str] = []
    hide_kind: list[str] = []
    """Of each text to hide."""
    draft: str = ""
    action: str = "review"
    """Of the button pressed: review, edit or keep."""

    def added(self) -> list[tuple[Kind, str]]:
        """Return what is to be hidden too. Raises InvalidInput."""
        if len(self.hide) != len(self.hide_kind):
            raise InvalidInput("each text to hide needs its kind", field="added")
        return [
            (choice(Kind, kind, "added"), text.strip())
            for text, kind in zip(self.hide, self.hide_kind, strict=True)
            if text.strip()
        ]

    def reviewed(self, page: Page, added: Sequence[tuple[Kind, str]]) -> Reviewed:
        """Raises as `ingest.capture.reviewed`."""
        case = Case(**{name: getattr(self, name) for name in FIELDS}, lang=self.lang or None)
        undone = frozenset(map(storable, self.undone))  # browsers send line ends of their own
        return reviewed(case, page.services.redactor.find, Decisions(undone, tuple(added)))


@router.get(PATH)
def case_page(request: Request, reader: ReaderDep, kept: str = "", again: str = "", article: str = "") -> Response:
    """An empty form; above it, what was kept a moment ago."""
    page = Page(request)
    if (elsewhere := _sign_in(page, reader)) is not None:
        return elsewhere
    with page.services.db.read() as session:
        scope = scope_of(session, reader)
        done, drafted = (items.get(session, ref, scope).number if ref else "" for ref in (kept, article))
    return _form(page, reader, Told(), kept=done, again=bool(again), article=drafted)


@router.post(PATH)
def resolve_case(request: Request, reader: WriterDep, said: Annotated[Told, Form()]) -> Response:
    """Show the review of a case, or its form again, or keep it."""
    page = Page(request)
    if (elsewhere := _sign_in(page, reader)) is not None:
        return elsewhere
    if said.action == "edit":
        return _form(page, reader, said)
    if said.draft and said.action == "keep":
        reader.require(Role.CONTRIBUTOR, "draft articles from cases")
    try:
        seen = said.reviewed(page, said.added())
        if said.action != "keep":
            return _review(page, reader, said, seen)
        number, space = said.number.strip(), said.space or None
        done, article = captured(page.services, reader, number, space, seen, draft=bool(said.draft))
    except KBError as error:
        if error.field != "added":
            return _form(page, reader, said, error)
        return _review(page, reader, said, said.reviewed(page, []), error)
    page.services.follower.wake()
    where = page.url(PATH, kept=done.item.number, again=int(done.again) or None, article=article)
    return _unkept(RedirectResponse(where, 303))


def _sign_in(page: Page, reader: Principal) -> Response | None:
    """Return the way to the page of signing in, for who has not. Raises Forbidden below agent."""
    if reader.subject is None:
        return page.sign_in(PATH)
    reader.require(Role.AGENT, "capture cases")
    return None


def _form(
    page: Page,
    reader: Principal,
    said: Told,
    error: KBError | None = None,
    *,
    kept: str = "",
    again: bool = False,
    article: str = "",
) -> Response:
    with page.services.db.read() as session:
        mine = reader.spaces_of(session, Role.AGENT)
        every = spaces.all_spaces(session)
    return _shown(
        page,
        "case.html",
        said,
        error,
        texts=TEXTS[1:],
        labels=LABELS,
        spaces=[one for one in every if mine is None or one.id in mine],
        space=said.space or editor.own_space(reader, every),
        kept=kept,
        again=again,
        article=article,
        writes=reader.at_least(Role.CONTRIBUTOR),
    )


def _review(page: Page, reader: Principal, said: Told, seen: Reviewed, error: KBError | None = None) -> Response:
    known, near = beside(page.services, reader, said.number.strip(), seen)
    kept = {name: getattr(seen.redacted, name) for name in FIELDS} | {"environment": seen.content().environment}
    given = {name: getattr(seen.case, name) for name in FIELDS}
    found = {one.finding.text: one for name in FIELDS for one in seen.marked[name]}
    return _shown(
        page,
        "case_review.html",
        said,
        error,
        carried=[(name, getattr(said, name)) for name in ("number", *FIELDS, "lang", "space")],
        fields=[(name, _pieces(given[name], seen.marked[name]), kept[name]) for name in FIELDS if kept[name]],
        found=list(found.values()),
        hidden=[(text, kind) for text, kind in zip(said.hide, said.hide_kind, strict=False) if text.strip()],
        more=range(MORE_TO_HIDE),
        kinds=[kind.value for kind in Kind],
        case_lang=seen.lang,
        known=known.number if known is not None else "",
        near=near,
        drafts=reader.at_least(Role.CONTRIBUTOR),
    )


def _pieces(text: str, marked: Sequence[Marked]) -> list[tuple[str, Marked | None]]:
    """Return the text in pieces, what was found each with what is known of it."""
    pieces: list[tuple[str, Marked | None]] = []
    end = 0
    for one in marked:
        pieces += [(text[end : one.finding.start], None), (one.finding.text, one)]
        end = one.finding.end
    return [*pieces, (text[end:], None)]


def _shown(page: Page, template: str, said: Told, error: KBError | None, **values: Any) -> Response:
    problem = editor.told(page, error) if error is not None else ""
    status = error.status if error is not None else 200
    return _unkept(page.render(template, status=status, form=said, problem=problem, **values))


def _unkept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
