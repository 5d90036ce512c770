"""kb serve and kb demo: the pages and the API."""

import shutil
import socket
from typing import Annotated

import typer

from api.commands.common import OPERATOR, DataOption, JsonOption, emit, index_all, out, progress, say, services
from api.services import Services
from ingest.demo import folder, load
from ingest.pipeline import Report
from kb.errors import Unavailable


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)
    app.command("demo")(demo)


HostOption = Annotated[str | None, typer.Option(help="Address (default: KB_HOST, else 127.0.0.1: this machine only).")]
PortOption = Annotated[int | None, typer.Option(min=0, max=65535, help="Port (default: KB_PORT, else 8080; 0: any).")]


def serve(data: DataOption = None, host: HostOption = None, port: PortOption = None) -> None:
    """Serve the pages and the API."""
    with services(data, level=False) as opened:
        run(opened, host, port)


def demo(
    data: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
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
        if serving:
            run(opened, host, port)


def load_demo(opened: Services) -> Report:
    """Ingest the shipped demo content and make it searchable. A second time it changes nothing."""
    with progress("Reading", total=None) as advance:
        report = load(opened.db, actor=OPERATOR, on_progress=lambda now: advance(0))
    with folder() as demo_folder:  # what a change of generation is judged by
        shutil.copytree(demo_folder / "judged", opened.settings.judged_folder, dirs_exist_ok=True)
    report.passages = index_all(opened)
    return report


def run(opened: Services, host: str | None, port: int | None) -> None:
    """Serve until stopped."""
    import uvicorn

    from api.app import create_app

    address = host or opened.settings.host
    listener = _listen(address, opened.settings.port if port is None else port)
    shown_host = f"[{address}]" if ":" in address else address
    say(f"Answerwell is ready at http://{shown_host}:{listener.getsockname()[1]}/   (Ctrl-C stops it)")
    config = uvicorn.Config(
        create_app(opened), log_config=None, access_log=False, timeout_graceful_shutdown=5, server_header=False
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Bind before saying that it is ready. Raises Unavailable, naming the address and the way out."""
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
    return listener
