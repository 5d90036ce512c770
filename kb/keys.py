"""API keys: made once, shown once, kept as hashes."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from kb.access import Principal, Role, path_to_root
from kb.content import choice
from kb.errors import Conflict, InvalidInput, NotFound, Unauthenticated, shown
from kb.models import ApiKey, now

PREFIX = "aw_"


def add(
    session: Session,
    name: str,
    role: str,
    *,
    space_id: int | None = None,
    groups: Collection[str] = (),
    expires_at: datetime | None = None,
) -> str:
    """Add a key and return its secret, which is not kept. Raises InvalidInput or Conflict."""
    if not name.strip() or len(name) > 100:
        raise InvalidInput(f"a key's name has 1 to 100 characters, not {shown(name)}", field="name")
    granted = choice(Role, role, "role")
    if granted is Role.ANONYMOUS:
        raise InvalidInput("a key for the role 'anonymous' would open nothing; leave the key away", field="role")
    if session.exec(select(ApiKey.id).where(col(ApiKey.name) == name)).first() is not None:
        raise Conflict(f"there is a key {shown(name)} already; revoke it or choose another name", field="name")
    if space_id is not None:
        path_to_root(session, space_id)
    secret = PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiKey(
            name=name,
            secret_hash=_hash(secret),
            role=granted.value,
            space_id=space_id,
            groups=sorted(groups),
            expires_at=expires_at,
        )
    )
    session.flush()
    return secret


def revoke(session: Session, name: str) -> None:
    """Make a key open nothing from now on. Raises NotFound."""
    key = session.exec(select(ApiKey).where(col(ApiKey.name) == name)).first()
    if key is None:
        raise NotFound(f"there is no key {shown(name)}; list them with: kb key list", field="name")
    key.revoked_at = key.revoked_at or now()
    session.add(key)


def listing(session: Session) -> Sequence[ApiKey]:
    return session.exec(select(ApiKey).order_by(col(ApiKey.id))).all()


def principal(session: Session, secret: str) -> Principal:
    """Return who holds `secret`. Raises Unauthenticated for an unknown, revoked or expired key, alike."""
    key = session.exec(select(ApiKey).where(col(ApiKey.secret_hash) == _hash(secret))).first()
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now()):
        raise Unauthenticated("the API key is not valid: it is unknown, revoked or expired; ask for a new one")
    return Principal(role=Role(key.role), subject=f"key:{key.name}", space=key.space_id, groups=frozenset(key.groups))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
