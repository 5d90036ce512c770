"""Merging segments that are on disk, here or in a process of its own.

A merge is seconds of Python and numpy, and a reader in the same process would wait for the interpreter every time it
comes back from a scan. So a large one is done by another process of low priority: it reads the files, which nobody
changes, writes the new segment's folder and says its entry. It ends when the process that asked for it ends; what it
leaves then has a name that no manifest holds, and the next owner removes it.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from retrieval.local import manifest as manifests
from retrieval.local.manifest import SegmentEntry
from retrieval.local.segment import merge

_NICENESS = 19


def write_merged(folder: Path, name: str, sources: Sequence[SegmentEntry], dim: int) -> SegmentEntry:
    """Write the rows of `sources` that their bitmaps leave alive as one segment. Raises OSError, IndexDamaged."""
    segments = [manifests.open_segment(folder, entry, check=False) for entry in sources]
    none = [np.zeros(entry.rows, np.bool_) for entry in sources]
    dead = [
        bits if (gone := manifests.read_dead(folder, entry)) is None else gone
        for entry, bits in zip(sources, none, strict=True)
    ]
    return manifests.write_segment(folder, name, merge(segments, dead, dim))


class Apart:
    """`write_merged` in a process of its own, which begins at once."""

    def __init__(self, folder: Path, name: str, sources: Sequence[SegmentEntry], dim: int) -> None:
        """Raises OSError if the process cannot be started."""
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        # One thread for linear algebra: the cores are the readers'.
        env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            env=env,
        )
        self._task = {
            "folder": str(folder.absolute()),
            "name": name,
            "sources": [asdict(entry) for entry in sources],
            "dim": dim,
        }

    @property
    def pid(self) -> int:
        return self._process.pid

    def result(self) -> SegmentEntry:
        """Wait for the new segment. Raises OSError, with the last line of what it said, if there is none."""
        with self._process as process:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):  # it has ended; the reading below says so
                process.stdin.write(json.dumps(self._task).encode() + b"\n")
            # Its input is left open until it has ended: that it closes is how it learns of the end of this process.
            said = process.stdout.read().decode(errors="replace").splitlines() or [""]
        if process.returncode:
            raise OSError(f"the process that merges ended with {process.returncode}: {said[-1]}")
        return manifests.entry_of(json.loads(said[-1]))

    def kill(self) -> None:
        self._process.kill()


def main() -> None:
    os.nice(_NICENESS)
    task = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sources = [manifests.entry_of(entry) for entry in task["sources"]]
    entry = write_merged(Path(task["folder"]), task["name"], sources, task["dim"])
    sys.stdout.write(json.dumps(asdict(entry)) + "\n")


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
