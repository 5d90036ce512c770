"""Follow-up questions: which question leans on the turns before, and what it means in full.

The rules need no model. A question that names what it is about stands alone and is never touched: a wrong guess would
spoil the search of somebody who has turned to something else. One that leans (a pronoun without anything before it that
it could mean, "and on Android?", "how long?", 那安卓呢, 多久) is completed from the last turn: a word of a class that
the turn named another of takes its place (Android for iPhone, zone C for zone B); anything else is put behind the
turn's topic, which the next turn then leans on too, so that a chain of short questions does not grow.

Measured by `kb eval followups`; the word lists were tuned on its tuning half (docs/quality.md).
"""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kb.errors import KBError
from retrieval.language import language
from retrieval.leaning import How, Leaning, chinese, english
from retrieval.leaning.slots import Slot, slots_of

log = logging.getLogger(__name__)

_CLOSING = re.compile(r"[\s?？!！.。,，;；]+$")
_JOINING = re.compile(
    r"\b(?:for|on|in|with|at|the|a|an|my|one|ones|plan|phone|version|too|to)\b|[的用上版]|套餐|手机|[\s?？!！.。,，]",
    re.IGNORECASE,
)
"""What may stand around a word that takes another's place without saying anything more."""

_LEANING: dict[str, Callable[[str], Leaning]] = {"en": english.lean, "zh": chinese.lean}

MOST = 500
"""Most characters of a completed question: what is longer is a whole text and stands alone."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation, as it was understood."""

    question: str
    """In full."""
    topic: str
    """The part of it that a question after it leans on."""
    titles: Sequence[str] = ()
    """Of what answered it."""


class Rewriter(Protocol):
    """Gives a question in full, from the turns before it (oldest first); the same question where it stands alone.

    May raise any KBError: then the rules' result is taken.
    """

    def __call__(self, turns: Sequence[Turn], question: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Understood:
    """A question in full, and what one after it leans on."""

    text: str
    topic: str


def understand(turns: Sequence[Turn], question: str, rewriter: Rewriter | None = None) -> Understood:
    """Return the question in full: by `rewriter` where one is given and its result holds, else by the rules.

    A rewritten question holds if it is in the question's language, not empty and not longer than MOST characters.
    `turns` are those before, oldest first.
    """
    if turns and rewriter is not None:
        try:
            text = " ".join(rewriter(turns, question).split())
        except KBError as error:
            log.warning("a question was completed by the rules: %s", error)
        else:
            if 0 < len(text) <= MOST and language(text) == language(question):
                return Understood(text, text)
    return complete(turns, question)


def complete(turns: Sequence[Turn], question: str) -> Understood:
    """Return the question completed from the last of the turns, by the rules; the same where it stands alone."""
    if not turns or len(question) > MOST:
        return Understood(question, question)
    spoken = language(question)
    lean = _LEANING.get(spoken if spoken != "und" else language(turns[-1].question))  # 8.1? has no language
    if lean is None:
        return Understood(question, question)
    leaning = lean(question)
    if leaning.how is How.ALONE:
        return Understood(question, question)
    new = slots_of(leaning.bare)
    topic = _replaced(turns[-1].topic[:MOST], leaning.bare, new)
    if leaning.how is How.FRAGMENT and topic != turns[-1].topic and _only(leaning.bare, new):
        return Understood(topic, topic)
    text = f"{_CLOSING.sub('', topic)} {leaning.bare}"
    return Understood(text, text if leaning.how is How.FRAGMENT else topic)


def _replaced(before: str, bare: str, new: Sequence[Slot]) -> str:
    """Return the earlier question with the new words in the places of those of their class.

    Where a class has several words there, which one is meant cannot be told: they stay.
    """
    old = slots_of(before)
    for slot in reversed(old):
        instead = [bare[one.start : one.end] for one in new if one.kind == slot.kind]
        if len(instead) == 1 and sum(one.kind == slot.kind for one in old) == 1:
            before = before[: slot.start] + instead[0] + before[slot.end :]
    return before


def _only(bare: str, slots: Sequence[Slot]) -> bool:
    """Say whether a fragment holds nothing but slots and what joins them."""
    for slot in reversed(slots):
        bare = f"{bare[: slot.start]} {bare[slot.end :]}"
    return not _JOINING.sub("", bare)
