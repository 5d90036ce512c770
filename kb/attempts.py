"""Slowing down who guesses: attempts are counted by name and by address, and too many make the next one wait.

An attempt is counted before it is known how it ends, so that a hundred at once are a hundred; a success takes it back.
"""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, update

from kb.errors import TooManyAttempts
from kb.models import FailedAttempts, now

WINDOW = timedelta(minutes=15)
MOST_FOR_NAME = 10
MOST_FOR_ADDRESS = 50
"""An office of many people stands behind one address."""


def begin(session: Session, limits: Mapping[str, int]) -> None:
    """Count an attempt for each key. Raises TooManyAttempts, counting nothing, if one has reached its limit.

    `limits`: the most failures within the window by key; keys are pseudonyms.
    """
    session.connection().execute(delete(FailedAttempts).where(col(FailedAttempts.since) < now() - WINDOW))
    for key, most in limits.items():
        row = session.get(FailedAttempts, key)
        if row is not None and row.failures >= most:
            wait = max(1, int((row.since + WINDOW - now()).total_seconds()) + 1)
            raise TooManyAttempts(f"this failed too often; try again in {-(-wait // 60)} minutes", wait=wait)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for key in limits:
        fresh = insert(FailedAttempts).values(key=key, failures=1, since=now())
        counted = fresh.on_conflict_do_update(
            index_elements=["key"], set_={"failures": col(FailedAttempts.failures) + 1}
        )
        session.connection().execute(counted)


def succeeded(session: Session, name: str, address: str) -> None:
    """Forget the failures of a name, and take one attempt back from an address."""
    session.connection().execute(delete(FailedAttempts).where(col(FailedAttempts.key) == name))
    session.connection().execute(
        update(FailedAttempts)
        .where(col(FailedAttempts.key) == address)
        .values(failures=col(FailedAttempts.failures) - 1)
    )
