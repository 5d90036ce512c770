"""kill -9 at random moments: nothing acknowledged is lost, nothing retired is found, the index is sound.

CRASH_CYCLES sets how often (default: few, so that the suite stays short).
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func
from sqlmodel import Session, col, select

from api.services import open_services
from ingest.verify import verify
from kb import items
from kb.access import Principal, scope_of
from kb.db import Database
from kb.errors import NotFound
from kb.models import Item
from kb.settings import Settings
from retrieval.search import Mode
from tests.fakes import FakeEmbedder

CYCLES = int(os.environ.get("CRASH_CYCLES", "6"))
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mode", ["publish", "ingest"])
def test_killed_again_and_again(db: Database, tmp_path: Path, mode: str) -> None:
    url = db.url.render_as_string(hide_password=False)
    data = tmp_path / "data"
    data.mkdir()
    rng = random.Random(20261124)
    expected: dict[int, str | None] = {}
    files: dict[str, int] = {}
    for cycle in range(CYCLES):
        intent: tuple[int, str | None] | None = None
        for kind, name, rest in killed(url, data, mode, f"{mode}{cycle}", rng.randint(1, 40)):
            if kind == "intent":
                number, _, title = rest.partition(" ")
                intent = int(number), title if name == "live" else None
            elif kind in ("live", "gone"):
                expected[int(name)] = rest if kind == "live" else None
                intent = None
            elif kind == "files":
                files[name] = int(rest)
        check(url, data, expected, files, intent)
    assert expected or files, "the workers acknowledged nothing: this test would prove nothing"


def killed(url: str, data: Path, mode: str, seed: str, after: int) -> list[tuple[str, str, str]]:
    """Run a worker, kill it after some acknowledgements, return all it acknowledged."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.crash_worker", url, str(data), mode, seed],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(data)},
    )
    assert worker.stdout is not None
    assert worker.stderr is not None
    lines = []
    for line in worker.stdout:
        lines.append(line)
        if len(lines) == after:
            worker.send_signal(signal.SIGKILL)
    errors = worker.stderr.read()
    worker.stdout.close()
    worker.stderr.close()
    assert worker.wait() == -signal.SIGKILL, errors
    return [(kind, name, rest) for kind, name, rest in (line.rstrip("\n").split(" ", 2) for line in lines)]


def check(
    url: str,
    data: Path,
    expected: dict[int, str | None],
    files: dict[str, int],
    intent: tuple[int, str | None] | None,
) -> None:
    """Compare with what was acknowledged. `intent` was begun and not acknowledged: it may be there or not."""
    with open_services(Settings(data=data, database_url=url), embedder=FakeEmbedder()) as services:
        services.indexer.catch_up()
        result = verify(services.db, services.index, services.embedder.fingerprint, sample=3)
        assert result.faults == []
        with services.db.read() as session:
            now = {number: state_of(session, number) for number in expected}
            different = {n: now[n] for n, state in expected.items() if now[n] != state}
            assert different in ({}, dict([intent] if intent else [])), (different, intent)
            expected.update(different)
            for name, count in files.items():
                kept = session.exec(select(func.count()).select_from(Item).where(col(Item.source) == name)).one()
                assert kept >= count
        live = [(number, title) for number, title in expected.items() if title is not None]
        for number, title in live[-5:]:
            hits = services.searcher.search(title, reader=Principal(), mode=Mode.LEXICAL).hits
            assert number in [hit.found.item_id for hit in hits]
        retired = {number for number, title in expected.items() if title is None}
        for question in ("router invoice roaming", "流量 重启 密码"):
            hits = services.searcher.search(question, reader=Principal(), limit=100).hits
            assert retired.isdisjoint(hit.found.item_id for hit in hits)


def state_of(session: Session, number: int) -> str | None:
    """Return the title that readers see, None for what they do not see."""
    try:
        return items.view(session, number, scope_of(session, Principal())).revision.title
    except NotFound:
        return None
