"""API keys: made once, shown once, kept as hashes."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from kb import audit
from kb.access import Permission, Principal, Role, root_space_id
from kb.accounts import checked_groups, require_admin
from kb.content import choice
from kb.errors import Conflict, InvalidInput, NotFound, Unauthenticated, shown
from kb.models import ApiKey, now
from kb.secret import hashed, new_secret

PREFIX = "aw_"
_SUBJECT = "key:"


def add(
    session: Session,
    name: str,
    role: str,
    *,
    actor: Principal,
    space_id: int | None = None,
    groups: Collection[str] = (),
    permissions: Collection[str] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Add a key and return its secret, which is not kept.

    `permissions`: what it may be used for within its role; None: everything. Raises InvalidInput, Conflict, or
    Forbidden where the actor is no admin of the space (of all of them, for a key of no space).
    """
    if not name.strip() or len(name) > 100:
        raise InvalidInput(f"a key's name has 1 to 100 characters, not {shown(name)}", field="name")
    granted = choice(Role, role, "role")
    if granted is Role.ANONYMOUS:
        raise InvalidInput("a key for the role 'anonymous' would open nothing; leave the key away", field="role")
    if session.exec(select(ApiKey.id).where(col(ApiKey.name) == name)).first() is not None:
        raise Conflict(f"there is a key {shown(name)} already; revoke it or choose another name", field="name")
    if granted is Role.CUSTOMER and space_id is None:
        space_id = root_space_id(session)
    require_admin(session, actor, space_id, "make keys")
    allowed = None
    if permissions is not None:
        allowed = sorted({choice(Permission, word, "permissions").value for word in permissions})
        if not allowed:
            raise InvalidInput("a key without any permission would open nothing; leave them out", field="permissions")
    kept, secret = checked_groups(groups), new_secret(PREFIX)
    session.add(
        ApiKey(
            name=name,
            secret_hash=hashed(secret),
            role=granted.value,
            space_id=space_id,
            groups=kept,
            expires_at=expires_at,
            permissions=allowed,
            made_by=actor.subject,
        )
    )
    session.flush()
    after = {"role": granted.value, "permissions": allowed, "groups": kept}
    audit.record(session, actor, "key.add", f"key:{name}", space=space_id, after=after)
    return secret


def revoke(session: Session, name: str, *, actor: Principal) -> None:
    """Make a key open nothing from now on. Raises NotFound or Forbidden."""
    actor.require(Role.ADMIN, "revoke keys")
    key = session.exec(select(ApiKey).where(col(ApiKey.name) == name)).first()
    if key is None:
        raise NotFound(f"there is no key {shown(name)}; list them with: kb key list", field="name")
    require_admin(session, actor, key.space_id, "revoke keys")
    key.revoked_at = key.revoked_at or now()
    session.add(key)
    audit.record(session, actor, "key.revoke", f"key:{name}", space=key.space_id)


def listing(session: Session, *, actor: Principal) -> Sequence[ApiKey]:
    """Return the keys of the spaces that the actor is an admin of. Raises Forbidden below admin."""
    actor.require(Role.ADMIN, "list keys")
    statement = select(ApiKey).order_by(col(ApiKey.id))
    spaces = actor.spaces_of(session, Role.ADMIN)
    return session.exec(
        statement if spaces is None else statement.where(col(ApiKey.space_id).in_(sorted(spaces)))
    ).all()


def principal(session: Session, secret: str) -> Principal:
    """Return who holds `secret`. Raises Unauthenticated for an unknown, revoked or expired key, alike."""
    key = session.exec(select(ApiKey).where(col(ApiKey.secret_hash) == hashed(secret))).first()
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now()):
        raise Unauthenticated("the API key is not valid: it is unknown, revoked or expired; ask for a new one")
    return _principal(key)


def named(session: Session, subject: str) -> Principal | None:
    """Return what the key with this name in logs (`key:desk`) may do now; None for one unknown, revoked or expired."""
    key = session.exec(select(ApiKey).where(col(ApiKey.name) == subject.removeprefix(_SUBJECT))).first()
    if key is None or not subject.startswith(_SUBJECT) or key.revoked_at is not None:
        return None
    return _principal(key) if key.expires_at is None or key.expires_at > now() else None


def _principal(key: ApiKey) -> Principal:
    return Principal(
        role=Role(key.role),
        subject=f"{_SUBJECT}{key.name}",
        space=key.space_id,
        groups=frozenset(key.groups),
        permissions=frozenset(map(Permission, key.permissions)) if key.permissions is not None else None,
    )
