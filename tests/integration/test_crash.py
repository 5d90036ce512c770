"""kill -9 at random moments: nothing acknowledged is lost, nothing hidden is found, the index is sound.

A few cycles, so that the suite stays short; `python -m tests.crash --cycles 1000` for many.
"""

from pathlib import Path

from kb.db import Database
from tests.crash import run

CYCLES = 25


def test_killed_again_and_again(db: Database, tmp_path: Path) -> None:
    url = db.url.render_as_string(hide_password=False)
    expected = run(url, tmp_path / "data", CYCLES, seed=db.dialect)
    missing = {"open", "item", "files", "house", "active"} - set(expected.counted)
    assert not missing, f"the workers never did {missing}: this test would prove nothing of it"
