"""Merging an item into another: the one that stays takes over the questions, the other is retired and leads to it.

Nothing is moved: revisions, links and votes of the merged item stay its own and are counted for the one that stays
(`kb.redirects.leads`), so that a merge can be taken back.
"""

from dataclasses import dataclass, replace

from sqlmodel import Session

from kb import audit, changes, duplicates, editorial, items, redirects
from kb.access import NARROW_FIRST, Principal, Role, no_wider, path_to_root
from kb.content import Content, title_key
from kb.errors import Conflict, NotFound
from kb.models import Facet, Item, Kind, Operation, PairState, Revision, State


@dataclass(frozen=True, slots=True)
class Merged:
    """What merging did."""

    item: Item
    """The one that stays."""
    revision: Revision
    """Its newest revision: with the questions of the other, if it had any that were new."""
    seq: int
    """Change-log number after which searches see it."""


def merge(session: Session, item: Item, into: Item, *, actor: Principal, publish: bool = False) -> Merged:
    """Merge `item` into `into`, which gets its title and similar questions as a draft, or at once with `publish`.

    All in the caller's transaction. Raises Forbidden where `actor` may not change both; Conflict for an item and
    itself, other kinds or languages, one that is retired or merged already, and, with `publish`, where that would
    show readers what they could not read before or a draft that somebody is at.
    """
    for one in (item, into):
        editorial.require_writable(session, one, actor, Role.EDITOR, "merge items")
    _lock(session, item, into)
    _check(item, into)
    newest = editorial.newest_revision(session, into)
    content = _with_questions_of(session, newest, item)
    if publish and content != Content.of(newest):
        if newest.id != into.live_revision_id:
            raise Conflict(f"{into.number} has a draft that readers do not see yet: merge without publishing")
        if not _no_wider(session, into, item):
            raise Conflict(f"{into.number} is open to others than {item.number}: merge without publishing and review")
    revision = editorial.revise(session, into, content, actor=actor, message=f"questions of {item.number}, merged")
    seq = editorial.retire(session, item, actor=actor)
    redirects.lead(session, item, into, actor=actor.subject)
    audit.record(session, actor, "item.merge", item.number, space=item.space_id, after={"into": into.number})
    if publish and revision.id != into.live_revision_id:
        seq = editorial.publish(session, into, revision, actor=actor).seq
    pair = duplicates.between(session, item.id or 0, into.id or 0)
    if pair is not None:
        duplicates.settle(session, pair, PairState.MERGED, actor=actor.subject)
    return Merged(into, revision, seq)


def undo(session: Session, item: Item, *, actor: Principal) -> int:
    """Take a merge back: `item` is what it was, under its own number; return the change-log number.

    Questions that the other item has taken over stay with it. Raises Forbidden, Conflict for one that is not merged.
    """
    editorial.require_writable(session, item, actor, Role.EDITOR, "take a merge back")
    _lock(session, item)
    into = redirects.via(session, item)
    if into is None:
        raise Conflict(f"{item.number} is not merged into another item")
    assert item.id is not None
    pair = duplicates.between(session, item.id, into)
    redirects.drop(session, item)
    before = {"into": f"KB-{into}"}
    audit.record(session, actor, "item.unmerge", item.number, space=item.space_id, before=before)
    if pair is not None:
        duplicates.settle(session, pair, PairState.OPEN, actor=actor.subject)
    live = session.get(Revision, item.live_revision_id) if item.live_revision_id is not None else None
    if live is not None and item.kind != Kind.FIXED:
        return editorial.publish(session, item, live, actor=actor).seq
    item.state = State.DRAFT
    session.add(item)
    return changes.record(session, item.id, Operation.UPDATE, revision_id=item.live_revision_id, actor=actor.subject)


def _lock(session: Session, *some: Item) -> None:
    """Read items anew and keep others from merging them meanwhile, or two merges at once could make a circle.

    Always by falling id, so that two callers never wait for each other. SQLite has one writer anyway.
    """
    for item in sorted(some, key=lambda one: -int(one.id or 0)):
        session.refresh(item, with_for_update=True)


def _check(item: Item, into: Item) -> None:
    if item.id == into.id:
        raise Conflict(f"{item.number} cannot be merged into itself")
    if item.kind != into.kind:
        raise Conflict(
            f"{item.number} is of kind {item.kind.value!r}, {into.number} of kind {into.kind.value!r}: "
            "only items of one kind are merged"
        )
    if item.lang.split("-")[0].casefold() != into.lang.split("-")[0].casefold():
        raise Conflict(f"{item.number} and {into.number} are in two languages: they are translations, not one item")
    for one in (item, into):
        if one.state == State.RETIRED:
            raise Conflict(f"{one.number} is retired: publish it first, or choose another item")


def _with_questions_of(session: Session, newest: Revision, item: Item) -> Content:
    """Return the newest content with the title and questions of another item that it does not have yet."""
    seen = session.get(Revision, item.live_revision_id or item.draft_revision_id)
    if seen is None:
        raise NotFound(f"{item.number} has no revision")
    known = {title_key(question) for question in (newest.title, *newest.similar_questions)}
    added = []
    for question in (seen.title, *seen.similar_questions):
        if title_key(question) not in known:
            known.add(title_key(question))
            added.append(question)
    return replace(Content.of(newest), similar_questions=(*newest.similar_questions, *added))


def _no_wider(session: Session, one: Item, other: Item) -> bool:
    """Say whether all who may read `one` may read `other`."""
    labels = items.labels(session, [one.id or 0, other.id or 0])
    mine, theirs = (
        {value for facet, value in labels.get(item.id or 0, frozenset()) if facet == Facet.GROUP}
        for item in (one, other)
    )
    return (
        NARROW_FIRST[one.audience] <= NARROW_FIRST[other.audience]
        and no_wider(mine, theirs)
        and other.space_id in path_to_root(session, one.space_id)
    )
