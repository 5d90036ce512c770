"""What an item says and is, as one value: given by editors, by the API and by ingest; checked in one place."""

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Protocol, Self, TypeVar

from kb.applies import sections
from kb.compose import FIELDS, KCS
from kb.errors import InvalidInput, TooLarge, shown
from kb.models import Audience, Confidence, Facet, Governance, Kind

MAX_TITLE = 500
MAX_TEXT = 2_000_000
"""Most characters of all texts of a revision together."""
MAX_LABELS = 200
MAX_QUESTIONS = 500

TEXTS = ("title", "body", *FIELDS)
"""All texts of a revision but its similar questions."""

E = TypeVar("E", bound=StrEnum)


class Written(KCS, Protocol):
    """What has the texts of a revision: a revision, a document, a form."""

    @property
    def title(self) -> str: ...
    @property
    def similar_questions(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Content:
    """The texts of a revision. All Markdown but the title and the questions, which are plain."""

    title: str
    body: str = ""
    issue: str = ""
    environment: str = ""
    resolution: str = ""
    cause: str = ""
    similar_questions: tuple[str, ...] = ()

    @classmethod
    def of(cls, written: Written) -> Self:
        """Return the texts of what has them."""
        return cls(
            title=written.title,
            body=written.body,
            issue=written.issue,
            environment=written.environment,
            resolution=written.resolution,
            cause=written.cause,
            similar_questions=tuple(written.similar_questions),
        )

    @property
    def hash(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return _digest(asdict(self))


@dataclass(frozen=True, slots=True)
class Profile:
    """What an item is, apart from what it says."""

    kind: Kind = Kind.ARTICLE
    lang: str = "en"
    audience: Audience = Audience.INTERNAL
    confidence: Confidence = Confidence.NOT_VALIDATED
    governance: Governance = Governance.EXPERIENCE_BASED
    family: str | None = None
    owner: str | None = None
    url: str | None = None
    labels: frozenset[tuple[Facet, str]] = field(default_factory=frozenset)

    @property
    def hash(self) -> str:
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "labels"}
        return _digest({**values, "labels": sorted(self.labels)})

    def values(self, facet: Facet) -> list[str]:
        return sorted(value for f, value in self.labels if f == facet)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True, sort_keys=True).encode()).hexdigest()


def choice(enum: type[E], value: str, name: str) -> E:
    """Return the member of `enum`. Raises InvalidInput, listing what there is."""
    try:
        return enum(value)
    except ValueError:
        raise InvalidInput(f"{name} is one of {', '.join(enum)}, not {shown(value)}", field=name) from None


def title_key(title: str) -> str:
    """Return the form in which two titles are the same: NFKC, case folded, letters and digits only, single spaces."""
    folded = unicodedata.normalize("NFKC", title).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())[:MAX_TITLE]


def storable(text: str) -> str:
    """Return text that every database takes: no NUL, no lone surrogate (each becomes U+FFFD), newlines as \\n."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def checked_content(content: Content) -> Content:
    """Return `content` fit to be stored: trimmed, storable. Raises InvalidInput or TooLarge."""
    title = " ".join(storable(content.title).split())
    if not title:
        raise InvalidInput("an item needs a title; this one is empty", field="title")
    if len(title) > MAX_TITLE:
        raise TooLarge(f"a title has at most {MAX_TITLE} characters, not {len(title)}: {shown(title)}", field="title")
    texts = {
        name: storable(getattr(content, name)).strip("\n").rstrip()
        for name in ("body", "issue", "environment", "resolution", "cause")
    }
    for name, text in texts.items():
        try:
            sections(text)
        except InvalidInput as error:
            raise InvalidInput(error.message, field=name) from None
    total = sum(map(len, texts.values()))
    if total > MAX_TEXT:
        raise TooLarge(f"an item holds at most {MAX_TEXT:,} characters, not {total:,}; split it", field="body")
    questions = tuple(dict.fromkeys(" ".join(storable(q).split()) for q in content.similar_questions if q.strip()))
    if len(questions) > MAX_QUESTIONS or any(len(q) > MAX_TITLE for q in questions):
        raise TooLarge(
            f"an item has at most {MAX_QUESTIONS} similar questions of at most {MAX_TITLE} characters each",
            field="similar_questions",
        )
    return Content(title=title, similar_questions=questions, **texts)


def checked_profile(profile: Profile) -> Profile:
    """Return `profile` fit to be stored. Raises InvalidInput or TooLarge."""
    if not (1 <= len(profile.lang) <= 16 and profile.lang.isascii() and profile.lang.replace("-", "").isalnum()):
        raise InvalidInput(f"a language is a BCP 47 tag such as en or zh, not {shown(profile.lang)}", field="lang")
    for name, most in (("family", 300), ("owner", 200), ("url", 2000)):
        value = getattr(profile, name)
        if value is not None and (len(value) > most or storable(value) != value):
            raise InvalidInput(f"{name} has at most {most} printable characters, not {shown(value)}", field=name)
    if len(profile.labels) > MAX_LABELS:
        raise TooLarge(f"an item has at most {MAX_LABELS} labels, not {len(profile.labels)}", field="labels")
    for facet, value in profile.labels:
        if not value.strip() or len(value) > 200 or storable(value) != value:
            raise InvalidInput(f"a {facet} has 1 to 200 printable characters, not {shown(value)}", field=f"{facet}s")
    return profile


def labels(**values: tuple[str, ...] | list[str]) -> frozenset[tuple[Facet, str]]:
    """Return the labels given as `products=[...], versions=[...], topics=[...], groups=[...]`, trimmed."""
    return frozenset(
        (Facet(name.removesuffix("s")), text.strip())
        for name, texts in values.items()
        for text in texts
        if text.strip()
    )
