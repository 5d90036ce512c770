"""Gaps: what readers of a space asked, in one sense, and were not answered. Listed by how often, acted on, and closed
by proof alone: a gap is closed when its questions, asked again, are answered.

A gap is shown to contributors of its space, and to nobody else: what customers asked is theirs. The issue of a case is
shown to who may read the case. `ingest.gaps` fills and proves them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from sqlmodel import Session, col, select

from kb import audit, changes, editorial, items
from kb.access import Principal, Role, readable, scope_of
from kb.content import MAX_TITLE, Content, Profile, storable
from kb.errors import Conflict, InvalidInput, NotFound, shown
from kb.models import Audience, Gap, GapQuestion, GapState, Item, Revision, Space, State, now

ACTIVE = (GapState.OPEN, GapState.REOPENED, GapState.DRAFTED, GapState.RESOLVED)
"""States of a gap that somebody has something to do about."""
UNANSWERED = (GapState.OPEN, GapState.REOPENED)
"""States of a gap that nothing is to answer yet: a draft can be made."""
ANSWERABLE = (*UNANSWERED, GapState.DRAFTED)
"""States of a gap that an item can be named for, or that can be said to be resolved."""
CLOSED_FROM = 0.8
"""Least share of a gap's askings that are answered when it is closed. Not all: a cluster holds stray questions too."""
MAX_REASON = 1000
MAX_QUESTIONS = 50
"""Most questions of a gap that become similar questions of an item; of more, those asked most."""
_WORDINGS = 5
"""Wordings of customers that a draft's issue begins with."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a gap, of all who asked it."""

    text: str
    lang: str
    times: int
    """How often it failed in the days looked back at; a case counts once."""
    last_at: datetime
    answered: bool
    central: float
    case: int | None
    """Id of the case whose issue it is."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A gap with its questions that the caller may see, most asked first, then most central."""

    gap: Gap
    space: Space
    questions: tuple[Asked, ...]
    item: Item | None
    """The item that is to answer it, if the caller may read it."""
    share: float = 0.0
    """Of all failures listed, 0 to 1."""
    cumulative: float = 0.0
    """Share of this gap and those before it."""

    @property
    def times(self) -> int:
        return sum(one.times for one in self.questions)

    @property
    def title(self) -> str:
        """Its most asked question."""
        return self.questions[0].text

    @property
    def central(self) -> tuple[Asked, ...]:
        """Its questions, those nearest to all others first."""
        return tuple(sorted(self.questions, key=lambda one: (-one.central, one.text)))

    @property
    def langs(self) -> list[str]:
        """Its languages, most asked first."""
        times: dict[str, int] = {}
        for one in self.questions:
            times[one.lang] = times.get(one.lang, 0) + max(one.times, 1)
        return sorted(times, key=lambda lang: (-times[lang], lang))


def listing(
    session: Session,
    *,
    actor: Principal,
    states: Collection[GapState] = ACTIVE,
    space: int | None = None,
) -> list[Listed]:
    """Return the gaps of the actor's spaces in these states, most often failed first: the order of a Pareto chart.

    Gaps whose questions did not fail in the days looked back at come last. Raises Forbidden below contributor.
    """
    wanted = [col(Gap.state).in_(sorted(states)), *([col(Gap.space_id) == space] if space is not None else [])]
    found = _found(session, actor, *wanted)
    found.sort(key=lambda one: (-one.times, one.gap.id or 0))
    whole = sum(one.times for one in found) or 1
    sums = accumulate(one.times for one in found)
    return [
        Listed(one.gap, one.space, one.questions, one.item, round(one.times / whole, 4), round(so_far / whole, 4))
        for one, so_far in zip(found, sums, strict=True)
    ]


def get(session: Session, number: int, *, actor: Principal) -> Listed:
    """Return a gap. Raises Forbidden below contributor, NotFound alike for one that is not there and one of another's
    space."""
    found = _found(session, actor, col(Gap.id) == number)
    if not found:
        raise NotFound(f"there is no gap {shown(number)} in a space where you write", field="number")
    return found[0]


def draft(session: Session, number: int, *, actor: Principal, space_id: int | None = None) -> tuple[Item, Revision]:
    """Make a draft that is to answer a gap: titled by its most asked question, its issue in the askers' words, their
    other wordings as similar questions, for the audience of those who asked.

    `space_id`: where it is written (default: the gap's space). Raises Conflict where an item is to answer it already.
    """
    found = _held(session, number, actor, *UNANSWERED)
    wordings = _wordings(found)
    content = Content(
        title=wordings[0][:MAX_TITLE],
        issue="\n".join(f"- {text}" for text in wordings[:_WORDINGS]),
        similar_questions=tuple(text for text in wordings[1:] if len(text) <= MAX_TITLE),
    )
    profile = Profile(lang=_lang(found), audience=_audience(session, found))
    space = space_id if space_id is not None else found.gap.space_id
    item, revision = editorial.create(session, content, profile, actor=actor, space_id=space)
    _set(session, found.gap, GapState.DRAFTED, actor, item=item, revision=revision)
    return item, revision


def add_similar(session: Session, number: int, ref: str | int, *, actor: Principal) -> Revision:
    """Add a gap's questions to an item as similar questions: as a new revision, which readers see when it is published.

    Raises Conflict for a retired item, NotFound, Forbidden, and as `editorial.revise` does.
    """
    found = _held(session, number, actor, *ANSWERABLE)
    item = items.get(session, ref, scope_of(session, actor))
    editorial.require_writable(session, item, actor)
    if item.state is State.RETIRED:
        raise Conflict(f"{item.number} is retired: readers would not find it by these questions")
    newest = editorial.newest_revision(session, item)
    added = [text for text in _wordings(found) if len(text) <= MAX_TITLE]
    questions = tuple(dict.fromkeys([*newest.similar_questions, *added]))
    revision = editorial.revise(
        session,
        item,
        replace(Content.of(newest), similar_questions=questions),
        actor=actor,
        based_on=newest.n,
        message=f"questions of gap {number}",
    )
    _set(session, found.gap, GapState.DRAFTED, actor, item=item, revision=revision)
    return revision


def ignore(session: Session, number: int, reason: str, *, actor: Principal) -> Gap:
    """Say that nothing is to answer a gap, and why. Raises InvalidInput without a reason."""
    found = _held(session, number, actor, *ACTIVE)
    said = " ".join(storable(reason).split())
    if not said or len(said) > MAX_REASON:
        raise InvalidInput(f"say in 1 to {MAX_REASON:,} characters why nothing is to answer it", field="reason")
    return _set(session, found.gap, GapState.IGNORED, actor, reason=said)


def resolve(session: Session, number: int, *, actor: Principal, ref: str | int | None = None) -> Gap:
    """Say that a gap is answered now; its questions are asked again, and close or reopen it.

    `ref`: the published item that answers it. Raises Conflict where the item that is to answer it is not published.
    """
    found = _held(session, number, actor, *ANSWERABLE)
    item = items.get(session, ref, scope_of(session, actor)) if ref is not None else found.item
    if item is not None and item.state is not State.PUBLISHED:
        raise Conflict(f"{item.number}, which is to answer it, is not published: publish it, and it is asked again")
    return _set(session, found.gap, GapState.RESOLVED, actor, item=item)


def reopen(session: Session, number: int, *, actor: Principal) -> Gap:
    """Take back that a gap is ignored."""
    found = _held(session, number, actor, GapState.IGNORED)
    return _set(session, found.gap, GapState.OPEN, actor)


def settle(session: Session, gap: Gap, questions: Sequence[GapQuestion], *, actor: Principal, level: bool) -> bool:
    """Let what its questions came to, asked again, decide about a gap; return whether its state is another now.

    `level`: the questions were asked of an index that has all changes; else what waits for proof goes on waiting. For
    callers that hold the order of writers (`changes.in_order`).
    """
    before = gap.state
    weights = [max(one.times, 1) for one in questions]
    answered = sum(weight for weight, one in zip(weights, questions, strict=True) if one.answered)
    gap.answered = round(answered / sum(weights), 4) if weights else 0.0
    gap.proved_at = now()
    item = session.get(Item, gap.item_id) if gap.item_id is not None else None
    if gap.state is GapState.DRAFTED and (item is None or item.state is State.RETIRED):
        _set(session, gap, GapState.OPEN, actor)
    if gap.state is GapState.DRAFTED and item is not None and is_out(item, gap):
        _set(session, gap, GapState.RESOLVED, actor, item=item)
    if gap.state is not GapState.IGNORED and level:
        if gap.answered >= CLOSED_FROM:
            if gap.state is not GapState.CLOSED:
                _set(session, gap, GapState.CLOSED, actor, item=item)
        elif gap.state in (GapState.RESOLVED, GapState.CLOSED):
            _set(session, gap, GapState.REOPENED, actor, item=item)
    session.add(gap)
    return gap.state is not before


def is_out(item: Item, gap: Gap) -> bool:
    """Say whether readers see the revision that is to answer a gap, or a later one."""
    return item.state is State.PUBLISHED and (item.live_revision_id or 0) >= (gap.revision_id or 0)


def waiting(session: Session) -> list[int]:
    """Return the ids of gaps whose proof can be made: said to be resolved, or drafted and published since."""
    statement = (
        select(Gap, Item)
        .outerjoin(Item, col(Item.id) == col(Gap.item_id))
        .where(col(Gap.state).in_([GapState.RESOLVED, GapState.DRAFTED]))
    )
    return [
        int(gap.id or 0)
        for gap, item in session.exec(statement)
        if gap.state is GapState.RESOLVED or (item is not None and is_out(item, gap))
    ]


def _found(session: Session, actor: Principal, *conditions: object) -> list[Listed]:
    actor.require(Role.CONTRIBUTOR, "see what was asked and not answered")
    scope = scope_of(session, actor)
    mine = actor.spaces_of(session, Role.CONTRIBUTOR)
    cases = select(Item.id).where(readable(scope))
    statement = (
        select(GapQuestion, Gap, Space)
        .join(Gap, col(Gap.id) == col(GapQuestion.gap_id))
        .join(Space, col(Space.id) == col(Gap.space_id))
        .where(col(GapQuestion.case_id).is_(None) | col(GapQuestion.case_id).in_(cases), *conditions)  # type: ignore[arg-type]
    )
    if mine is not None:
        statement = statement.where(col(Gap.space_id).in_(sorted(mine)))
    by_gap: dict[int, tuple[Gap, Space, dict[str, Asked]]] = {}
    for row, gap, space in session.exec(statement.order_by(col(GapQuestion.id))):
        _, _, questions = by_gap.setdefault(row.gap_id, (gap, space, {}))
        questions[row.key] = _together(questions.get(row.key), row)
    wanted = {gap.item_id for gap, _, _ in by_gap.values() if gap.item_id is not None}
    shown_items: dict[int | None, Item] = {}
    for some in items.batched(sorted(wanted), 500):
        rows = session.exec(select(Item).where(col(Item.id).in_(some), readable(scope)))
        shown_items.update((item.id, item) for item in rows)
    return [
        Listed(
            gap,
            space,
            tuple(sorted(questions.values(), key=lambda one: (-one.times, -one.central, one.text))),
            shown_items.get(gap.item_id),
        )
        for gap, space, questions in by_gap.values()
    ]


def _together(before: Asked | None, row: GapQuestion) -> Asked:
    """Return a question as all who asked it did."""
    if before is None:
        return Asked(row.text, row.lang, row.times, row.last_at, row.answered, row.central, row.case_id)
    last = row if row.last_at > before.last_at else before
    return Asked(
        last.text,
        row.lang,
        before.times + row.times,
        last.last_at,
        before.answered and row.answered,
        row.central,
        before.case if before.case is not None else row.case_id,
    )


def _held(session: Session, number: int, actor: Principal, *states: GapState) -> Listed:
    """Return a gap for changing it: nobody else does until the transaction ends. Raises Conflict in other states."""
    changes.in_order(session)
    found = get(session, number, actor=actor)
    if found.gap.state not in states:
        by = f" by {found.item.number}" if found.item is not None else ""
        raise Conflict(f"gap {number} is {found.gap.state.value}{by}: that cannot be done with it now")
    return found


def _set(
    session: Session,
    gap: Gap,
    state: GapState,
    actor: Principal,
    *,
    reason: str = "",
    item: Item | None = None,
    revision: Revision | None = None,
) -> Gap:
    before = {"state": gap.state.value, "item": gap.item_id, "reason": gap.reason}
    gap.state, gap.reason = state, reason
    gap.item_id = item.id if item is not None else None
    gap.revision_id = revision.id if revision is not None else None
    gap.changed_by, gap.changed_at = actor.subject, now()
    session.add(gap)
    session.flush()
    after = {"state": gap.state.value, "item": gap.item_id, "reason": gap.reason}
    audit.record(session, actor, f"gap.{state.value}", f"gap:{gap.id}", space=gap.space_id, before=before, after=after)
    return gap


def _wordings(found: Listed) -> list[str]:
    """Return the questions of a gap, most asked first."""
    return [" ".join(one.text.split()) for one in found.questions[:MAX_QUESTIONS]]


def _lang(found: Listed) -> str:
    return next((lang for lang in found.langs if lang != "und"), "en")


def _audience(session: Session, found: Listed) -> Audience:
    """Return the audience that those who asked are of, the widest of them."""
    roles = set(session.exec(select(GapQuestion.role).where(col(GapQuestion.gap_id) == found.gap.id)))
    if Role.ANONYMOUS.value in roles:
        return Audience.PUBLIC
    return Audience.CUSTOMER if Role.CUSTOMER.value in roles else Audience.INTERNAL
