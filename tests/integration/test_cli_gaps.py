"""kb gaps: its JSON, its lines."""

from pathlib import Path

from api.services import open_database
from kb import events
from kb.events import Happened
from kb.models import EventKind
from kb.settings import Settings
from tests.integration.test_cli import Run, folder, kb

__all__ = ["folder", "kb"]


def test_refreshed_and_listed(kb: Run, folder: Path, tmp_path: Path) -> None:
    kb("ingest", str(folder))
    assert "No gaps." in kb("gaps")[1]
    db = open_database(Settings(data=tmp_path / "data"))
    failed = {"band": "no_answer"}
    events.write(db, [Happened(EventKind.ANSWER, "anonymous", text="Swap the battery", data=failed) for _ in range(3)])
    db.dispose()
    code, document, _ = kb("gaps", "refresh", "--json")
    assert (code, document["failed"], document["answered"], document["opened"]) == (0, 1, 0, 1)
    code, document, _ = kb("gaps", "--json")
    (gap,) = document["gaps"]
    assert (gap["number"], gap["title"], gap["times"], gap["cumulative"]) == (1, "Swap the battery", 3, 1.0)
    code, lines, _ = kb("gaps", "refresh", "--days", "1")
    assert "1 questions failed in 1 days, 0 of them are answered now; 0 new gaps" in " ".join(lines.split())
    assert "gap 1 (open): Swap the battery" in lines
    assert kb("gaps", "--all", "--json")[1]["gaps"] == document["gaps"]
