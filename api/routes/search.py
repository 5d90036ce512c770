"""/v1/search."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.deps import ReaderDep, ServicesDep
from api.errors import PROBLEMS
from api.filters import FiltersDep, FiltersIn, Given, checked
from api.schemas import SearchResponse, Shape, search_event, search_out
from api.services import Services
from kb.access import Principal
from kb.events import Happened
from kb.models import EventKind
from retrieval.search import MAX_LIMIT, Mode

router = APIRouter(prefix="/v1", tags=["search"], responses=PROBLEMS)

QuestionQuery = Annotated[str, Query(alias="q", description="The question, up to 100,000 characters.")]
LangQuery = Annotated[
    str | None,
    Query(alias="hl", max_length=16, description="The reader's language, where the question's cannot be told."),
]
ENVIRONMENT = "Of a case: products, versions, platform, up to 2,000 characters. Items that name the same rise."
EnvironmentQuery = Annotated[str | None, Query(description=ENVIRONMENT)]
ExactQuery = Annotated[bool, Query(description="Search the question exactly as typed: correct nothing.")]


class SearchRequest(Shape):
    q: str = Field(description="The question, up to 100,000 characters.")
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 10
    mode: Mode = Mode.HYBRID
    hl: Annotated[str, Field(max_length=16)] | None = None
    exact: bool = False
    environment: str | None = Field(default=None, description=ENVIRONMENT)
    filters: FiltersIn = FiltersIn()


@router.get("/search", operation_id="search")
def search(
    parts: ServicesDep,
    reader: ReaderDep,
    filters: FiltersDep,
    question: QuestionQuery,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 10,
    mode: Mode = Mode.HYBRID,
    hl: LangQuery = None,
    exact: ExactQuery = False,
    environment: EnvironmentQuery = None,
) -> SearchResponse:
    """Return the items that answer the question best, of those the caller may read."""
    return _search(parts, reader, filters, question, limit, mode, hl, exact, environment)


@router.post("/search", operation_id="search_long")
def search_long(parts: ServicesDep, reader: ReaderDep, body: SearchRequest) -> SearchResponse:
    """The same for a question too long for an address, such as a whole case."""
    filters = checked(parts, reader, body.filters)
    return _search(parts, reader, filters, body.q, body.limit, body.mode, body.hl, body.exact, body.environment)


def _search(
    parts: Services,
    reader: Principal,
    filters: Given,
    question: str,
    limit: int,
    mode: Mode,
    hl: str | None,
    exact: bool,
    environment: str | None,
) -> SearchResponse:
    results = parts.searcher.search(
        question,
        reader=reader,
        filters=filters.values,
        limit=limit,
        mode=mode,
        lang=hl,
        exact=exact,
        environment=environment,
    )
    happened = Happened(
        kind=EventKind.SEARCH,
        role=reader.role.value,
        space=reader.space,
        visitor=parts.visitor(reader.subject),
        text=results.question,
        data=search_event(results, mode=mode.value, filters=filters.given),
    )
    parts.events.add(happened)
    return search_out(results, happened.uid)
