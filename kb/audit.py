"""The audit log: every change of a right or of content, in the writer's own transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import or_
from sqlmodel import Session, col, select

from kb.access import Principal, Role
from kb.models import AuditRow


def record(
    session: Session,
    actor: Principal,
    action: str,
    target: str,
    *,
    space: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add a row to the caller's transaction. Of `before` and `after`, only what differs is kept; never a secret."""
    was, is_ = dict(before or {}), dict(after or {})
    same = {name for name in was.keys() & is_.keys() if was[name] == is_[name]}
    session.add(
        AuditRow(
            actor=actor.subject,
            action=action,
            target=target[:250],
            space_id=space,
            before={name: value for name, value in sorted(was.items()) if name not in same},
            after={name: value for name, value in sorted(is_.items()) if name not in same},
        )
    )


def rows(
    session: Session,
    reader: Principal,
    *,
    target: str | None = None,
    actor: str | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> Sequence[AuditRow]:
    """Return rows for admins, newest first: those of the spaces that they are admins of, and of no space for all.

    Raises Forbidden below admin.
    """
    reader.require(Role.ADMIN, "read the audit log")
    statement = select(AuditRow).order_by(col(AuditRow.id).desc()).limit(limit)
    spaces = reader.spaces_of(session, Role.ADMIN)
    if spaces is not None:
        statement = statement.where(col(AuditRow.space_id).in_(sorted(spaces)))
    if target is not None:
        statement = statement.where(or_(col(AuditRow.target) == target, col(AuditRow.target) == f"account:{target}"))
    if actor is not None:
        statement = statement.where(col(AuditRow.actor) == actor)
    if before_id is not None:
        statement = statement.where(col(AuditRow.id) < before_id)
    return session.exec(statement).all()
