"""What was asked and not answered, by the event log, and the cases that nothing is known to have solved.

An asking (a search, or an answer that was no part of one) has failed where its answer was in the band `no_answer`;
where it found nothing at all; and where questions were offered in place of an answer (`did_you_mean`), and half an
hour later none had been opened, or what was opened had been voted unhelpful. Who linked what was found to a case, or
voted it helpful, was helped. Trials and what was searched while being typed are no askings. Searches that come without
an answer, as of a filtered page, fail only by finding nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from kb.access import Principal, Role
from kb.content import choice, title_key
from kb.models import Event, EventKind, Item, Kind, Revision, State, now
from retrieval.abstain import Band

SETTLED = timedelta(minutes=30)
"""How long a reader has to open what was offered."""
_ASKINGS = (EventKind.SEARCH, EventKind.ANSWER)
_HELPED = (EventKind.CLICK, EventKind.LINK, EventKind.VOTE)
_NAMES_ITEM = re.compile(r"\bKB-[1-9][0-9]*\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asker:
    """Readers who are told the same: a role (customer and above it staff as one) and where they have it."""

    role: Role
    space: int | None
    """As `kb.access.Principal.space`."""

    @property
    def principal(self) -> Principal:
        return Principal(role=self.role, space=self.space)


@dataclass(slots=True)
class Failed:
    """A question that failed, or a case without a solution."""

    key: str
    """As `kb.content.title_key` folds it."""
    text: str
    """As it was last asked."""
    asker: Asker
    last_at: datetime
    times: int = 1
    case: int | None = None
    """Id of the case whose issue it is."""


@dataclass(slots=True)
class _Asking:
    text: str
    asker: Asker
    at: datetime
    found: bool
    band: str | None = None
    opened: bool = False
    helped: bool = False
    refused: bool = False
    """Its reader voted that what was opened does not help."""

    def failed(self, settled: datetime) -> bool:
        if self.helped or self.band == Band.ANSWER:
            return False
        if self.band == Band.DID_YOU_MEAN:
            return self.refused or (not self.opened and self.at <= settled)
        return self.band == Band.NO_ANSWER or not self.found


def asked(session: Session, days: int) -> list[Failed]:
    """Return the questions that failed in the last `days` days, once for each kind of readers, most often first."""
    found: dict[tuple[str, Asker], Failed] = {}
    settled = now() - SETTLED
    for one in _askings(session, days):
        key = title_key(one.text)
        if not key or not one.failed(settled):
            continue
        before = found.setdefault((key, one.asker), Failed(key, one.text, one.asker, one.at, times=0))
        before.text, before.last_at, before.times = one.text, one.at, before.times + 1
    return sorted(found.values(), key=lambda one: (-one.times, one.key))


def cases(session: Session, days: int) -> list[Failed]:
    """Return the published cases of the last `days` days that no item is known to solve, newest first.

    An item is known to where an agent linked it to a case with this issue or title, or where the case names it (KB-42).
    """
    linked = {
        title_key(text)
        for text, data in session.exec(select(Event.text, Event.data).where(col(Event.kind) == EventKind.LINK))
        if not data.get("test")
    }
    statement = (
        select(Item, Revision)
        .join(Revision, col(Revision.id) == col(Item.live_revision_id))
        .where(
            col(Item.kind) == Kind.CASE,
            col(Item.state) == State.PUBLISHED,
            col(Item.created_at) >= now() - timedelta(days=days),
        )
        .order_by(col(Item.id).desc())
    )
    found = []
    for item, revision in session.exec(statement):
        text = " ".join((revision.issue or revision.title).split())[:1000]
        key = title_key(text)
        named = _NAMES_ITEM.search("\n".join((revision.body, revision.resolution, revision.cause)))
        if key and not named and not linked & {key, title_key(revision.title)}:
            asker = Asker(Role.AGENT, item.space_id)
            found.append(Failed(key, text, asker, item.created_at, case=item.id))
    return found


def _askings(session: Session, days: int) -> Iterator[_Asking]:
    """Yield what was asked, oldest first, with what came of it."""
    statement = (
        select(Event)
        .where(col(Event.kind).in_([*_ASKINGS, *_HELPED]), col(Event.at) >= now() - timedelta(days=days))
        .order_by(col(Event.id))
    )
    found: dict[str, _Asking] = {}
    for event in session.exec(statement):
        parent = found.get(event.parent or "")
        if event.kind in _HELPED:
            if parent is not None:
                parent.opened = True
                parent.helped |= event.kind is EventKind.LINK or bool(event.data.get("helpful"))
                parent.refused |= event.kind is EventKind.VOTE and not event.data.get("helpful")
        elif event.kind is EventKind.ANSWER and parent is not None:
            parent.band = event.data.get("band")
            found[event.uid] = parent
        elif not event.data.get("test") and not event.data.get("instant"):
            found[event.uid] = _Asking(
                text=event.text,
                asker=asker(event.role, event.space_id),
                at=event.at,
                found=bool(event.data.get("results", event.kind is EventKind.ANSWER)),
                band=event.data.get("band"),
            )
    yield from {id(one): one for one in found.values()}.values()


def asker(role: str, space: int | None) -> Asker:
    """Return the kind of readers that somebody with a role in a space is of."""
    known = choice(Role, role, "role")
    return Asker(Role.AGENT if known.rank > Role.AGENT.rank else known, space)
