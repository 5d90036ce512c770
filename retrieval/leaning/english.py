"""Whether an English question leans on the turns before."""

import re

from retrieval.leaning import How, Leaning
from retrieval.leaning.slots import slots_of
from retrieval.stopwords import ENGLISH

_WORD = re.compile(r"[^\W_]+(?:[-.'’&+/][^\W_]+)*")
_OPENER = re.compile(
    r"^\s*(?:(?:ok|okay|thanks|thank you|great|right|hm+|well)\b[\s,.!]*)*"
    r"(?P<joins>(?:and|but|or|so|then|also)\b[\s,]*)*",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"^(?:what|how)\s+about\s+|^(?:the\s+)?same\s+(?:thing\s+)?(?:for|with|on)\s+", re.IGNORECASE)
_PREPOSITION = re.compile(
    r"^(?:for|on|in|with|without|by|at|from|to|until|after|before|if|under|over|via|since)\b", re.IGNORECASE
)
_TAIL = re.compile(r"\b(?:too|as well|instead|also|either)\s*[?!.]*$", re.IGNORECASE)
_ONLY = re.compile(r"^(?:only|just|even|still)\b", re.IGNORECASE)
_QUESTION = re.compile(
    r"^(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|can|could|will|would|shall|should|"
    r"may|must|has|have)\b",
    re.IGNORECASE,
)
_MEASURES = re.compile(r"^(?:how\s+(?:long|much|many|often|fast|soon|early|late)|(?:is|are)\s+there)\b", re.IGNORECASE)
"""Asks how long or how much of something that was not said yet: how long does *the* activation take?"""
_POINTS = frozenset("it its this that these those they them their one ones".split())
_EXPLETIVE = re.compile(
    r"\bis it (?:possible|true|ok|okay|allowed|safe|normal|free to)\b|\bit (?:is|'s|’s) (?:possible|true|normal)\b|"
    r"\b(?:does|did|will|would|can) it (?:take|cost|matter) (?:\w+ )?to\b|"
    r"\bit (?:takes|costs|says|seems|shows|looks)\b|"
    r"\b(?:this|that) (?:morning|week|month|year|evening|time|afternoon)\b|\bthese days\b",
    re.IGNORECASE,
)
_EMPTY = ENGLISH | frozenset(
    """
    get got getting need needs want wants like still again already now else yet ever even instead maybe really many much
    long often old early soon far big fast quickly exactly first last next new other another different more less enough
    tell say said know think mean means see look find show try tried type typed keep have use used using work works
    working do done make made happen happens give gave take takes go goes come comes let put call calls called send
    sends sent wait ask ok okay thanks thank hello hi somebody someone anybody anyone something anything everything
    nothing thing things way ways back possible free able allowed properly yes sure right also too whom off not no cant
    wont dont doesnt didnt out
    turn turns switch set stop start starts cancel change changed changes open close add remove delete activate enable
    disable undo raise lower fix fixed repair install installed buy order pay pays paid restart restarted repeat
    renew end ends ending choose check measure properly fit fits worth ready valid automatic automatically
    price prices cost costs fee fees charge charges day days hour hours minute minutes month months week weeks
    year years time times deadline limit limits step steps reason difference version versions problem problems
    mb gb night home
    """.split()
)
"""Words that name nothing a question could be about. Verbs that need an object are among them: how do I cancel?"""
_SHORT = 4
"""Most words of a fragment."""


def lean(question: str) -> Leaning:
    opener = _OPENER.match(question)
    joined = opener is not None and bool(opener["joins"])
    bare = question[opener.end() :].strip() if opener is not None else question.strip()
    about = _ABOUT.match(bare)
    if about:
        return Leaning(How.FRAGMENT, bare[about.end() :])
    words = [match[0] for match in _WORD.finditer(bare)]
    named = _named(bare)
    if not words:
        return Leaning(How.ALONE, question)
    asks = bool(_QUESTION.match(bare))
    short = len(words) <= _SHORT
    if joined and short and (not asks or not named):
        return Leaning(How.LEANS if asks and len(words) > 1 else How.FRAGMENT, bare)
    if (
        short
        and not asks
        and (_PREPOSITION.match(bare) or _ONLY.match(bare) or (_TAIL.search(bare) and len(named) < 2))
    ):
        return Leaning(How.FRAGMENT, bare)
    if not named:
        only_slots = bool(slots_of(bare)) and short and not asks
        return Leaning(How.FRAGMENT if only_slots else How.LEANS, bare)
    plain = _EXPLETIVE.sub(" ", bare)
    points = [match for match in _WORD.finditer(plain) if match[0].lower() in _POINTS]
    if points and len(named) <= 2 and not _named(plain[: points[0].start()]):
        return Leaning(How.LEANS, bare)
    if len(named) == 1 and _MEASURES.match(bare) and re.search(rf"\bthe {re.escape(named[0])}\b", bare, re.IGNORECASE):
        return Leaning(How.LEANS, bare)
    return Leaning(How.ALONE, question)


def _named(text: str) -> list[str]:
    """Return the words of a text that name what it is about: neither empty nor a slot."""
    taken = [(slot.start, slot.end) for slot in slots_of(text) if not slot.names]
    return [
        match[0]
        for match in _WORD.finditer(text)
        if match[0].lower().replace("'", "").replace("’", "") not in _EMPTY
        and not match[0].isdigit()
        and not any(start <= match.start() < end for start, end in taken)
    ]
