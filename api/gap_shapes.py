"""The shapes of gaps: one set for HTTP and for `--json`. docs/api.md explains the fields."""

from pydantic import Field

from api.schemas import Shape
from kb.gaps import Asked, Listed
from kb.models import GapState

CENTRAL = 5
"""Most central questions shown."""


class AskedOut(Shape):
    text: str = Field(description="As it was last asked, as the event log has it.")
    lang: str
    times: int = Field(description="How often it failed in the days looked back at; a case counts once.")
    last_at: str
    answered: bool = Field(description="Now, asked again as those who asked it.")
    central: float = Field(description="Cosine with the middle of the gap's questions.")
    case: str | None = Field(description="Number of the case whose issue it is; null: it was asked.")


class GapOut(Shape):
    number: int
    state: GapState
    title: str = Field(description="Its most asked question.")
    space: str = Field(description="Of those who asked.")
    langs: list[str] = Field(description="Of its questions, most asked first.")
    questions: int
    times: int = Field(description="Failures in the days looked back at.")
    share: float = Field(description="Of all failures listed.")
    cumulative: float = Field(description="Share of this gap and those before it.")
    answered: float = Field(description="Share of its askings that are answered now; closed from .8 on.")
    item: str | None = Field(description="The item that is to answer it; null: none, or you may not read it.")
    reason: str = Field(description="Why it is ignored.")
    opened_at: str
    changed_at: str = Field(description="Since when it is in its state.")
    changed_by: str | None
    proved_at: str | None = Field(description="When its questions were last asked again.")


class GapDetail(Shape):
    gap: GapOut
    asked: list[AskedOut] = Field(description="Its questions, most asked first.")
    central: list[AskedOut] = Field(description="Those nearest to all others.")


def gap_out(one: Listed) -> GapOut:
    gap = one.gap
    return GapOut(
        number=int(gap.id or 0),
        state=gap.state,
        title=one.title,
        space=one.space.key,
        langs=one.langs,
        questions=len(one.questions),
        times=one.times,
        share=one.share,
        cumulative=one.cumulative,
        answered=gap.answered,
        item=one.item.number if one.item is not None else None,
        reason=gap.reason,
        opened_at=gap.opened_at.isoformat(timespec="seconds"),
        changed_at=gap.changed_at.isoformat(timespec="seconds"),
        changed_by=gap.changed_by,
        proved_at=gap.proved_at.isoformat(timespec="seconds") if gap.proved_at is not None else None,
    )


def gap_detail(one: Listed) -> GapDetail:
    return GapDetail(
        gap=gap_out(one),
        asked=[_asked(question) for question in one.questions],
        central=[_asked(question) for question in one.central[:CENTRAL]],
    )


def _asked(one: Asked) -> AskedOut:
    return AskedOut(
        text=one.text,
        lang=one.lang,
        times=one.times,
        last_at=one.last_at.isoformat(timespec="seconds"),
        answered=one.answered,
        central=one.central,
        case=f"KB-{one.case}" if one.case is not None else None,
    )
