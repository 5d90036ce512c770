"""kb search and kb ask: what a reader would find, from the command line."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.markdown import Markdown

from api.commands.common import DataOption, JsonOption, RoleOption, emit, err, out, reader, services
from api.schemas import answer_event, answer_out, search_event, search_out
from api.services import Services
from kb import spaces
from kb.access import Principal
from kb.conversations import MOST_TURNS
from kb.events import Happened
from kb.models import EventKind, Facet
from retrieval.abstain import Band
from retrieval.answer import Answer, answer
from retrieval.followup import Turn, understand
from retrieval.search import Mode, Results, checked_question
from retrieval.types import Filters

ExactOption = Annotated[bool, typer.Option("--exact", help="Search exactly as typed: correct nothing.")]

EnvironmentOption = Annotated[
    str | None,
    typer.Option(help="Products, versions, platform of the case: searched too, and what names the same rises."),
]


def register(app: typer.Typer) -> None:
    app.command("search")(search)
    app.command("ask")(ask)


def search(
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    role: RoleOption = "anonymous",
    lang: Annotated[list[str] | None, typer.Option(help="Only items in this language (may be repeated).")] = None,
    product: Annotated[list[str] | None, typer.Option(help="Only for this product (may be repeated).")] = None,
    version: Annotated[list[str] | None, typer.Option(help="Only for this version (may be repeated).")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only items of this kind (may be repeated).")] = None,
    space: Annotated[list[str] | None, typer.Option(help="Only items of this space (may be repeated).")] = None,
    limit: Annotated[int, typer.Option(help="Most items, 1 to 100.")] = 10,
    mode: Annotated[Mode, typer.Option(help="Which legs to ask.")] = Mode.HYBRID,
    exact: ExactOption = False,
    environment: EnvironmentOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find items."""
    who = reader(role)
    with services(data) as opened:
        with opened.db.read() as session:
            space_ids = frozenset(int(spaces.by_key(session, key).id or 0) for key in space or ())
        filters = make_filters(lang, product, version, kind, space_ids)
        results = opened.searcher.search(
            question, reader=who, filters=filters, limit=limit, mode=mode, exact=exact, environment=environment
        )
        happened = Happened(
            kind=EventKind.SEARCH,
            role=who.role.value,
            text=results.question,
            data=search_event(results, mode=mode.value, filters={}),
        )
        opened.events.add(happened)
    if as_json:
        emit(search_out(results, happened.uid).model_dump())
        return
    _tell_corrected(results)
    if not results.hits:
        out.print("Nothing found.")
    for rank, hit in enumerate(results.hits, start=1):
        found = hit.found
        out.print(f"[bold]{rank}. ", end="")
        out.print(
            f"{found.title}  [{found.number}, {found.kind}, {found.lang}, {found.audience}]",
            markup=False,
            highlight=False,
        )
        if hit.environment:
            out.print(f"   ({', '.join(hit.environment)})", markup=False, highlight=False, style="dim")
        snippet = " ".join(found.text.split())
        out.print(f"   {snippet[:200]}{'…' if len(snippet) > 200 else ''}", markup=False, highlight=False, style="dim")
    took = results.took_ms
    out.print(
        f"{took['total']:.0f} ms: embed {took['embed']:.1f}, dense {took['dense']:.1f}, lexical {took['lexical']:.1f}",
        style="dim",
        highlight=False,
    )


def make_filters(
    langs: list[str] | None,
    products: list[str] | None,
    versions: list[str] | None,
    kinds: list[str] | None,
    space_ids: frozenset[int],
) -> Filters:
    labels = {
        Facet.PRODUCT.value: frozenset(products or ()),
        Facet.VERSION.value: frozenset(versions or ()),
    }
    return Filters(
        kinds=frozenset(kinds or ()),
        langs=frozenset(langs or ()),
        spaces=space_ids,
        labels={facet: values for facet, values in labels.items() if values},
    )


def ask(
    question: Annotated[
        str | None,
        typer.Argument(metavar="[QUESTION]", help="Without it, questions are read, one a line, as one conversation."),
    ] = None,
    role: RoleOption = "anonymous",
    exact: ExactOption = False,
    environment: EnvironmentOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question, with citations, or say that there is no answer. Without one, hold a conversation."""
    who: Principal = reader(role)
    with services(data) as opened:
        if question is not None:
            result, uid = _answer(opened, who, question, exact, environment)
            if as_json:
                emit(answer_out(result, uid).model_dump())
            else:
                _show(result)
            return
        turns: list[Turn] = []
        said: list[dict[str, Any]] = []
        for line in _lines():
            understood = understand(turns, line, opened.rewriter)
            result, uid = _answer(opened, who, understood.text, exact, environment)
            titles = [citation.found.title for citation in result.citations]
            turns = [*turns, Turn(understood.text, understood.topic, titles)][-MOST_TURNS:]
            completed = understood.text if understood.text != line else None
            if as_json:
                said.append({**answer_out(result, uid).model_dump(), "question": line, "understood_as": completed})
                continue
            if completed is not None:
                out.print(f"(understood as: {completed})", markup=False, highlight=False, style="dim")
            _show(result)
    if as_json:
        emit({"turns": said})


def _lines() -> Iterator[str]:
    """Yield the questions read, with a prompt where a person types them, until the end of the input."""
    while True:
        if sys.stdin.isatty():
            err.print("[bold]> ", end="")
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield checked_question(line)


def _answer(
    opened: Services, who: Principal, question: str, exact: bool, environment: str | None
) -> tuple[Answer, str]:
    result = answer(opened.searcher, question, reader=who, writer=opened.writer, exact=exact, environment=environment)
    happened = Happened(kind=EventKind.ANSWER, role=who.role.value, text=result.question, data=answer_event(result))
    opened.events.add(happened)
    return result, happened.uid


def _show(result: Answer) -> None:
    if result.results is not None:
        _tell_corrected(result.results)
    if result.band is Band.ANSWER:
        out.print(Markdown(result.text))
        if result.fixed is not None:
            day = result.fixed.reviewed_at[:10]
            out.print(f"(written for this question, reviewed on {day})", markup=False, highlight=False, style="dim")
        for citation in result.citations:
            found = citation.found
            out.print(
                f"[{citation.n}] {found.title}  ({found.number}, {found.external_id})",
                markup=False,
                highlight=False,
                style="dim",
            )
        if result.generation is not None:
            by = f"Written by {result.generation.model}" if result.generated else "The passages' own words"
            why = "" if result.generated else f" ({result.generation.model}: {result.generation.outcome})"
            out.print(f"{by}{why}.", markup=False, highlight=False, style="dim")
        return
    out.print("Did you mean:" if result.band is Band.DID_YOU_MEAN else "No answer found. The closest there is:")
    for hit in result.suggestions:
        out.print(f"  - {hit.found.title}  ({hit.found.number})", markup=False, highlight=False)


def _tell_corrected(results: Results) -> None:
    if results.corrected is not None:
        out.print(
            f"Searched for: {results.corrected}  (--exact searches as typed)",
            markup=False,
            highlight=False,
            style="dim",
        )
