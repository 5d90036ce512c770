"""Passwords: argon2id with the parameters of RFC 9106's second recommendation, through argon2-cffi."""

import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from kb.errors import InvalidInput

SHORTEST, LONGEST = 12, 256

_AT_ONCE = threading.Semaphore(2)
"""Each hash takes 64 MiB: many sign-ins at once wait instead of taking the machine's memory."""


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def hash_password(password: str, *, known: tuple[str, ...] = ()) -> str:
    """Return the hash of a new password. `known`: the person's name and address, which it may not be.

    Raises InvalidInput, never showing it.
    """
    folded = _folded(password)
    if not SHORTEST <= len(folded) <= LONGEST:
        raise InvalidInput(
            f"a password has {SHORTEST} to {LONGEST} characters, not {len(folded)}: a few words are easy to remember",
            field="password",
        )
    plain = folded.casefold()
    if len(set(plain)) < 4 or any(len(name) > 3 and plain.strip("0123456789!.") == name.casefold() for name in known):
        raise InvalidInput("this password is easy to guess: take a few words that belong to nobody", field="password")
    return remade(password)


def remade(password: str) -> str:
    """Return the hash of a password that is in use already."""
    with _AT_ONCE:
        return _hasher().hash(_folded(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Say whether it is the password. Takes as long where there is no hash, so that nobody learns which names exist."""
    with _AT_ONCE:
        try:
            found = _hasher().verify(password_hash or _nobody(), _folded(password))
        except (VerificationError, InvalidHashError):
            return False
    return found and password_hash is not None


def outdated(password_hash: str) -> bool:
    """Say whether the hash was made with other parameters than those of today."""
    return _hasher().check_needs_rehash(password_hash)


def _folded(password: str) -> str:
    # One form for what different keyboards send (NIST SP 800-63B: normalise before hashing).
    return unicodedata.normalize("NFKC", password)


@cache
def _nobody() -> str:
    return _hasher().hash("nobody has this password")
