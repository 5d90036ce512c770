"""kb replay: its JSON, its lines, its words for bad input."""

from pathlib import Path

import pytest

from api.services import open_database
from kb import editorial, events
from kb.access import SYSTEM
from kb.content import Content, Profile
from kb.events import Happened
from kb.models import Audience, EventKind
from kb.settings import Settings
from tests.integration.test_cli import Run, folder, kb

__all__ = ["folder", "kb"]


@pytest.fixture
def drafted(kb: Run, folder: Path, tmp_path: Path) -> str:
    """A draft beside the ingested articles, and a question that was asked twice; return its number."""
    kb("ingest", str(folder))
    db = open_database(Settings(data=tmp_path / "data"))
    with db.write() as session:
        content = Content(title="Swap the battery", body="Open the lid.")
        item, _ = editorial.create(session, content, Profile(audience=Audience.PUBLIC), actor=SYSTEM)
    events.write(db, [Happened(EventKind.ANSWER, "anonymous", text="Swap the battery") for _ in range(2)])
    db.dispose()
    return item.number


def test_as_json_and_for_people(kb: Run, drafted: str, folder: Path) -> None:
    code, document, _ = kb("replay", drafted, "--json")
    assert (code, document["item"], document["questions"]) == (0, drafted, 1)
    (change,) = document["changes"]
    assert (change["outcome"], change["times"], change["judged"]) == ("newly_answered", 2, False)
    code, lines, _ = kb("replay", drafted)
    assert code == 0
    assert "1 newly answered" in lines
    assert "newly answered: Swap the battery  [2x]" in lines
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "reset the router please"}\n', encoding="utf-8")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\treset.md\t1\n", encoding="utf-8")
    assert kb("replay", drafted, "--judged", str(folder), "--json")[1]["questions"] == 2


def test_bad_input_names_the_value(kb: Run, drafted: str, folder: Path) -> None:
    assert kb("replay", "KB-999", "--json")[1]["error"]["code"] == "not_found"
    assert "'nonsense'" in kb("replay", "nonsense")[2]
    code, document, _ = kb("replay", drafted, "--days", "0", "--json")
    assert (code, document["error"]["field"]) == (1, "days")
    assert "queries.jsonl" in kb("replay", drafted, "--judged", str(folder))[2]
