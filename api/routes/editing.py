"""The pages of those who write: queues, and the editor of one item. Plain forms; editor.js adds comfort."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict
from sqlmodel import Session

from api.deps import ReaderDep, WriterDep
from api.web import Page, forms, rendering
from kb import editorial, items, queues, spaces
from kb.access import Principal, Role, scope_of
from kb.compose import FIELDS, compose
from kb.content import Content, Profile, choice, labels
from kb.errors import Conflict, Forbidden, InvalidInput, KBError, StaleRevision, TooLarge
from kb.items import ItemView
from kb.models import Audience, Confidence, Facet, Item, Kind, Revision, Space, State
from kb.queues import Queue

router = APIRouter(include_in_schema=False)

PER_PAGE = 50
WAIT_SECONDS = 10.0
"""Longest that the page waits for what was published to be found; it is kept in any case."""
KINDS = (Kind.ARTICLE, Kind.LESSON, Kind.CASE, Kind.ANSWER)
TEXTS = ("issue", "environment", "resolution", "cause", "body")
LISTS = ("products", "versions", "topics", "groups")


class Written(BaseModel):
    """What the fields of an editor's form say."""

    model_config = ConfigDict(frozen=True)

    title: str = ""
    issue: str = ""
    environment: str = ""
    resolution: str = ""
    cause: str = ""
    body: str = ""
    similar: str = ""
    """One question a line."""
    products: str = ""
    versions: str = ""
    topics: str = ""
    groups: str = ""
    """Separated by commas."""
    kind: str = Kind.ARTICLE.value
    lang: str = "en"
    audience: str = Audience.INTERNAL.value
    confidence: str = Confidence.NOT_VALIDATED.value
    owner: str = ""
    family: str = ""

    @classmethod
    def of(cls, item: Item, revision: Revision, view: ItemView) -> "Written":
        facets = {name: ", ".join(view.values(Facet(name.removesuffix("s")))) for name in LISTS}
        return cls(
            title=revision.title,
            **{name: getattr(revision, name) for name in TEXTS},
            similar="\n".join(revision.similar_questions),
            **facets,
            kind=item.kind.value,
            lang=item.lang,
            audience=item.audience.value,
            confidence=item.confidence.value,
            owner=item.owner or "",
            family=item.family or "",
        )

    def content(self) -> Content:
        return Content(
            title=self.title,
            **{name: getattr(self, name) for name in TEXTS},
            similar_questions=tuple(self.similar.splitlines()),
        )

    def profile(self, before: Profile | None = None) -> Profile:
        """Return what the item is to be; what the form does not show stays as it was before."""
        return Profile(
            kind=choice(Kind, self.kind, "kind") if before is None else before.kind,
            lang=self.lang.strip(),
            audience=choice(Audience, self.audience, "audience"),
            confidence=choice(Confidence, self.confidence, "confidence"),
            governance=before.governance if before is not None else Profile().governance,
            family=self.family.strip() or None,
            owner=self.owner.strip() or None,
            url=before.url if before is not None else None,
            labels=labels(**{name: tuple(forms.separated(getattr(self, name))) for name in LISTS}),
        )


class Sent(Written):
    """A form as it was sent."""

    action: str = "save"
    """Of the button pressed: save, publish or retire."""
    based_on: int | None = None
    message: str = ""
    space: str = ""
    own: str = ""
    """Number of the item that is written, if it has one already."""


@router.get("/edit")
def queue_page(request: Request, reader: ReaderDep, queue: str = "", q: str = "", start: str = "") -> Response:
    page = Page(request)
    if (elsewhere := _sign_in(page, reader)) is not None:
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
    if (elsewhere := _sign_in(page, reader)) is not None:
        return elsewhere
    kept = kind if kind in {one.value for one in KINDS} else Kind.ARTICLE.value
    return _form(page, reader, Written(kind=kept, lang=page.lang, title=title[:500], issue=issue[:5000]))


@router.post("/edit/new")
def create(request: Request, reader: WriterDep, said: Annotated[Sent, Form()]) -> Response:
    page = Page(request)
    if (elsewhere := _sign_in(page, reader)) is not None:
        return elsewhere
    try:
        with page.services.db.write() as session:
            space = spaces.by_key(session, said.space).id if said.space else None
            item, revision = editorial.create(session, said.content(), said.profile(), actor=reader, space_id=space)
            seq = _act(session, item, revision, reader, said.action)
            number = item.number
    except (InvalidInput, TooLarge, Conflict, Forbidden) as error:
        return _form(page, reader, said, problem=error, space=said.space)
    return _done(page, number, seq)


@router.post("/edit/preview")
def preview(request: Request, reader: WriterDep, said: Annotated[Sent, Form()]) -> Response:
    """Return what readers would see of the form as it stands, as a piece of HTML."""
    reader.require(Role.CONTRIBUTOR, "write items")
    page = Page(request)
    return page.render("_preview.html", title=said.title, body=_rendered(page, said))


@router.get("/edit/{ref}")
def edit_page(request: Request, reader: ReaderDep, ref: str, saved: str = "") -> Response:
    page = Page(request)
    if (elsewhere := _sign_in(page, reader)) is not None:
        return elsewhere
    with page.services.db.read() as session:
        item, revision, view = _found(session, ref, reader)
    return _form(page, reader, Written.of(item, revision, view), item=item, revision=revision, saved=saved)


@router.post("/edit/{ref}")
def save(request: Request, reader: WriterDep, ref: str, said: Annotated[Sent, Form()]) -> Response:
    page = Page(request)
    if (elsewhere := _sign_in(page, reader)) is not None:
        return elsewhere
    try:
        with page.services.db.write() as session:
            item, _, view = _found(session, ref, reader)
            if said.action == "retire":
                seq = editorial.retire(session, item, actor=reader)
            else:
                before = _profile(view)
                revision = editorial.revise(
                    session,
                    item,
                    said.content(),
                    actor=reader,
                    based_on=said.based_on,
                    message=said.message,
                )
                seq = 0
                if (wanted := said.profile(before)) != before:
                    seq = editorial.reprofile(session, item, wanted, actor=reader)
                seq = _act(session, item, revision, reader, said.action) or seq
            number = item.number
    except (InvalidInput, TooLarge, Conflict, Forbidden) as error:
        with page.services.db.read() as session:
            item, revision, _ = _found(session, ref, reader)
        return _form(page, reader, said, item=item, revision=revision, problem=error, based_on=said.based_on)
    return _done(page, number, seq)


def _act(session: Session, item: Item, revision: Revision, reader: Principal, action: str) -> int:
    """Do what the button pressed says, beyond saving; return the sequence number to wait for, 0 for none."""
    if action == "publish":
        return editorial.publish(session, item, revision, actor=reader).seq
    return 0


def _done(page: Page, number: str, seq: int) -> Response:
    """Show the item again, once what readers see of it can be found."""
    page.services.follower.wake()
    seen = page.services.follower.wait_for(seq, WAIT_SECONDS) if seq else False
    return RedirectResponse(page.url(f"/edit/{number}", saved="searchable" if seen else "saved"), 303)


def _sign_in(page: Page, reader: Principal) -> Response | None:
    """Return the way to the page of signing in, for who has not."""
    if reader.subject is not None:
        reader.require(Role.CONTRIBUTOR, "write items")
        return None
    return page.sign_in()


def _queue(name: str, counts: dict[Queue, int]) -> Queue:
    """Return the queue asked for, else the first in which something waits."""
    if name in set(Queue):
        return Queue(name)
    return next((queue for queue in Queue if counts[queue]), Queue.ALL)


def _found(session: Session, ref: str, reader: Principal) -> tuple[Item, Revision, ItemView]:
    """Return an item with its newest revision, for who may write it. Raises NotFound or Forbidden."""
    view = items.view(session, ref, scope_of(session, reader))
    editorial.require_writable(session, view.item, reader)
    return view.item, editorial.newest_revision(session, view.item), view


def _profile(view: ItemView) -> Profile:
    item = view.item
    return Profile(
        kind=item.kind,
        lang=item.lang,
        audience=item.audience,
        confidence=item.confidence,
        governance=item.governance,
        family=item.family,
        owner=item.owner,
        url=item.url,
        labels=view.labels,
    )


def _form(
    page: Page,
    reader: Principal,
    said: Written,
    *,
    item: Item | None = None,
    revision: Revision | None = None,
    problem: KBError | None = None,
    based_on: int | None = None,
    saved: str = "",
    space: str = "",
) -> Response:
    with page.services.db.read() as session:
        mine = reader.spaces_of(session, Role.CONTRIBUTOR)
        every = spaces.all_spaces(session)
        writable = [one for one in every if mine is None or one.id in mine]
        role = reader.role_in(session, item.space_id) if item is not None else reader.role
        live = session.get(Revision, item.live_revision_id) if item is not None and item.live_revision_id else None
    known: dict[str, Any] = {
        "item": item,
        "revision": revision,
        "live": live,
        "form": said,
        "spaces": writable,
        "space": space or _own_space(reader, every),
        "kinds": [kind.value for kind in KINDS],
        "audiences": [audience.value for audience in Audience],
        "confidences": [confidence.value for confidence in Confidence],
        "texts": FIELDS,
        "lists": LISTS,
        "based_on": based_on if based_on is not None else (revision.n if revision is not None else None),
        "publishes": role.rank >= Role.PUBLISHER.rank and (item is None or item.kind is not Kind.FIXED),
        "retires": role.rank >= Role.EDITOR.rank and item is not None and item.state is State.PUBLISHED,
        "problem": _told(page, problem) if problem is not None else "",
        "conflict": isinstance(problem, StaleRevision),
        "saved": saved if saved in ("saved", "searchable") else "",
        "body_html": _rendered(page, said) if item is not None else Markup(""),
    }
    return page.render("edit_item.html", status=problem.status if problem is not None else 200, **known)


def _own_space(reader: Principal, every: Any) -> str:
    own = next((one for one in every if one.id == reader.space), None)
    chosen: Space = own or next(one for one in every if one.parent_id is None)
    return chosen.key


def _told(page: Page, error: KBError) -> str:
    """Return what is wrong, in the page's language as far as it goes: the field, and what the rule says of it."""
    if isinstance(error, StaleRevision):
        return page.words("edit_conflict")
    if isinstance(error, Forbidden):
        return page.words("error_403")
    field = f"field_{error.field}" if error.field else ""
    return page.words("edit_problem", field=page.words(field) if page.words.has(field) else "", detail=error.message)


def _rendered(page: Page, said: Written) -> Markup:
    markdown = compose(lang=said.lang, **{name: getattr(said, name) for name in TEXTS})
    return rendering.article(markdown, resolve=lambda _: None, image=lambda text: page.words("image", text=text))
