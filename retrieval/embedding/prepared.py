"""Prepared models in the cache folder: one folder a fingerprint, whole or not there at all.

<cache>/<fingerprint>/   model.onnx  tokenizer.json  metadata.json
<cache>/<fingerprint>.lock            held while it is prepared
<cache>/.<fingerprint>.<random>/      work in progress; what a crash leaves is removed by the next preparer
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kb.errors import Misconfigured, Unavailable, shown
from retrieval.embedding.catalogue import Source

MODEL, TOKENIZER, METADATA = "model.onnx", "tokenizer.json", "metadata.json"
OUT = "out"
"""What the preparing process leaves in its work folder."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What serving needs to know of a prepared model."""

    folder: Path
    fingerprint: str
    dim: int
    max_tokens: int
    pad_id: int
    query_prefix: str
    passage_prefix: str


def write_metadata(prepared: Prepared, about: dict[str, Any]) -> None:
    """Write metadata.json, last of all files: what serving needs, the size of each file, and `about` for people."""
    files = {
        file.name: file.stat().st_size
        for file in sorted(prepared.folder.iterdir())
        if file.is_file() and file.name != METADATA
    }
    serving = {key: value for key, value in asdict(prepared).items() if key != "folder"}
    content = {"serving": serving, "files": files, **about}
    (prepared.folder / METADATA).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read(folder: Path) -> Prepared | None:
    """Return the model in `folder`, or None where there is none or a file is missing or of another size."""
    try:
        content = json.loads((folder / METADATA).read_text(encoding="utf-8"))
        whole = all((folder / name).stat().st_size == size for name, size in content["files"].items())
        return Prepared(folder=folder, **content["serving"]) if whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def run_export(name: str, work: Path, tell: Tell) -> None:
    """Prepare a model in a process of its own, so that torch and its memory go away with it.

    Leaves the model in `work / OUT`. Raises Misconfigured where the model cannot be prepared, Unavailable where the
    process was killed.
    """
    root = str(Path(__file__).resolve().parents[2])
    known = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"}
    path = os.pathsep.join(part for part in (root, known.get("PYTHONPATH")) if part)
    command = [sys.executable, "-m", "retrieval.export", name, str(work)]
    said: dict[str, str] = {}
    with tempfile.TemporaryFile() as noise:
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=noise,
            encoding="utf-8",
            # All files are here by now: the libraries must not look for newer ones on a hub.
            env={**known, "PYTHONPATH": path, "PYTHONUTF8": "1", "HF_HUB_OFFLINE": "1"},
        ) as process:
            try:
                for line in process.stdout or ():
                    with contextlib.suppress(ValueError):
                        said = json.loads(line)
                        if "progress" in said:
                            tell(said["progress"])
                code = process.wait()
            finally:
                process.kill()
        noise.seek(0)
        last = noise.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
    if "misconfigured" in said:
        raise Misconfigured(said["misconfigured"])
    if code < 0:
        raise Unavailable(
            f"preparing the embedding model {shown(name)} was ended by signal {-code}; it needs about 4 GB of memory"
        )
    if code:
        raise Misconfigured(f"the embedding model {shown(name)} could not be prepared: {last}")


def ensure(
    source: Source, cache: Path, tell: Tell = lambda _: None, export: Callable[[str, Path, Tell], None] = run_export
) -> Prepared:
    """Return the prepared model of `source`, making it first where it is not there.

    Of several processes one prepares and the others wait for it. Raises Misconfigured or Unavailable.
    """
    folder = cache / source.recipe.fingerprint
    found = read(folder)
    if found is not None:
        return found
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{folder.name}.lock", tell):
            return read(folder) or _prepare(source, folder, tell, export)
    except OSError as error:
        raise Misconfigured(
            f"the embedding model {shown(source.name)} cannot be written to {shown(str(cache))} "
            f"({error.strerror or error}): make room there, or set KB_CACHE to another folder"
        ) from error


@contextlib.contextmanager
def _locked(path: Path, tell: Tell) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell("another process is preparing the embedding model; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _prepare(source: Source, folder: Path, tell: Tell, export: Callable[[str, Path, Tell], None]) -> Prepared:
    for left in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(left, ignore_errors=True)
    work = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    work.mkdir()
    try:
        tell(f"preparing the embedding model {source.name}, once; it takes about a minute")
        export(source.name, work, tell)
        made = work / OUT
        found = read(made)
        if found is None or found.fingerprint != source.recipe.fingerprint:
            raise Unavailable(
                f"the files of the embedding model {shown(source.name)} changed while it was prepared; start again"
            )
        for path in (*made.iterdir(), made):
            _sync(path)
        if folder.exists():  # damaged: `read` did not take it
            folder.rename(work / "damaged")
        made.rename(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return replace(found, folder=folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
