"""The filters of a request, from its query string or its body."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import ConfigDict, Field

from api.deps import ReaderDep, ServicesDep
from api.schemas import Shape
from api.services import Services
from kb import spaces
from kb.access import Principal, scope_of
from kb.errors import NotFound
from kb.models import Facet
from retrieval.types import Filters

MOST = 50
"""Values that one filter may have."""

Values = Annotated[tuple[str, ...], Field(max_length=MOST)]


class FiltersIn(Shape):
    """Values of one filter are alternatives, filters combine with AND; see docs/filter-semantics.md."""

    kind: Values = ()
    lang: Values = ()
    product: Values = ()
    version: Values = ()
    topic: Values = ()
    space: Values = ()


class FiltersQuery(FiltersIn):
    """The same among other parameters."""

    model_config = ConfigDict(extra="ignore")


@dataclass(frozen=True, slots=True)
class Given:
    values: Filters
    given: dict[str, Any]
    """As asked, for the event log."""


def checked(parts: Services, reader: Principal, asked: FiltersIn) -> Given:
    """Resolve the filters. Raises NotFound for a space that there is not, or that the caller may not read."""
    space_ids: set[int] = set()
    if asked.space:
        with parts.db.read() as session:
            scope = scope_of(session, reader)
            known = {space.key: int(space.id or 0) for space in spaces.all_spaces(session)}
        for key in asked.space:
            found = known.get(key)
            if found is None or not scope.reaches(found):
                raise NotFound(f"there is no space {key!r} that you may read", field="space")
            space_ids.add(found)
    labels = {Facet.PRODUCT: asked.product, Facet.VERSION: asked.version, Facet.TOPIC: asked.topic}
    return Given(
        values=Filters(
            kinds=frozenset(asked.kind),
            langs=frozenset(asked.lang),
            spaces=frozenset(space_ids),
            labels={facet.value: frozenset(chosen) for facet, chosen in labels.items() if chosen},
        ),
        given={name: values for name, values in asked.model_dump().items() if values},
    )


def from_query(parts: ServicesDep, reader: ReaderDep, asked: Annotated[FiltersQuery, Query()]) -> Given:
    """Read the filters of a query string."""
    return checked(parts, reader, asked)


FiltersDep = Annotated[Given, Depends(from_query)]
