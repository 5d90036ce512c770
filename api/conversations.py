"""A question within its conversation: what it means after the turns before, and keeping the turn."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from api.services import Services
from kb import conversations, items
from kb.access import Principal, scope_of
from kb.conversations import Spoken
from kb.errors import KBError
from retrieval.answer import Answer
from retrieval.followup import Turn, Understood, complete, understand
from retrieval.search import checked_question

log = logging.getLogger(__name__)

NEW = "new"
"""What begins a conversation."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as typed and as understood."""

    typed: str
    understood: Understood
    conversation: str | None = None
    """Its id; None outside a conversation."""
    owner: str | None = None
    before: Sequence[Spoken] = ()
    """The turns before, oldest first."""
    first: Spoken | None = None
    """A turn that comes before this one and is not kept yet."""

    @property
    def understood_as(self) -> str | None:
        """What is searched, where that is not what was typed."""
        return self.understood.text if self.understood.text != self.typed else None


def ask(
    parts: Services,
    reader: Principal,
    question: str,
    *,
    conversation: str | None = None,
    owner: str | None = None,
    as_typed: bool = False,
    after: str = "",
) -> Asked:
    """Return the question as it is to be searched for `reader`; `owner` is the reader's pseudonym.

    `as_typed`: not completed. `after`: the question before it, where no conversation keeps that yet.
    Raises NotFound for a conversation that is not this reader's, InvalidInput and TooLarge as a search does.
    """
    typed = checked_question(question)
    if conversation is None:
        return Asked(typed, Understood(typed, typed))
    before: list[Spoken] = []
    first: Spoken | None = None
    if conversation != NEW:
        with parts.db.read() as session:
            before = conversations.turns(session, conversation, owner)
    elif after.strip():
        first = Spoken(after, after, after)
        before = [first]
    if before and before[-1].asked == typed:  # asked again: a page loaded anew, or searched as typed
        before.pop()
    understood = Understood(typed, typed) if as_typed else _understood(parts, reader, before, typed)
    return Asked(
        typed=typed,
        understood=understood,
        conversation=conversations.new_id() if conversation == NEW else conversation,
        owner=owner,
        before=before,
        first=first,
    )


def _understood(parts: Services, reader: Principal, before: Sequence[Spoken], typed: str) -> Understood:
    if parts.rewriter is None:
        return complete([Turn(turn.understood, turn.topic) for turn in before[-1:]], typed)
    with parts.db.read() as session:
        ids = {item for turn in before for item in turn.items}
        titles = items.titles(session, scope_of(session, reader), ids)
    turns = [
        Turn(turn.understood, turn.topic, [titles[item] for item in turn.items if item in titles]) for turn in before
    ]
    return understand(turns, typed, parts.rewriter)


def keep(parts: Services, asked: Asked, said: Answer | None) -> None:
    """Keep the turn, before the reader has the answer; a database that cannot be written costs only the turn."""
    if asked.conversation is None:
        return
    cited = dict.fromkeys(citation.found.item_id for citation in said.citations) if said is not None else {}
    spoken = Spoken(asked.typed, asked.understood.text, asked.understood.topic, tuple(cited))
    try:
        with parts.db.write() as session:
            conversations.keep(
                session, asked.conversation, asked.owner, *([asked.first] if asked.first is not None else []), spoken
            )
    except KBError as error:
        log.warning("a turn of a conversation was not kept: %s", error)
