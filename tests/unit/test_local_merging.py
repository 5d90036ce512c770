"""Merges beside applies and flushes, here and in a process of their own: what lives is the same, whatever happens."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from kb.errors import Unavailable
from retrieval.local import manifest as manifests
from retrieval.local import states, storage
from retrieval.local.engine import LocalIndex
from retrieval.local.manifest import SegmentEntry
from retrieval.types import Change, Filters, Query
from tests.unit.test_local_storage import ALL, DIM, Crash, Steps, change, opened, replayed_upto

WORDS = ("reset", "router", "invoice", "roaming", "zones")
FLUSHED = [change(seq, seq, *WORDS[: 1 + seq % 3]) for seq in range(1, 9)]
"""Each becomes a segment: enough for a merge."""
BEFORE = [change(9, 2), change(10, 3, "zones")]
"""Applied and flushed before: bitmaps on disk."""
MEANWHILE = [change(11, 4), change(12, 5, "invoice"), change(13, 20, "roaming"), change(14, 3)]
HISTORY = [*FLUSHED, *BEFORE]
ALL_OF_IT = [*HISTORY, *MEANWHILE]


class Beside(LocalIndex):
    """Does something while its first merge has written its segment and not yet put it in place."""

    _begun = False

    def _merged(self, name: str, sources: Sequence[SegmentEntry], rows: int) -> SegmentEntry:
        entry = super()._merged(name, sources, rows)
        if not self._begun:
            self._begun = True
            meanwhile(self)
        return entry


def meanwhile(index: LocalIndex) -> None:
    """Change all kinds of rows, and flush in between; from another thread, as it is."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            index.apply(MEANWHILE[:2])
            index.flush()
            index.apply(MEANWHILE[2:])
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def filled(
    folder: Path, make: type[LocalIndex] = Beside, history: Sequence[Change] = HISTORY, *, apart: int = 1000
) -> LocalIndex:
    index = make.open(folder, dim=DIM, generation=1, fingerprint="f", analyzer="a", database_id="d", apart=apart)
    assert index.try_own()
    for one in history:
        index.apply([one])
        index.flush()
    return index


def seen(index: LocalIndex) -> tuple[int, int, dict[str, list[tuple[int, float]]]]:
    """What a reader can see: the watermark, the live passages, what each word finds, with BM25 scores."""
    found = {}
    for word in WORDS:
        answer = index.search(Query(terms=[word], vector=None), scope=ALL, filters=Filters(), limit=100)
        found[word] = sorted(zip(answer.passage.tolist(), answer.lexical.tolist(), strict=True))
    return index.watermark, index.stats().passages, found


@pytest.fixture
def wanted(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int, dict[str, list[tuple[int, float]]]]:
    """What an index that was never written shows."""
    index = opened(tmp_path_factory.mktemp("plain"))
    for one in ALL_OF_IT:
        index.apply([one])
    return seen(index)


@pytest.mark.parametrize("apart", [0, 1000], ids=["apart", "here"])
def test_what_dies_and_comes_during_a_merge_is_carried_over(tmp_path: Path, apart: int, wanted: object) -> None:
    index = filled(tmp_path, apart=apart)
    segments = index.stats().segments
    assert index.merge()
    assert index.stats().segments < segments
    assert seen(index) == wanted
    index.flush()
    index.merge()
    assert seen(index) == wanted
    index.close()
    again = opened(tmp_path)
    assert seen(again) == wanted
    again.close()


def test_what_is_merged_is_a_state_of_its_watermark(tmp_path: Path) -> None:
    """Another process takes over the manifest of a merge: it must hold what its watermark says, not what came after."""
    index = filled(tmp_path)
    index.merge()
    on_disk = manifests.read(tmp_path)
    assert on_disk is not None
    assert on_disk.watermark == MEANWHILE[1].seq
    plain = opened(tmp_path / "plain")
    plain.apply([one for one in ALL_OF_IT if one.seq <= on_disk.watermark])
    other = opened(tmp_path)
    assert seen(other) == seen(plain)
    other.close()
    index.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_step_of_a_merge_with_writes_beside_it(tmp_path: Path, after: bool, wanted: object) -> None:
    at = 0
    finished = False
    while not finished:
        at += 7  # every seventh step, begun anew at another one for before and after: there are hundreds
        folder = tmp_path / f"{at}"
        index = filled(folder)
        with pytest.MonkeyPatch.context() as patch:
            Steps(patch, at + after * 3, after=after)
            try:
                index.merge()
                index.flush()
                finished = True
            except Crash:
                pass
            index._folder.release()  # as the system does for a dead process
        again = opened(folder)
        assert again.try_own()
        again.apply([one for one in ALL_OF_IT if one.seq > again.watermark])
        assert seen(again) == wanted, f"step {at}"
        assert not list(folder.glob(f"*{storage.PARTIAL}")), "what a crash left is removed by the next owner"
        again.flush()
        again.close()
        assert seen(opened(folder)) == wanted
    assert at > 30, "the steps were counted"


def test_a_merge_that_fails_is_said_and_loses_nothing(tmp_path: Path) -> None:
    """The other process cannot read a file that was good when this one opened it."""
    index = filled(tmp_path, LocalIndex, apart=0)
    before = seen(index)
    for victim in tmp_path.glob("segment-*/posting_rows.npy"):
        with victim.open("r+b") as file:
            file.write(bytes(8))  # the header; the size is as it was
    with pytest.raises(Unavailable, match="nothing is lost"):
        index.merge()
    assert seen(index) == before
    index.close()


def test_closing_breaks_a_merge_off(tmp_path: Path) -> None:
    index = filled(tmp_path, LocalIndex, FLUSHED, apart=0)
    before = seen(index)
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(index.merge()))
    thread.start()
    while (child := index._child) is None:
        thread.join(0.001)
        assert thread.is_alive()
    index.close()
    thread.join()
    assert done == [False]
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)
    again = opened(tmp_path)
    assert seen(again) == before
    again.close()


PARENT = """
import sys, threading
from pathlib import Path
from retrieval.local.engine import LocalIndex
index = LocalIndex.open(
    Path(sys.argv[1]), dim=4, generation=1, fingerprint="f", analyzer="a", database_id="d", apart=0
)
thread = threading.Thread(target=index.merge, daemon=True)
thread.start()
while index._child is None:
    thread.join(0.001)
print(index._child.pid, flush=True)
thread.join()
sys.stdin.read()
"""


def test_the_process_that_merges_ends_with_the_one_that_asked(tmp_path: Path) -> None:
    filled(tmp_path, LocalIndex).close()
    before = replayed_upto(tmp_path, 0)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert gone(child)
    assert replayed_upto(tmp_path, 0) == before
    again = opened(tmp_path)
    assert again.try_own(), "a killed owner's right is free"
    named = manifests.read(tmp_path)
    assert named is not None
    assert {path.name for path in tmp_path.glob("segment-*")} == {entry.name for entry in named.segments}
    again.close()


def gone(pid: int) -> bool:
    """Wait until a process that is not ours has ended (or is dead and not yet fetched by its new parent)."""
    wait = threading.Event()
    for _ in range(2000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        wait.wait(0.01)
    return False


def test_what_is_in_memory_stays_in_few_parts_of_bounded_size(tmp_path: Path) -> None:
    index = opened(tmp_path)
    limit = states._FOLD
    for seq in range(1, 41):
        many = [change(seq * 1000 + n, seq * 1000 + n, "reset") for n in range(limit // 16)]
        index.apply(many)
    sizes = [len(part.segment) for part in index._snapshot.parts]
    assert sum(sizes) == 40 * (limit // 16)
    assert max(sizes) <= limit, "a fold costs no more, however much is in memory"
    assert len(sizes) <= 8


def test_a_mask_that_was_in_use_is_ready_on_the_merged_segment(tmp_path: Path) -> None:
    index = filled(tmp_path, LocalIndex)
    asked: list[Callable[[], object]] = [
        lambda: index.search(Query(["reset"], None), scope=ALL, filters=Filters(langs=frozenset({"en"})), limit=3),
        lambda: index.search(Query(["reset"], None), scope=ALL, filters=Filters(), limit=3),
    ]
    for ask in asked:
        ask()
    old = set(index._snapshot.parts)
    index.merge()
    (new,) = set(index._snapshot.parts) - old
    kept = dict(new.masks._kept)
    assert len(kept) == len(asked)
    for ask in asked:
        ask()
    assert new.masks._kept == kept, "no reader had to make one"
    assert all(np.all(mask) for mask in kept.values())
    index.close()
