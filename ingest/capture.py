"""A case as an agent resolved it: what in it is personal, what a person decided of that, and what of it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ingest.redacting import Find, found_in
from ingest.redaction import Finding, Kind, Placeholders, replaced
from ingest.redaction.find import language_of, places, readable
from ingest.redaction.findings import settled
from kb import capture
from kb.content import Content, Profile, checked_content, labels, storable
from kb.errors import InvalidInput, TooLarge
from kb.models import Audience
from kb.models import Kind as ItemKind
from retrieval.language import primary

TEXTS = ("title", "issue", "environment", "resolution", "cause")
LABELS = ("product", "version", "channel")
FIELDS = (*TEXTS, *LABELS)
MOST_CHARACTERS = 100_000
"""Longest case, all fields together: about four seconds of looking for personal data, one text at a time."""
_ADDED_SCORE = 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """What an agent knows of a case. Texts are Markdown; the title and what becomes a label are plain."""

    title: str
    issue: str = ""
    """In the customer's words."""
    environment: str = ""
    resolution: str = ""
    cause: str = ""
    product: str = ""
    version: str = ""
    channel: str = ""
    """How it came in: e-mail, phone, chat."""
    lang: str | None = None
    """None: told from the text."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a person said to what was found, by the values themselves: in whatever text, nothing else is shown for it.

    A value counts wherever it stands in the case.
    """

    undone: frozenset[str] = frozenset()
    """Found, and not personal. What was not found changes nothing."""
    added: tuple[tuple[Kind, str], ...] = ()
    """Not found, and personal."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A finding in a field. The same value has the same placeholder in all fields."""

    finding: Finding
    placeholder: str
    undone: bool


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A case with what was found in it, and as it may be kept."""

    case: Case
    """As it was given."""
    lang: str
    marked: Mapping[str, tuple[Marked, ...]]
    """By field, in the order of the text."""
    redacted: Case

    def content(self) -> Content:
        """Return what the item of the case says. Raises InvalidInput or TooLarge."""
        texts = {name: getattr(self.redacted, name) for name in TEXTS}
        named = " ".join(filter(None, (self.redacted.product, self.redacted.version)))
        return checked_content(Content(**{**texts, "environment": texts["environment"].strip() or named}))

    def profile(self) -> Profile:
        case = self.redacted
        return Profile(
            kind=ItemKind.CASE,
            lang=self.lang,
            audience=Audience.INTERNAL,
            labels=labels(
                products=[case.product],
                versions=[case.version],
                topics=[capture.CHANNEL + case.channel] if case.channel else [],
            ),
        )


def reviewed(case: Case, find: Find, decisions: Decisions | None = None) -> Reviewed:
    """Find what is personal in a case and replace it, but for what a person undid.

    Nothing is stored. Raises InvalidInput for a case without a title, for a language in which names are not found, and
    for an added value that is nowhere in the case; TooLarge; and what `find` raises. No message says anything of the
    case.
    """
    decided = decisions or Decisions()
    case = _checked(case)
    given = {name: getattr(case, name) for name in FIELDS}
    lang = case.lang or language_of("\n".join(given[name] for name in ("title", "issue", "resolution", "cause")))
    found = _found(given, lang, find)
    for number, (kind, value) in enumerate(decided.added, start=1):
        if not _add(found, given, kind, value):
            raise InvalidInput(
                f"what is to be hidden (entry {number}) is nowhere in the case; copy it as it is written there, two "
                "characters at least",
                field="added",
            )
    numbering = Placeholders()
    for text in given.values():
        numbering.leave_free(text)
    marked = {  # what is undone is numbered too, so that the others keep their numbers when it is
        name: tuple(Marked(one, numbering.of(one.kind, one.text), one.text in decided.undone) for one in findings)
        for name, findings in found.items()
    }
    kept = {
        name: replaced(text, [one.finding for one in marked[name] if not one.undone], numbering)
        for name, text in given.items()
    }
    return Reviewed(case, primary(lang), marked, replace(case, **kept))


def _checked(case: Case) -> Case:
    values = {name: storable(getattr(case, name)) for name in FIELDS}
    values |= {name: " ".join(values[name].split()) for name in ("title", *LABELS)}
    if not values["title"]:
        raise InvalidInput("a case needs a title; this one is empty", field="title")
    total = sum(map(len, values.values()))
    if total > MOST_CHARACTERS:
        raise TooLarge(
            f"a case has at most {MOST_CHARACTERS:,} characters, not {total:,}; leave logs out", field="issue"
        )
    return replace(case, **values)


def _found(given: Mapping[str, str], lang: str, find: Find) -> dict[str, list[Finding]]:
    """Return what is found in each field."""
    texts = [(f"{name} " if name in LABELS else "", text) for name, text in given.items()]
    return dict(zip(given, found_in(texts, lang, find), strict=True))


def _add(found: dict[str, list[Finding]], given: Mapping[str, str], kind: Kind, value: str) -> bool:
    """Mark a value wherever it stands; say whether it stands somewhere."""
    wanted = readable(storable(value).strip())
    seen = False
    for name, text in given.items():
        spans = list(places(readable(text), wanted)) if len(wanted) > 1 else []
        added = [Finding(kind, start, end, text[start:end], _ADDED_SCORE) for start, end in spans]
        found[name] = settled(text, [*added, *found[name]])
        seen = seen or bool(added)
    return seen
