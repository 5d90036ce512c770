"""kb gaps: what was asked and not answered."""

from typing import Annotated

import typer

from api.commands.common import OPERATOR, DataOption, JsonOption, emit, out, services
from api.gap_shapes import gap_out
from ingest.gaps import DAYS, refresh
from kb import gaps
from kb.gaps import ACTIVE, Listed
from kb.models import GapState

_SHOWN = 20

gaps_app = typer.Typer(help="What was asked and not answered.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    app.add_typer(gaps_app, name="gaps")


@gaps_app.callback()
def list_command(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Closed and ignored ones too.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was asked and not answered, put together by sense, most often failed first."""
    if ctx.invoked_subcommand is not None:
        return
    with services(data, level=False) as opened, opened.db.read() as session:
        found = gaps.listing(session, actor=OPERATOR, states=list(GapState) if every else ACTIVE)
        _tell(found, as_json=as_json)


@gaps_app.command("refresh")
def refresh_command(
    days: Annotated[int, typer.Option(metavar="N", min=1, max=365, help="Look back at N days.")] = DAYS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the gaps level with the event log now; a running server does so every ten minutes."""
    with services(data) as opened:
        done = refresh(opened.db, opened.generation, opened.searcher, days=days)
        with opened.db.read() as session:
            found = gaps.listing(session, actor=OPERATOR)
            if as_json:
                emit(
                    {
                        "failed": done.failed,
                        "answered": done.answered,
                        "opened": done.opened,
                        "closed": done.closed,
                        "reopened": done.reopened,
                        "took_ms": done.took_ms,
                        "gaps": [gap_out(one).model_dump() for one in found],
                    }
                )
                return
            out.print(
                f"{done.failed:,} questions failed in {days} days, {done.answered:,} of them are answered now; "
                f"{done.opened:,} new gaps, {done.closed:,} closed, {done.reopened:,} reopened",
                highlight=False,
            )
            _tell(found, as_json=False)


def _tell(found: list[Listed], *, as_json: bool) -> None:
    if as_json:
        emit({"gaps": [gap_out(one).model_dump() for one in found]})
        return
    if not found:
        out.print("No gaps.")
    for one in found[:_SHOWN]:
        line = f"{one.times:6,}  {one.cumulative:4.0%}  gap {one.gap.id} ({one.gap.state.value}): {one.title[:100]}"
        also = f"  [{len(one.questions)} wordings, {', '.join(one.langs)}]"
        out.print(line + also, highlight=False, markup=False)
    if len(found) > _SHOWN:
        out.print(f"... and {len(found) - _SHOWN} more (all of them with --json)", highlight=False)
