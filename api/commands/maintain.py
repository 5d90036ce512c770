"""kb rebuild, kb verify, kb doctor: keeping it sound."""

import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from api.commands import generation
from api.commands.adapt import said, said_of_fusion
from api.commands.common import FAULTS, OK, DataOption, JsonOption, emit, out, say, services, settings
from api.services import open_database, open_postman
from ingest.verify import verify as run_verify
from kb import attachments, changes, generations, items, outbox, smtp
from kb.access import SYSTEM, scope_of
from kb.db import Database
from kb.errors import KBError
from kb.file_store import FileStore
from kb.models import Generation
from kb.settings import Settings
from kb.smtp import MailServer
from retrieval import own_fusion
from retrieval.adapted import AdapterFile, read
from retrieval.own_fusion import OwnFusionFile
from retrieval.rerank import configured


def register(app: typer.Typer) -> None:
    app.command("rebuild")(rebuild)
    app.command("verify")(verify)
    app.command("doctor")(doctor)


def rebuild(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Make passages and index anew from what the database has, and search with them. Nothing is embedded twice.

    Searches go on meanwhile. For another embedding model: kb generation build.
    """
    started = time.monotonic()
    built = generation.rebuild(data)
    seconds = round(time.monotonic() - started, 3)
    if as_json:
        emit({"generation": built.generation, "passages": built.passages, "seconds": seconds})
    else:
        out.print(
            f"The index was built anew as generation {built.generation}: {built.passages} passages in {seconds:.1f} s",
            highlight=False,
        )


def verify(
    sample: Annotated[int, typer.Option(min=0, help="Questions whose BM25 scores are compared with rank_bm25.")] = 20,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the index with the database, and the files of items with what they were. Leaves with 4 if something is
    wrong."""
    with services(data) as opened:
        result = run_verify(
            opened.db, opened.index, opened.embedder.fingerprint, sample=sample, on_progress=None if as_json else say
        )
        lost = attachments.faults(opened.db, opened.files)
    if as_json:
        emit(asdict(result) | {"files": lost})
    else:
        out.print(
            f"{result.items} items, {result.passages} live passages, {result.indexed} in the index; "
            f"{result.scores} BM25 scores of {result.queries} questions compared",
            highlight=False,
        )
        for note in result.notes:
            out.print(f"note: {note}", markup=False, highlight=False)
        for fault in result.faults:
            out.print(f"fault: {fault}", markup=False, highlight=False, style="red")
        for fault in lost:
            out.print(f"fault: {fault}", markup=False, highlight=False, style="red")
        if result.faults or not lost:
            out.print("All is well." if not result.faults else "Mend it with: kb rebuild")
    raise typer.Exit(FAULTS if result.faults or lost else OK)


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str


def doctor(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Look at the installation and say what is wrong and what to do. Changes nothing in the knowledge base."""
    loaded = settings(data)
    checks = [
        _python(),
        *_packages(),
        _folder(loaded),
        _disk(loaded),
        *_database(loaded),
        _model(loaded, loaded.embedder),
        *_reranker(loaded),
        *_mail(loaded),
    ]
    if as_json:
        emit({"checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            out.print("ok   " if check.ok else "[red]WRONG[/]", end=" ")
            out.print(f"{check.name}: {check.detail}", markup=False, highlight=False)
    raise typer.Exit(OK if all(check.ok for check in checks) else FAULTS)


def _python() -> Check:
    return Check(
        "python",
        True,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    )


def _packages() -> list[Check]:
    checks = []
    for name in ("answerwell", "faiss-cpu", "onnxruntime", "sentence-transformers", "fastapi", "sqlmodel"):
        try:
            checks.append(Check(name, True, version(name)))
        except PackageNotFoundError:
            checks.append(Check(name, False, "not installed: install Answerwell again"))
    return checks


def _folder(loaded: Settings) -> Check:
    probe = loaded.data / f".doctor-{os.getpid()}"
    try:
        if not loaded.data.exists():
            return Check("data folder", True, f"{loaded.data} is not there yet; kb ingest makes it")
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        return Check("data folder", False, f"{loaded.data} cannot be written: {error.strerror}")
    return Check("data folder", True, f"{loaded.data} can be written")


def _disk(loaded: Settings) -> Check:
    place = next(p for p in (loaded.data.absolute(), *loaded.data.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    return Check("disk", free > 1 << 30, f"{free / (1 << 30):.1f} GiB free" + ("" if free > 1 << 30 else "; make room"))


def _database(loaded: Settings) -> list[Check]:
    if loaded.database_url is None and not (loaded.data / "kb.sqlite3").exists():
        return [Check("database", True, "none yet; kb ingest or kb demo makes one")]
    try:
        db = open_database(loaded)
        with db.read() as session:
            count, seq = items.size(session, scope_of(session, SYSTEM)), changes.latest(session)
            active = generations.active(session)
        return [
            Check("database", True, f"{db.dialect}, migration {db.version()}, {count} published items, change {seq}"),
            _index(loaded, seq, active),
            _files(loaded, db),
            *([_model(loaded, active.embedder)] if active is not None and active.embedder != loaded.embedder else []),
            *([_adapter(loaded, active.fingerprint)] if active is not None else []),
            *([_own_fusion(loaded, active.fingerprint)] if active is not None else []),
        ]
    except KBError as error:
        return [Check("database", False, error.message)]


def _index(loaded: Settings, seq: int, active: Generation | None) -> Check:
    from retrieval.local.engine import peek

    folder = loaded.index_folder / str(active.number if active is not None else 0)
    if active is None or not folder.exists():
        return Check("index", True, "none yet; it is built when first needed")
    try:
        found = peek(folder)
    except KBError as error:
        return Check("index", False, f"{error.message}; it is built anew at the next start")
    behind = max(0, seq - found.watermark)
    return Check(
        "index",
        True,
        f"generation {active.number}, {active.embedder}, {found.passages} passages, at change {found.watermark}"
        + (f", {behind} behind" if behind else ""),
    )


def _files(loaded: Settings, db: Database) -> Check:
    store = FileStore(loaded.files_folder)
    with db.read() as session:
        found, missing = attachments.count(session), attachments.missing(session, store)
    if missing:
        return Check("files", False, f"{missing} are not in {store.folder}; kb verify names them")
    return Check("files", True, f"{found.files} images and attachments, {found.unused} used by nothing")


def _adapter(loaded: Settings, fingerprint: str) -> Check:
    file = AdapterFile(loaded.adapters_folder, fingerprint)
    try:
        return Check("adapter", True, said(read(file.path, fingerprint)))
    except FileNotFoundError:
        return Check("adapter", True, "none; kb adapt learns one from links and votes")
    except KBError as error:
        return Check("adapter", False, error.message)


def _own_fusion(loaded: Settings, fingerprint: str) -> Check:
    file = OwnFusionFile(loaded.adapters_folder, fingerprint)
    try:
        return Check("fusion", True, said_of_fusion(own_fusion.read(file.path, fingerprint)))
    except FileNotFoundError:
        return Check("fusion", True, "the shipped one; kb adapt learns one from links and votes")
    except KBError as error:
        return Check("fusion", False, error.message)


def _reranker(loaded: Settings) -> list[Check]:
    reranking = configured(loaded)
    if reranking is None:
        return []
    try:
        reranking.reranker.load()
    except KBError as error:
        return [Check("reranker", False, error.message)]
    name, top, budget = reranking.reranker.name, reranking.top, reranking.budget_ms
    return [Check("reranker", True, f"{name}, the best {top} items, {budget:.0f} ms at most")]


def _mail(loaded: Settings) -> list[Check]:
    """Sign in at the mail server, sending nothing; say what waits for it and what was given up."""
    if loaded.smtp_url is None:
        return []
    server = MailServer.of(loaded.smtp_url.get_secret_value())
    try:
        db = open_database(loaded)
        open_postman(loaded, db)
        with db.read() as session:
            found = outbox.standing(session)
        with smtp.connected(server):
            pass
    except KBError as error:
        return [Check("mail", False, error.message)]
    counts = f"{server.host}:{server.port}, {found.waiting} waiting, {found.given_up} given up in the last week"
    trouble = found.late or found.given_up
    return [Check("mail", not trouble, counts + (f", the last: {found.reason}; see kb mail list" if trouble else ""))]


def _model(loaded: Settings, name: str) -> Check:
    from retrieval.embed import load_embedder

    try:
        model = load_embedder(name, Path(loaded.cache), loaded.threads)
        vector = model.embed_query("ready?")
    except KBError as error:
        return Check("model", False, error.message)
    return Check(
        "model",
        bool(abs(float(vector @ vector) - 1) < 1e-3),
        f"{model.name}, {model.dim} dimensions, {model.max_tokens} tokens",
    )
