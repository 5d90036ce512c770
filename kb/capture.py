"""Knowledge captured from cases: the item of a resolved case, and the draft of an article from it.

What comes here is redacted already; the original of a case is never given to this module.
"""

import re
from dataclasses import dataclass, replace

from sqlmodel import Session, col, select

from kb import changes, editorial, events
from kb.access import Principal, Role, Scope, readable, root_space_id
from kb.content import Content, Profile
from kb.errors import Conflict, InvalidInput
from kb.events import Happened
from kb.models import Confidence, EventKind, Facet, Item, Kind, LinkKind, Revision, State

SOURCE = "cases"
"""`Item.source` of what is captured; its external id is the number of the case."""
CHANNEL = "channel:"
"""Begins the topic that says how a case came in."""
_NUMBER = re.compile(r"\w[\w.#/:+-]{0,99}")
_ARTICLE = "case/"
"""Begins the external id of the article that was drafted from a case: one a case."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What capturing did."""

    item: Item
    revision: Revision
    seq: int
    again: bool
    """The case was captured before: this is a revision of its item."""


def capture(
    session: Session, number: str, content: Content, profile: Profile, *, actor: Principal, space_id: int | None = None
) -> Captured:
    """Make the item of a resolved case, published for those who read what is internal. For agents of the space.

    The same case again is a revision of its item, and internal again: what is new in it was not read by who opened it
    to others. Topics and groups that it was given here stay. Raises InvalidInput, TooLarge, Forbidden, NotFound for a
    space; Conflict where the number is that of an item which was retired, or which is not the actor's to write.
    """
    actor.require(Role.AGENT, "capture cases")
    if not _NUMBER.fullmatch(number):
        raise InvalidInput(
            "the number of a case has letters, digits and . # / : + - only, at most 100; it names the case, no person",
            field="number",
        )
    changes.in_order(session)
    item = find(session, number)
    space = item.space_id if item is not None else space_id or actor.space or root_space_id(session)
    if item is not None and (item.kind is not Kind.CASE or actor.role_in(session, space).rank < Role.AGENT.rank):
        raise Conflict(
            "the number of this case is taken by an item that is not yours to write; put your system's name before it",
            field="number",
        )
    actor.require_in(session, Role.AGENT, space, "capture cases")
    # An agent publishes nothing else: no other item, no other audience, and only what went through a review of its own.
    author = Principal(Role.PUBLISHER, actor.subject, space)
    if item is None:
        item, revision = editorial.create(
            session, content, profile, actor=author, space_id=space, source=SOURCE, external_id=number
        )
        return Captured(item, revision, editorial.publish(session, item, revision, actor=author).seq, again=False)
    if item.state is State.RETIRED:
        raise Conflict(f"this case is {item.number}, which was retired; ask an editor", field="number")
    revision = editorial.revise(session, item, content, actor=author, message="captured again")
    before = editorial.profile_of(session, item)
    seq = editorial.reprofile(session, item, _again(before, profile), actor=author)
    if item.live_revision_id != revision.id:
        seq = editorial.publish(session, item, revision, actor=author).seq
    return Captured(item, revision, seq, again=True)


def find(session: Session, number: str, scope: Scope | None = None) -> Item | None:
    """Return the item of a case, where there is one in the scope. None as scope knows no reader."""
    statement = select(Item).where(col(Item.source) == SOURCE, col(Item.external_id) == number)
    return session.exec(statement.where(readable(scope)) if scope is not None else statement).first()


def draft_article(session: Session, case: Item, *, actor: Principal, visitor: str | None) -> Item:
    """Return the article drafted from a captured case, made now where there is none yet. For contributors.

    That it was written from the case is kept as a link of kind `created`, its text the case's issue. For a case the
    caller has read already. Raises Conflict for an item that is no captured case, and Forbidden.
    """
    if case.source != SOURCE or case.kind is not Kind.CASE:
        raise Conflict(f"{case.number} is not a captured case; write an article on its page", field="item")
    actor.require_in(session, Role.CONTRIBUTOR, case.space_id, "draft articles from cases")
    changes.in_order(session)
    external = _ARTICLE + case.external_id
    known = select(Item).where(col(Item.source) == editorial.EDITOR_SOURCE, col(Item.external_id) == external)
    if (there := session.exec(known).first()) is not None:
        return there
    content = Content.of(editorial.newest_revision(session, case))
    before = editorial.profile_of(session, case)
    profile = Profile(
        kind=Kind.ARTICLE,
        lang=before.lang,
        confidence=Confidence.WIP,
        labels=frozenset(
            (facet, value) for facet, value in before.labels if not (facet is Facet.TOPIC and value.startswith(CHANNEL))
        ),
    )
    article, _ = editorial.create(session, content, profile, actor=actor, space_id=case.space_id, external_id=external)
    link = Happened(
        kind=EventKind.LINK,
        role=actor.role.value,
        space=actor.space,
        visitor=visitor,
        item_id=article.id,
        text=content.issue or content.title,
        data={"link": LinkKind.CREATED.value, "case": case.number},
    )
    events.record(session, [link])
    return article


def _again(before: Profile, now: Profile) -> Profile:
    kept = {
        (facet, value)
        for facet, value in before.labels
        if facet is Facet.GROUP or (facet is Facet.TOPIC and not value.startswith(CHANNEL))
    }
    return replace(before, lang=now.lang, audience=now.audience, labels=now.labels | kept)
