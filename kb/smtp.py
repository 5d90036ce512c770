"""Handing an e-mail to a mail server, over TLS that is verified; which failures will pass and which will not."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from kb.errors import Unavailable

SECONDS = 20.0
"""Most that one step of the conversation with the server may take."""


class Undelivered(Unavailable):
    """An e-mail was not taken, and may be another time.

    `for_good`: it will never be. `everything`: nor would any other be at present.
    """

    def __init__(self, message: str, *, for_good: bool = False, everything: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good
        self.everything = everything


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mails are handed in."""

    host: str
    port: int
    tls: Literal["starttls", "from_start", "never"]
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> "MailServer":
        """Return the server of an address; its messages never say the password. Raises ValueError.

        `smtps://` is TLS from the start (port 465). `smtp://` goes over to TLS by STARTTLS, and no further without
        (587); `smtp://host?starttls=never` does not (25), and takes no password.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in ("smtp", "smtps") or parts.path.strip("/") or parts.fragment or port == 0:
            raise ValueError("an address such as smtp://user:password@mail.example.org:587 is needed")
        options = parse_qs(parts.query, keep_blank_values=True)
        never = parts.scheme == "smtp" and options == {"starttls": ["never"]}
        if options and not never:
            raise ValueError("the one option is ?starttls=never, of smtp:// addresses")
        if never and (parts.username or parts.password):
            raise ValueError("a password is not sent without TLS: leave out ?starttls=never, or user and password")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not (user + password).isprintable() or bool(user) is not bool(password):
            raise ValueError("a user and a password are needed, or neither; %40 in them is @")
        if parts.scheme == "smtps":
            return cls(host, port or 465, "from_start", user, password)
        return cls(host, port or (25 if never else 587), "never" if never else "starttls", user, password)


def sender(text: str) -> Address:
    """Return who e-mails are from: `help@example.org` or `Help <help@example.org>`. Raises ValueError."""
    name, address = parseaddr(text)
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or not text.isprintable() or not address.isascii() or " " in address:
        raise ValueError("a sender such as Help <help@example.org> is needed")
    return Address(name, local, domain)


@contextmanager
def connected(server: MailServer, *, seconds: float = SECONDS) -> Iterator[smtplib.SMTP]:
    """Give a connection on which e-mails can be sent: over TLS and signed in, as the server's address asks for.

    Raises Undelivered, `everything`, where there is none to be had; another time it may be.
    """
    connection: smtplib.SMTP | None = None
    try:
        context = ssl.create_default_context()
        if server.tls == "from_start":
            connection = smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=context)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=seconds)
        connection.ehlo_or_helo_if_needed()
        if server.tls == "starttls":
            connection.starttls(context=context)
        if server.user:
            connection.login(server.user, server.password)
    except (OSError, smtplib.SMTPException) as error:
        if connection is not None:
            connection.close()
        where = f"{server.host}:{server.port}"
        raise Undelivered(f"no use of the mail server {where}: {_said(error)}", everything=True) from error
    try:
        yield connection
    finally:
        try:
            connection.quit()
        except (OSError, smtplib.SMTPException):
            connection.close()


def send(server: MailServer, message: EmailMessage, *, to: str, seconds: float = SECONDS) -> None:
    """Hand an e-mail to the server, which has it when this returns. Raises Undelivered."""
    with connected(server, seconds=seconds) as connection:
        try:
            connection.send_message(message, to_addrs=[to])
        except smtplib.SMTPRecipientsRefused as error:
            code, text = error.recipients[to]
            raise Undelivered(f"the address was refused: {code} {_text(text)}", for_good=_final(code)) from error
        except smtplib.SMTPNotSupportedError as error:
            raise Undelivered("the mail server takes no address with such characters", for_good=True) from error
        except smtplib.SMTPDataError as error:
            raise Undelivered(f"the e-mail was refused: {_said(error)}", for_good=_final(error.smtp_code)) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Undelivered(f"the e-mail was not taken: {_said(error)}") from error


def _final(code: int) -> bool:
    """Say whether a reply means never, not later (RFC 5321, 4.2.1)."""
    return 500 <= code < 600


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return _text(str(error)) or type(error).__name__


def _text(said: bytes | str) -> str:
    """Return what a server said as one printable line."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:300]
