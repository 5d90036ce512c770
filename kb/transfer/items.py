"""An item in an export: with its labels, all of its revisions and reviews, and where it led if it was merged."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from kb import attachments, changes, fixed, items, pending, redirects, translations
from kb.access import Principal
from kb.content import Content, Profile, checked_content, checked_profile, choice, title_key
from kb.errors import Conflict, InvalidInput, shown
from kb.models import Facet, Item, ItemLabel, Kind, Operation, Redirect, Review, Revision, Space, State
from kb.transfer.columns import read, written

_ITEM = frozenset({"id", "space_id", "live_revision_id", "draft_revision_id"})
_REVISION = frozenset({"id", "item_id", "title_key", "content_hash", "follows_id"})
_REVIEW = frozenset({"id", "item_id", "revision_id"})
"""Columns that are said in another way, or follow from others."""


def records(session: Session, found: Sequence[Item]) -> list[dict[str, Any]]:
    """Return what an export says of items."""
    ids = [int(item.id or 0) for item in found]
    keys = {space.id: space.key for space in session.exec(select(Space))}
    tags, merges, reviews = items.labels(session, ids), _merges(session, ids), pending.reviews(session, ids)
    revisions: dict[int, list[Revision]] = {}
    for revision in session.exec(
        select(Revision).where(col(Revision.item_id).in_(ids)).order_by(col(Revision.item_id), col(Revision.n))
    ):
        revisions.setdefault(revision.item_id, []).append(revision)
    return [
        _record(
            item,
            keys[item.space_id],
            tags.get(number, frozenset()),
            revisions.get(number, []),
            reviews.get(number, []),
            merges.get(number),
            _follows(session, item, revisions.get(number, [])),
        )
        for number, item in zip(ids, found, strict=True)
    ]


def _record(
    item: Item,
    space: str,
    labels: frozenset[tuple[Facet, str]],
    revisions: Sequence[Revision],
    reviews: Sequence[Review],
    merged_into: str | None,
    follows: dict[int, list[Any]],
) -> dict[str, Any]:
    numbers = {revision.id: revision.n for revision in revisions}
    return {
        "id": item.id,
        **written(item, _ITEM),
        "space": space,
        "labels": sorted([facet.value, value] for facet, value in labels),
        "live": numbers.get(item.live_revision_id),
        "draft": numbers.get(item.draft_revision_id),
        "revisions": [{**written(revision, _REVISION), "follows": follows.get(revision.n)} for revision in revisions],
        "reviews": [{"revision": numbers[review.revision_id], **written(review, _REVIEW)} for review in reviews],
        "merged_into": merged_into,
    }


def add(session: Session, record: dict[str, Any], *, actor: Principal) -> int | None:
    """Add an item that an export describes; return how many revisions it has, None if it is here and says the same.

    Raises Conflict if it is here and says something else, InvalidInput for a record that cannot be.
    """
    there = session.exec(select(Item).where(col(Item.uid) == str(record["uid"]))).first()
    if there is not None:
        _same_or_refuse(session, there, record)
        return None
    space = session.exec(select(Space).where(col(Space.key) == str(record["space"]))).one()
    values = read(Item, record, _ITEM)
    profile = checked_profile(
        Profile(
            **{name: values[name] for name in ("kind", "lang", "audience", "confidence", "governance", "family")},
            owner=values["owner"],
            url=values["url"],
            labels=frozenset((choice(Facet, facet, "facet"), str(value)) for facet, value in record["labels"]),
        )
    )
    values |= {"lang": profile.lang, "family": profile.family, "owner": profile.owner, "url": profile.url}
    item = Item(id=int(record["id"]), space_id=int(space.id or 0), **values)
    session.add(item)
    session.flush()
    assert item.id is not None
    session.add_all(ItemLabel(item_id=item.id, facet=facet, value=value) for facet, value in sorted(profile.labels))
    by_number = {revision["n"]: _add_revision(session, item.id, revision) for revision in record["revisions"]}
    if item.state == State.PUBLISHED and record["live"] not in by_number:
        raise InvalidInput(f"the item {shown(record['uid'])} is published, but its live revision is not in the export")
    item.live_revision_id = by_number.get(record["live"])
    item.draft_revision_id = by_number.get(record["draft"])
    session.add(item)
    session.add_all(
        Review(item_id=item.id, revision_id=by_number[review["revision"]], **read(Review, review, _REVIEW))
        for review in record["reviews"]
    )
    if item.kind == Kind.FIXED and item.live_revision_id is not None:
        fixed.reword(session, item.id, session.get_one(Revision, item.live_revision_id))
    changes.record(session, item.id, Operation.CREATE, revision_id=item.live_revision_id, actor=actor.subject)
    return len(by_number)


def lead(session: Session, record: dict[str, Any], *, actor: Principal) -> None:
    """Let an item that was merged lead where it led, unless it does already."""
    there = select(Item).where(col(Item.uid).in_([str(record["uid"]), str(record["merged_into"])]))
    known = {item.uid: item for item in session.exec(there).all()}
    if str(record["merged_into"]) not in known:
        raise InvalidInput(f"the item {shown(record['uid'])} is merged into one that is not in the export")
    item, into = known[str(record["uid"])], known[str(record["merged_into"])]
    if redirects.via(session, item) is None:
        redirects.lead(session, item, into, actor=actor.subject)


def follow(session: Session, record: dict[str, Any]) -> None:
    """Let each revision of a translation follow the revision of its source that it followed, once both are here."""
    for revision in record["revisions"]:
        if revision["follows"] is not None:
            uid, n = revision["follows"]
            own, source = _revision(session, str(record["uid"]), revision["n"]), _revision(session, str(uid), n)
            own.follows_id = source.id
            session.add(own)


def _revision(session: Session, uid: str, n: Any) -> Revision:
    found = session.exec(
        select(Revision).join(Item, col(Item.id) == col(Revision.item_id)).where(Item.uid == uid, Revision.n == int(n))
    ).first()
    if found is None:
        raise InvalidInput(f"the item {shown(uid)} has no revision {shown(n)}, here or in the export")
    return found


def _follows(session: Session, item: Item, revisions: Sequence[Revision]) -> dict[int, list[Any]]:
    """Return by number of each revision of a translation which one of its source it gives: uid and number."""
    source = translations.source_of(session, item)
    if source is None:
        return {}
    found = {revision.n: translations.followed(session, source, revision) for revision in revisions}
    return {n: [source.uid, followed.n] for n, followed in found.items() if followed is not None}


def _merges(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Return by id the uid of the item that each of these was merged into; those that were not are left out."""
    rows = session.exec(
        select(Redirect.source_id, Item.uid)
        .join(Item, col(Item.id) == col(Redirect.via_id))
        .where(col(Redirect.source_id).in_(ids))
    )
    return {int(source or 0): uid for source, uid in rows}


def _add_revision(session: Session, item_id: int, record: dict[str, Any]) -> int:
    values = read(Revision, record, _REVISION)
    texts = {name: values.pop(name) for name in ("title", "body", "issue", "environment", "resolution", "cause")}
    content = checked_content(Content(**texts, similar_questions=tuple(map(str, values.pop("similar_questions")))))
    revision = Revision(
        item_id=item_id,
        title_key=title_key(content.title),
        content_hash=content.hash,
        **{name: getattr(content, name) for name in texts},
        similar_questions=list(content.similar_questions),
        **values,
    )
    session.add(revision)
    session.flush()
    attachments.keep_uses(session, revision)
    assert revision.id is not None
    return revision.id


def _same_or_refuse(session: Session, there: Item, record: dict[str, Any]) -> None:
    (here,) = records(session, [there])
    different = sorted(name for name in here if name != "id" and here[name] != record.get(name))
    if different:
        raise Conflict(f"{there.number} is here already and differs in {', '.join(different)}")
