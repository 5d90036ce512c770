"""The command line of `kb bench`."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from eval.bench import process
from eval.bench.corpus import corpus_folder, index_folder
from eval.bench.peers import PEERS
from eval.bench.plot import plot
from eval.bench.report import markdown
from kb.errors import InvalidInput, Unavailable, shown
from kb.settings import load_settings

LEAST = 100
MOST = 10_000_000

app = typer.Typer()

Tell = Callable[[str], None]


@app.callback(invoke_without_command=True)
def bench(
    passages: Annotated[
        str, typer.Option(metavar="N[,N...]", help=f"Sizes, {LEAST} to {MOST:,} passages each.")
    ] = "10000,100000",
    rounds: Annotated[int, typer.Option(help="How often each question is asked.", min=1)] = 3,
    seconds: Annotated[
        float, typer.Option(help="Length of each measurement of a rate; publishing takes three times as long.", min=0.1)
    ] = 5.0,
    peers: Annotated[
        bool, typer.Option("--peers", help=f"Measure those installed of {', '.join(PEERS)} in the same run.")
    ] = False,
    peer_seconds: Annotated[
        float, typer.Option(help="A peer that takes longer than this at a size is stopped, which is said.", min=1)
    ] = 300.0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write bench.json, bench.md and bench.svg there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of Markdown.")] = False,
) -> None:
    """Measure the engine: grow corpora from real text, build indexes, ask real questions, print what it costs.

    Text and questions are those of the shipped demo and, where KB_SHARED_DATA names them, of real help centres; they
    are embedded once with the model that KB_EMBEDDER names. Every measurement runs in a process of its own.
    """
    sizes = _sizes(passages)
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(f"the folder {shown(str(out))} cannot be made: {error.strerror}", field="out") from error

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    about, rows = _about(sizes, rounds, peers), list[dict[str, Any]]()
    result = {"about": about, "results": rows}
    with tempfile.TemporaryDirectory(prefix="answerwell-bench-") as folder:
        about["base"] = _base(Path(folder), tell)
        for size in sizes:
            row = measure(Path(folder), size, rounds, seconds, tell)
            if peers:
                row["peers"] = beside(Path(folder), size, seconds, peer_seconds, tell)
            _remove(corpus_folder(Path(folder), size))
            rows.append(row)
            if out is not None:  # after each size: a long run that is stopped has what it measured
                _write(out, result)
    sys.stdout.write(json.dumps(result, indent=2) + "\n" if as_json else markdown(result))


def measure(work: Path, passages: int, rounds: int, seconds: float, tell: Tell) -> dict[str, Any]:
    """Build an index of so many passages below `work` and measure it. Raises Unavailable if a measurement fails."""
    row: dict[str, Any] = {"passages": passages}
    for task, doing in (
        ("grow", "growing the corpus"),
        ("build", "building the index"),
        ("serve", "opening it and asking"),
        ("check", "checking it against exact search"),
        ("publish", "publishing and deleting while questions are asked"),
    ):
        tell(f"{passages:,} passages: {doing}")
        try:
            row[task] = process.run(_arguments(task, work, passages, seconds, rounds))
        except process.Stopped as error:
            raise Unavailable(f"{doing} at {passages:,} passages failed: {error}") from error
    _remove(index_folder(work, passages))
    return row


def beside(work: Path, passages: int, seconds: float, most: float, tell: Tell) -> dict[str, Any]:
    """Measure each peer; what is not installed, too large or too slow gives {"skipped": why}."""
    found: dict[str, Any] = {}
    for name, peer in PEERS.items():
        tell(f"{passages:,} passages: {peer.name}")
        try:
            metadata.version(peer.package)
            if passages > peer.most:
                found[name] = {"skipped": f"not run above {peer.most:,} passages: {peer.why}"}
            else:
                found[name] = process.run(_arguments(name, work, passages, seconds, 1), most)
        except metadata.PackageNotFoundError:
            found[name] = {"skipped": f"not installed: pip install {peer.package}"}
        except process.Stopped as error:
            found[name] = {"skipped": str(error)}
        _remove(work / f"{name}-{passages}")
        if "skipped" in found[name]:
            tell(f"{passages:,} passages: {peer.name}: {found[name]['skipped']}")
    return found


def _base(work: Path, tell: Tell) -> dict[str, Any]:
    # Imported here: what imports this package for a measurement does not have the embedder in its memory.
    from eval.bench.base import read
    from eval.vectors import embedder_of

    settings = load_settings()
    with embedder_of(settings) as embedder:
        base = read(embedder, settings.shared_data, max_tokens=settings.passage_tokens, tell=tell)
    base.save(work)
    return base.about


def _sizes(given: str) -> list[int]:
    try:
        sizes = [int(size.replace("_", "")) for size in given.split(",") if size.strip()]
    except ValueError as error:
        raise InvalidInput(
            f"sizes are whole numbers such as 10000,100000, not {shown(given)}", field="passages"
        ) from error
    if not sizes or min(sizes) < LEAST or max(sizes) > MOST:
        raise InvalidInput(f"a size is {LEAST} to {MOST:,} passages, not {shown(given)}", field="passages")
    return sorted(set(sizes))


def _arguments(task: str, work: Path, passages: int, seconds: float, rounds: int) -> list[str]:
    return [task, str(work), str(passages), "--seconds", str(seconds), "--rounds", str(rounds)]


def _remove(folder: Path) -> None:
    if folder.is_dir():
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()


def _write(out: Path, result: dict[str, Any]) -> None:
    (out / "bench.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    (out / "bench.md").write_text(markdown(result), encoding="utf-8")
    (out / "bench.svg").write_text(plot(result["results"]), encoding="utf-8")


def _about(sizes: Sequence[int], rounds: int, peers: bool) -> dict[str, Any]:
    """Return what somebody needs who wants the same figures."""
    passages = ",".join(map(str, sizes))
    return {
        "command": f"kb bench --passages {passages} --rounds {rounds}{' --peers' if peers else ''}",
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in ("answerwell", "numpy", "faiss-cpu", "rank-bm25")},
    }


def _commit() -> str | None:
    """Return the commit of the checkout, with + where it has changes; None outside one."""
    root = Path(__file__).parents[2]
    try:
        said = [
            subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=True, timeout=10).stdout
            for command in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    return said[0].strip() + ("+" if said[1].strip() else "")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
