"""Crash at any step, tear any file: what is opened afterwards is the state before or after, or an error by name."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kb.access import Scope
from kb.errors import Unavailable
from retrieval.local import storage
from retrieval.local.engine import IndexDamaged, IndexMismatch, LocalIndex
from retrieval.types import Attributes, Change, Filters, PassageDoc, Query

DIM = 4
ALL = Scope(frozenset({"public"}), None, None)
ABOUT = Attributes(kind="article", audience="public", space=1, lang="en", labels=frozenset())


class Crash(BaseException):
    """The process ends here: no handler of errors sees it."""


def opened(folder: Path) -> LocalIndex:
    return LocalIndex.open(folder, dim=DIM, generation=1, fingerprint="f", analyzer="a", database_id="d")


def change(seq: int, item: int, *words: str) -> Change:
    vector = np.array([1, seq, item, 1], np.float32)
    vector /= np.linalg.norm(vector)
    docs = tuple(PassageDoc(id=100 * item + n, terms=[word], vector=vector) for n, word in enumerate(words))
    return Change(seq=seq, item=item, attributes=ABOUT if words else None, passages=docs)


HISTORY = [
    change(1, 1, "reset", "router"),
    change(2, 2, "invoice"),
    change(3, 3, "roaming", "zones", "prices"),
    change(4, 1, "reset"),
    change(5, 2),
    change(6, 4, "voicemail"),
]


def state(index: LocalIndex) -> tuple[int, dict[str, list[int]]]:
    """What a reader can see: the watermark, and the passages that each word finds."""
    words = ("reset", "router", "invoice", "roaming", "zones", "prices", "voicemail")
    found = {
        word: sorted(
            index.search(Query(terms=[word], vector=None), scope=ALL, filters=Filters(), limit=10).passage.tolist()
        )
        for word in words
    }
    return index.watermark, found


def grown(folder: Path, upto: int) -> None:
    """An index on disk with the first `upto` changes, in segments of their own."""
    index = opened(folder)
    assert index.try_own()
    for one in HISTORY[:upto]:
        index.apply([one])
        index.flush()
    index.close()


def replayed(folder: Path) -> tuple[int, dict[str, list[int]]]:
    """Open as a start does and apply what the log has beyond the watermark."""
    index = opened(folder)
    index.apply([one for one in HISTORY if one.seq > index.watermark])
    found = state(index)
    index.close()
    return found


class Steps:
    """Counts the steps that reach the disk and crashes at one of them, before or after it is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> None:
        self.count = 0
        self._at, self._after = at, after
        for name in ("sync_file", "sync_folder", "replace", "write_whole", "remove"):
            monkeypatch.setattr(storage, name, self._counted(getattr(storage, name)))

    def _counted(self, step: Callable[..., None]) -> Callable[..., None]:
        def run(*args: Path) -> None:
            self.count += 1
            if self.count == self._at and not self._after:
                raise Crash
            step(*args)
            if self.count >= self._at and self._after:
                raise Crash

        return run


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_step_of_flush_and_merge_loses_nothing(tmp_path: Path, after: bool) -> None:
    wanted = None
    at = 0
    while True:
        at += 1
        folder = tmp_path / f"{at}"
        grown(folder, 4)
        with pytest.MonkeyPatch.context() as patch:
            Steps(patch, at, after=after)
            index = opened(folder)
            try:
                assert index.try_own()
                index.apply(HISTORY[4:])
                index.flush()
                index.merge()
                finished = True
            except Crash:
                finished = False
            index._folder.release()  # as the system does for a dead process
        found = replayed(folder)
        wanted = wanted or found
        assert found == wanted, f"step {at}"
        assert found[0] == 6
        again = opened(folder)
        assert again.try_own()
        assert not list(folder.glob(f"*{storage.PARTIAL}")), "what a crash left is removed by the next owner"
        again.close()
        if finished:
            break
    assert at > 8, "the steps were counted"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "writer.lock")


def test_a_torn_altered_or_missing_file_is_named(tmp_path: Path) -> None:
    grown(tmp_path / "good", 5)
    names = [path.relative_to(tmp_path / "good") for path in files(tmp_path / "good")]
    assert len(names) > 10
    for n, name in enumerate(names):
        for how in ("torn", "altered", "missing"):
            folder = tmp_path / f"{n}-{how}"
            shutil.copytree(tmp_path / "good", folder)
            victim = folder / name
            data = bytearray(victim.read_bytes())
            if how == "missing":
                victim.unlink()
            elif how == "torn":
                victim.write_bytes(data[: len(data) // 2])
            else:
                data[len(data) // 2] ^= 0x15
                victim.write_bytes(data)
            if name.name == "manifest.json" and how == "missing":
                assert opened(folder).watermark == 0, "without a manifest the index is new and replays all"
                continue
            with pytest.raises((IndexDamaged, IndexMismatch)) as caught:
                opened(folder)
            assert name.name in str(caught.value) or str(folder) in str(caught.value)


def test_no_changed_digit_of_the_manifest_goes_unnoticed(tmp_path: Path) -> None:
    grown(tmp_path, 3)
    path = tmp_path / "manifest.json"
    good = path.read_bytes()
    digits = [at for at, byte in enumerate(good) if chr(byte).isdigit()]
    for at in digits:
        bad = bytearray(good)
        bad[at] = ord("1") if good[at] != ord("1") else ord("2")
        path.write_bytes(bad)
        with pytest.raises((IndexDamaged, IndexMismatch)):
            opened(tmp_path)


@pytest.mark.parametrize("different", ["dim", "fingerprint", "analyzer", "database_id", "generation"])
def test_an_index_of_another_make_is_refused(tmp_path: Path, different: str) -> None:
    grown(tmp_path, 1)
    kwargs: dict[str, int | str] = {
        "dim": DIM, "generation": 1, "fingerprint": "f", "analyzer": "a", "database_id": "d",
    }  # fmt: skip
    kwargs[different] = 8 if different in ("dim", "generation") else "other"
    with pytest.raises(IndexMismatch, match=different):
        LocalIndex.open(tmp_path, **kwargs)  # type: ignore[arg-type]


def test_a_reader_keeps_its_snapshot_while_the_writer_merges(tmp_path: Path) -> None:
    grown(tmp_path, 4)
    reader, writer = opened(tmp_path), opened(tmp_path)
    before = state(reader)
    assert writer.try_own()
    writer.apply(HISTORY[4:])
    writer.flush()
    writer.merge()
    assert state(reader) == before
    reader.refresh()
    assert state(reader) == state(writer)
    reader.close()
    writer.close()


@pytest.mark.parametrize("errno_", [errno.ENOSPC, errno.EROFS, errno.EIO], ids=["full", "read-only", "broken"])
def test_a_disk_that_does_not_take_it_is_said_and_loses_nothing(tmp_path: Path, errno_: int) -> None:
    """At each step in turn: a clear error, the state on disk as before, readers go on, and all is well afterwards."""
    at = 0
    while True:
        at += 1
        folder = tmp_path / f"{at}"
        grown(folder, 4)
        before = replayed_upto(folder, 4)
        index = opened(folder)
        assert index.try_own()
        index.apply(HISTORY[4:])
        wanted = state(index)
        with pytest.MonkeyPatch.context() as patch:
            steps = Failing(patch, at, errno_)
            said = _message(index.flush)
            assert ("nothing is lost" in said) == steps.failed
        assert state(index) == wanted, "readers go on"
        if steps.failed:
            assert replayed_upto(folder, 4)[1] in (before[1], wanted[1])
        index.flush()
        index.close()
        assert replayed(folder) == wanted
        if not steps.failed:
            break
    assert at > 8, "the steps were counted"


def _message(act: Callable[[], object]) -> str:
    """Return what the error says that `act` raises, nothing where it does not."""
    try:
        act()
    except Unavailable as error:
        return error.message
    return ""


class Failing:
    """Lets one of the steps that reach the disk fail, as a disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, number: int) -> None:
        self.failed = False
        self._count, self._at, self._errno = 0, at, number
        for name in ("sync_file", "sync_folder", "replace", "write_whole"):
            monkeypatch.setattr(storage, name, self._counted(getattr(storage, name)))

    def _counted(self, step: Callable[..., None]) -> Callable[..., None]:
        def run(*args: Path) -> None:
            self._count += 1
            if self._count == self._at:
                self.failed = True
                raise OSError(self._errno, os.strerror(self._errno))
            step(*args)

        return run


def replayed_upto(folder: Path, last: int) -> tuple[int, dict[str, list[int]]]:
    """What a process that opens the folder now and applies the log up to `last` would show."""
    index = opened(folder)
    index.apply([one for one in HISTORY[:last] if one.seq > index.watermark])
    found = state(index)
    index.close()
    return found
