"""A mail server on loopback, a real one: with or without TLS and a password, refusing whom it is told to."""

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "kb@example.org", "p@ss/word"


class Mailbox:
    """What the server took, and whom it refuses: a reply by address."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.refused: dict[str, str] = {}
        self.secure: list[bool] = []
        self.arrived = threading.Event()

    @property
    def messages(self) -> list[EmailMessage]:
        return [message for _, message in self.taken]

    async def handle_RCPT(  # noqa: N802 (the server's own name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        self.taken.append((list(envelope.rcpt_tos), message))
        self.secure.append(server.transport is not None and server.transport.get_extra_info("sslcontext") is not None)
        self.arrived.set()
        return "250 taken"


class AnyPort(Controller):
    """Binds to a port that is free, and says which."""

    def _trigger_server(self) -> None:  # it looks whether the server answers at `port`
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server(*, certificate: Path | None = None, starttls: bool = False, password: bool = False) -> Iterator[Any]:
    """Give (address as a setting, mailbox) of a server that runs until the block ends."""
    mailbox = Mailbox()
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    how: dict[str, Any] = {"require_starttls": True, "tls_context": context} if starttls else {}
    if password:
        wanted = LoginPassword(USER.encode(), PASSWORD.encode())

        def known(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
            return AuthResult(success=given == wanted, handled=False)

        how |= {
            "authenticator": known,
            "auth_required": starttls,
            "auth_require_tls": starttls,  # from the start, it is below what the server sees
        }
    from_start = context if not starttls else None
    controller = AnyPort(mailbox, hostname="127.0.0.1", port=0, ssl_context=from_start, **how)
    controller.start()
    try:
        scheme = "smtps" if from_start is not None else "smtp"
        credentials = "kb%40example.org:p%40ss%2Fword@" if password else ""
        never = "?starttls=never" if certificate is None else ""
        yield f"{scheme}://{credentials}127.0.0.1:{controller.port}{never}", mailbox
    finally:
        controller.stop()


def made_certificate(folder: Path) -> Path:
    """Return a certificate for 127.0.0.1 with its key, of no authority. Skips where openssl is not installed."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    both = folder / "both.pem"
    made = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", *kind, *names, *made], check=True, capture_output=True)
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both
