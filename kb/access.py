"""Who may read what: the ONE rule. Every surface asks here; docs/filter-semantics.md says it in words.

A `Principal` is who asks. Its `Scope` is what it may read, as plain values that an index compiles to a bitmap,
a distributed engine to a filter, and `readable()` to SQL. `Scope.allows()` is the same rule for one item in hand.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import ColumnElement, String, and_, false, func, or_, true, type_coerce
from sqlmodel import Session, col, select

from kb.errors import Forbidden, InvalidInput, shown
from kb.models import Audience, Facet, Item, ItemLabel, Space, State, now


class Role(StrEnum):
    """What a person or key may do; each role may do what the ones before it may."""

    ANONYMOUS = "anonymous"
    CUSTOMER = "customer"
    AGENT = "agent"
    """Works on cases: reads what is internal, links, flags, comments."""
    CONTRIBUTOR = "contributor"
    """Writes drafts and improves articles; another publishes them."""
    PUBLISHER = "publisher"
    """Publishes what it and others wrote."""
    COACH = "coach"
    """Reviews, approves and defers what others submit."""
    EDITOR = "editor"
    """Curates: retires, merges, translates, imports, answers for the whole of a space."""
    ADMIN = "admin"
    """Gives rights, and deletes for good."""

    @property
    def rank(self) -> int:
        return _RANKS.index(self)


_RANKS = tuple(Role)


class Permission(StrEnum):
    """What an API key may be used for, within its role."""

    READ = "read"
    """Search, ask, read."""
    EVENTS = "events"
    """Report what was linked, dismissed, voted on."""
    WRITE = "write"
    """Write, publish, retire, merge."""
    INGEST = "ingest"
    """Send documents of a source."""
    ADMIN = "admin"
    """Give rights: accounts, keys, the audit log."""


NARROW_FIRST = {audience: place for place, audience in enumerate(Audience)}
"""Rank of an audience; what is for fewer comes first."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in a space and in all below it. `space` None: in all spaces, or for a customer in the root."""

    role: Role
    space: int | None = None


ENTITLEMENTS = ("plan", "product")
"""Groups named `plan:...` and `product:...` say what a customer has; every one of these kinds counts for itself."""


def kind_of_group(group: str) -> str:
    """Return the kind of entitlement that a group is, or the empty text for a group of people."""
    kind, colon, _ = group.partition(":")
    return kind if colon and kind in ENTITLEMENTS else ""


_STAFF_GROUPS = frozenset(f"{kind}:*" for kind in ENTITLEMENTS)
"""What customers have to have does not narrow what staff reads."""


def admits(mine: Collection[str], wanted: Collection[str]) -> bool:
    """Say whether one of groups `mine` may read an item of groups `wanted`: one of each kind that the item names."""
    kinds = {kind_of_group(group) for group in wanted}
    return all(
        f"{kind}:*" in mine or any(group in mine for group in wanted if kind_of_group(group) == kind) for kind in kinds
    )


def no_wider(mine: Collection[str], theirs: Collection[str]) -> bool:
    """Say whether all whom `admits` lets read an item of groups `mine` may read one of groups `theirs`."""
    of_kind: dict[str, set[str]] = {}
    for group in mine:
        of_kind.setdefault(kind_of_group(group), set()).add(group)
    kinds = {kind_of_group(group) for group in theirs}
    return all(kind in of_kind and of_kind[kind].issubset(theirs) for kind in kinds)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `subject` names the person or key in logs (None: nobody in particular)."""

    role: Role = Role.ANONYMOUS
    """The highest that it has anywhere."""
    subject: str | None = None
    space: int | None = None
    """The space in which it has that role. None: the root for anonymous and customers, all spaces for staff."""
    groups: frozenset[str] = frozenset()
    also: frozenset[Grant] = frozenset()
    """Lower roles in other spaces."""
    account: int | None = None
    """Id of the account, for a person who has signed in."""
    permissions: frozenset[Permission] | None = None
    """What an API key may be used for; None: everything that the role may."""

    @property
    def grants(self) -> frozenset[Grant]:
        return self.also | {Grant(self.role, self.space)}

    def at_least(self, role: Role) -> bool:
        """Say whether it has `role` or more in some space."""
        return self.role.rank >= role.rank

    def require(self, role: Role, doing: str) -> None:
        """Raise Forbidden unless this principal has `role` or more; `doing` completes 'is needed to ...'."""
        if not self.at_least(role):
            raise Forbidden(f"the role {role.value!r} is needed to {doing}; this is {self.role.value!r}")

    def role_in(self, session: Session, space_id: int) -> Role:
        """Return the highest role that it has in a space."""
        path = path_to_root(session, space_id)
        held = [grant.role for grant in self.grants if _covers(session, grant, path)]
        return max(held, key=lambda role: role.rank, default=Role.ANONYMOUS)

    def require_in(self, session: Session, role: Role, space_id: int, doing: str) -> None:
        """Raise Forbidden unless it has `role` or more in the space; `doing` completes 'is needed to ...'."""
        self.require(role, doing)
        here = self.role_in(session, space_id)
        if here.rank < role.rank:
            space = session.get(Space, space_id)
            name = space.key if space is not None else space_id
            raise Forbidden(
                f"the role {role.value!r} is needed to {doing} in the space {name!r}; yours there is {here.value!r}: "
                "the space is not yours or below yours; ask an admin"
            )

    def spaces_of(self, session: Session, role: Role) -> frozenset[int] | None:
        """Return the ids of the spaces in which it has `role` or more; None: all."""
        found: set[int] = set()
        for grant in self.grants:
            if grant.role.rank >= role.rank:
                if grant.space is None and grant.role.rank >= Role.AGENT.rank:
                    return None
                found |= below(session, grant.space if grant.space is not None else root_space_id(session))
        return frozenset(found)


def _covers(session: Session, grant: Grant, path: list[int]) -> bool:
    """Say whether a grant holds in the space that `path` leads up from."""
    if grant.space is not None:
        return grant.space in path
    return grant.role.rank >= Role.AGENT.rank or len(path) == 1


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
    """None: items of every group. An item without groups is for everybody; see `admits`."""
    unpublished: bool = False
    """Drafts, retired and expired items too (staff who edit). Search never returns them: they are not in the index."""
    also: frozenset["Scope"] = frozenset()
    """Further areas, for whoever has other rights in other spaces: what lies in one of them may be read."""

    @property
    def areas(self) -> "tuple[Scope, ...]":
        """This scope as areas of one kind of rights each; none of them has others beside it."""
        return (replace(self, also=frozenset()), *self.also) if self.also else (self,)

    def allows(self, *, audience: str, space: int, groups: Collection[str], published: bool = True) -> bool:
        """Say whether an item may be read. `published`: it is, and has not expired."""
        return (
            (published or self.unpublished)
            and audience in self.audiences
            and (self.spaces is None or space in self.spaces)
            and (self.groups is None or admits(self.groups, groups))
        ) or any(area.allows(audience=audience, space=space, groups=groups, published=published) for area in self.also)

    def reaches(self, space: int) -> bool:
        """Say whether something in the space may be read."""
        return any(area.spaces is None or space in area.spaces for area in self.areas)

    def published_only(self) -> "Scope":
        """Return the scope of what of this is published."""
        if not self.unpublished and not self.also:
            return self
        first, *others = dict.fromkeys(replace(area, unpublished=False) for area in self.areas)
        return replace(first, also=frozenset(others))


def scope_of(session: Session, principal: Principal) -> Scope:
    """Return what `principal` may read now.

    A role in a space reads what holds there: the spaces on the path from the root. One that writes also sees what lies
    below its own, drafts included. Raises InvalidInput if a space does not exist.
    """
    areas: dict[Scope, None] = {}
    for grant in sorted(principal.grants, key=lambda grant: (-grant.role.rank, grant.space or 0)):
        areas |= dict.fromkeys(_areas(session, grant, principal.groups))
    first, *others = areas
    return replace(first, also=frozenset(others)) if others else first


def _areas(session: Session, grant: Grant, groups: frozenset[str]) -> list[Scope]:
    role = grant.role
    staff, writes = role.rank >= Role.AGENT.rank, role.rank >= Role.CONTRIBUTOR.rank
    audiences = frozenset(Audience) if staff else _OUTSIDE[role]
    mine = groups | _STAFF_GROUPS if staff else groups
    area = Scope(
        audiences=frozenset(audience.value for audience in audiences),
        spaces=None,
        groups=None if role.rank >= Role.EDITOR.rank else mine,
        unpublished=writes,
    )
    if grant.space is None:
        return [area if staff else replace(area, spaces=frozenset({root_space_id(session)}))]
    above = frozenset(path_to_root(session, grant.space))
    if not writes:
        return [replace(area, spaces=above)]
    own = below(session, grant.space)
    return [
        replace(area, spaces=own),
        *([replace(area, spaces=above - own, unpublished=False)] if above - own else []),
    ]


def scope_of_readers(session: Session, item: Item) -> Scope:
    """Return what the readers that an item is meant for may read: the item, and what else they find beside it.

    That is what is published on the path of its space, for its audience and wider ones, with its groups.
    """
    groups = select(ItemLabel.value).where(col(ItemLabel.item_id) == item.id, col(ItemLabel.facet) == Facet.GROUP)
    outside = next((seen for seen in _OUTSIDE.values() if item.audience in seen), None)
    mine = frozenset(session.exec(groups))
    return Scope(
        audiences=frozenset(audience.value for audience in outside or Audience),
        spaces=frozenset(path_to_root(session, item.space_id)),
        groups=mine if outside else mine | _STAFF_GROUPS,
    )


_OUTSIDE: dict[Role, frozenset[Audience]] = {
    Role.ANONYMOUS: frozenset({Audience.PUBLIC}),
    Role.CUSTOMER: frozenset({Audience.PUBLIC, Audience.CUSTOMER}),
}


def readable(scope: Scope) -> ColumnElement[bool]:
    """Return the scope as a condition on `Item`: the SQL form of `Scope.allows`."""
    return or_(*(_readable(area) for area in scope.areas))


def _readable(area: Scope) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [col(Item.audience).in_(sorted(area.audiences))]
    if not area.unpublished:
        conditions.append(col(Item.state) == State.PUBLISHED)
        conditions.append(or_(col(Item.expires_at).is_(None), col(Item.expires_at) > now()))
    if area.spaces is not None:
        conditions.append(col(Item.space_id).in_(sorted(area.spaces)) if area.spaces else false())
    if area.groups is not None:
        conditions += [_admitted(area.groups, kind) for kind in ("", *ENTITLEMENTS) if f"{kind}:*" not in area.groups]
    return and_(true(), *conditions)


def _admitted(groups: frozenset[str], kind: str) -> ColumnElement[bool]:
    """Return the SQL form of `admits` for groups of one kind."""
    value: ColumnElement[str] = type_coerce(col(ItemLabel.value), String)
    grouped = (
        select(ItemLabel.item_id)
        .where(col(ItemLabel.item_id) == col(Item.id), col(ItemLabel.facet) == Facet.GROUP)
        .correlate(Item)
    )
    if kind:
        of_kind = grouped.where(_named(value, kind))
    else:
        of_kind = grouped.where(*(~_named(value, other) for other in ENTITLEMENTS))
    mine = sorted(group for group in groups if kind_of_group(group) == kind)
    return or_(~of_kind.exists(), grouped.where(value.in_(mine)).exists() if mine else false())


def _named(value: ColumnElement[str], kind: str) -> ColumnElement[bool]:
    # Not LIKE: it takes upper and lower case as one on SQLite.
    return func.substr(value, 1, len(kind) + 1) == f"{kind}:"


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


def below(session: Session, space_id: int) -> frozenset[int]:
    """Return the ids of a space and of all spaces below it."""
    children: dict[int | None, list[int]] = {}
    for found, parent in session.exec(select(Space.id, Space.parent_id)):
        children.setdefault(parent, []).append(int(found or 0))
    reached, waiting = {space_id}, [space_id]
    while waiting:
        new = [child for child in children.get(waiting.pop(), []) if child not in reached]
        reached.update(new)
        waiting += new
    return frozenset(reached)
