"""Secrets that are shown once and kept as hashes."""

import hashlib
import secrets


def new_secret(prefix: str = "") -> str:
    """Return 256 random bits as text."""
    return prefix + secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """Return the SHA-256 of a secret, hexadecimal. Random bits need no salt; passwords go to `kb.passwords`."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
