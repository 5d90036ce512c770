"""Several processes over one folder: none ever replaces what it holds by something worse."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.local import manifest as manifests
from retrieval.local import storage
from retrieval.local.engine import IndexDamaged, IndexMismatch, LocalIndex, peek
from tests.unit.test_local_storage import DIM, HISTORY, change, grown, opened, replayed, state


def fresh(folder: Path, fingerprint: str = "f") -> LocalIndex:
    return LocalIndex.open(
        folder, dim=DIM, generation=1, fingerprint=fingerprint, analyzer="a", database_id="d", fresh=True
    )


def serial(folder: Path) -> int:
    found = manifests.read(folder)
    assert found is not None
    return found.serial


def test_a_fresh_index_leaves_the_folder_as_it_is_until_it_is_flushed(tmp_path: Path) -> None:
    grown(tmp_path, 6)
    before, number = replayed(tmp_path), serial(tmp_path)
    new = fresh(tmp_path)
    assert (new.watermark, new.stats().passages) == (0, 0)
    assert new.try_own()
    new.apply(HISTORY[:3])
    new.close()
    assert replayed(tmp_path) == before, "nothing was flushed"
    new = fresh(tmp_path)
    new.apply(HISTORY[:3])
    wanted = state(new)
    assert new.flush() == 3
    new.close()
    again = opened(tmp_path)
    assert state(again) == wanted
    assert serial(tmp_path) > number
    named = manifests.read(tmp_path)
    assert named is not None
    assert {path.name for path in tmp_path.glob("segment-*")} == {entry.name for entry in named.segments}
    again.close()


def test_an_empty_fresh_index_replaces_what_is_there(tmp_path: Path) -> None:
    grown(tmp_path, 6)
    new = fresh(tmp_path, "another")
    assert new.flush() == 0
    new.close()
    assert peek(tmp_path).passages == 0
    with pytest.raises(IndexMismatch, match="fingerprint"):
        opened(tmp_path)


def test_a_fresh_index_over_a_damaged_one(tmp_path: Path) -> None:
    grown(tmp_path, 6)
    number = serial(tmp_path)
    (tmp_path / manifests.NAME).write_bytes(b"{")
    with pytest.raises(IndexDamaged):
        opened(tmp_path)
    new = fresh(tmp_path)
    assert new.try_own()
    assert new.flush() == 0, "even with nothing in it, a whole manifest takes the place of the damaged one"
    new.apply(HISTORY)
    new.flush()
    new.close()
    assert serial(tmp_path) > number
    assert opened(tmp_path).watermark == 6


def test_a_rebuild_beneath_a_running_process_is_taken_when_it_has_come_as_far(tmp_path: Path) -> None:
    grown(tmp_path, 6)
    running = opened(tmp_path)
    wanted = state(running)
    rebuild = fresh(tmp_path)
    for one in HISTORY[:-1]:
        rebuild.apply([one])
        rebuild.flush()
        rebuild.merge()
        assert not running.refresh()
        assert state(running) == wanted, "its files are gone from the folder and it has them still"
    rebuild.apply(HISTORY[-1:])
    rebuild.flush()
    assert running.refresh()
    assert state(running) == wanted == state(rebuild)
    assert not running.refresh()
    rebuild.close()
    running.close()


def test_what_a_rebuild_left_half_done_is_replaced_by_the_process_that_knows_more(tmp_path: Path) -> None:
    grown(tmp_path, 6)
    running = opened(tmp_path)
    running.apply([change(7, 7, "router")])
    wanted = state(running)
    rebuild = fresh(tmp_path)
    rebuild.apply(HISTORY[:2])
    rebuild.flush()
    rebuild.close()  # as if killed
    number = serial(tmp_path)
    assert running.try_own()
    assert state(running) == wanted
    assert running.flush() == 7
    assert state(running) == wanted
    assert serial(tmp_path) > number
    running.close()
    again = opened(tmp_path)
    assert state(again) == wanted
    again.close()


def test_what_a_follower_has_applied_itself_is_kept_when_it_takes_over(tmp_path: Path) -> None:
    grown(tmp_path, 3)
    owner, follower = opened(tmp_path), opened(tmp_path)
    follower.apply(HISTORY[3:])
    wanted = state(follower)
    owner.apply(HISTORY[3:5])
    owner.flush()
    assert follower.refresh()
    assert state(follower) == wanted
    owner.apply(HISTORY[5:])
    owner.flush()
    owner.merge()
    assert follower.refresh()
    assert state(follower) == wanted == state(owner)
    assert follower.stats().segments == owner.stats().segments, "what it had in memory is gone from there"
    assert not follower.try_own()
    owner.close()
    assert follower.try_own()
    follower.close()


@pytest.mark.parametrize("how", ["damaged manifest", "no manifest", "no folder", "torn segment", "missing bitmap"])
def test_the_owner_mends_a_folder_that_was_broken_beneath_it(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "index"
    grown(folder, 5)
    index = opened(folder)
    wanted = state(index)
    if how == "damaged manifest":
        (folder / manifests.NAME).write_bytes(b"\0" * 10)
    elif how == "no manifest":
        (folder / manifests.NAME).unlink()
    elif how == "no folder":
        assert index.try_own()
        shutil.rmtree(folder)
    elif how == "torn segment":
        victim = next(folder.glob("segment-*/vectors.npy"))
        victim.rename(victim.with_suffix(".kept"))  # cutting a mapped file would end the process that has it mapped
        victim.write_bytes(b"torn")
    else:
        next(folder.glob("dead-*")).unlink()
    assert index.try_own()
    index.flush()
    assert state(index) == wanted
    index.apply(HISTORY[5:])
    index.flush()
    index.merge()
    index.close()
    again = opened(folder)
    assert again.watermark == 6
    assert state(again) == replayed(folder)
    again.close()


@pytest.mark.parametrize("how", ["damaged manifest", "torn segment"])
def test_a_damaged_newer_state_is_not_taken_and_a_whole_one_after_it_is(tmp_path: Path, how: str) -> None:
    grown(tmp_path, 3)
    owner, follower = opened(tmp_path), opened(tmp_path)
    wanted = state(follower)
    owner.apply(HISTORY[3:4])
    owner.flush()
    known = {path.parent.name for path in tmp_path.glob("segment-*/items.npy")}
    newest = tmp_path / max(known) / "items.npy"
    victim = tmp_path / manifests.NAME if how == "damaged manifest" else newest
    good = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(good[: len(good) // 2])
    assert not follower.refresh()
    assert state(follower) == wanted
    victim.write_bytes(good)
    owner.apply(HISTORY[4:])
    owner.flush()
    assert follower.refresh()
    assert state(follower) == state(owner)
    owner.close()
    follower.close()


def test_an_index_of_another_make_beneath_a_running_process_stays_and_is_said(tmp_path: Path) -> None:
    grown(tmp_path, 6)
    running = opened(tmp_path)
    wanted = state(running)
    other = fresh(tmp_path, "another")
    other.apply(HISTORY[:1])
    other.flush()
    other.close()
    number = serial(tmp_path)
    for _ in range(2):
        for act in (running.refresh, running.try_own, running.flush):
            with pytest.raises(IndexMismatch, match="fingerprint"):
                act()
    assert state(running) == wanted
    assert serial(tmp_path) == number
    other = LocalIndex.open(tmp_path, dim=DIM, generation=1, fingerprint="another", analyzer="a", database_id="d")
    assert other.try_own(), "the lock was given back"
    other.close()
    running.close()


def test_the_manifest_of_an_attempt_that_failed_is_followed_by_a_higher_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest got its name, and then the disk failed: others may take it over, this process writes another."""
    grown(tmp_path, 4)
    index, follower = opened(tmp_path), opened(tmp_path)
    index.apply(HISTORY[4:5])
    whole = storage.replace

    def fails(source: Path, target: Path) -> None:
        whole(source, target)
        if target.name == manifests.NAME:
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "replace", fails)
        with pytest.raises(Exception, match="nothing is lost"):
            index.flush()
    number = serial(tmp_path)
    assert follower.refresh()
    assert state(follower) == state(index)
    index.apply(HISTORY[5:])
    index.flush()
    assert serial(tmp_path) > number
    assert follower.refresh()
    assert state(follower) == state(index)
    index.close()
    follower.close()


OWNER = """
import sys
from pathlib import Path
from tests.unit.test_local_storage import HISTORY, opened
index = opened(Path(sys.argv[1]))
assert index.try_own()
index.apply(HISTORY[:5])
index.flush()
print("flushed", flush=True)
sys.stdin.read()
"""


def test_a_killed_owner_is_followed_by_the_process_that_was_second(tmp_path: Path) -> None:
    grown(tmp_path, 2)
    second = opened(tmp_path)
    second.apply(HISTORY)
    wanted = state(second)
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "flushed\n"
        assert not second.try_own()
        assert not second.try_own()
        owner.kill()
    assert second.try_own()
    assert state(second) == wanted
    assert second.flush() == 6
    second.close()
    again = opened(tmp_path)
    assert state(again) == wanted
    again.close()


def test_a_serial_is_never_used_twice(tmp_path: Path) -> None:
    seen = []
    for n, make in enumerate([opened, fresh, opened, fresh]):
        index = make(tmp_path)
        index.apply([*HISTORY, change(7 + n, 9, "router")])
        index.flush()
        index.close()
        seen.append(serial(tmp_path))
    assert seen == sorted(set(seen))
    shutil.copytree(tmp_path / sorted(p.name for p in tmp_path.glob("segment-*"))[0], tmp_path / "segment-00000900-x")
    index = fresh(tmp_path)
    index.flush()
    index.close()
    assert serial(tmp_path) > 900, "above everything that is in the folder"
