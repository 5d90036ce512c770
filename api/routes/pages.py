"""The self-help pages: home, results with the answer, instant results, articles, lists, feedback."""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from api import metrics
from api.auth import own_origin
from api.conversations import NEW, Asked, ask, keep
from api.deps import ReaderDep
from api.leaving import while_there
from api.schemas import answer_event, search_event
from api.web import Page, forms, rendering
from kb import capture, items, redirects, translations
from kb.access import Principal, Scope, scope_of
from kb.applies import occurring, parts
from kb.compose import composed
from kb.content import storable
from kb.errors import InvalidInput, NotFound
from kb.events import Happened
from kb.items import ItemView
from kb.models import EventKind, Facet, FlagReason, Kind, Significance
from retrieval.abstain import Band
from retrieval.answer import Answer, answer_from, answered, events_from
from retrieval.citations import Citation
from retrieval.search import Results
from retrieval.types import Filters

router = APIRouter(include_in_schema=False)

PER_PAGE = 30
LONGEST_AFTER = 500
HITS = 15
INSTANT = 6
REASONS = ("inaccurate", "confusing", "visuals", "missing", "other")
_TABS: dict[str, frozenset[str]] = {
    "all": frozenset(),
    "kb": frozenset({Kind.ARTICLE.value, Kind.CASE.value, Kind.LESSON.value, Kind.FIXED.value}),
    "community": frozenset({Kind.ANSWER.value}),
}
_REF = re.compile(r"(KB-[1-9][0-9]{0,17})(?:-.*)?", re.IGNORECASE | re.DOTALL)
_UID = re.compile(r"[0-9a-f]{32}")

Text = Annotated[str, Query()]


@router.get("/")
def home(request: Request, reader: ReaderDep) -> Response:
    page = Page(request)
    with page.services.db.read() as session:
        scope = scope_of(session, reader)
        topics = items.counts(session, scope, Facet.TOPIC, langs=[page.lang])
        return page.render(
            "home.html",
            products=items.counts(session, scope, Facet.PRODUCT, langs=[page.lang])[:12],
            topics=[one for one in topics if not one[0].startswith(capture.CHANNEL)][:14],
            recent=items.listing(session, scope, kinds=[Kind.ARTICLE], langs=[page.lang], limit=6),
        )


@router.get("/search")
def results(
    request: Request,
    reader: ReaderDep,
    q: Text = "",
    product: Text = "",
    version: Text = "",
    tab: Text = "all",
    conversation: Text = "",
    after: Text = "",
    typed: Text = "",
    exact: Text = "",
) -> Response:
    """Results with the answer. `after` is the question before, where a follow-up begins a conversation."""
    page = Page(request)
    if not q.strip():
        return RedirectResponse(page.url("/"), 303)
    tab = tab if tab in _TABS else "all"
    labels = {"product": product, "version": version}
    filters = Filters(kinds=_TABS[tab], labels={facet: frozenset({value}) for facet, value in labels.items() if value})
    asked = _asked(page, reader, q, conversation, after[:LONGEST_AFTER], as_typed=typed == "1")
    text = asked.understood.text
    found = page.services.searcher.search(
        text, reader=reader, filters=filters, limit=HITS, lang=page.lang, exact=bool(exact)
    )
    chosen = {"tab": tab, **{facet: value for facet, value in labels.items() if value}}
    searched = Happened(
        kind=EventKind.SEARCH,
        role=reader.role.value,
        space=reader.space,
        visitor=page.visitor,
        text=found.question,
        data=search_event(found, mode="hybrid", filters=chosen),
    )
    page.services.events.add(searched)
    said = _answer(page, found, reader, searched.uid, asked) if filters == Filters() else None
    keep(page.services, asked, said)
    with page.services.db.read() as session:
        scope = scope_of(session, reader)
        facets = [
            (facet.value, values, labels[facet.value])
            for facet in (Facet.PRODUCT, Facet.VERSION)
            if (values := sorted(value for value, _ in items.counts(session, scope, facet)[:60]))
        ]
        answer_html = _answer_html(page, session, scope, said, searched.uid) if said is not None else None
    wanted = set(found.terms)
    return page.render(
        "results.html",
        question=found.question if asked.understood_as is None else asked.typed,
        understood_as=asked.understood_as,
        conversation=asked.conversation,
        turns=[(turn.asked, turn.understood) for turn in asked.before],
        truncated=found.truncated,
        corrected=found.corrected,
        as_typed=page.url(
            "/search",
            q=asked.typed,
            tab=tab if tab != "all" else None,
            conversation=asked.conversation,
            typed=1 if asked.understood_as is not None or typed else None,
            exact=1 if found.corrected is not None or exact else None,
            **labels,
        ),
        exact=bool(exact),
        said=said,
        written_url=page.url("/written", q=found.searched, **{"from": searched.uid}) if _writes(page, said) else None,
        answer_html=answer_html,
        cited=lambda citation: _cited(page, citation, searched.uid),
        hits=found.hits,
        page=lambda item, title, rank=None: page.article(item, title, rank, searched.uid),
        mark_title=lambda hit: rendering.marked(hit.found.title, wanted),
        snippet=lambda hit: rendering.snippet(hit.found.text, wanted),
        tab=tab,
        tabs=[
            (
                f"tab_{name}",
                page.url("/search", q=q, tab=name, conversation=asked.conversation, typed=typed, exact=exact, **labels),
                name == tab,
            )
            for name in _TABS
        ],
        facets=facets,
        community_url=page.services.settings.community_url,
        support_url=page.services.settings.support_url,
    )


@router.get("/written")
async def written(
    request: Request, reader: ReaderDep, q: Text = "", origin: Annotated[str, Query(alias="from")] = ""
) -> Response:
    """The answer in the words of the language model, to stand in the place of the extract; 204 where there is none."""
    page = Page(request)
    parts = page.services
    if parts.writer is None or not q.strip():
        return Response(status_code=204)
    found = await run_in_threadpool(parts.searcher.search, q, reader=reader, limit=HITS, lang=page.lang)
    events = events_from(parts.searcher, found, reader=reader, lang=page.lang, writer=parts.writer)
    said = await while_there(request, answered(events))
    origin = origin if _UID.fullmatch(origin) else ""
    _log_answer(page, said, reader, origin)
    if not said.generated:
        return Response(status_code=204)

    def rendered() -> Response:
        with parts.db.read() as session:
            html = _answer_html(page, session, scope_of(session, reader), said, origin)
        return page.render(
            "_said.html", said=said, answer_html=html, cited=lambda citation: _cited(page, citation, origin)
        )

    return await run_in_threadpool(rendered)


@router.get("/instant")
def instant(request: Request, reader: ReaderDep, q: Text = "") -> Response:
    """A list of options for the search box; an empty one for nothing typed."""
    page = Page(request)
    if not q.strip():
        return page.render("instant.html", hits=[])
    # Half a word is not a mistyped one: while it is being typed, nothing is corrected.
    found = page.services.searcher.search(q, reader=reader, limit=INSTANT, lang=page.lang, exact=True)
    searched = Happened(
        kind=EventKind.SEARCH,
        role=reader.role.value,
        space=reader.space,
        visitor=page.visitor,
        text=found.question,
        data=search_event(found, mode="hybrid", filters={}, instant=True),
    )
    page.services.events.add(searched)
    wanted = set(found.terms)
    return page.render(
        "instant.html",
        hits=found.hits,
        page=lambda item, title, rank=None: page.article(item, title, rank, searched.uid),
        mark_title=lambda hit: rendering.marked(hit.found.title, wanted),
        snippet=lambda hit: rendering.snippet(hit.found.text, wanted),
    )


@router.get("/a/{ref:path}")
def article(
    request: Request,
    reader: ReaderDep,
    ref: str,
    rank: Annotated[str, Query()] = "",
    origin: Annotated[str, Query(alias="from")] = "",
    voted: Text = "",
    reported: Text = "",
    product: Text = "",
    version: Text = "",
    platform: Text = "",
) -> Response:
    """An article. `product`, `version` and `platform` leave out the sections that do not apply to them."""
    page = Page(request)
    asked = {"product": product, "version": version, "platform": platform}
    with page.services.db.read() as session:
        scope = scope_of(session, reader).published_only()
        try:
            view = _view(session, ref, scope)
        except NotFound:
            return RedirectResponse(page.url(_moved(page, session, ref, scope)), 308)
        title, number = view.revision.title, int(view.item.id or 0)
        address = page.article(number, title)
        if request.url.path != _path(address):
            kept = {
                "from": origin or None,
                "rank": rank or None,
                "voted": voted or None,
                "reported": reported or None,
                **asked,
            }
            return RedirectResponse(page.url(_path(address), **kept), 301)
        others = items.translations(session, view.item, scope)
        titles = items.titles(session, scope, [int(other.id or 0) for other in others])
        behind, source = _behind(session, view, scope)
        markdown = compose_view(view)
        choices = occurring(part.applies for part in parts(markdown))
        picks = {facet: [asked[facet]] for facet in choices if asked[facet]}
        body = rendering.article(
            markdown,
            resolve=_resolver(page, session, scope, view.item.source, view.item.external_id, markdown),
            passages=items.passages(session, number, page.services.index.generation),
            image=lambda text: page.words("image", text=text),
            label=page.applies_to,
            picks=picks,
        )
    origin = origin if _UID.fullmatch(origin) else ""
    if origin:
        position = forms.number(rank, 3)
        page.services.events.add(
            Happened(
                kind=EventKind.CLICK,
                role=reader.role.value,
                space=reader.space,
                visitor=page.visitor,
                parent=origin,
                item_id=number,
                data={"rank": position, "revision": view.revision.id},
            )
        )
    return page.render(
        "article.html",
        view=view,
        body=body,
        products=view.values(Facet.PRODUCT),
        versions=view.values(Facet.VERSION),
        others=[(other, titles[int(other.id or 0)]) for other in others if int(other.id or 0) in titles],
        alternates=[(other.lang, page.article(int(other.id or 0), titles[int(other.id or 0)])) for other in others],
        choices=[(facet, values, asked[facet]) for facet, values in choices.items()],
        behind=behind,
        source=source,
        voted=voted,
        vote_url=page.url(f"/vote/{view.item.number}"),
        origin=origin,
        reasons=REASONS,
        reported=reported,
        flag_reasons=list(FlagReason),
        flag_url=page.url(f"/report/{view.item.number}"),
    )


@router.post("/vote/{ref}", dependencies=[Depends(own_origin)])
def vote(
    request: Request,
    reader: ReaderDep,
    ref: str,
    helpful: Annotated[str, Form()],
    revision: Annotated[int, Form(ge=1)],
    parent: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    comment: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Keep whether an article helped, and why not. Without JavaScript: a plain form, answered by a redirect."""
    page = Page(request)
    if helpful not in ("yes", "no") or (reason and reason not in REASONS) or (parent and not _UID.fullmatch(parent)):
        raise InvalidInput("this vote cannot be read; open the article again and vote there")
    with page.services.db.read() as session:
        view = _view(session, ref, scope_of(session, reader).published_only())
    page.services.events.add(
        Happened(
            kind=EventKind.VOTE,
            role=reader.role.value,
            space=reader.space,
            visitor=page.visitor,
            parent=parent or None,
            item_id=view.item.id,
            text=storable(comment),
            data={"helpful": helpful == "yes", "reason": reason or None, "revision": revision},
        )
    )
    # A "no" is kept at once; why is asked afterwards and may stay unanswered.
    state = "no" if helpful == "no" and not reason else "thanks"
    address = page.article(int(view.item.id or 0), view.revision.title)
    return RedirectResponse(page.url(_path(address), **{"voted": state}) + "#feedback", 303)


@router.get("/p/{product}")
def by_product(request: Request, reader: ReaderDep, product: str, start: Text = "0") -> Response:
    return _browse(Page(request), reader, Facet.PRODUCT, product, start)


@router.get("/t/{topic}")
def by_topic(request: Request, reader: ReaderDep, topic: str, start: Text = "0") -> Response:
    return _browse(Page(request), reader, Facet.TOPIC, topic, start)


def _behind(session: Session, view: ItemView, scope: Scope) -> tuple[str, int]:
    """Return how far a translation is behind by more than slips, and the id of its source; of one that may be read."""
    late = translations.behind(session, [int(view.item.id or 0)]).get(int(view.item.id or 0))
    if late is None or late is Significance.MINOR:
        return "", 0
    source = translations.source_of(session, view.item)
    number = int(source.id or 0) if source is not None else 0
    return (late.value, number) if number in items.titles(session, scope, [number]) else ("", 0)


def compose_view(view: ItemView) -> str:
    """Return the whole text of an item as one Markdown."""
    revision = view.revision
    return composed(view.item.lang, revision)


def _browse(page: Page, reader: Principal, facet: Facet, value: str, start: str) -> Response:
    offset = forms.number(start, 6) or 0
    with page.services.db.read() as session:
        scope = scope_of(session, reader)
        rows = items.listing(session, scope, label=(facet, value), langs=[page.lang], limit=PER_PAGE + 1, offset=offset)
        if not rows:  # nothing in the page's language: better another than nothing
            rows = items.listing(session, scope, label=(facet, value), limit=PER_PAGE + 1, offset=offset)
    if not rows:
        raise NotFound("there is nothing here that you may read")
    path = page.request.url.path
    return page.render(
        "browse.html",
        value=value,
        rows=rows[:PER_PAGE],
        earlier=page.url(path, start=max(0, offset - PER_PAGE)) if offset else None,
        later=page.url(path, start=offset + PER_PAGE) if len(rows) > PER_PAGE else None,
    )


def _asked(page: Page, reader: Principal, q: str, conversation: str, after: str, *, as_typed: bool) -> Asked:
    """Return the question in its conversation; one that has ended, or that another browser began, is begun anew."""
    if not conversation and not after.strip():
        return ask(page.services, reader, q)
    try:
        return ask(
            page.services,
            reader,
            q,
            conversation=conversation or NEW,
            owner=page.visitor,
            as_typed=as_typed,
            after=after,
        )
    except NotFound:
        return ask(page.services, reader, q)


def _answer(page: Page, found: Results, reader: Principal, searched: str, asked: Asked) -> Answer:
    said = answer_from(page.services.searcher, found, reader=reader, lang=page.lang)
    _log_answer(page, said, reader, searched, asked)
    return said


def _writes(page: Page, said: Answer | None) -> bool:
    """Say whether a language model may have more to say than the extract."""
    return page.services.writer is not None and said is not None and said.band is Band.ANSWER and said.fixed is None


def _log_answer(page: Page, said: Answer, reader: Principal, searched: str, asked: Asked | None = None) -> None:
    page.services.events.add(
        Happened(
            kind=EventKind.ANSWER,
            role=reader.role.value,
            space=reader.space,
            visitor=page.visitor,
            parent=searched or None,
            text=said.question,
            data=answer_event(said, asked),
        )
    )
    metrics.count_generation(said)


def _answer_html(page: Page, session: Session, scope: Scope, said: Answer, searched: str) -> Any:
    if not said.citations:
        return ""
    by_number = {citation.n: citation for citation in said.citations}
    found = said.citations[0].found
    item = items.get(session, found.number, scope)
    return rendering.answer(
        said.text,
        lambda n: _cited(page, by_number[n], searched) if n in by_number else None,
        resolve=_resolver(page, session, scope, item.source, item.external_id, said.text),
        marks=_marks(said),
    )


def _marks(said: Answer) -> list[tuple[int, int]]:
    """Return where in an answer's text the sentences are that answer likeliest; none that is all there is."""
    marks: list[tuple[int, int]] = []
    for citation in said.citations:
        start, end = citation.best
        at = said.text.find(citation.quote, marks[-1][1] if marks else 0)
        if at >= 0 and start < end and end - start < len(citation.quote):
            marks.append((at + start, at + end))
    return marks


def _cited(page: Page, citation: Citation, searched: str) -> str:
    found = citation.found
    return f"{page.article(found.item_id, found.title, citation.n, searched)}#p-{found.passage_id}"


def _resolver(
    page: Page, session: Session, scope: Scope, source: str, external_id: str, markdown: str
) -> rendering.Resolve:
    """Return what leads relative links to pages of the same source that the reader may read."""
    meant = {href: rendering.candidates(href, external_id) for href in rendering.relative_links(markdown)}
    known = items.by_external_ids(session, scope, source, {name for names in meant.values() for name in names})

    def resolve(href: str) -> str | None:
        found = next((known[name] for name in meant.get(href, ()) if name in known), None)
        return page.article(*found) if found is not None else None

    return resolve


def _view(session: Session, ref: str, scope: Scope) -> ItemView:
    match = _REF.fullmatch(ref)
    if match is None:
        raise NotFound("there is no such article")
    return items.view(session, match[1].upper(), scope)


def _moved(page: Page, session: Session, ref: str, scope: Scope) -> str:
    """Return the path of the article that this one was merged into. Raises NotFound."""
    match = _REF.fullmatch(ref)
    if match is None:
        raise NotFound("there is no such article")
    number = int(redirects.resolve(session, match[1].upper(), scope).id or 0)
    return _path(page.article(number, items.titles(session, scope, [number])[number]))


def _path(address: str) -> str:
    return urlsplit(address).path
