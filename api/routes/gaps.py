"""/v1/gaps: what was asked and not answered, put together by sense, and what is done about it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlmodel import Session

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.gap_shapes import GapDetail, GapOut, gap_detail, gap_out
from api.schemas import Shape
from kb import gaps, spaces
from kb.access import Principal, Role
from kb.gaps import ACTIVE
from kb.models import GapState

router = APIRouter(prefix="/v1/gaps", tags=["gaps"], responses=PROBLEMS)

GapNumber = Annotated[int, Path(ge=1, le=10**15, description="Number of the gap.")]
Act = Literal["draft", "similar", "ignore", "resolve", "reopen"]


class GapsOut(Shape):
    gaps: list[GapOut]
    total: int = Field(description="Gaps in these states.")
    times: int = Field(description="Their failures together: the whole that shares are of.")


class GapAct(Shape):
    item: str | None = Field(
        default=None, description="similar: the item that gets the questions. resolve: what answers."
    )
    reason: str = Field(default="", description="ignore: why nothing is to answer it.")
    space: str | None = Field(default=None, description="draft: where it is written; default: the gap's space.")


@router.get("", operation_id="list_gaps")
def list_gaps(
    parts: ServicesDep,
    reader: ReaderDep,
    state: Annotated[
        tuple[GapState, ...], Query(description="May be repeated; default: those to be worked on.")
    ] = ACTIVE,
    space: Annotated[str | None, Query(description="Only gaps of this space.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> GapsOut:
    """List the gaps of one's spaces, most often failed first, with shares as for a Pareto chart. For contributors."""
    reader.require(Role.CONTRIBUTOR, "see what was asked and not answered")
    with parts.db.read() as session:
        wanted = spaces.by_key(session, space).id if space is not None else None
        found = gaps.listing(session, actor=reader, states=state, space=wanted)
    rows = [gap_out(one) for one in found[offset : offset + limit]]
    return GapsOut(gaps=rows, total=len(found), times=sum(one.times for one in found))


@router.get("/{number}", operation_id="read_gap")
def read_gap(parts: ServicesDep, reader: ReaderDep, number: GapNumber) -> GapDetail:
    """Return a gap with its questions. For contributors of its space."""
    with parts.db.read() as session:
        return gap_detail(gaps.get(session, number, actor=reader))


@router.post("/{number}/{act}", operation_id="act_on_gap")
def act_on_gap(
    parts: ServicesDep, reader: WriterDep, number: GapNumber, act: Act, body: GapAct | None = None
) -> GapDetail:
    """Do something about a gap: make a draft that answers it, add its questions to an item, ignore it with a reason,
    say that it is resolved (its questions are asked again), or reopen an ignored one. For contributors of its space."""
    said = body or GapAct()
    with parts.db.write() as session:
        do(session, reader, number, act, item=said.item or "", reason=said.reason, space=said.space or "")
        return gap_detail(gaps.get(session, number, actor=reader))


def do(session: Session, reader: Principal, number: int, act: Act, *, item: str, reason: str, space: str) -> None:
    """Do what the name of an action says. Raises as the functions of `kb.gaps`."""
    if act == "draft":
        gaps.get(session, number, actor=reader)  # whose spaces these are is said to nobody else
        gaps.draft(session, number, actor=reader, space_id=spaces.by_key(session, space).id if space else None)
    elif act == "similar":
        gaps.add_similar(session, number, item, actor=reader)
    elif act == "ignore":
        gaps.ignore(session, number, reason, actor=reader)
    elif act == "resolve":
        gaps.resolve(session, number, actor=reader, ref=item or None)
    else:
        gaps.reopen(session, number, actor=reader)
