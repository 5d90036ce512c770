"""One measurement in a process of its own: its memory is its own, and what hangs or dies takes nothing with it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_QUIET = {"HAYSTACK_TELEMETRY_ENABLED": "False", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class Stopped(Exception):
    """A measurement that did not end as it should, and why."""


def run(arguments: Sequence[str], seconds: float | None = None) -> Any:
    """Run `python -m eval.bench.worker ARGUMENTS`; return the JSON value that it leaves.

    Raises Stopped if it takes longer than `seconds`, or with the last line it says if it fails.
    """
    with tempfile.TemporaryDirectory(prefix="answerwell-bench-") as folder:
        result = Path(folder) / "result.json"
        paths = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        try:
            done = subprocess.run(
                [sys.executable, "-m", "eval.bench.worker", *arguments, "--result", str(result)],
                env={**os.environ, **_QUIET, "PYTHONPATH": paths},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
                text=True,
                errors="replace",
            )
        except subprocess.TimeoutExpired as error:
            raise Stopped(f"stopped after {seconds:.0f} s") from error
        if done.returncode < 0:
            raise Stopped(f"killed by signal {-done.returncode}")
        if done.returncode or not result.is_file():
            said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
            raise Stopped(said[-1])
        return json.loads(result.read_text(encoding="utf-8"))


def memory() -> dict[str, int]:
    """Return the resident bytes of this process: `anonymous`, which is its own, and `file`, mapped and given back."""
    kib: dict[str, int] = {}
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, _, value = line.partition(":")
        kib[name] = int(value.split()[0])
    anonymous = kib["Anonymous"] * 1024
    return {"anonymous": anonymous, "file": kib["Rss"] * 1024 - anonymous}


def peak() -> int:
    """Return the most bytes that were resident in this process at any time."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM")


def forget(folder: Path) -> None:
    """Drop the files of `folder` from the page cache, so that who opens them reads the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
