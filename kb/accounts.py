"""Accounts of people: inviting, granting, disabling. Nobody gives a right that they do not have there themselves."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete as sql_delete
from sqlmodel import Session, col, select

from kb import audit
from kb.access import SYSTEM, Grant, Principal, Role, path_to_root, root_space_id
from kb.content import choice, storable
from kb.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated, shown
from kb.models import (
    Account,
    AccountGrant,
    AccountState,
    BrowserSession,
    OneTimeToken,
    TokenPurpose,
    now,
)
from kb.passwords import hash_password
from kb.secret import hashed, new_secret

_EMAIL = re.compile(r"[^@\s:/,;<>\"]{1,64}@[^@\s:/,;<>\"]{1,130}")
_MAX_GROUPS = 200

LIVES = {
    TokenPurpose.INVITATION: timedelta(days=7),
    TokenPurpose.RESET: timedelta(hours=1),
    TokenPurpose.SETUP: timedelta(days=1),
}
"""How long a link opens."""


@dataclass(frozen=True, slots=True)
class Known:
    """An account with what it was granted."""

    account: Account
    grants: tuple[Grant, ...]

    @property
    def principal(self) -> Principal:
        """What the person may do once signed in: the highest role, and others beside it."""
        ranked = sorted(self.grants, key=lambda grant: (-grant.role.rank, grant.space is not None, grant.space or 0))
        first = ranked[0] if ranked else Grant(Role.CUSTOMER)
        return Principal(
            role=first.role,
            subject=self.account.email,
            space=first.space,
            groups=frozenset(self.account.groups),
            also=frozenset(ranked[1:]),
            account=self.account.id,
        )


def folded_email(email: str) -> str:
    """Return an address as it is kept. Raises InvalidInput."""
    folded = email.strip().casefold()
    if not _EMAIL.fullmatch(folded) or len(folded) > 195 or not folded.isprintable() or storable(folded) != folded:
        raise InvalidInput(f"an e-mail address such as ana@example.org is needed, not {shown(email)}", field="email")
    return folded


def add(
    session: Session,
    email: str,
    *,
    actor: Principal,
    name: str = "",
    role: str,
    space_id: int | None = None,
    groups: Collection[str] = (),
    password: str | None = None,
) -> tuple[Account, str | None]:
    """Add an account with one grant; return it with the secret of its invitation, None if it got its password here.

    Raises InvalidInput, Conflict (the address is taken) or Forbidden (the actor is no admin there).
    """
    actor.require(Role.ADMIN, "add accounts")
    folded = folded_email(email)
    if session.exec(select(Account.id).where(col(Account.email) == folded)).first() is not None:
        raise Conflict(f"there is an account {shown(folded)} already; grant it the role instead", field="email")
    account = Account(email=folded, name=_name(name or folded.partition("@")[0]))
    if password is not None:
        account.password_hash = hash_password(password, known=(account.name, folded))
        account.state = AccountState.ACTIVE
    session.add(account)
    session.flush()
    audit.record(session, actor, "account.add", _target(account), space=space_id, after={"name": account.name})
    grant(session, account, role, space_id, actor=actor)
    if groups:
        set_groups(session, account, groups, actor=actor)
    return account, None if password is not None else invite(session, account, actor=actor)


def get(session: Session, email: str) -> Account:
    """Return the account. Raises NotFound."""
    found = session.exec(select(Account).where(col(Account.email) == folded_email(email))).first()
    if found is None:
        raise NotFound(f"there is no account {shown(email)}; list them with: kb account list", field="email")
    return found


def visible(session: Session, email: str, *, actor: Principal) -> Account:
    """Return an account for an admin who has something to say of it.

    Raises Forbidden below admin; NotFound is the same for one that there is not. Whoever knows an address may grant it
    a role in a space of theirs, so an account of other spaces is found, though never listed.
    """
    actor.require(Role.ADMIN, "change accounts")
    return get(session, email)


def known(session: Session, account: Account) -> Known:
    rows = session.exec(
        select(AccountGrant).where(col(AccountGrant.account_id) == account.id).order_by(col(AccountGrant.id))
    ).all()
    return Known(account, tuple(Grant(Role(row.role), row.space_id) for row in rows))


def listing(session: Session, *, actor: Principal, after: int = 0, limit: int = 100) -> list[Account]:
    """Return the accounts that have a right where the actor is an admin, by id. Raises Forbidden below admin."""
    actor.require(Role.ADMIN, "list accounts")
    statement = select(Account).where(col(Account.id) > after).order_by(col(Account.id)).limit(limit)
    spaces = actor.spaces_of(session, Role.ADMIN)
    if spaces is not None:
        granted = select(AccountGrant.account_id).where(col(AccountGrant.space_id).in_(sorted(spaces)))
        statement = statement.where(col(Account.id).in_(granted))
    return list(session.exec(statement))


def grant(session: Session, account: Account, role: str, space_id: int | None, *, actor: Principal) -> None:
    """Give the account a role in a space and below it (None: everywhere), instead of the one it had there."""
    wanted = choice(Role, role, "role")
    if wanted is Role.ANONYMOUS:
        raise InvalidInput("'anonymous' is who has no account; take the grant away instead", field="role")
    if wanted is Role.CUSTOMER and space_id is None:
        space_id = root_space_id(session)  # what None means for customers
    require_admin(session, actor, space_id, "grant roles")
    held = _grants(session, account, space_id)
    for row in held:
        _keep_an_admin(session, row, wanted)
        session.delete(row)
    session.flush()
    assert account.id is not None
    session.add(AccountGrant(account_id=account.id, role=wanted.value, space_id=space_id))
    session.flush()
    before = {"role": held[0].role} if held else {}
    audit.record(
        session, actor, "account.grant", _target(account), space=space_id, before=before, after={"role": wanted.value}
    )


def revoke(session: Session, account: Account, space_id: int | None, *, actor: Principal) -> None:
    """Take the account's role in a space away. Raises NotFound if it has none there."""
    require_admin(session, actor, space_id, "take roles away")
    held = _grants(session, account, space_id)
    if not held:
        raise NotFound(f"{shown(account.email)} has no role of its own there", field="space")
    for row in held:
        _keep_an_admin(session, row, None)
        session.delete(row)
    session.flush()
    audit.record(session, actor, "account.revoke", _target(account), space=space_id, before={"role": held[0].role})


def set_groups(session: Session, account: Account, groups: Collection[str], *, actor: Principal) -> None:
    """Say which groups and entitlements the account has. For who is an admin wherever it has a role."""
    _require_over(session, actor, account, "change an account")
    account.groups, before = checked_groups(groups), account.groups
    session.add(account)
    audit.record(
        session, actor, "account.groups", _target(account), before={"groups": before}, after={"groups": account.groups}
    )


def checked_groups(groups: Collection[str]) -> list[str]:
    """Return groups fit to be kept: trimmed, sorted, each once. Raises InvalidInput."""
    kept = sorted({storable(group).strip() for group in groups} - {""})
    bad = next((group for group in kept if len(group) > 200 or group.endswith(":*")), None)
    if bad is not None or len(kept) > _MAX_GROUPS:
        raise InvalidInput(f"at most {_MAX_GROUPS} groups of at most 200 characters, not {shown(bad)}", field="groups")
    return kept


def disable(session: Session, account: Account, *, actor: Principal) -> None:
    """Let the account sign in no more, at once and everywhere. What it did stays."""
    _require_over(session, actor, account, "disable an account")
    for row in _all_grants(session, account):
        _keep_an_admin(session, row, None)
    before, account.state = account.state.value, AccountState.DISABLED
    session.add(account)
    _close(session, account)
    audit.record(
        session, actor, "account.disable", _target(account), before={"state": before}, after={"state": "disabled"}
    )


def enable(session: Session, account: Account, *, actor: Principal) -> None:
    """Let a disabled account sign in again."""
    _require_over(session, actor, account, "enable an account")
    before = account.state.value
    account.state = AccountState.ACTIVE if account.password_hash or account.issued is not None else AccountState.INVITED
    session.add(account)
    audit.record(
        session,
        actor,
        "account.enable",
        _target(account),
        before={"state": before},
        after={"state": account.state.value},
    )


def invite(session: Session, account: Account, *, actor: Principal) -> str:
    """Return the secret of a new invitation; earlier ones open nothing any more. Raises Conflict if it was accepted."""
    _require_over(session, actor, account, "invite people")
    if account.state is not AccountState.INVITED:
        raise Conflict(f"{shown(account.email)} is {account.state.value} already", field="email")
    return _token(session, TokenPurpose.INVITATION, account)


def reset(session: Session, account: Account, *, actor: Principal) -> str:
    """Return the secret of a link by which the person chooses another password. The old one holds until then."""
    if actor.account != account.id:
        _require_over(session, actor, account, "reset a password")
    if account.state is AccountState.DISABLED:
        raise Conflict(f"{shown(account.email)} is disabled; enable it first", field="email")
    audit.record(session, actor, "account.reset", _target(account))
    return _token(session, TokenPurpose.RESET, account)


def link_for_letter(session: Session, email: str, purpose: TokenPurpose, *, asked_by: str | None) -> str | None:
    """Return the secret of a link for the e-mail that takes it to its person; None where it is not needed any more.

    Who may have it sent was decided before, by `invite` or `reset`. `asked_by` None: it was whoever knows the address,
    for whom there is only another password, for an account that has one.
    """
    account = session.exec(select(Account).where(col(Account.email) == email)).first()
    wanted = AccountState.INVITED if purpose is TokenPurpose.INVITATION else AccountState.ACTIVE
    if account is None or account.state is not wanted or (asked_by is None and account.password_hash is None):
        return None
    audit.record(session, SYSTEM, f"account.mail_{purpose.value}", _target(account), after={"asked_by": asked_by})
    return _token(session, purpose, account)


def setup(session: Session) -> str | None:
    """Return the secret by which the first admin makes its account; None where there is an account already."""
    if session.exec(select(Account.id).limit(1)).first() is not None:
        return None
    return _token(session, TokenPurpose.SETUP, None)


def opened(session: Session, secret: str, *purposes: TokenPurpose) -> OneTimeToken:
    """Return what a link opens. Raises Unauthenticated alike for one unknown, used, expired or of another purpose."""
    token = session.get(OneTimeToken, hashed(secret))
    if token is None or token.purpose not in purposes or token.expires_at <= now():
        raise Unauthenticated("this link opens nothing any more: it was used, or is too old; ask for a new one")
    return token


def of_token(session: Session, token: OneTimeToken) -> Account | None:
    """Return the account that a link belongs to; None for the set-up of the first."""
    return session.get(Account, token.account_id) if token.account_id is not None else None


def accept(session: Session, secret: str, password: str, *, name: str = "", email: str = "") -> Account:
    """Choose a password by a link (invitation, reset or first set-up); it opens nothing after that.

    `email`: of the first admin; elsewhere the account has one. Raises Unauthenticated, InvalidInput or Conflict.
    """
    token = opened(session, secret, *TokenPurpose)
    if token.purpose is TokenPurpose.SETUP:
        account = _first_admin(session, email, name)
    else:
        found = of_token(session, token)
        if found is None or found.state is AccountState.DISABLED:
            raise Unauthenticated("this account is disabled; ask an admin")
        account = found
    if name.strip():
        account.name = _name(name)
    account.password_hash = hash_password(password, known=(account.name, account.email))
    account.state = AccountState.ACTIVE
    session.add(account)
    session.flush()
    _close(session, account)
    if token.purpose is TokenPurpose.SETUP:
        session.exec(sql_delete(OneTimeToken).where(col(OneTimeToken.purpose) == TokenPurpose.SETUP))
    audit.record(session, known(session, account).principal, f"account.{token.purpose.value}", _target(account))
    return account


def _first_admin(session: Session, email: str, name: str) -> Account:
    if session.exec(select(Account.id).limit(1)).first() is not None:
        raise Conflict("there are accounts already; ask an admin for an invitation")
    account = Account(email=folded_email(email), name=_name(name or email.partition("@")[0]))
    session.add(account)
    session.flush()
    assert account.id is not None
    session.add(AccountGrant(account_id=account.id, role=Role.ADMIN.value, space_id=None))
    session.flush()
    return account


def _token(session: Session, purpose: TokenPurpose, account: Account | None) -> str:
    if account is not None:
        session.exec(sql_delete(OneTimeToken).where(col(OneTimeToken.account_id) == account.id))
    session.exec(sql_delete(OneTimeToken).where(col(OneTimeToken.expires_at) <= now()))
    secret = new_secret()
    session.add(
        OneTimeToken(
            token_hash=hashed(secret),
            purpose=purpose,
            account_id=account.id if account is not None else None,
            expires_at=now() + LIVES[purpose],
        )
    )
    session.flush()
    return secret


def _close(session: Session, account: Account) -> None:
    """End all that the account has open: its sessions and its links."""
    session.exec(sql_delete(BrowserSession).where(col(BrowserSession.account_id) == account.id))
    session.exec(sql_delete(OneTimeToken).where(col(OneTimeToken.account_id) == account.id))


def _name(name: str) -> str:
    plain = " ".join(storable(name).split())
    if not plain or len(plain) > 200 or not plain.isprintable():
        raise InvalidInput(f"a person's name has 1 to 200 characters, not {shown(name)}", field="name")
    return plain


def _target(account: Account) -> str:
    return f"account:{account.email}"


def _grants(session: Session, account: Account, space_id: int | None) -> Sequence[AccountGrant]:
    return [row for row in _all_grants(session, account) if row.space_id == space_id]


def _all_grants(session: Session, account: Account) -> Sequence[AccountGrant]:
    return session.exec(select(AccountGrant).where(col(AccountGrant.account_id) == account.id)).all()


def require_admin(session: Session, actor: Principal, space_id: int | None, doing: str) -> None:
    """Raise Forbidden unless the actor is an admin of the space; for no space, of all of them."""
    actor.require(Role.ADMIN, doing)
    if space_id is not None:
        path_to_root(session, space_id)
        actor.require_in(session, Role.ADMIN, space_id, doing)
    elif actor.spaces_of(session, Role.ADMIN) is not None:
        raise Forbidden(f"an admin of all spaces is needed to {doing} everywhere; name a space of yours")


def _require_over(session: Session, actor: Principal, account: Account, doing: str) -> None:
    """Raise Forbidden unless the actor is an admin wherever the account has a role: it could take that role over."""
    actor.require(Role.ADMIN, doing)
    for row in _all_grants(session, account):
        require_admin(session, actor, row.space_id, doing)


def _keep_an_admin(session: Session, row: AccountGrant, becoming: Role | None) -> None:
    """Raise Conflict if this takes the last admin of all spaces away: nobody could give rights any more."""
    if row.space_id is not None or row.role != Role.ADMIN or becoming is Role.ADMIN:
        return
    others = session.exec(
        select(AccountGrant.id)
        .join(Account, col(Account.id) == col(AccountGrant.account_id))
        .where(
            col(AccountGrant.role) == Role.ADMIN,
            col(AccountGrant.space_id).is_(None),
            col(AccountGrant.id) != row.id,
            col(Account.state) == AccountState.ACTIVE,
        )
    ).first()
    if others is None:
        raise Conflict("this is the last admin of all spaces; make another one first")
