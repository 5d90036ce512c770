"""Who may read what: the ONE rule. Every surface asks here; docs/filter-semantics.md says it in words.

A `Principal` is who asks. Its `Scope` is what it may read, as plain values that an index compiles to a bitmap,
a distributed engine to a filter, and `readable()` to SQL. `Scope.allows()` is the same rule for one item in hand.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, false, or_, true
from sqlmodel import Session, col, select

from kb.errors import Forbidden, InvalidInput, shown
from kb.models import Audience, Facet, Item, ItemLabel, Space, State, now


class Role(StrEnum):
    """What a person or key may do; each role may do what the ones before it may."""

    ANONYMOUS = "anonymous"
    CUSTOMER = "customer"
    AGENT = "agent"
    EDITOR = "editor"
    ADMIN = "admin"


_RANK = {role: rank for rank, role in enumerate(Role)}

_AUDIENCES: dict[Role, frozenset[Audience]] = {
    Role.ANONYMOUS: frozenset({Audience.PUBLIC}),
    Role.CUSTOMER: frozenset({Audience.PUBLIC, Audience.CUSTOMER}),
    Role.AGENT: frozenset(Audience),
    Role.EDITOR: frozenset(Audience),
    Role.ADMIN: frozenset(Audience),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `subject` names the person or key in logs (None: nobody in particular)."""

    role: Role = Role.ANONYMOUS
    subject: str | None = None
    space: int | None = None
    """The space this principal belongs to. None: the root for anonymous and customers, all spaces for staff."""
    groups: frozenset[str] = frozenset()

    def at_least(self, role: Role) -> bool:
        return _RANK[self.role] >= _RANK[role]

    def require(self, role: Role, doing: str) -> None:
        """Raise Forbidden unless this principal has `role` or more; `doing` completes 'is needed to ...'."""
        if not self.at_least(role):
            raise Forbidden(f"the role {role.value!r} is needed to {doing}; this is {self.role.value!r}")


ANONYMOUS = Principal()
SYSTEM = Principal(role=Role.ADMIN, subject="system")
"""The product itself and the operator at the command line."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a principal may read, as plain values. Equal scopes see the same things (so it can key a cache)."""

    audiences: frozenset[str]
    spaces: frozenset[int] | None
    """None: every space."""
    groups: frozenset[str] | None
    """None: items of every group. An item without groups is for everybody."""
    unpublished: bool = False
    """Drafts, retired and expired items too (staff who edit). Search never returns them: they are not in the index."""

    def allows(self, *, audience: str, space: int, groups: Collection[str], published: bool = True) -> bool:
        """Say whether an item may be read. `published`: it is, and has not expired."""
        return (
            (published or self.unpublished)
            and audience in self.audiences
            and (self.spaces is None or space in self.spaces)
            and (self.groups is None or not groups or not self.groups.isdisjoint(groups))
        )

    def published_only(self) -> "Scope":
        return replace(self, unpublished=False)


def scope_of(session: Session, principal: Principal) -> Scope:
    """Return what `principal` may read now.

    Raises InvalidInput if its space does not exist.
    """
    staff = principal.at_least(Role.AGENT)
    if principal.space is None:
        spaces = None if staff else frozenset({root_space_id(session)})
    else:
        spaces = frozenset(path_to_root(session, principal.space))
    return Scope(
        audiences=frozenset(a.value for a in _AUDIENCES[principal.role]),
        spaces=spaces,
        groups=None if principal.at_least(Role.EDITOR) else principal.groups,
        unpublished=principal.at_least(Role.EDITOR),
    )


def readable(scope: Scope) -> ColumnElement[bool]:
    """Return the scope as a condition on `Item`: the SQL form of `Scope.allows`."""
    grouped = (
        select(ItemLabel.item_id)
        .where(col(ItemLabel.item_id) == col(Item.id), col(ItemLabel.facet) == Facet.GROUP)
        .correlate(Item)
    )
    conditions: list[ColumnElement[bool]] = [col(Item.audience).in_(sorted(scope.audiences))]
    if not scope.unpublished:
        conditions.append(col(Item.state) == State.PUBLISHED)
        conditions.append(or_(col(Item.expires_at).is_(None), col(Item.expires_at) > now()))
    if scope.spaces is not None:
        conditions.append(col(Item.space_id).in_(sorted(scope.spaces)) if scope.spaces else false())
    if scope.groups is not None:
        mine = grouped.where(col(ItemLabel.value).in_(sorted(scope.groups))).exists() if scope.groups else false()
        conditions.append(or_(~grouped.exists(), mine))
    return and_(true(), *conditions)


def root_space_id(session: Session) -> int:
    """Return the id of the root space, which the first migration makes."""
    found = session.exec(select(Space.id).where(col(Space.parent_id).is_(None))).one()
    assert found is not None
    return found


def path_to_root(session: Session, space_id: int) -> list[int]:
    """Return the ids from `space_id` up to the root, both included."""
    path: list[int] = []
    at: int | None = space_id
    while at is not None:
        space = session.get(Space, at)
        if space is None or at in path:
            raise InvalidInput(f"there is no space with the id {shown(space_id)}", field="space")
        path.append(at)
        at = space.parent_id
    return path
