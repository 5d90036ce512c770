"""One action on many items. Each has its own check of rights and its own transaction: done whole, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlmodel import Session

from kb import changes, editorial, items, review
from kb.access import Principal, Role, scope_of
from kb.content import Profile, checked_profile, choice
from kb.db import Database
from kb.errors import InvalidInput, KBError, TooLarge
from kb.models import Audience, Facet, Item

MAX_ITEMS = 500


class Action(StrEnum):
    """What can be done with many items at once."""

    PUBLISH = "publish"
    RETIRE = "retire"
    SUBMIT = "submit"
    ADD_LABEL = "add_label"
    REMOVE_LABEL = "remove_label"
    OWNER = "owner"
    AUDIENCE = "audience"


@dataclass(frozen=True, slots=True)
class Change:
    """An action with what it needs. Raises InvalidInput where that is missing or cannot be."""

    action: Action
    value: str | None = None
    """The label, the owner (None: nobody) or the audience; of a submission, the message."""
    facet: Facet | None = None
    """Which kind of label."""

    def __post_init__(self) -> None:
        labels = self.action in (Action.ADD_LABEL, Action.REMOVE_LABEL)
        if labels and (self.facet is None or not (self.value or "").strip()):
            raise InvalidInput(f"{self.action} needs a facet ({', '.join(Facet)}) and a value", field="value")
        if not labels and self.facet is not None:
            raise InvalidInput(f"{self.action} has no facet; only labels have", field="facet")
        if self.action in (Action.PUBLISH, Action.RETIRE) and self.value is not None:
            raise InvalidInput(f"{self.action} takes no value", field="value")
        if self.action == Action.AUDIENCE:
            choice(Audience, self.value or "", "value")
        checked_profile(self.of(Profile()))

    def of(self, profile: Profile) -> Profile:
        """Return the profile with the change made; the same where the action is none of a profile."""
        label = (self.facet, (self.value or "").strip()) if self.facet is not None else None
        if label is not None:
            given = frozenset({(Facet(label[0]), label[1])})
            return replace(
                profile, labels=profile.labels | given if self.action == Action.ADD_LABEL else profile.labels - given
            )
        if self.action == Action.OWNER:
            return replace(profile, owner=(self.value or "").strip() or None)
        if self.action == Action.AUDIENCE:
            return replace(profile, audience=choice(Audience, self.value or "", "value"))
        return profile


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it for one item."""

    ref: str
    """As it was named."""
    state: str | None = None
    seq: int = 0
    error: KBError | None = None
    """Why nothing was done with it; None: it was done."""


def run(db: Database, refs: Sequence[str], change: Change, *, actor: Principal) -> list[Result]:
    """Do it with each item, in the order given, each once; return what came of each.

    What one item refuses is its result, and changes nothing of the others. Raises TooLarge over MAX_ITEMS, InvalidInput
    for none, Forbidden below contributor.
    """
    actor.require(Role.CONTRIBUTOR, "change items")
    named = list(dict.fromkeys(refs))
    if not named:
        raise InvalidInput("name at least one item", field="items")
    if len(named) > MAX_ITEMS:
        raise TooLarge(f"at most {MAX_ITEMS} items are changed at once, not {len(named)}", field="items")
    return [_one(db, ref, change, actor) for ref in named]


def _one(db: Database, ref: str, change: Change, actor: Principal) -> Result:
    try:
        with db.write() as session:
            item = items.get(session, ref, scope_of(session, actor))
            seq = _do(session, item, change, actor)
            return Result(ref, item.state.value, seq)
    except KBError as error:
        return Result(ref, error=error)


def _do(session: Session, item: Item, change: Change, actor: Principal) -> int:
    if change.action == Action.PUBLISH:
        editorial.require_writable(session, item, actor, Role.PUBLISHER, "publish")
        return editorial.publish(session, item, editorial.newest_revision(session, item), actor=actor).seq
    if change.action == Action.RETIRE:
        return editorial.retire(session, item, actor=actor)
    if change.action == Action.SUBMIT:
        review.submit(session, item, actor=actor, message=change.value or "")
        return changes.latest(session)
    editorial.require_writable(session, item, actor)
    return editorial.reprofile(session, item, change.of(editorial.profile_of(session, item)), actor=actor)
