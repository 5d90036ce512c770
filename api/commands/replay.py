"""kb replay: what publishing a draft would change."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.common import OPERATOR, DataOption, JsonOption, emit, judged_option, out, services
from ingest.asked_before import MOST
from ingest.replaying import DAYS, as_json, replay_item

_SHOWN = 20


def register(app: typer.Typer) -> None:
    app.command("replay")(replay)


def replay(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Number of the item, such as KB-1042.")],
    judged: Annotated[list[Path] | None, judged_option("to ask too (default: those in the data folder).")] = None,
    days: Annotated[int, typer.Option(metavar="N", help="Ask the questions of the last N days.")] = DAYS,
    limit: Annotated[int, typer.Option(metavar="N", help="Most questions: judged, then most asked.")] = MOST,
    data: DataOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Say which questions an item's newest revision would answer, take or break if it were published."""
    with services(data) as opened:
        found = replay_item(
            opened.db,
            opened.generation,
            opened.searcher,
            item,
            actor=OPERATOR,
            folders=judged or opened.settings.judged_folders,
            days=days,
            most=limit,
        )
    document = as_json(found)
    if as_json_:
        emit(document)
        return
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in document["counts"].items() if count)
    out.print(
        f"{found.number}, revision {found.revision}: {len(found.replayed)} questions ({counts or 'none was asked'}) "
        f"in {found.took_ms['total'] / 1000:.1f} s",
        highlight=False,
        markup=False,
    )
    for change in document["changes"][:_SHOWN]:
        out.print(_line(change), highlight=False, markup=False)
    if len(document["changes"]) > _SHOWN:
        out.print(f"... and {len(document['changes']) - _SHOWN} more (all of them with --json)", highlight=False)


def _line(change: dict[str, Any]) -> str:
    def told(seen: dict[str, Any]) -> str:
        return f"{seen['item'] or '-'} ({seen['band']}, {seen['confidence']:.2f})"

    name = change["outcome"].replace("_", " ")
    return f"  {name}: {change['question']}  [{change['times']}x]  {told(change['before'])} -> {told(change['after'])}"
