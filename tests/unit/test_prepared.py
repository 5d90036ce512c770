import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kb.errors import Misconfigured, Unavailable
from retrieval.embedding.catalogue import Source
from retrieval.embedding.prepared import METADATA, MODEL, OUT, Tell, ensure, read, run_export, write_metadata
from retrieval.embedding.recipe import Recipe
from tests.models import tiny_model

SOURCE = Source("some-model", Recipe("0" * 64, "", "", "mean", 12), lambda scratch: scratch)
FINGERPRINT = SOURCE.recipe.fingerprint


class Export:
    """Makes a tiny model where a process with torch would make a real one."""

    def __init__(self, fingerprint: str = FINGERPRINT) -> None:
        self.calls = 0
        self.fingerprint = fingerprint

    def __call__(self, name: str, work: Path, tell: Tell) -> None:
        self.calls += 1
        tell(f"making {name}")
        write_metadata(replace(tiny_model(work / OUT), fingerprint=self.fingerprint), {"name": name})


class CutOff(Export):
    """Writes the model but not its metadata, as a process that is killed."""

    def __call__(self, name: str, work: Path, tell: Tell) -> None:
        super().__call__(name, work, tell)
        (work / OUT / METADATA).unlink()
        raise Unavailable("killed")


def test_a_model_is_prepared_once_and_then_found(tmp_path: Path) -> None:
    export, said = Export(), list[str]()
    made = ensure(SOURCE, tmp_path / "cache", said.append, export)
    again = ensure(SOURCE, tmp_path / "cache", said.append, export)
    assert made == again == read(tmp_path / "cache" / FINGERPRINT)
    assert made.folder == tmp_path / "cache" / FINGERPRINT
    assert export.calls == 1
    assert said == ["preparing the embedding model some-model, once; it takes about a minute", "making some-model"]


def test_a_crash_leaves_nothing_half_usable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="killed"):
        ensure(SOURCE, tmp_path, export=CutOff())
    assert read(tmp_path / FINGERPRINT) is None
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    assert ensure(SOURCE, tmp_path, export=Export()).dim


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f".{FINGERPRINT}.left" / OUT
    tiny_model(left)
    other = tmp_path / ".another.left"
    other.mkdir()
    ensure(SOURCE, tmp_path, export=Export())
    assert not left.parent.exists()
    assert other.exists()


def test_preparers_at_one_time_make_it_once(tmp_path: Path) -> None:
    export = Export()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ensure(SOURCE, tmp_path, export=export), range(4)))
    assert export.calls == 1
    assert len(set(made)) == 1


@pytest.mark.parametrize("damage", ["shorter", "missing", "metadata"])
def test_a_damaged_model_is_made_again(tmp_path: Path, damage: str) -> None:
    export = Export()
    folder = ensure(SOURCE, tmp_path, export=export).folder
    if damage == "shorter":
        (folder / MODEL).write_bytes(b"")
    elif damage == "missing":
        (folder / MODEL).unlink()
    else:
        (folder / METADATA).write_text("{")
    assert read(folder) is None
    assert ensure(SOURCE, tmp_path, export=export) == read(folder)
    assert export.calls == 2


def test_metadata_names_the_files_and_what_was_said_of_them(tmp_path: Path) -> None:
    folder = ensure(SOURCE, tmp_path, export=Export()).folder
    content = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    assert content["name"] == "some-model"
    assert content["files"] == {name: (folder / name).stat().st_size for name in ("model.onnx", "tokenizer.json")}


def test_files_that_changed_while_it_was_prepared_are_not_taken_for_the_asked_ones(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="'some-model' changed while it was prepared"):
        ensure(SOURCE, tmp_path, export=Export(fingerprint="another"))
    assert read(tmp_path / FINGERPRINT) is None


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = tmp_path / "file" / "cache"
    with pytest.raises(Misconfigured, match=r"'some-model' cannot be written to .*KB_CACHE"):
        ensure(SOURCE, cache, export=Export())


def test_why_a_model_cannot_be_prepared_comes_back_from_the_process(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=re.escape("'./nowhere' is neither a folder nor")):
        run_export("./nowhere", tmp_path, lambda _: None)
