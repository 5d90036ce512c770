"""kill -9 and full disks at random moments: nothing acknowledged is lost, nothing hidden is found, the index is sound.

A few cycles, so that the suite stays short; `python -m tests.crash --cycles 1000` for many.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.services import open_services
from kb.access import SYSTEM
from kb.content import Content, Profile
from kb.db import Database
from kb.editorial import create
from kb.errors import KBError
from kb.models import Audience
from kb.settings import Settings
from tests.crash import run, small_disk
from tests.fakes import fake

CYCLES = 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        with small_disk(folder):
            yield folder
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no file system can be mounted here: {error.stderr.decode().strip()}")


def test_killed_again_and_again(db: Database, tmp_path: Path) -> None:
    url = db.url.render_as_string(hide_password=False)
    assert run(url, tmp_path / "data", CYCLES, seed=db.dialect).counted["open"] >= CYCLES // 2


def test_a_full_disk_at_any_moment_refuses_and_loses_nothing(disk: Path) -> None:
    expected = run(f"sqlite:///{disk}/kb.sqlite3", disk, CYCLES // 2, seed="full", full_disk=True)
    assert expected.counted["refused"], "the disk was never met full: this test would prove nothing"


def test_a_read_only_disk_is_named_and_changes_nothing(disk: Path) -> None:
    settings = Settings(data=disk)
    with open_services(settings, load=fake) as services, services.db.write() as session:
        create(session, Content(title="Kept"), Profile(audience=Audience.PUBLIC), actor=SYSTEM)
    before = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        with pytest.raises(KBError, match=r"read-?only|cannot be|could not be"):
            open_services(settings, load=fake)
        assert {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()} == before
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    with open_services(settings, load=fake) as services:
        services.indexer.catch_up()
        assert services.indexer.behind() == 0
