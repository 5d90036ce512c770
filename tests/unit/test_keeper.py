"""What keeps an index durable: after a while, in its own thread, again after a failure, and at the end."""

import shutil
from pathlib import Path

import numpy as np

from ingest.keeper import Keeper
from retrieval.local.engine import LocalIndex, peek
from retrieval.types import Attributes, Change, PassageDoc
from tests.integration.test_generations import eventually

ABOUT = Attributes("article", "public", 1, "en")


def opened(folder: Path) -> LocalIndex:
    return LocalIndex.open(folder, dim=4, generation=1, fingerprint="f", analyzer="a", database_id="d")


def change(index: LocalIndex) -> None:
    seq = index.watermark + 1
    index.apply([Change(seq, seq, ABOUT, (PassageDoc(seq, ["word"], np.eye(4, dtype=np.float32)[0]),))])


def test_changes_are_flushed_and_merged_after_a_while(tmp_path: Path) -> None:
    index = opened(tmp_path / "index")
    keeper = Keeper(index, seconds=0.01)
    keeper.start()
    for count in range(1, 12):
        change(index)
        keeper.changed()
        eventually(lambda wanted=count: peek(tmp_path / "index").watermark == wanted)  # type: ignore[misc]
    eventually(lambda: index.stats().segments < 6)
    keeper.close()
    assert (keeper.error, peek(tmp_path / "index").passages) == (None, 11)
    index.close()


def test_a_disk_that_fails_is_said_and_tried_again(tmp_path: Path) -> None:
    index = opened(tmp_path / "index")
    shutil.rmtree(tmp_path / "index")
    (tmp_path / "index").write_text("in the way", encoding="utf-8")
    keeper = Keeper(index, seconds=0.01)
    keeper.start()
    change(index)
    keeper.changed()
    eventually(lambda: keeper.error is not None)
    assert str(tmp_path / "index") in str(keeper.error)
    (tmp_path / "index").unlink()
    eventually(lambda: keeper.error is None)
    keeper.close()
    assert peek(tmp_path / "index").watermark == 1
    index.close()


def test_what_was_not_flushed_yet_is_at_the_end(tmp_path: Path) -> None:
    index = opened(tmp_path / "index")
    keeper = Keeper(index, seconds=60)
    keeper.start()
    change(index)
    keeper.changed()
    assert peek(tmp_path / "index").watermark == 0
    keeper.close()
    assert peek(tmp_path / "index").watermark == 1
    index.close()
