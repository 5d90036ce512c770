"""The page on which an item is written: what its form says, and how it is shown."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field, Json
from sqlmodel import Session

from api.web import Page, forms, panels, rendering
from api.web.meanwhile import Meanwhile
from api.web.panels.desk import Desk
from kb import drafts, editorial, items, pending, spaces
from kb.access import Principal, Role, scope_of
from kb.compose import FIELDS, compose
from kb.content import Content, Profile, choice, labels
from kb.errors import Forbidden, KBError, StaleRevision
from kb.models import Audience, Confidence, Facet, Item, Kind, Revision, Space, State

KINDS = (Kind.ARTICLE, Kind.LESSON, Kind.CASE, Kind.ANSWER)
TEXTS = (*FIELDS, "body")
LISTS = ("products", "versions", "topics", "groups")
ABOUT = (*LISTS, "kind", "lang", "audience", "confidence", "owner", "family")
"""Fields of what an item is, beside what it says."""
WAIT_SECONDS = 10.0
"""Longest that a page waits for what was published to be found; it is kept in any case."""


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
    def of(cls, content: Content, profile: Profile) -> "Written":
        """Return the form that says this."""
        facets = {name: ", ".join(profile.values(Facet(name.removesuffix("s")))) for name in LISTS}
        return cls(
            title=content.title,
            **{name: getattr(content, name) for name in TEXTS},
            similar="\n".join(content.similar_questions),
            **facets,
            kind=profile.kind.value,
            lang=profile.lang,
            audience=profile.audience.value,
            confidence=profile.confidence.value,
            owner=profile.owner or "",
            family=profile.family or "",
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
    """Of the button pressed: save, submit, publish, retire, or discard what was typed before."""
    based_on: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    was: Json[Written] | None = None
    """What the item was when the form was opened: only what differs from it is a change of this form."""
    message: str = ""
    space: str = ""
    own: str = ""
    """Number of the item that is written, if it has one already."""

    def opened(self, now: Profile) -> Profile:
        """Return what the item was when the form was opened; a form that does not say saw it as it is now."""
        return self.was.profile(now) if self.was is not None else now

    def saying(self, content: Content, profile: Profile) -> Self:
        """Return the form with other texts and properties in its fields."""
        return self.model_copy(update=Written.of(content, profile).model_dump())


def sign_in(page: Page, reader: Principal, to: str | None = None) -> Response | None:
    """Return the way to the page of signing in (and to `to` from there), for who has not.

    Raises Forbidden below contributor.
    """
    if reader.subject is not None:
        reader.require(Role.CONTRIBUTOR, "write items")
        return None
    return page.sign_in(to)


def found(session: Session, ref: str, reader: Principal) -> Item:
    """Return an item for who may write it. Raises NotFound or Forbidden."""
    item = items.get(session, ref, scope_of(session, reader))
    if item.kind is Kind.FIXED:
        reader.require_in(session, Role.EDITOR, item.space_id, "change fixed answers")
    reader.require_in(session, Role.CONTRIBUTOR, item.space_id, "change items")
    return item


def done(page: Page, number: str, seq: int = 0, *, said: str = "saved") -> Response:
    """Show an item again, once what readers see of it can be found; `seq`: what to wait for, 0: nothing."""
    page.services.follower.wake()
    seen = page.services.follower.wait_for(seq, WAIT_SECONDS) if seq else False
    return RedirectResponse(page.url(f"/edit/{number}", saved="searchable" if seen else said), 303)


def as_it_is(page: Page, reader: Principal, ref: str, **values: Any) -> Response:
    """Return the editor with what an item says now; `values` as `form` takes them."""
    with page.services.db.read() as session:
        item = found(session, ref, reader)
        said = Written.of(Content.of(editorial.newest_revision(session, item)), editorial.profile_of(session, item))
    return form(page, reader, said, item=item, changed=False, **values)


def going_on(page: Page, reader: Principal, ref: str) -> Response:
    """Return the editor with the texts that the reader typed before and did not save; as it is where there are none.

    Properties are those of now: who reads an item may have been narrowed since.
    """
    with page.services.db.read() as session:
        item = found(session, ref, reader)
        rows = drafts.mine(session, scope_of(session, reader), actor=reader)
        draft = next((row for row in rows if row.key == item.number), None)
        if draft is not None:
            said = Written.of(drafts.content_of(draft), editorial.profile_of(session, item))
    if draft is None:
        return as_it_is(page, reader, ref)
    return form(page, reader, said, item=item, based_on=draft.based_on, resumed=True)


def form(
    page: Page,
    reader: Principal,
    said: Written,
    *,
    item: Item | None = None,
    problem: KBError | None = None,
    based_on: int | None = None,
    saved: str = "",
    space: str = "",
    typed: str = "",
    changed: bool = True,
    meanwhile: Meanwhile | None = None,
    was: Written | None = None,
    resumed: bool = False,
) -> Response:
    """Return the editor with a form that says `said`: of an item that the reader may write, else of one to be.

    `typed`: what was typed in the form of a panel that could not be done; `changed`: after a problem, `said` is not
    saved; `meanwhile`: what others saved since the form was opened; `was`: what the item was then, default: what it is
    now; `resumed`: the form says the reader's draft.
    """
    with page.services.db.read() as session:
        mine = reader.spaces_of(session, Role.CONTRIBUTOR)
        every = spaces.all_spaces(session)
        role = reader.role_in(session, item.space_id) if item is not None else reader.role
        revision = editorial.newest_revision(session, item) if item is not None else None
        live = session.get(Revision, item.live_revision_id) if item is not None and item.live_revision_id else None
        in_review = item is not None and pending.open_review(session, item) is not None
        desk = None
        if item is not None and revision is not None:
            was = was or Written.of(Content(title=""), editorial.profile_of(session, item))
            desk = Desk(page, session, reader, role, item, revision)
        beside = panels.shown(desk)
    known: dict[str, Any] = {
        "item": item,
        "revision": revision,
        "live": live,
        "form": said,
        "spaces": [one for one in every if mine is None or one.id in mine],
        "space": space or own_space(reader, every),
        "kinds": [kind.value for kind in KINDS],
        "audiences": [audience.value for audience in Audience],
        "confidences": [confidence.value for confidence in Confidence],
        "texts": FIELDS,
        "lists": LISTS,
        "based_on": based_on if based_on is not None else (revision.n if revision is not None else None),
        "publishes": role.rank >= Role.PUBLISHER.rank
        and not in_review
        and (item is None or item.kind is not Kind.FIXED),
        "retires": role.rank >= Role.EDITOR.rank and item is not None and item.state is State.PUBLISHED,
        "problem": told(page, problem) if problem is not None else "",
        "changed": problem is not None and changed,
        "meanwhile": meanwhile,
        "resumed": resumed,
        "was": was.model_dump_json(include=set(ABOUT)) if was is not None else "",
        "saved": saved if page.words.has(f"said_{saved}") else "",
        "body_html": rendered(page, said) if item is not None else Markup(""),
        "panels": beside,
        "typed": typed,
    }
    return page.render("edit_item.html", status=problem.status if problem is not None else 200, **known)


def told(page: Page, error: KBError) -> str:
    """Return what is wrong, in the page's language as far as it goes: the field, and what the rule says of it."""
    if isinstance(error, StaleRevision):
        return page.words("edit_conflict")
    if isinstance(error, Forbidden):
        return page.words("error_403")
    field = f"field_{error.field}" if error.field else ""
    return page.words("edit_problem", field=page.words(field) if page.words.has(field) else "", detail=error.message)


def rendered(page: Page, said: Written) -> Markup:
    """Return what readers would see of the form."""
    markdown = compose(lang=said.lang, **{name: getattr(said, name) for name in TEXTS})
    return rendering.article(
        markdown,
        resolve=lambda _: None,
        image=lambda text: page.words("image", text=text),
        label=page.applies_to,
    )


def own_space(reader: Principal, every: Sequence[Space]) -> str:
    """Return the key of the space that a form names first: the reader's own, else the root."""
    own = next((one for one in every if one.id == reader.space), None)
    chosen = own or next(one for one in every if one.parent_id is None)
    return chosen.key
