"""kb serve and kb demo: the pages and the API."""

import os
import shutil
import socket
from typing import Annotated

import typer

from api.commands.accounts import welcome_link
from api.commands.common import OPERATOR, DataOption, JsonOption, emit, index_all, out, progress, say, services
from api.services import Services, open_database
from ingest.demo import folder, load
from ingest.pipeline import Report
from kb import accounts
from kb.db import Database
from kb.errors import Unavailable
from kb.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)
    app.command("demo")(demo)


HostOption = Annotated[str | None, typer.Option(help="Address (default: KB_HOST, else 127.0.0.1: this machine only).")]
PortOption = Annotated[int | None, typer.Option(min=0, max=65535, help="Port (default: KB_PORT, else 8080; 0: any).")]


WorkersOption = Annotated[
    int | None, typer.Option(min=1, max=64, help="Processes that answer (default: KB_WORKERS, else 1).")
]


def serve(
    data: DataOption = None, host: HostOption = None, port: PortOption = None, workers: WorkersOption = None
) -> None:
    """Serve the pages and the API."""
    with services(data, level=False) as opened:
        loaded = opened.settings
        several = loaded.workers if workers is None else workers
        if several == 1:
            run(opened, host, port)
    if several > 1:
        del opened  # its model and index: the workers have their own
        run_several(loaded, several, host, port)


def demo(
    data: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    workers: WorkersOption = None,
    serving: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the pages afterwards.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Load the demo content (a fictional operator, in English and Chinese) and serve it."""
    with services(data, level=False) as opened:
        report = load_demo(opened)
        if as_json:
            emit(report.as_json())
        else:
            out.print(
                f"Demo content: {report.added} added, {report.updated} updated, {report.unchanged} unchanged; "
                f"{report.passages} passages made searchable",
                highlight=False,
            )
        loaded = opened.settings
        several = loaded.workers if workers is None else workers
        if serving and several == 1:
            run(opened, host, port)
    if serving and several > 1:
        del opened
        run_several(loaded, several, host, port)


def load_demo(opened: Services) -> Report:
    """Ingest the shipped demo content and make it searchable. A second time it changes nothing."""
    with progress("Reading", total=None) as advance:
        report = load(opened.db, actor=OPERATOR, on_progress=lambda now: advance(0))
    with folder() as demo_folder:  # what a change of generation is judged by
        shutil.copytree(demo_folder / "judged", opened.settings.judged_folder, dirs_exist_ok=True)
    report.passages = index_all(opened)
    return report


def run(opened: Services, host: str | None, port: int | None) -> None:
    """Serve from this process until stopped."""
    import uvicorn

    from api.app import create_app

    opened.warm()
    listener, address = _listen(opened.settings, host, port)
    say(_ready(opened.settings, opened.db, address))
    config = uvicorn.Config(
        create_app(opened), log_config=None, access_log=False, timeout_graceful_shutdown=5, server_header=False
    )
    uvicorn.Server(config).run(sockets=[listener])


def run_several(settings: Settings, workers: int, host: str | None, port: int | None) -> None:
    """Serve from `workers` processes until stopped. They were opened once before: the model is prepared, the tables are
    there. Raises Unavailable where they cannot start."""
    from api import workers as several

    os.environ["KB_DATA"] = str(settings.data)
    if settings.threads is None:  # together as many as there are cores: more take them from one another
        os.environ["KB_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // workers))
    listener, address = _listen(settings, host, port)
    db = open_database(settings)
    try:
        served = several.serve(workers, listener, lambda: say(_ready(settings, db, address)))
    finally:
        db.dispose()
    if not served:
        raise Unavailable("a worker could not start, so none serves; what it said stands above")


def _ready(settings: Settings, db: Database, address: str) -> str:
    ready = f"Answerwell is ready at {address}   (Ctrl-C stops it)"
    with db.write() as session:
        secret = accounts.setup(session)
    if secret is None:
        return ready
    return f"{ready}\nNobody can sign in yet; make the first account: {welcome_link(settings, secret, address)}"


def _listen(settings: Settings, host: str | None, port: int | None) -> tuple[socket.socket, str]:
    """Bind before saying that it is ready; return the socket and its address for people.

    Raises Unavailable, naming the address and the way out.
    """
    host, port = host or settings.host, settings.port if port is None else port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unavailable(f"cannot serve at {host}:{port}: {reason}; choose another with --host and --port") from error
    listener.listen(128)
    shown = f"[{host}]" if ":" in host else host
    return listener, f"http://{shown}:{listener.getsockname()[1]}/"
