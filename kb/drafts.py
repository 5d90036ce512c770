"""Drafts: what a person is writing, kept as it is typed, for that person alone; who else writes on the same item.

Others see that somebody is at it, never what is written (docs/decisions/0023-review.md).
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from kb import editorial, items
from kb.access import Principal, Role, Scope, readable
from kb.content import MAX_LABELS, MAX_QUESTIONS, MAX_TEXT, Content, Profile, storable
from kb.errors import Conflict, Forbidden, InvalidInput, NotFound, TooLarge, shown
from kb.models import Audience, Confidence, Draft, Facet, Governance, Item, Kind, now

PRESENCE = timedelta(minutes=10)
"""For how long after the last keeping of a draft its person counts as writing."""
MAX_DRAFTS = 500
"""Most drafts of one person."""
_NEW = re.compile(r"new-[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True)
class Writing:
    """Somebody else who is writing on an item."""

    person: str
    at: datetime


def save(
    session: Session,
    key: str,
    content: Content,
    profile: Profile,
    scope: Scope,
    *,
    actor: Principal,
    based_on: int | None = None,
    version: int = 0,
) -> Draft:
    """Keep what the actor is writing, finished or not.

    `key`: the item's number, or `new-...` for one that is not there yet; `based_on`: number of the revision that an
    item's draft started from; `version`: that of the draft which this one goes on from, 0 for none. Raises Conflict
    where the actor has another version by now, as from a second window, InvalidInput, TooLarge, NotFound, Forbidden.
    """
    person, key, item = _own(session, key, scope, actor)
    newest = editorial.newest_revision(session, item).n if item is not None else 0
    if item is not None and (based_on is None or not 1 <= based_on <= newest):
        raise InvalidInput(
            f"a draft of {item.number} is based on one of its revisions, 1 to {newest}, not {shown(based_on)}",
            field="based_on",
        )
    values: dict[str, Any] = {
        "item_id": item.id if item is not None else None,
        "based_on": based_on if item is not None else None,
        "data": _data(content, profile),
        "saved_at": now(),
    }
    mine = (col(Draft.person) == person, col(Draft.key) == key)
    if version:
        changing = update(Draft).where(*mine, col(Draft.version) == version).values(**values, version=version + 1)
        kept = session.connection().execute(changing.returning(col(Draft.version))).first()
    else:
        count = session.exec(select(func.count()).select_from(Draft).where(col(Draft.person) == person)).one()
        if count >= MAX_DRAFTS:
            raise Conflict(f"you have {count} drafts, which is as many as are kept: save or remove some")
        adding = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        statement = adding(Draft).values(person=person, key=key, version=1, **values).on_conflict_do_nothing()
        kept = session.connection().execute(statement.returning(col(Draft.version))).first()
    if kept is None:
        raise Conflict(
            f"your draft {shown(key)} is not at version {version} any more: it was kept or removed in another window; "
            "read it again",
            field="version",
        )
    return session.exec(select(Draft).where(*mine).execution_options(populate_existing=True)).one()


def get(session: Session, key: str, scope: Scope, *, actor: Principal) -> Draft:
    """Return the actor's own draft. Raises NotFound where there is none, whatever others have; Forbidden."""
    person, key, _ = _own(session, key, scope, actor)
    draft = session.get(Draft, (person, key))
    if draft is None:
        raise NotFound(f"you have no draft {shown(key)}", field="key")
    return draft


def discard(session: Session, key: str, scope: Scope, *, actor: Principal) -> None:
    """Remove the actor's own draft, if there is one. Raises as `get` does but for that."""
    person, key, _ = _own(session, key, scope, actor)
    session.exec(sql_delete(Draft).where(col(Draft.person) == person, col(Draft.key) == key))


def mine(session: Session, scope: Scope, *, actor: Principal) -> Sequence[Draft]:
    """Return the actor's own drafts, last kept first; none of an item that may not be read any more."""
    statement = (
        select(Draft)
        .outerjoin(Item, col(Item.id) == col(Draft.item_id))
        .where(col(Draft.person) == _person(actor), or_(col(Draft.item_id).is_(None), readable(scope)))
        .order_by(col(Draft.saved_at).desc(), col(Draft.key))
    )
    return session.exec(statement).all()


def others(session: Session, item: Item, *, actor: Principal) -> list[Writing]:
    """Return who else is writing on an item now, last first. Raises Forbidden for who may not write there."""
    actor.require_in(session, Role.CONTRIBUTOR, item.space_id, "see who writes")
    statement = (
        select(Draft.person, Draft.saved_at)
        .where(col(Draft.item_id) == item.id, col(Draft.saved_at) > now() - PRESENCE)
        .where(col(Draft.person) != (actor.subject or ""))
        .order_by(col(Draft.saved_at).desc(), col(Draft.person))
    )
    return [Writing(person, at) for person, at in session.exec(statement)]


def content_of(draft: Draft) -> Content:
    given = draft.data["content"]
    return Content(**{**given, "similar_questions": tuple(given["similar_questions"])})


def profile_of(draft: Draft) -> Profile:
    given = draft.data["profile"]
    return Profile(
        kind=Kind(given["kind"]),
        lang=given["lang"],
        audience=Audience(given["audience"]),
        confidence=Confidence(given["confidence"]),
        governance=Governance(given["governance"]),
        family=given["family"],
        owner=given["owner"],
        url=given["url"],
        labels=frozenset((Facet(facet), value) for facet, value in given["labels"]),
    )


def _person(actor: Principal) -> str:
    actor.require(Role.CONTRIBUTOR, "keep drafts")
    if actor.subject is None:
        raise Forbidden("a draft belongs to a person or a key: sign in")
    return actor.subject


def _own(session: Session, key: str, scope: Scope, actor: Principal) -> tuple[str, str, Item | None]:
    """Return whose draft it is, its key, and the item where there is one that the actor may write."""
    person = _person(actor)
    if key.startswith("new-"):
        if _NEW.fullmatch(key) is None:
            raise InvalidInput(
                f"a new draft is named new- and 1 to 60 letters or digits, not {shown(key)}", field="key"
            )
        return person, key, None
    item = items.get(session, key, scope)
    actor.require_in(session, Role.CONTRIBUTOR, item.space_id, "write items")
    return person, item.number, item


def _data(content: Content, profile: Profile) -> dict[str, Any]:
    """Return both as JSON. Raises TooLarge; nothing else is asked of what is not finished."""
    texts = {name: storable(text) for name, text in asdict(content).items() if isinstance(text, str)}
    questions = [storable(question) for question in content.similar_questions]
    given = {field.name: getattr(profile, field.name) for field in fields(profile) if field.name != "labels"}
    about = {name: storable(value) if isinstance(value, str) else value for name, value in given.items()}
    labels = sorted([facet.value, storable(value)] for facet, value in profile.labels)
    written = [*texts.values(), *questions, *(str(value) for value in about.values()), *(text for _, text in labels)]
    if sum(map(len, written)) > MAX_TEXT or len(questions) > MAX_QUESTIONS or len(labels) > MAX_LABELS:
        raise TooLarge(
            f"a draft holds at most {MAX_TEXT:,} characters, {MAX_QUESTIONS} similar questions and {MAX_LABELS} labels"
        )
    return {"content": {**texts, "similar_questions": questions}, "profile": {**about, "labels": labels}}
