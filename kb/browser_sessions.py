"""Sessions of people in browsers: signing in, who a cookie is, signing out here or everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete as sql_delete
from sqlmodel import Session, col, select

from kb import accounts, attempts, audit
from kb.access import Principal
from kb.accounts import Known
from kb.db import Database
from kb.errors import InvalidInput, NotFound, Unauthenticated
from kb.events import pseudonym
from kb.models import Account, AccountState, BrowserSession, now
from kb.passwords import hash_password, matches, outdated, remade
from kb.secret import hashed, new_secret

USED_EVERY = timedelta(minutes=10)
"""How exactly the last use is kept: not every page is a write."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session with its person."""

    known: Known
    session: BrowserSession

    @property
    def principal(self) -> Principal:
        return self.known.principal


def sign_in(db: Database, key: str, email: str, password: str, *, address: str, device: str, life: timedelta) -> str:
    """Return the secret of a new session.

    `key`: the database's key for pseudonyms; `address`: of the network. Raises Unauthenticated, the same for an unknown
    name and a wrong password, or TooManyAttempts.
    """
    by_name, by_address = pseudonym(key, f"sign-in:{email.strip().casefold()}"), pseudonym(key, f"address:{address}")
    with db.write() as session:
        attempts.begin(session, {by_name: attempts.MOST_FOR_NAME, by_address: attempts.MOST_FOR_ADDRESS})
    with db.read() as session:
        try:
            account: Account | None = accounts.get(session, email)
        except (NotFound, InvalidInput):
            account = None
    held = account.password_hash if account is not None else None
    # Outside of the transaction: it takes long on purpose.
    if not matches(held, password) or account is None or account.state is not AccountState.ACTIVE:
        raise Unauthenticated("the e-mail address or the password is wrong, or the account is not open")
    assert held is not None
    renewed = remade(password) if outdated(held) else None
    with db.write() as session:
        found = session.get(Account, account.id)
        if found is None or found.state is not AccountState.ACTIVE or found.password_hash != held:
            raise Unauthenticated("the e-mail address or the password is wrong, or the account is not open")
        if renewed is not None:
            found.password_hash = renewed
        attempts.succeeded(session, by_name, by_address)
        return begin(session, found, device=device, life=life)


def begin(session: Session, account: Account, *, device: str, life: timedelta) -> str:
    """Begin a session of an account whose person is known; return its secret."""
    secret = new_secret()
    assert account.id is not None
    account.signed_in_at = now()
    session.add(account)
    session.exec(sql_delete(BrowserSession).where(col(BrowserSession.expires_at) <= now()))
    session.add(
        BrowserSession(
            id_hash=hashed(secret),
            account_id=account.id,
            device=device[:200],
            expires_at=now() + life,
        )
    )
    audit.record(session, accounts.known(session, account).principal, "session.begin", f"account:{account.email}")
    return secret


def find(session: Session, secret: str) -> SignedIn | None:
    """Return whose session it is; None for one that ended, or whose account is closed."""
    row = session.exec(
        select(BrowserSession, Account)
        .join(Account, col(Account.id) == col(BrowserSession.account_id))
        .where(
            col(BrowserSession.id_hash) == hashed(secret),
            col(BrowserSession.expires_at) > now(),
            col(Account.state) == AccountState.ACTIVE,
        )
    ).first()
    return SignedIn(accounts.known(session, row[1]), row[0]) if row is not None else None


def touch(db: Database, signed_in: SignedIn) -> None:
    """Keep that the session is used, where that was not kept lately."""
    if now() - signed_in.session.used_at >= USED_EVERY:
        with db.write() as session:
            row = session.get(BrowserSession, signed_in.session.id_hash)
            if row is not None:
                row.used_at = now()
                session.add(row)


def of_account(session: Session, account: int) -> Sequence[BrowserSession]:
    """Return the sessions that are open, last used first."""
    return session.exec(
        select(BrowserSession)
        .where(col(BrowserSession.account_id) == account, col(BrowserSession.expires_at) > now())
        .order_by(col(BrowserSession.used_at).desc())
    ).all()


def end(session: Session, secret: str) -> None:
    session.exec(sql_delete(BrowserSession).where(col(BrowserSession.id_hash) == hashed(secret)))


def end_all(session: Session, actor: Principal) -> None:
    """Sign a person out of every browser."""
    session.exec(sql_delete(BrowserSession).where(col(BrowserSession.account_id) == actor.account))
    audit.record(session, actor, "session.end_all", f"account:{actor.subject}")


def change_password(db: Database, actor: Principal, old: str, new: str, *, key: str) -> None:
    """Give the person that asks another password and end all its sessions. Raises Unauthenticated or InvalidInput."""
    name = pseudonym(key, f"sign-in:{actor.subject}")
    with db.write() as session:
        attempts.begin(session, {name: attempts.MOST_FOR_NAME})
        account = session.get(Account, actor.account)
    if account is None or not matches(account.password_hash, old):
        raise Unauthenticated("the present password is wrong")
    changed = hash_password(new, known=(account.name, account.email))
    with db.write() as session:
        found = session.get(Account, actor.account)
        if found is None or found.password_hash != account.password_hash:
            raise Unauthenticated("the password was changed elsewhere meanwhile; sign in again")
        found.password_hash = changed
        session.add(found)
        attempts.succeeded(session, name, name)
        audit.record(session, actor, "account.password", f"account:{actor.subject}")
        end_all(session, actor)
