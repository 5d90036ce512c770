"""/v1/accounts, /v1/keys, /v1/spaces, /v1/audit, /v1/me: who may do what, for admins; and oneself."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlmodel import Session

from api import letters
from api.deps import AdminDep, ReaderDep, ServicesDep
from api.errors import PROBLEMS
from api.schemas import LARGEST, Number, Shape
from api.services import Services
from kb import accounts, audit, browser_sessions, keys, spaces
from kb.access import Grant, Principal, Role, scope_of
from kb.errors import Unauthenticated
from kb.models import Account, ApiKey, AuditRow, LetterKind, now

router = APIRouter(prefix="/v1", tags=["accounts"], responses=PROBLEMS)

RoleField = Annotated[str, Field(description="customer, agent, contributor, publisher, coach, editor or admin.")]
SpaceField = Annotated[str | None, Field(description="Key of the space (none: everywhere; a customer: in the root).")]
GroupsField = Annotated[
    list[str], Field(description="Groups of people, and entitlements such as `plan:gold` or `product:router`.")
]


class GrantOut(Shape):
    role: str
    space: str | None


class AccountOut(Shape):
    email: str
    name: str
    state: str
    groups: list[str]
    grants: list[GrantOut]
    created_at: datetime
    signed_in_at: datetime | None


class AccountsOut(Shape):
    accounts: list[AccountOut]


class AccountIn(Shape):
    email: str
    name: str = ""
    role: RoleField
    space: SpaceField = None
    groups: GroupsField = Field(default_factory=list)


class Link(Shape):
    """A link that opens once."""

    account: AccountOut
    link: str | None = Field(
        description="For the person, and for nobody else. It cannot be shown again; null where it was mailed."
    )
    mailed: bool = Field(description="It is sent to the person by e-mail, as a mail server is set.")


class GrantIn(Shape):
    role: RoleField
    space: SpaceField = None


class GroupsIn(Shape):
    groups: GroupsField


class KeyIn(Shape):
    name: str
    role: RoleField
    space: SpaceField = None
    groups: GroupsField = Field(default_factory=list)
    permissions: list[str] | None = Field(
        default=None, description="read, events, write, ingest, admin; left out: everything that the role may."
    )
    days: int | None = Field(default=None, ge=1, le=3650, description="Days until it expires; left out: never.")


class KeyOut(Shape):
    name: str
    role: str
    space: str | None
    groups: list[str]
    permissions: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    made_by: str | None


class KeyMade(Shape):
    name: str
    key: str = Field(description="Shown this once.")


class KeysOut(Shape):
    keys: list[KeyOut]


class SpaceIn(Shape):
    key: str
    name: str
    parent: str | None = Field(default=None, description="Key of the space above (default: the root).")


class SpaceOut(Shape):
    key: str
    name: str
    parent: str | None


class SpacesOut(Shape):
    spaces: list[SpaceOut]


class AuditOut(Shape):
    id: int
    at: datetime
    actor: str | None
    action: str
    target: str
    space: str | None
    before: dict[str, object]
    after: dict[str, object]


class AuditRows(Shape):
    rows: list[AuditOut]


class Me(Shape):
    subject: str | None
    role: str
    grants: list[GrantOut]
    groups: list[str]
    permissions: list[str] | None


@router.get("/me", operation_id="read_me")
def read_me(parts: ServicesDep, reader: ReaderDep) -> Me:
    """Return who asks and what they may do."""
    with parts.db.read() as session:
        names = _names(session)
        return Me(
            subject=reader.subject,
            role=reader.role.value,
            grants=[_grant(found, names) for found in sorted(reader.grants, key=lambda found: -found.role.rank)],
            groups=sorted(reader.groups),
            permissions=sorted(reader.permissions) if reader.permissions is not None else None,
        )


@router.post("/me/sign-out", operation_id="sign_out_everywhere", status_code=204)
def sign_out_everywhere(parts: ServicesDep, reader: ReaderDep) -> None:
    """End all browser sessions of the person that asks."""
    if reader.account is None:
        raise Unauthenticated("only a person who has signed in can sign out")
    with parts.db.write() as session:
        browser_sessions.end_all(session, reader)


@router.get("/accounts", operation_id="list_accounts")
def list_accounts(
    parts: ServicesDep,
    reader: AdminDep,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="Id of the last account of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AccountsOut:
    """List the accounts that have a role where the caller is an admin."""
    with parts.db.read() as session:
        found = accounts.listing(session, actor=reader, after=after, limit=limit)
        return AccountsOut(accounts=[_account(session, account, reader) for account in found])


@router.post("/accounts", operation_id="add_account", status_code=201)
def add_account(parts: ServicesDep, reader: AdminDep, body: AccountIn) -> Link:
    """Add an account and return its invitation, or mail it. For admins of the space."""
    with parts.db.write() as session:
        account, secret = accounts.add(
            session,
            body.email,
            actor=reader,
            name=body.name,
            role=body.role,
            space_id=_space(session, reader, body.space),
            groups=body.groups,
        )
        return _link(parts, session, account, reader, secret, LetterKind.INVITATION)


@router.put("/accounts/{email}/grants", operation_id="grant_role")
def grant_role(parts: ServicesDep, reader: AdminDep, email: str, body: GrantIn) -> AccountOut:
    """Give an account a role in a space and below it, instead of the one it had there."""
    with _account_of(parts, reader, email) as (session, account):
        accounts.grant(session, account, body.role, _space(session, reader, body.space), actor=reader)
        return _account(session, account, reader)


@router.delete("/accounts/{email}/grants", operation_id="revoke_role")
def revoke_role(parts: ServicesDep, reader: AdminDep, email: str, space: str | None = None) -> AccountOut:
    """Take an account's role in a space away."""
    with _account_of(parts, reader, email) as (session, account):
        accounts.revoke(session, account, _space(session, reader, space), actor=reader)
        return _account(session, account, reader)


@router.put("/accounts/{email}/groups", operation_id="set_groups")
def set_groups(parts: ServicesDep, reader: AdminDep, email: str, body: GroupsIn) -> AccountOut:
    """Say which groups and entitlements an account has."""
    with _account_of(parts, reader, email) as (session, account):
        accounts.set_groups(session, account, body.groups, actor=reader)
        return _account(session, account, reader)


@router.post("/accounts/{email}/disable", operation_id="disable_account")
def disable_account(parts: ServicesDep, reader: AdminDep, email: str) -> AccountOut:
    """Let an account sign in no more, at once and everywhere."""
    with _account_of(parts, reader, email) as (session, account):
        accounts.disable(session, account, actor=reader)
        return _account(session, account, reader)


@router.post("/accounts/{email}/enable", operation_id="enable_account")
def enable_account(parts: ServicesDep, reader: AdminDep, email: str) -> AccountOut:
    """Let a disabled account sign in again."""
    with _account_of(parts, reader, email) as (session, account):
        accounts.enable(session, account, actor=reader)
        return _account(session, account, reader)


@router.post("/accounts/{email}/invite", operation_id="invite_again")
def invite_again(parts: ServicesDep, reader: AdminDep, email: str) -> Link:
    """Return or mail a new invitation of an account that has not accepted the first."""
    with _account_of(parts, reader, email) as (session, account):
        secret = accounts.invite(session, account, actor=reader)
        return _link(parts, session, account, reader, secret, LetterKind.INVITATION)


@router.post("/accounts/{email}/reset", operation_id="reset_password")
def reset_password(parts: ServicesDep, reader: AdminDep, email: str) -> Link:
    """Return or mail a link by which a person chooses another password."""
    with _account_of(parts, reader, email) as (session, account):
        secret = accounts.reset(session, account, actor=reader)
        return _link(parts, session, account, reader, secret, LetterKind.RESET)


@router.get("/keys", operation_id="list_keys")
def list_keys(parts: ServicesDep, reader: AdminDep) -> KeysOut:
    """List the keys of the spaces that the caller is an admin of; never their secrets."""
    with parts.db.read() as session:
        names = _names(session)
        return KeysOut(keys=[_key(found, names) for found in keys.listing(session, actor=reader)])


@router.post("/keys", operation_id="add_key", status_code=201)
def add_key(parts: ServicesDep, reader: AdminDep, body: KeyIn) -> KeyMade:
    """Make an API key of a role and space within those of the caller."""
    with parts.db.write() as session:
        secret = keys.add(
            session,
            body.name,
            body.role,
            actor=reader,
            space_id=_space(session, reader, body.space),
            groups=body.groups,
            permissions=body.permissions,
            expires_at=now() + timedelta(days=body.days) if body.days is not None else None,
        )
    return KeyMade(name=body.name, key=secret)


@router.delete("/keys/{name}", operation_id="revoke_key", status_code=204)
def revoke_key(parts: ServicesDep, reader: AdminDep, name: str) -> None:
    """Make a key open nothing from now on."""
    with parts.db.write() as session:
        keys.revoke(session, name, actor=reader)


@router.get("/spaces", operation_id="list_spaces")
def list_spaces(parts: ServicesDep, reader: ReaderDep) -> SpacesOut:
    """List the spaces that the caller may read something in."""
    with parts.db.read() as session:
        scope = scope_of(session, reader)
        found = spaces.all_spaces(session)
        names = {int(space.id or 0): space.key for space in found}
        return SpacesOut(
            spaces=[
                SpaceOut(key=space.key, name=space.name, parent=names.get(space.parent_id or 0))
                for space in found
                if scope.reaches(int(space.id or 0))
            ]
        )


@router.post("/spaces", operation_id="add_space", status_code=201)
def add_space(parts: ServicesDep, reader: AdminDep, body: SpaceIn) -> SpaceOut:
    """Add a space below another. For admins of that one."""
    reader.require(Role.ADMIN, "add spaces")
    with parts.db.write() as session:
        space = spaces.add(session, body.key, name=body.name, parent=body.parent, actor=reader)
        return SpaceOut(key=space.key, name=space.name, parent=_names(session).get(space.parent_id or 0))


@router.get("/audit", operation_id="read_audit")
def read_audit(
    parts: ServicesDep,
    reader: AdminDep,
    target: Annotated[str | None, Query(description="Such as KB-1042 or an e-mail address.")] = None,
    actor: str | None = None,
    before: Annotated[Number | None, Query(description="Id of the last row of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AuditRows:
    """Read who changed what, newest first: of the spaces that the caller is an admin of."""
    with parts.db.read() as session:
        names = _names(session)
        found = audit.rows(session, reader, target=target, actor=actor, before_id=before, limit=limit)
        return AuditRows(rows=[_audit(row, names) for row in found])


@contextmanager
def _account_of(parts: Services, reader: Principal, email: str) -> Iterator[tuple[Session, Account]]:
    """Give an account to an admin, in a transaction that ends with the block."""
    with parts.db.write() as session:
        yield session, accounts.visible(session, email, actor=reader)


def _link(
    parts: Services, session: Session, account: Account, reader: Principal, secret: str | None, kind: LetterKind
) -> Link:
    mailed = letters.post_link(session, account, kind, settings=parts.settings, actor=reader)
    link = f"/welcome/{secret}" if not mailed else None
    return Link(account=_account(session, account, reader), link=link, mailed=mailed)


def _names(session: Session) -> dict[int, str]:
    return {int(space.id or 0): space.key for space in spaces.all_spaces(session)}


def _space(session: Session, reader: Principal, key: str | None) -> int | None:
    reader.require(Role.ADMIN, "give rights")
    return spaces.by_key(session, key).id if key is not None else None


def _grant(found: Grant, names: dict[int, str]) -> GrantOut:
    return GrantOut(role=found.role.value, space=names.get(found.space) if found.space is not None else None)


def _account(session: Session, account: Account, reader: Principal) -> AccountOut:
    """Return an account with those of its roles that lie where the reader is an admin."""
    names, mine = _names(session), reader.spaces_of(session, Role.ADMIN)
    grants = accounts.known(session, account).grants
    return AccountOut(
        email=account.email,
        name=account.name,
        state=account.state.value,
        groups=account.groups,
        grants=[_grant(found, names) for found in grants if mine is None or found.space in mine],
        created_at=account.created_at,
        signed_in_at=account.signed_in_at,
    )


def _key(key: ApiKey, names: dict[int, str]) -> KeyOut:
    return KeyOut(
        name=key.name,
        role=key.role,
        space=names.get(key.space_id) if key.space_id is not None else None,
        groups=key.groups,
        permissions=key.permissions,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        made_by=key.made_by,
    )


def _audit(row: AuditRow, names: dict[int, str]) -> AuditOut:
    return AuditOut(
        id=int(row.id or 0),
        at=row.at,
        actor=row.actor,
        action=row.action,
        target=row.target,
        space=names.get(row.space_id) if row.space_id is not None else None,
        before=row.before,
        after=row.after,
    )
