"""/v1/events: what agents say of items beside the case they work on."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from api.deps import ReporterDep, ServicesDep
from api.errors import PROBLEMS
from api.schemas import Shape
from kb import events, items
from kb.access import Role, scope_of
from kb.errors import InvalidInput
from kb.events import Happened
from kb.models import EventKind, LinkKind
from retrieval.search import checked_question

router = APIRouter(prefix="/v1/events", tags=["events"], responses=PROBLEMS)


class EventIn(Shape):
    kind: Literal["link", "dismiss"]
    item: str = Field(description="Number of the item, such as KB-1042.")
    text: str = Field(description="The issue of the case in the customer's words; its first 1,000 characters are kept.")
    link: LinkKind | None = Field(
        default=None, description="Of a link: what the item was to the case (default: used). Of a dismissal: nothing."
    )
    search: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = Field(
        default=None, description="The `id` of the search or answer that showed the item."
    )
    by: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="Who of the caller's users says it; kept as a pseudonym."
    )
    test: bool = Field(default=False, description="A trial: kept, but no measure counts it.")


class EventOut(Shape):
    id: str


@router.post("", operation_id="add_event", status_code=201)
def add_event(parts: ServicesDep, reader: ReporterDep, body: EventIn) -> EventOut:
    """Keep that an item was linked to a case, or dismissed for it. Written when acknowledged. For agents."""
    reader.require(Role.AGENT, "link items to cases")
    kind = EventKind(body.kind)
    if kind is EventKind.DISMISS and body.link is not None:
        raise InvalidInput("a dismissal is no link: leave `link` out", field="link")
    with parts.db.read() as session:
        item = items.get(session, body.item, scope_of(session, reader))
    link = {"link": (body.link or LinkKind.USED).value} if kind is EventKind.LINK else {}
    happened = Happened(
        kind=kind,
        role=reader.role.value,
        space=reader.space,
        visitor=parts.visitor(f"{reader.subject}/{body.by}" if body.by is not None else reader.subject),
        parent=body.search,
        item_id=item.id,
        text=checked_question(body.text),
        data={**link, **({"test": True} if body.test else {})},
    )
    events.write(parts.db, [happened])
    return EventOut(id=happened.uid)
