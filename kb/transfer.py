"""Moving a knowledge base: all spaces, items, revisions and merges as JSON Lines, and back, with nothing lost between.

The first line is a header; then one line a space (parents first), then one line an item with its labels and all of
its revisions. Numbers (KB-1042) are kept where they are free; an item that is there already (by `uid`) is left as it
is if it is the same, and refused if it is not.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, text
from sqlmodel import Session, col, select

from kb import attachments, changes, fixed, items, pending, redirects
from kb.access import Principal, Role
from kb.content import Content, Profile, checked_content, checked_profile, choice, storable, title_key
from kb.db import Database
from kb.errors import Conflict, InvalidInput, shown
from kb.models import (
    Audience,
    Confidence,
    Facet,
    Governance,
    Item,
    ItemLabel,
    Kind,
    Operation,
    Redirect,
    Review,
    ReviewOutcome,
    Revision,
    Space,
    State,
)

FORMAT = "answerwell-export"
VERSION = 1
_BATCH = 100
_REVIEW = (
    "asked_by", "asked_at", "review_at", "expires_at", "message", "outcome", "decided_by", "decided_at", "answer",
    "by_author",
)  # fmt: skip


@dataclass(slots=True)
class Imported:
    """Counts of an import. `renumbered`: items whose number was taken and that got a new one."""

    spaces: int = 0
    items: int = 0
    revisions: int = 0
    unchanged: int = 0
    renumbered: int = 0


def export_lines(db: Database, *, actor: Principal) -> Iterator[str]:
    """Yield the export, one JSON document a line, from one consistent state. Raises Forbidden below admin."""
    actor.require(Role.ADMIN, "export everything")
    with db.read() as session:
        yield _line({"format": FORMAT, "version": VERSION})
        for space in session.exec(select(Space).order_by(col(Space.id))):
            parent = session.get(Space, space.parent_id) if space.parent_id is not None else None
            yield _line({"space": {"key": space.key, "name": space.name, "parent": parent.key if parent else None}})
        keys = {space.id: space.key for space in session.exec(select(Space))}
        last = 0
        while found := session.exec(select(Item).where(col(Item.id) > last).order_by(col(Item.id)).limit(_BATCH)).all():
            ids = [int(item.id or 0) for item in found]
            labels, merges = items.labels(session, ids), _merges(session, ids)
            reviews = pending.reviews(session, ids)
            revisions: dict[int, list[Revision]] = {}
            for revision in session.exec(
                select(Revision).where(col(Revision.item_id).in_(ids)).order_by(col(Revision.item_id), col(Revision.n))
            ):
                revisions.setdefault(revision.item_id, []).append(revision)
            for item in found:
                number = int(item.id or 0)
                own, tags = revisions.get(number, []), labels.get(number, frozenset())
                record = _item(item, keys[item.space_id], tags, own, reviews.get(number, []), merges.get(number))
                yield _line({"item": record})
            last = ids[-1]
            session.expunge_all()


def import_lines(db: Database, lines: Iterable[str], *, actor: Principal) -> Imported:
    """Read an export in one transaction: all of it or nothing; return the counts.

    Raises InvalidInput naming the line that cannot be read, Conflict for an item that differs from the one there,
    Forbidden below admin.
    """
    actor.require(Role.ADMIN, "import everything")
    counts = Imported()
    with db.write() as session:
        header = False
        taken: list[dict[str, Any]] = []  # get their new numbers when all those that keep theirs are in
        merged: list[dict[str, Any]] = []  # lead on when those that they lead to are in
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                if not header:
                    _check_header(record)
                    header = True
                elif "space" in record:
                    _add_space(session, record["space"], counts)
                elif "item" in record:
                    _add_item(session, record["item"], actor, counts, taken)
                    if record["item"].get("merged_into") is not None:
                        merged.append(record["item"])
                else:
                    raise InvalidInput("neither a space nor an item")
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise InvalidInput(f"line {number} cannot be read: {type(error).__name__}: {error}") from error
            except InvalidInput as error:
                raise InvalidInput(f"line {number}: {error.message}; nothing was imported") from error
            except Conflict as error:
                raise Conflict(f"line {number}: {error.message}; nothing was imported") from error
        for record in taken:
            free = session.exec(select(func.max(Item.id))).one() or 0
            _add_item(session, {**record, "id": free + 1}, actor, counts, [])
        counts.renumbered = len(taken)
        for record in merged:
            _lead(session, record, actor)
        if not header:
            raise InvalidInput("this is not an Answerwell export: it is empty")
        if db.dialect == "postgresql":
            for table in ("item", "revision"):
                highest = f"GREATEST((SELECT MAX(id) FROM {table}), 1)"
                session.connection().execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {highest})"))
    return counts


def _check_header(record: dict[str, Any]) -> None:
    if record.get("format") != FORMAT:
        raise InvalidInput(f"this is not an Answerwell export: its first line is {shown(record)}")
    if record.get("version") != VERSION:
        raise InvalidInput(
            f"the export has version {shown(record.get('version'))}; this program reads version {VERSION}"
        )


def _item(
    item: Item,
    space: str,
    labels: frozenset[tuple[Facet, str]],
    revisions: list[Revision],
    reviews: Sequence[Review],
    merged_into: str | None,
) -> dict[str, Any]:
    plain = (
        "id", "uid", "kind", "lang", "family", "audience", "confidence", "governance", "state", "owner",
        "source", "external_id", "source_hash", "url", "created_at", "updated_at",
    )  # fmt: skip
    numbers = {revision.id: revision.n for revision in revisions}
    return {
        **{name: getattr(item, name) for name in plain},
        "space": space,
        "labels": sorted([facet.value, value] for facet, value in labels),
        "live": numbers.get(item.live_revision_id),
        "draft": numbers.get(item.draft_revision_id),
        "revisions": [
            {
                name: getattr(revision, name)
                for name in (
                    "n", "title", "body", "issue", "environment", "resolution", "cause", "similar_questions",
                    "author", "message", "created_at",
                )
            }
            for revision in revisions
        ],
        **{name: moment for name in ("review_at", "expires_at") if (moment := getattr(item, name)) is not None},
        **({"reviews": [_review(review, numbers) for review in reviews]} if reviews else {}),
        **({"merged_into": merged_into} if merged_into is not None else {}),
    }  # fmt: skip


def _merges(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Return by id the uid of the item that each of these was merged into; those that were not are left out."""
    rows = session.exec(
        select(Redirect.source_id, Item.uid)
        .join(Item, col(Item.id) == col(Redirect.via_id))
        .where(col(Redirect.source_id).in_(ids))
    )
    return {int(source or 0): uid for source, uid in rows}


def _lead(session: Session, record: dict[str, Any], actor: Principal) -> None:
    """Let an item that was merged lead where it led, unless it is here already and does."""
    there = select(Item).where(col(Item.uid).in_([str(record["uid"]), str(record["merged_into"])]))
    known = {item.uid: item for item in session.exec(there).all()}
    if str(record["merged_into"]) not in known:
        raise InvalidInput(f"the item {shown(record['uid'])} is merged into one that is not in the export")
    item, into = known[str(record["uid"])], known[str(record["merged_into"])]
    if redirects.via(session, item) is None:
        redirects.lead(session, item, into, actor=actor.subject)


def _review(review: Review, numbers: dict[int | None, int]) -> dict[str, Any]:
    return {"revision": numbers[review.revision_id], **{name: getattr(review, name) for name in _REVIEW}}


def _add_space(session: Session, record: dict[str, Any], counts: Imported) -> None:
    if session.exec(select(Space).where(col(Space.key) == str(record["key"]))).first() is not None:
        return
    if record["parent"] is None:
        raise Conflict(f"the export's root space {shown(record['key'])} is not this one's")
    parent = session.exec(select(Space).where(col(Space.key) == str(record["parent"]))).one()
    session.add(Space(key=str(record["key"]), name=str(record["name"]), parent_id=parent.id))
    session.flush()
    counts.spaces += 1


def _add_item(
    session: Session, record: dict[str, Any], actor: Principal, counts: Imported, taken: list[dict[str, Any]]
) -> None:
    """Add an item, or put its record into `taken` if its number is."""
    space = session.exec(select(Space).where(col(Space.key) == str(record["space"]))).one()
    there = session.exec(select(Item).where(col(Item.uid) == str(record["uid"]))).first()
    if there is not None:
        _same_or_refuse(session, there, record)
        counts.unchanged += 1
        return
    if session.get(Item, int(record["id"])) is not None:
        taken.append(record)
        return
    profile = checked_profile(
        Profile(
            kind=choice(Kind, record["kind"], "kind"),
            lang=record["lang"],
            audience=choice(Audience, record["audience"], "audience"),
            confidence=choice(Confidence, record["confidence"], "confidence"),
            governance=choice(Governance, record["governance"], "governance"),
            family=record["family"],
            owner=record["owner"],
            url=record["url"],
            labels=frozenset((choice(Facet, facet, "facet"), str(value)) for facet, value in record["labels"]),
        )
    )
    item = Item(
        id=int(record["id"]),
        uid=str(record["uid"]),
        kind=profile.kind,
        space_id=int(space.id or 0),
        lang=profile.lang,
        family=profile.family,
        audience=profile.audience,
        confidence=profile.confidence,
        governance=profile.governance,
        state=choice(State, record["state"], "state"),
        owner=profile.owner,
        source=storable(str(record["source"]))[:200],
        external_id=storable(str(record["external_id"]))[:500],
        source_hash=record["source_hash"],
        url=profile.url,
        created_at=datetime.fromisoformat(record["created_at"]),
        updated_at=datetime.fromisoformat(record["updated_at"]),
    )
    session.add(item)
    session.flush()
    assert item.id is not None
    session.add_all(ItemLabel(item_id=item.id, facet=facet, value=value) for facet, value in sorted(profile.labels))
    by_number = {revision["n"]: _add_revision(session, item.id, revision) for revision in record["revisions"]}
    if item.state == State.PUBLISHED and record["live"] not in by_number:
        raise InvalidInput(f"the item {shown(record['uid'])} is published, but its live revision is not in the export")
    item.live_revision_id = by_number.get(record["live"])
    item.draft_revision_id = by_number.get(record["draft"])
    item.review_at, item.expires_at = _moment(record.get("review_at")), _moment(record.get("expires_at"))
    session.add(item)
    session.add_all(_read_review(item.id, by_number, review) for review in record.get("reviews", ()))
    if item.kind == Kind.FIXED and item.live_revision_id is not None:
        fixed.reword(session, item.id, session.get_one(Revision, item.live_revision_id))
    changes.record(session, item.id, Operation.CREATE, revision_id=item.live_revision_id, actor=actor.subject)
    counts.items += 1
    counts.revisions += len(by_number)


def _read_review(item_id: int, by_number: dict[int, int], record: dict[str, Any]) -> Review:
    return Review(
        item_id=item_id,
        revision_id=by_number[record["revision"]],
        asked_by=record["asked_by"],
        asked_at=datetime.fromisoformat(record["asked_at"]),
        message=str(record["message"])[:1000],
        outcome=choice(ReviewOutcome, record["outcome"], "outcome") if record["outcome"] is not None else None,
        decided_by=record["decided_by"],
        decided_at=_moment(record["decided_at"]),
        answer=str(record["answer"])[:1000],
        by_author=bool(record["by_author"]),
        review_at=_moment(record["review_at"]),
        expires_at=_moment(record["expires_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _add_revision(session: Session, item_id: int, record: dict[str, Any]) -> int:
    texts = {name: str(record[name]) for name in ("title", "body", "issue", "environment", "resolution", "cause")}
    content = checked_content(Content(**texts, similar_questions=tuple(map(str, record["similar_questions"]))))
    revision = Revision(
        item_id=item_id,
        n=int(record["n"]),
        title=content.title,
        title_key=title_key(content.title),
        body=content.body,
        issue=content.issue,
        environment=content.environment,
        resolution=content.resolution,
        cause=content.cause,
        similar_questions=list(content.similar_questions),
        content_hash=content.hash,
        author=record["author"],
        message=str(record["message"])[:1000],
        created_at=datetime.fromisoformat(record["created_at"]),
    )
    session.add(revision)
    session.flush()
    attachments.keep_uses(session, revision)
    assert revision.id is not None
    return revision.id


def _same_or_refuse(session: Session, there: Item, record: dict[str, Any]) -> None:
    number = int(there.id or 0)
    revisions = session.exec(select(Revision).where(col(Revision.item_id) == number).order_by(col(Revision.n))).all()
    space = session.get_one(Space, there.space_id)
    tags = items.labels(session, [number]).get(number, frozenset())
    reviews = pending.reviews(session, [number]).get(number, [])
    merged = _merges(session, [number]).get(number)
    here = json.loads(_line(_item(there, space.key, tags, list(revisions), reviews, merged)))
    different = sorted(name for name in here if name != "id" and here[name] != record.get(name))
    if different:
        raise Conflict(f"{there.number} is here already and differs in {', '.join(different)}")


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, default=_plain, separators=(",", ":"))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    raise TypeError(f"{type(value).__name__} has no JSON form")
