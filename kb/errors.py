"""The one tree of errors that this product raises on purpose.

    KBError
    ├── InvalidInput     422  a value that cannot be used
    ├── Unauthenticated  401  no or a wrong credential
    ├── Forbidden        403  known, but not allowed
    ├── NotFound         404  is not there, or may not be seen (the two look the same)
    ├── TooManyAttempts  429  failed too often lately
    ├── Conflict         409  the state forbids it
    │   └── StaleRevision     a newer revision is already there
    ├── TooLarge         413  over a limit
    ├── UnreadableSource 422  a file or export that cannot be ingested
    ├── Unavailable      503  not ready, locked, or a part is missing
    └── Misconfigured    500  the installation or a setting is wrong

A message names the value (with repr) and the way out. `code` is stable and documented in docs/errors.md.
"""

from http import HTTPStatus
from typing import ClassVar

MAX_SHOWN = 160


def shown(value: object) -> str:
    """Return repr(value), shortened to about 160 characters (paths are long) and safe to print anywhere."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}… ({len(text)} characters)"


class KBError(Exception):
    """Base of all errors raised on purpose: a stable `code`, an HTTP `status`, a sentence."""

    code: ClassVar[str] = "internal"
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidInput(KBError):
    code = "invalid_input"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unauthenticated(KBError):
    code = "unauthenticated"
    status = HTTPStatus.UNAUTHORIZED


class Forbidden(KBError):
    code = "forbidden"
    status = HTTPStatus.FORBIDDEN


class NotFound(KBError):
    code = "not_found"
    status = HTTPStatus.NOT_FOUND


class TooManyAttempts(KBError):
    """`wait`: seconds until it may be tried again."""

    code = "too_many_attempts"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, message: str, *, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


class Conflict(KBError):
    code = "conflict"
    status = HTTPStatus.CONFLICT


class StaleRevision(Conflict):
    code = "stale_revision"


class TooLarge(KBError):
    code = "too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnreadableSource(KBError):
    code = "unreadable_source"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unavailable(KBError):
    code = "unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class Misconfigured(KBError):
    code = "misconfigured"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
