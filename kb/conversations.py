"""Conversations: what a reader asked last, for follow-up questions. Kept for a while, for that one reader."""

import hashlib
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import delete as sql_delete
from sqlalchemy import func
from sqlmodel import Session, col, select

from kb.content import storable
from kb.errors import NotFound, shown
from kb.models import Conversation, now

LIFE = timedelta(hours=2)
"""How long after its last turn a conversation can be continued; then it is removed."""
MOST_TURNS = 8
"""Turns kept of one conversation, the newest."""
MOST_CONVERSATIONS = 100_000
"""Conversations kept; one more makes the one that was silent for longest go."""
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Spoken:
    """One turn as it is kept."""

    asked: str
    understood: str
    topic: str
    items: tuple[int, ...] = ()
    """Ids of the items cited. Titles are not kept: what may be read is looked up when it is shown."""


def new_id() -> str:
    """Return the id of a conversation to be begun: 192 random bits, as text."""
    return secrets.token_urlsafe(24)


def turns(session: Session, conversation: str, owner: str | None) -> list[Spoken]:
    """Return the turns, oldest first. `owner` is the pseudonym of who asks.

    Raises NotFound alike whether there is no such conversation, it has ended, or another reader began it.
    """
    row = _found(session, conversation, owner)
    if row is None:
        raise NotFound(
            f"there is no conversation {shown(conversation)} of yours: it ended, or another reader began it; "
            "begin one with conversation=new",
            field="conversation",
        )
    return [Spoken(**{**turn, "items": tuple(turn["items"])}) for turn in row.turns]


def keep(session: Session, conversation: str, owner: str | None, *spoken: Spoken) -> None:
    """Add turns, and begin the conversation where it is not there. The same question twice in a row is one turn."""
    row = _found(session, conversation, owner, lock=True)
    if row is None:
        _make_room(session)
        row = Conversation(id_hash=_hash(conversation), owner=owner)
    kept = list(row.turns)
    for turn in spoken:
        texts = {name: storable(getattr(turn, name))[:_LONGEST] for name in ("asked", "understood", "topic")}
        if kept and kept[-1]["asked"] == texts["asked"]:
            kept.pop()
        kept.append({**asdict(turn), **texts, "items": list(turn.items)})
    row.turns = kept[-MOST_TURNS:]
    row.last_at = now()
    session.add(row)
    session.flush()


def _found(session: Session, conversation: str, owner: str | None, *, lock: bool = False) -> Conversation | None:
    statement = select(Conversation).where(
        col(Conversation.id_hash) == _hash(conversation), col(Conversation.last_at) > now() - LIFE
    )
    row = session.exec(statement.with_for_update() if lock else statement).first()
    return row if row is not None and row.owner == owner else None


def _make_room(session: Session) -> None:
    session.exec(sql_delete(Conversation).where(col(Conversation.last_at) <= now() - LIFE))
    over = session.exec(select(func.count()).select_from(Conversation)).one() - MOST_CONVERSATIONS + 1
    if over > 0:
        silent = session.exec(select(Conversation.id_hash).order_by(col(Conversation.last_at)).limit(over)).all()
        session.exec(sql_delete(Conversation).where(col(Conversation.id_hash).in_(silent)))


def _hash(conversation: str) -> str:
    return hashlib.sha256(conversation.encode("utf-8", "surrogatepass")).hexdigest()
