"""The change log: one row for each change that readers could notice, in the writer's own transaction."""

from collections.abc import Sequence

from sqlalchemy import func, text
from sqlmodel import Session, col, select

from kb.models import ChangeRow, Operation

_ORDER_LOCK = 7210002


def in_order(session: Session) -> None:
    """Let writers of items work one after another, to the end of this transaction.

    SQLite does so anyway. On PostgreSQL it is a lock, taken before anything of an item is read, so that what a writer
    decides by is still so when it commits, and no two writers wait for each other.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(text(f"SELECT pg_advisory_xact_lock({_ORDER_LOCK})"))


def record(
    session: Session, item_id: int, operation: Operation, *, revision_id: int | None = None, actor: str | None = None
) -> int:
    """Add a change-log row to the caller's transaction; return its sequence number.

    Rows become visible in the order of their numbers, as writers come one after another (`in_order`): a reader never
    passes over a row that is numbered lower but committed later.
    """
    in_order(session)
    row = ChangeRow(item_id=item_id, operation=operation, revision_id=revision_id, actor=actor)
    session.add(row)
    session.flush()
    assert row.seq is not None
    return row.seq


def since(session: Session, seq: int, *, limit: int) -> Sequence[ChangeRow]:
    """Return up to `limit` rows after `seq`, oldest first."""
    return session.exec(
        select(ChangeRow).where(col(ChangeRow.seq) > seq).order_by(col(ChangeRow.seq)).limit(limit)
    ).all()


def latest(session: Session) -> int:
    """Return the last sequence number, 0 for an empty log."""
    return session.exec(select(func.max(ChangeRow.seq))).one() or 0
