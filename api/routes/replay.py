"""/v1/items/{item}/replay: what publishing the newest revision would change."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from api.deps import ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.schemas import Shape
from api.services import Services
from ingest.asked_before import MOST
from ingest.replaying import DAYS, MOST_DAYS, DraftReplay, as_json, replay_item
from kb.access import Principal

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEMS)


class ReplayRequest(Shape):
    days: Annotated[int, Field(ge=1, le=MOST_DAYS, description="Questions of so many days are asked again.")] = DAYS
    limit: Annotated[int, Field(ge=1, le=10 * MOST, description="Most questions: judged, then most asked.")] = MOST


class SeenOut(Shape):
    band: Literal["answer", "did_you_mean", "no_answer"]
    confidence: float
    item: str | None = Field(description="First item; null where nothing is found, or you may not read it.")
    title: str


class ChangeOut(Shape):
    question: str
    times: int = Field(description="How often it was asked in these days; 0: judged only.")
    judged: bool
    outcome: Literal["broken", "newly_answered", "taken", "lost", "kept", "other"]
    before: SeenOut
    after: SeenOut


class ReplayOut(Shape):
    item: str
    revision: int
    live: bool = Field(description="Whether the draft would take the place of a live revision.")
    passages: int
    days: int
    questions: int
    counts: dict[str, int] = Field(description="Questions by outcome, `unaffected` ones too.")
    changes: list[ChangeOut]
    embedded: int = Field(description="Questions whose vector was not remembered.")
    took_ms: dict[str, float]


@router.post("/{item}/replay", operation_id="replay_item")
def replay(parts: ServicesDep, reader: WriterDep, item: str, body: ReplayRequest | None = None) -> ReplayOut:
    """Ask the questions of the last days of the index with the newest revision in it, and say what would be other than
    now. Nothing is published. For contributors."""
    wanted = body or ReplayRequest()
    found = replayed(parts, reader, item, days=wanted.days, most=wanted.limit)
    return ReplayOut.model_validate(as_json(found))


def replayed(parts: Services, reader: Principal, item: str, *, days: int = DAYS, most: int = MOST) -> DraftReplay:
    """Replay an item with what this process has open, and the judged questions of its data folder."""
    return replay_item(
        parts.db,
        parts.generation,
        parts.searcher,
        item,
        actor=reader,
        folders=parts.settings.judged_folders,
        days=days,
        most=most,
    )
