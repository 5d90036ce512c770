"""How items change: create, revise, publish, retire, delete.

Every function works in the caller's transaction, writes the change-log row there, and leaves the commit to the caller.
Rights are checked here, so that no surface can forget them.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlmodel import Session, col, select

from kb import attachments, audit, changes, duplicates, pending, redirects, translations
from kb.access import Principal, Role, root_space_id
from kb.content import Content, Profile, checked_content, checked_profile, title_key
from kb.errors import Conflict, NotFound, StaleRevision, shown
from kb.models import (
    AttachmentUse,
    Draft,
    Facet,
    Flag,
    Item,
    ItemLabel,
    Kind,
    Operation,
    Passage,
    Plan,
    Review,
    ReviewOutcome,
    Revision,
    Significance,
    Space,
    State,
    Wording,
    new_uid,
    now,
)

Labels = frozenset[tuple[Facet, str]]

EDITOR_SOURCE = "editor"
"""`Item.source` of what is written here."""


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did. `seq` is what a writer waits for to be searchable."""

    item_id: int
    revision_id: int
    seq: int


def create(
    session: Session,
    content: Content,
    profile: Profile,
    *,
    actor: Principal,
    space_id: int | None = None,
    source: str = EDITOR_SOURCE,
    external_id: str | None = None,
    source_hash: str | None = None,
) -> tuple[Item, Revision]:
    """Add an item in state draft with its first revision. Raises InvalidInput, TooLarge, Forbidden, Conflict."""
    actor.require(Role.CONTRIBUTOR, "write items")
    content, profile = checked_content(content), checked_profile(profile)
    space = space_id if space_id is not None else actor.space or root_space_id(session)
    if session.get(Space, space) is None:
        raise NotFound(f"there is no space with the id {space}", field="space")
    fixed = profile.kind == Kind.FIXED
    actor.require_in(
        session,
        Role.EDITOR if fixed else Role.CONTRIBUTOR,
        space,
        "fix answers" if fixed else "write items",
    )
    uid = new_uid()
    external = external_id if external_id is not None else uid
    taken = session.exec(select(Item.id).where(col(Item.source) == source, col(Item.external_id) == external)).first()
    if taken is not None:
        raise Conflict(f"the source {shown(source)} has an item {shown(external)} already: KB-{taken}")
    item = Item(
        uid=uid, space_id=space, source=source, external_id=external, source_hash=source_hash, **_columns(profile)
    )
    session.add(item)
    session.flush()
    assert item.id is not None
    _set_labels(session, item.id, profile.labels)
    revision = _add_revision(session, item, content, actor, n=1, message="")
    changes.record(session, item.id, Operation.CREATE, revision_id=revision.id, actor=actor.subject)
    audited(session, item, actor, "create", after=_facts(item, profile.labels) | {"title": revision.title})
    return item, revision


def revise(
    session: Session,
    item: Item,
    content: Content,
    *,
    actor: Principal,
    based_on: int | None = None,
    message: str = "",
    follows: int | None = None,
) -> Revision:
    """Add a revision as the item's draft; readers go on seeing the live one. What the actor kept as a draft goes.

    `based_on` is the number `n` of the revision that the writer started from: raises StaleRevision if another one
    has come since. `follows`, of a translation: the number of the source's revision whose text it gives now (default:
    the one that it followed before); raises Conflict where there is no source, NotFound.
    Returns the newest revision if the content is the same, unchanged but for what it follows.
    """
    require_writable(session, item, actor)
    content = checked_content(content)
    newest = newest_revision(session, item)
    if based_on is not None and based_on != newest.n:
        raise StaleRevision(
            f"{item.number} is at revision {newest.n}, not {based_on}: read it again and carry your change over",
            field="based_on",
        )
    pending.drop_draft(session, item, actor=actor)
    if newest.content_hash == content.hash:
        return follow(session, item, follows, actor=actor) if follows is not None else newest
    follows_id = translations.to_follow(session, item, follows) if follows is not None else newest.follows_id
    pending.end_review(session, item, ReviewOutcome.OVERTAKEN, actor=actor)
    revision = _add_revision(session, item, content, actor, n=newest.n + 1, message=message, follows_id=follows_id)
    assert item.id is not None
    changes.record(session, item.id, Operation.UPDATE, revision_id=revision.id, actor=actor.subject)
    was, is_ = {"revision": newest.n, "title": newest.title}, {"revision": revision.n, "title": revision.title}
    audited(session, item, actor, "revise", was, is_)
    return revision


def follow(session: Session, item: Item, n: int, *, actor: Principal) -> Revision:
    """Say that the newest revision of a translation gives revision `n` of its source, as it stands; return it.

    For contributors; where readers see it, for publishers. Raises Conflict where there is no source, NotFound.
    """
    require_writable(session, item, actor)
    newest = newest_revision(session, item)
    if item.state == State.PUBLISHED and newest.id == item.live_revision_id:
        require_writable(session, item, actor, Role.PUBLISHER, "say what a published translation follows")
    follows_id = translations.to_follow(session, item, n)
    if newest.follows_id != follows_id:
        newest.follows_id = follows_id
        session.add(newest)
        audited(session, item, actor, "follow", after={"revision": newest.n, "follows": n})
    return newest


def reprofile(session: Session, item: Item, profile: Profile, *, actor: Principal) -> int:
    """Change what an item is (audience, labels, ...) at once; return the sequence number.

    Of an item that readers know (published, retired) that is for publishers; a contributor may send it unchanged.
    Where other readers get it, a review of it ends: it was asked for those before. A fixed answer is then a draft
    again, even where it was approved.
    Raises Conflict where an item would become a fixed answer, or cease to be one.
    """
    require_writable(session, item, actor)
    changed = checked_profile(profile) != profile_of(session, item)
    if changed and item.state in (State.PUBLISHED, State.RETIRED):
        require_writable(session, item, actor, Role.PUBLISHER, "say who reads an item")
    if (item.kind == Kind.FIXED) != (profile.kind == Kind.FIXED):
        raise Conflict(f"{item.number} is of kind {item.kind.value!r} and cannot become {profile.kind.value!r}")
    if _reach(session, item) != _wanted(profile):
        pending.end_review(session, item, ReviewOutcome.OVERTAKEN, actor=actor)
        if item.kind == Kind.FIXED and item.state == State.PUBLISHED:
            item.state = State.DRAFT
    assert item.id is not None
    profile = checked_profile(profile)
    before = _facts(item, _set_labels(session, item.id, profile.labels))
    for name, value in _columns(profile).items():
        setattr(item, name, value)
    if changed:
        audited(session, item, actor, "profile", before, _facts(item, profile.labels))
        if item.state == State.PUBLISHED:
            item.updated_at = now()
    session.add(item)
    return changes.record(session, item.id, Operation.UPDATE, revision_id=item.live_revision_id, actor=actor.subject)


def publish(
    session: Session,
    item: Item,
    revision: Revision,
    *,
    actor: Principal,
    approved: bool = False,
    significance: Significance | None = None,
) -> Published:
    """Make `revision` the one that readers see.

    `significance` says what the change asks of translations; default: `translations.significance_of`, and nothing of
    what is published for the first time.
    Raises StaleRevision if a newer revision is already live, Conflict if the revision is another item's, or if it is
    in review, or a fixed answer's, and was not `approved`: `kb.review.approve` publishes those.
    """
    require_writable(session, item, actor, Role.PUBLISHER, "publish")
    if item.kind == Kind.FIXED and not approved:
        raise Conflict(f"{item.number} is a fixed answer: submit it, then it is published by being approved")
    assert item.id is not None
    assert revision.id is not None
    if revision.item_id != item.id:
        raise Conflict(f"revision {revision.id} is not one of {item.number}")
    review = pending.open_review(session, item)
    if review is not None and review.revision_id == revision.id and not approved:
        raise Conflict(f"revision {revision.n} of {item.number} is in review: approve it, or withdraw the review")
    if item.live_revision_id is not None and item.live_revision_id > revision.id:
        raise StaleRevision(f"{item.number} has a newer live revision than {revision.n}: revise it instead")
    seen = session.get(Revision, item.live_revision_id) if item.live_revision_id is not None else None
    before = {"state": item.state.value, "revision": seen.n if seen is not None else None}
    if significance is None and seen is not None and seen.id != revision.id:
        significance = translations.significance_of(Content.of(seen), Content.of(revision))
    if significance is not None:
        revision.significance = significance
        session.add(revision)
    item.live_revision_id = revision.id
    item.draft_revision_id = None if newest_revision(session, item).id == revision.id else item.draft_revision_id
    item.state = State.PUBLISHED
    item.updated_at = now()
    session.add(item)
    pending.end_plans_of_published(session, item, revision.id, actor=actor)
    said = {"significance": significance.value} if significance is not None else {}
    after = {"state": item.state.value, "revision": revision.n} | said
    audited(session, item, actor, "publish", before, after)
    redirects.drop(session, item)  # its number is its own again
    seq = changes.record(session, item.id, Operation.PUBLISH, revision_id=revision.id, actor=actor.subject)
    return Published(item_id=item.id, revision_id=revision.id, seq=seq)


def retire(session: Session, item: Item, *, actor: Principal, planned: bool = False) -> int:
    """Take an item from its readers, keeping all of it; return the sequence number. Twice does nothing more.

    Its plans end, as it is not to come back by itself, but where this was `planned` itself.
    """
    require_writable(session, item, actor, Role.EDITOR, "retire items")
    assert item.id is not None
    if not planned:
        pending.end_plans_of_retired(session, item, actor=actor)
    if item.state != State.RETIRED:
        pending.end_review(session, item, ReviewOutcome.OVERTAKEN, actor=actor)
        audited(session, item, actor, "retire", {"state": item.state.value}, {"state": State.RETIRED.value})
        item.state = State.RETIRED
        item.updated_at = now()
        session.add(item)
    return changes.record(session, item.id, Operation.RETIRE, revision_id=item.live_revision_id, actor=actor.subject)


def delete(session: Session, item: Item, *, actor: Principal) -> int:
    """Remove an item and all its revisions for good; return the sequence number. For admins."""
    require_writable(session, item, actor, Role.ADMIN, "delete items for good (retire them instead)")
    assert item.id is not None
    last = newest_revision(session, item)
    labels = _labels(session, item.id)
    audited(session, item, actor, "delete", _facts(item, labels) | {"title": last.title, "revision": last.n})
    seq = changes.record(session, item.id, Operation.DELETE, actor=actor.subject)
    duplicates.forget(session, item)
    redirects.forget(session, item)
    pending.forget_gaps(session, item)
    for table in (Passage, ItemLabel, Review, Flag, Plan, Draft, Wording, AttachmentUse, Revision):
        session.exec(sql_delete(table).where(col(table.item_id) == item.id))
    session.delete(item)
    session.flush()
    return seq


def profile_of(session: Session, item: Item) -> Profile:
    """Return what an item is. For an item the caller has read already."""
    rows = session.exec(select(ItemLabel).where(col(ItemLabel.item_id) == item.id)).all()
    return Profile(
        kind=item.kind,
        lang=item.lang,
        audience=item.audience,
        confidence=item.confidence,
        governance=item.governance,
        family=item.family,
        owner=item.owner,
        url=item.url,
        labels=frozenset((row.facet, row.value) for row in rows),
    )


def newest_revision(session: Session, item: Item) -> Revision:
    return session.exec(
        select(Revision).where(col(Revision.item_id) == item.id).order_by(col(Revision.n).desc()).limit(1)
    ).one()


def _columns(profile: Profile) -> dict[str, Any]:
    names = ("kind", "lang", "audience", "confidence", "governance", "family", "owner", "url")
    return {name: getattr(profile, name) for name in names}


def _reach(session: Session, item: Item) -> tuple[str, list[str]]:
    """Return the audience and groups that an item is open to."""
    labels = _labels(session, int(item.id or 0))
    return item.audience.value, sorted(value for facet, value in labels if facet == Facet.GROUP)


def _wanted(profile: Profile) -> tuple[str, list[str]]:
    return profile.audience.value, profile.values(Facet.GROUP)


def _labels(session: Session, item_id: int) -> Labels:
    rows = session.exec(select(ItemLabel).where(col(ItemLabel.item_id) == item_id)).all()
    return frozenset((row.facet, row.value) for row in rows)


def _set_labels(session: Session, item_id: int, wanted: Labels) -> Labels:
    """Give an item these labels; return those that it had."""
    there = session.exec(select(ItemLabel).where(col(ItemLabel.item_id) == item_id)).all()
    before = frozenset((row.facet, row.value) for row in there)
    for row in there:
        if (row.facet, row.value) not in wanted:
            session.delete(row)
    session.add_all(ItemLabel(item_id=item_id, facet=facet, value=value) for facet, value in sorted(wanted - before))
    session.flush()
    return before


def _add_revision(
    session: Session,
    item: Item,
    content: Content,
    actor: Principal,
    *,
    n: int,
    message: str,
    follows_id: int | None = None,
) -> Revision:
    assert item.id is not None
    revision = Revision(
        item_id=item.id,
        n=n,
        title=content.title,
        title_key=title_key(content.title),
        body=content.body,
        issue=content.issue,
        environment=content.environment,
        resolution=content.resolution,
        cause=content.cause,
        similar_questions=list(content.similar_questions),
        content_hash=content.hash,
        author=actor.subject,
        message=message[:1000],
        follows_id=follows_id,
    )
    session.add(revision)
    session.flush()
    attachments.note_uses(session, item, revision, actor=actor)
    item.draft_revision_id = revision.id
    session.add(item)
    return revision


def require_writable(
    session: Session, item: Item, actor: Principal, role: Role = Role.CONTRIBUTOR, doing: str = "change items"
) -> None:
    """Raise Forbidden unless `actor` has `role` or more in the item's space; `doing` completes 'is needed to ...'.

    Writers of items come one after another from here on, and `item` is as the one before has left it; raises NotFound
    where that one has deleted it.
    Fixed answers, which are returned as they are, are changed by editors alone.
    """
    changes.in_order(session)
    here = session.exec(select(Item).where(col(Item.id) == item.id).execution_options(populate_existing=True)).first()
    if here is None:
        raise NotFound(f"there is no item {item.number} any more", field="item")
    if item.kind == Kind.FIXED and role.rank < Role.EDITOR.rank:
        role, doing = Role.EDITOR, "change fixed answers"
    actor.require_in(session, role, item.space_id, doing)


def audited(
    session: Session,
    item: Item,
    actor: Principal,
    action: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Record a change of an item in the audit log; `action` is the verb alone."""
    audit.record(session, actor, f"item.{action}", item.number, space=item.space_id, before=before, after=after)


def _facts(item: Item, labels: Labels) -> dict[str, Any]:
    """Return what an item is, for the audit log."""
    facts = {name: getattr(item, name) for name in ("kind", "lang", "family", "owner", "url")}
    facts |= {name: getattr(item, name).value for name in ("audience", "confidence", "governance")}
    return facts | {"labels": sorted(f"{facet.value}:{value}" for facet, value in labels)}
