"""The tables. What each row means is said here; the rules that change rows live in items.py and editorial.py."""

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlmodel import Field, SQLModel


class Kind(StrEnum):
    ARTICLE = "article"
    CASE = "case"
    LESSON = "lesson"
    ANSWER = "answer"
    """One accepted in a community."""
    FIXED = "fixed"
    """Written by an editor for a question, reviewed, returned as it is: see `kb.fixed`."""


class Audience(StrEnum):
    """Who an item is meant for, widest last."""

    INTERNAL = "internal"
    PARTNER = "partner"
    CUSTOMER = "customer"
    PUBLIC = "public"


class Confidence(StrEnum):
    """KCS article confidence."""

    WIP = "wip"
    NOT_VALIDATED = "not_validated"
    VALIDATED = "validated"
    ARCHIVED = "archived"


class Governance(StrEnum):
    """KCS article governance."""

    EXPERIENCE_BASED = "experience_based"
    COMPLIANCE_BASED = "compliance_based"


class State(StrEnum):
    """Where an item stands in publishing. Only `published` items are in the index."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    PUBLISHED = "published"
    RETIRED = "retired"


class ReviewOutcome(StrEnum):
    """How a review ended."""

    APPROVED = "approved"
    DEFERRED = "deferred"
    """Given back to its author, with a message."""
    WITHDRAWN = "withdrawn"
    """Taken back by who asked for it."""
    OVERTAKEN = "overtaken"
    """Ended by a change under it: another revision, other readers, retired."""


class PlannedAction(StrEnum):
    """What is done with an item at a moment named before."""

    PUBLISH = "publish"
    RETIRE = "retire"


class PlanOutcome(StrEnum):
    """How a plan ended."""

    DONE = "done"
    FAILED = "failed"
    """Its moment came, and it was not possible any more; `reason` says why."""
    CANCELLED = "cancelled"


class Significance(StrEnum):
    """How much a published change of a text asks of those who translate it, least first."""

    MINOR = "minor"
    """A slip mended: translations say the same as before."""
    MEDIUM = "medium"
    """Something was added or put better: translations should follow."""
    MAJOR = "major"
    """The meaning is another: a translation of the text before misleads."""


class Facet(StrEnum):
    """What an `ItemLabel` says about its item."""

    PRODUCT = "product"
    VERSION = "version"
    TOPIC = "topic"
    GROUP = "group"


class Operation(StrEnum):
    """Why a change-log row was written."""

    CREATE = "create"
    UPDATE = "update"
    PUBLISH = "publish"
    RETIRE = "retire"
    DELETE = "delete"


class GenerationState(StrEnum):
    """Where a generation of the index stands."""

    BUILDING = "building"
    """Being made beside the active one, or made and not switched to yet."""
    ACTIVE = "active"
    """The one that is searched."""
    KEPT = "kept"
    """The one that was active before; kept for going back."""
    REMOVING = "removing"
    """Not to be used again; its passages and files go when no reader can still hold it."""
    REMOVED = "removed"
    """Nothing is left but this."""


class PairState(StrEnum):
    """What became of two items that are likely near duplicates."""

    OPEN = "open"
    NOT_DUPLICATE = "not_duplicate"
    MERGED = "merged"


class FlagReason(StrEnum):
    """What a reader says is wrong with an item."""

    INACCURATE = "inaccurate"
    OUTDATED = "outdated"
    CONFUSING = "confusing"
    DUPLICATE = "duplicate"
    OTHER = "other"


class FlagState(StrEnum):
    """What became of a flag. Only a person settles one: see docs/decisions/0035-flags.md."""

    OPEN = "open"
    FIXED = "fixed"
    DISMISSED = "dismissed"
    """There was nothing to mend; `answer` says why."""


class GapState(StrEnum):
    """Where a gap stands. Only its questions' answers close it: see docs/decisions/0024-gaps-and-replay.md."""

    OPEN = "open"
    DRAFTED = "drafted"
    """A draft, or a staged edit, is to answer it."""
    RESOLVED = "resolved"
    """Said to be answered; its questions have not been asked again yet."""
    CLOSED = "closed"
    """Its questions are answered."""
    REOPENED = "reopened"
    """Its questions are not answered, or not any more."""
    IGNORED = "ignored"
    """Nothing is to answer it; `reason` says why."""


class EventKind(StrEnum):
    SEARCH = "search"
    ANSWER = "answer"
    CLICK = "click"
    VOTE = "vote"
    LINK = "link"
    """An agent linked an item to a case: `text` is the case's issue, `data["link"]` a `LinkKind`."""
    DISMISS = "dismiss"
    """An agent said of an item that it does not help with a case: `text` is the case's issue."""


class LinkKind(StrEnum):
    """What an item was to the case that it is linked to."""

    USED = "used"
    """It solved the case."""
    CREATED = "created"
    """It was written from the case."""
    REFERENCE = "reference"
    """It was read for it."""


class UTCDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone: it is put back on reading; a moment without a zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a moment needs a time zone: {value!r}")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def word(choices: type[StrEnum]) -> Enum:
    """Return the column type of one of `choices`, kept as its value in plain text (a new member needs no migration)."""
    return Enum(choices, values_callable=lambda e: [m.value for m in e], native_enum=False, length=24)


# SQLite numbers rows by itself only for INTEGER PRIMARY KEY; PostgreSQL needs 64 bits.
BigId = BigInteger().with_variant(Integer, "sqlite")


def now() -> datetime:
    return datetime.now(UTC)


def new_uid() -> str:
    return uuid.uuid4().hex


class Space(SQLModel, table=True):
    """A node of the tree of spaces (group > province > branch; or brand > region). One root."""

    __tablename__ = "space"
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=200)
    parent_id: int | None = Field(default=None, foreign_key="space.id", index=True)


class Item(SQLModel, table=True):
    """What is found, linked, flagged, voted on, cited and measured. `number` (KB-1042) is its name for people."""

    __tablename__ = "item"
    __table_args__ = (
        UniqueConstraint("source", "external_id", name="uq_item_source_external_id"),
        Index("ix_item_state_kind", "state", "kind"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    uid: str = Field(default_factory=new_uid, unique=True, max_length=32)
    kind: Kind = Field(sa_type=word(Kind))
    space_id: int = Field(foreign_key="space.id", index=True)
    lang: str = Field(max_length=16, index=True)
    family: str | None = Field(default=None, max_length=300, index=True)
    """Translations of one another share it. What ingest gives is `source/name`, so that sources do not mix."""
    original: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Somebody said that it is the one of its family that the others are translated from."""
    audience: Audience = Field(sa_type=word(Audience))
    confidence: Confidence = Field(default=Confidence.NOT_VALIDATED, sa_type=word(Confidence))
    governance: Governance = Field(default=Governance.EXPERIENCE_BASED, sa_type=word(Governance))
    state: State = Field(default=State.DRAFT, sa_type=word(State))
    owner: str | None = Field(default=None, max_length=200)
    source: str = Field(max_length=200)
    """Where it comes from: `editor` for what is written here, else the name given at ingest."""
    external_id: str = Field(max_length=500)
    source_hash: str | None = Field(default=None, max_length=64)
    """Hash of the document that the last ingest gave for this item; None for what is written here."""
    url: str | None = Field(default=None, max_length=2000)
    live_revision_id: int | None = Field(default=None, sa_type=BigId)
    """The revision that readers see; None until the first publish."""
    draft_revision_id: int | None = Field(default=None, sa_type=BigId)
    """The newest revision, where it is not the live one."""
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    """When what readers see last changed."""
    review_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When it is due to be looked at again."""
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """From when on its readers no longer see it. In force since the live revision was approved."""

    @property
    def number(self) -> str:
        return f"KB-{self.id}"


class ItemLabel(SQLModel, table=True):
    """One product, version, topic or group of an item."""

    __tablename__ = "item_label"
    __table_args__ = (Index("ix_item_label_facet_value", "facet", "value"),)
    item_id: int = Field(sa_column=Column(BigId, primary_key=True, autoincrement=False))
    facet: Facet = Field(primary_key=True, sa_type=word(Facet))
    value: str = Field(primary_key=True, max_length=200)


class Revision(SQLModel, table=True):
    """What an item says, forever: its texts are never changed once another revision exists. Texts are Markdown."""

    __tablename__ = "revision"
    __table_args__ = (
        UniqueConstraint("item_id", "n", name="uq_revision_item_n"),
        Index(
            "ix_revision_significant",
            "item_id",
            "significance",
            sqlite_where=text("significance IS NOT NULL"),
            postgresql_where=text("significance IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    item_id: int = Field(sa_type=BigId, foreign_key="item.id", index=True)
    n: int
    title: str = Field(max_length=500)
    title_key: str = Field(max_length=500, index=True)
    """The title as `kb.content.title_key` folds it: what makes an exact title first."""
    body: str = ""
    issue: str = ""
    environment: str = ""
    resolution: str = ""
    cause: str = ""
    similar_questions: list[str] = Field(default_factory=list, sa_type=JSON)
    content_hash: str = Field(max_length=64)
    author: str | None = Field(default=None, max_length=200)
    message: str = Field(default="", max_length=1000)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    significance: Significance | None = Field(default=None, sa_type=word(Significance))
    """Of the change that publishing it made for readers; None: it was not published, or was the first that was."""
    follows_id: int | None = Field(default=None, sa_type=BigId)
    """Of a translation: the source's revision whose text it gives. None: nobody said; the newest of that moment."""


class Review(SQLModel, table=True):
    """One going over a revision: asked for, and open until it has an outcome. After that it is never changed again."""

    __tablename__ = "review"
    __table_args__ = (
        Index(
            "uq_review_open",
            "item_id",
            unique=True,
            sqlite_where=text("outcome IS NULL"),
            postgresql_where=text("outcome IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    item_id: int = Field(sa_type=BigId, foreign_key="item.id", index=True)
    revision_id: int = Field(sa_type=BigId, foreign_key="revision.id")
    asked_by: str | None = Field(default=None, max_length=200)
    asked_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    review_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """As asked for; they come into force with the approval."""
    message: str = Field(default="", max_length=1000)
    """Of who asked, to who reviews."""
    outcome: ReviewOutcome | None = Field(default=None, sa_type=word(ReviewOutcome))
    """None: it is open. An item has one open review at most."""
    decided_by: str | None = Field(default=None, max_length=200)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    answer: str = Field(default="", max_length=1000)
    """Of who decided, to the author."""
    by_author: bool = False
    """Approved by who wrote it or asked for the review, not by somebody else."""


class Flag(SQLModel, table=True):
    """A problem that a reader reported with an item, as a revision said it. `id` is its number for people."""

    __tablename__ = "flag"
    __table_args__ = (
        Index("ix_flag_item_id_state", "item_id", "state"),
        Index("ix_flag_raised_by_raised_at", "raised_by", "raised_at"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    item_id: int = Field(sa_type=BigId, foreign_key="item.id")
    revision_id: int = Field(sa_type=BigId, foreign_key="revision.id")
    """The one that was read."""
    reason: FlagReason = Field(sa_type=word(FlagReason))
    comment: str = Field(default="", max_length=1000)
    raised_by: str | None = Field(default=None, max_length=200)
    raised_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    state: FlagState = Field(default=FlagState.OPEN, sa_type=word(FlagState))
    answer: str = Field(default="", max_length=1000)
    """Of who settled it."""
    decided_by: str | None = Field(default=None, max_length=200)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Plan(SQLModel, table=True):
    """That an item is to be published or retired at a moment. An item has one open plan of each action at most."""

    __tablename__ = "plan"
    __table_args__ = (
        Index(
            "uq_plan_open",
            "item_id",
            "action",
            unique=True,
            sqlite_where=text("outcome IS NULL"),
            postgresql_where=text("outcome IS NULL"),
        ),
        Index("ix_plan_outcome_at", "outcome", "at"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    item_id: int = Field(sa_type=BigId, foreign_key="item.id", index=True)
    action: PlannedAction = Field(sa_type=word(PlannedAction))
    revision_id: int | None = Field(default=None, sa_type=BigId, foreign_key="revision.id")
    """The very revision that is to be published."""
    at: datetime = Field(sa_type=UTCDateTime)
    asked_by: str | None = Field(default=None, max_length=200)
    asked_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    outcome: PlanOutcome | None = Field(default=None, sa_type=word(PlanOutcome))
    """None: it is open."""
    ended_by: str | None = Field(default=None, max_length=200)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    reason: str = Field(default="", max_length=1000)


class Draft(SQLModel, table=True):
    """What a person is writing and has not saved as a revision: theirs alone, kept as it is typed."""

    __tablename__ = "draft"
    person: str = Field(primary_key=True, max_length=200)
    key: str = Field(primary_key=True, max_length=64)
    """Number of the item, or a name that the editor gave to one that is not there yet."""
    item_id: int | None = Field(default=None, sa_type=BigId, foreign_key="item.id", index=True)
    based_on: int | None = Field(default=None)
    """Number of the revision that it started from."""
    version: int
    """Grows by one each time: a second window of the same person overwrites nothing unseen."""
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """`content` and `profile`."""
    saved_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class Attachment(SQLModel, table=True):
    """A file that items may use, once for all that hold the same. What it holds is in the data folder."""

    __tablename__ = "attachment"
    digest: str = Field(primary_key=True, max_length=64)
    """SHA-256 of what it holds, hexadecimal."""
    media: str = Field(max_length=100)
    """Its type, as told by what it holds."""
    size: int = Field(sa_type=BigInteger)
    """In bytes."""
    name: str = Field(max_length=100)
    """As it was called when it came."""
    added_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class AttachmentUpload(SQLModel, table=True):
    """That somebody sent the file, and so may use it."""

    __tablename__ = "attachment_upload"
    digest: str = Field(primary_key=True, foreign_key="attachment.digest", max_length=64)
    person: str = Field(primary_key=True, max_length=200)
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    """When last."""


class AttachmentUse(SQLModel, table=True):
    """That a revision names the file. Not a foreign key: an import may name a file before it is here."""

    __tablename__ = "attachment_use"
    revision_id: int = Field(sa_column=Column(BigId, ForeignKey("revision.id"), primary_key=True, autoincrement=False))
    digest: str = Field(primary_key=True, max_length=64, index=True)
    item_id: int = Field(sa_type=BigId, foreign_key="item.id", index=True)


class Wording(SQLModel, table=True):
    """A question that a fixed answer's live revision answers, as `kb.content.title_key` folds it."""

    __tablename__ = "wording"
    item_id: int = Field(sa_column=Column(BigId, ForeignKey("item.id"), primary_key=True, autoincrement=False))
    key: str = Field(primary_key=True, max_length=500, index=True)


class DuplicatePair(SQLModel, table=True):
    """Two published items that are likely near duplicates, once each pair: `low_id` is the lower of the two ids."""

    __tablename__ = "duplicate_pair"
    __table_args__ = (
        UniqueConstraint("low_id", "high_id", name="uq_duplicate_pair_items"),
        Index("ix_duplicate_pair_state_probability", "state", "probability"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    low_id: int = Field(sa_type=BigId, foreign_key="item.id")
    high_id: int = Field(sa_type=BigId, foreign_key="item.id", index=True)
    low_revision_id: int = Field(sa_type=BigId)
    high_revision_id: int = Field(sa_type=BigId)
    """The revisions that were compared."""
    probability: float
    """That they are near duplicates, 0 to 1."""
    evidence: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """What the two share and what differs; `low` and `high` where it belongs to one of them. Of the revisions compared:
    not to be shown when another is live."""
    state: PairState = Field(default=PairState.OPEN, sa_type=word(PairState))
    found_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    decided_by: str | None = Field(default=None, max_length=200)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Redirect(SQLModel, table=True):
    """Where a name leads that once was an item's own: KB-1042, since that item was merged into another."""

    __tablename__ = "redirect"
    name: str = Field(primary_key=True, max_length=500)
    source_id: int | None = Field(default=None, sa_type=BigId, foreign_key="item.id", index=True)
    """The item whose name it is; None: a name that belongs to no item any more."""
    via_id: int = Field(sa_type=BigId, foreign_key="item.id", index=True)
    """The item that it was led to."""
    item_id: int = Field(sa_type=BigId, foreign_key="item.id", index=True)
    """Where that leads in the end: no redirect leads to an item that leads elsewhere itself."""
    made_by: str | None = Field(default=None, max_length=200)
    made_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class Conversation(SQLModel, table=True):
    """The last turns of one reader's conversation, for as long as follow-up questions may come."""

    __tablename__ = "conversation"
    id_hash: str = Field(primary_key=True, max_length=64)
    """SHA-256 of its id, which only its reader has."""
    owner: str | None = Field(default=None, max_length=64)
    """Pseudonym of who began it; None: nobody in particular, whoever has the id."""
    last_at: datetime = Field(default_factory=now, sa_type=UTCDateTime, index=True)
    turns: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    """Oldest first: `asked`, `understood` and the ids of the `items` cited."""


class Generation(SQLModel, table=True):
    """What passages, vectors and an index are made with: an embedder, a size of passages, an analyzer.

    Another choice of these is another generation, built beside the active one and then switched to.
    """

    __tablename__ = "generation"
    __table_args__ = (
        Index(
            "uq_generation_active",
            "state",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )
    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=False))
    """1, 2, 3, ...; also the name of its index's folder."""
    embedder: str = Field(max_length=1000)
    """What the embedding model is loaded by."""
    fingerprint: str = Field(max_length=64)
    """Of the embedder when the generation was begun."""
    passage_tokens: int
    analyzer: str = Field(max_length=32)
    state: GenerationState = Field(sa_type=word(GenerationState))
    changed_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    """When it took its present state."""
    judged: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """What the gate measured when it was switched to; empty if it was not asked."""


class Passage(SQLModel, table=True):
    """A piece of the live revision, as searched and cited. Made by the indexer, with its vector, in one commit."""

    __tablename__ = "passage"
    __table_args__ = (
        UniqueConstraint("item_id", "generation", "revision_id", "ordinal", name="uq_passage_place"),
        Index("ix_passage_embedding_hash", "embedding_hash"),
        Index("ix_passage_generation", "generation", "id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    generation: int = Field(foreign_key="generation.number")
    item_id: int = Field(sa_type=BigId, foreign_key="item.id", index=True)
    revision_id: int = Field(sa_type=BigId, foreign_key="revision.id")
    ordinal: int
    path: str = Field(default="", max_length=1000)
    """Headings above it, joined by ' > ' (without the title)."""
    text: str
    """Markdown, as in the revision."""
    search_text: str
    """Plain text of title, path and passage: what is analyzed and embedded."""
    embedding_hash: str = Field(max_length=64)
    applies: str = ""
    """What its section applies to, as `kb.applies.Applies.stored`; empty: to all."""
    chunker: str = Field(max_length=32)
    """Version of the chunker that cut it."""


class StoredVector(SQLModel, table=True):
    """An embedding kept for good: a rebuild of the index embeds nothing again."""

    __tablename__ = "vector"
    embedding_hash: str = Field(primary_key=True, max_length=64)
    fingerprint: str = Field(primary_key=True, max_length=64)
    """Which embedder, weights and preparation made it."""
    data: bytes = Field(sa_type=LargeBinary)
    """Little-endian float16, shape (dim,)."""


class ChangeRow(SQLModel, table=True):
    """The change log. Written in the writer's own transaction; `seq` grows in order of commit."""

    __tablename__ = "change_log"
    __table_args__ = {"sqlite_autoincrement": True}
    seq: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    item_id: int = Field(sa_type=BigId, index=True)
    operation: Operation = Field(sa_type=word(Operation))
    revision_id: int | None = Field(default=None, sa_type=BigId)
    actor: str | None = Field(default=None, max_length=200)
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class AccountState(StrEnum):
    """Where a person's account stands."""

    INVITED = "invited"
    """Has been asked to choose a password, and has not yet."""
    ACTIVE = "active"
    DISABLED = "disabled"
    """Signs in no more; all that it did stays its own."""


class Account(SQLModel, table=True):
    """A person who signs in. What it may do is in its grants."""

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("issuer", "issued", name="uq_account_issuer_issued"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(unique=True, max_length=200)
    """Folded to lower case; also its name in logs and histories."""
    name: str = Field(max_length=200)
    lang: str | None = Field(default=None, max_length=16)
    """Language of the pages; None: the browser's."""
    password_hash: str | None = Field(default=None, max_length=300)
    """Argon2id, with its parameters; None: signs in elsewhere, or not yet."""
    state: AccountState = Field(default=AccountState.INVITED, sa_type=word(AccountState))
    groups: list[str] = Field(default_factory=list, sa_type=JSON)
    """Groups and entitlements, such as `plan:gold`."""
    issuer: str | None = Field(default=None, max_length=500)
    issued: str | None = Field(default=None, max_length=255)
    """`iss` and `sub` of the OpenID provider that it signs in with."""
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    signed_in_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class AccountGrant(SQLModel, table=True):
    """A role of an account in a space and in all below it. No space: everywhere."""

    __tablename__ = "account_grant"
    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    role: str = Field(max_length=16)
    space_id: int | None = Field(default=None, foreign_key="space.id")


class BrowserSession(SQLModel, table=True):
    """A browser in which somebody is signed in."""

    __tablename__ = "browser_session"
    id_hash: str = Field(primary_key=True, max_length=64)
    """SHA-256 of the cookie's 256 random bits."""
    account_id: int = Field(foreign_key="account.id", index=True)
    device: str = Field(default="", max_length=200)
    """What the browser says it is, for its person to know it by."""
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    used_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    """Last use, to within ten minutes."""
    expires_at: datetime = Field(sa_type=UTCDateTime)


class TokenPurpose(StrEnum):
    INVITATION = "invitation"
    RESET = "reset"
    """Of a password."""
    SETUP = "setup"
    """Of the first admin; belongs to no account."""


class OneTimeToken(SQLModel, table=True):
    """A link that opens one thing once."""

    __tablename__ = "one_time_token"
    token_hash: str = Field(primary_key=True, max_length=64)
    """SHA-256 of its 256 random bits."""
    purpose: TokenPurpose = Field(sa_type=word(TokenPurpose))
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True)
    expires_at: datetime = Field(sa_type=UTCDateTime)


class FailedAttempts(SQLModel, table=True):
    """How often something failed for one name or address lately: what slows guessing down."""

    __tablename__ = "failed_attempts"
    key: str = Field(primary_key=True, max_length=64)
    """Pseudonym of what is counted."""
    failures: int
    since: datetime = Field(sa_type=UTCDateTime, index=True)


class LetterKind(StrEnum):
    """What an e-mail is about. What it says is written when it is sent."""

    INVITATION = "invitation"
    RESET = "reset"
    """Of a password."""


class LetterState(StrEnum):
    """Where an e-mail stands."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"
    """The mail server refused it for good, or could not take it in time; `reason` says why."""


class Letter(SQLModel, table=True):
    """An e-mail that was decided on: waits for the mail server, is kept for a month after.

    Holds nothing that opens anything: the secret of a link is made when the letter is written.
    """

    __tablename__ = "letter"
    __table_args__ = (Index("ix_letter_state_next_at", "state", "next_at"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    kind: LetterKind = Field(sa_type=word(LetterKind))
    address: str = Field(max_length=200)
    lang: str = Field(max_length=16)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """What is needed to write it; emptied when it has ended."""
    state: LetterState = Field(default=LetterState.WAITING, sa_type=word(LetterState))
    asked_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    """From when on nobody needs it any more."""
    next_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    """When it is tried next; while one process is at it, when another one may."""
    tries: int = 0
    reason: str = Field(default="", max_length=500)
    """Why the last try failed."""
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class AuditRow(SQLModel, table=True):
    """One change of a right or of content: who, when, before, after. Written in the writer's own transaction."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_target", "target"),
        Index("ix_audit_log_space", "space_id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    actor: str | None = Field(default=None, max_length=200)
    action: str = Field(max_length=40)
    """Such as `item.publish`, `account.grant`."""
    target: str = Field(max_length=250)
    """Such as `KB-1042`, `account:ana@example.org`, `key:desk`."""
    space_id: int | None = Field(default=None)
    """The space that it happened in; None: in no one space."""
    before: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    after: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """Of both, only what the change made differ."""


class ApiKey(SQLModel, table=True):
    """A credential for programs. Only the SHA-256 of the secret is kept (it has 256 random bits: no salt needed)."""

    __tablename__ = "api_key"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=100)
    secret_hash: str = Field(unique=True, max_length=64)
    role: str = Field(max_length=16)
    space_id: int | None = Field(default=None, foreign_key="space.id")
    groups: list[str] = Field(default_factory=list, sa_type=JSON)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    permissions: list[str] | None = Field(default=None, sa_type=JSON)
    """What it may be used for; None: everything that its role may."""
    made_by: str | None = Field(default=None, max_length=200)


class Event(SQLModel, table=True):
    """One row for each search, answer, click, vote, link and dismissal: every measure is computed from here."""

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_kind_at", "kind", "at"),
        Index("ix_event_item_id_kind", "item_id", "kind"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    uid: str = Field(unique=True, max_length=32)
    """Given to the page, so that a click or vote can name the search it belongs to."""
    kind: EventKind = Field(sa_type=word(EventKind))
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    role: str = Field(max_length=16)
    space_id: int | None = None
    """Where who acted has that role, as `kb.access.Principal.space`."""
    visitor: str | None = Field(default=None, max_length=64)
    """Pseudonym: a keyed hash, never a name or address."""
    parent: str | None = Field(default=None, max_length=32, index=True)
    """`uid` of the search or answer that a click or vote belongs to."""
    item_id: int | None = Field(default=None, sa_type=BigId)
    text: str = ""
    """The question, or issue of a case, as typed, cut to 1,000 characters."""
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)


class Gap(SQLModel, table=True):
    """What readers of a space asked, in one sense, and were not answered. `id` is its number for people, and stays."""

    __tablename__ = "gap"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    space_id: int = Field(foreign_key="space.id", index=True)
    """Of those who asked."""
    state: GapState = Field(default=GapState.OPEN, sa_type=word(GapState), index=True)
    item_id: int | None = Field(default=None, sa_type=BigId, foreign_key="item.id", index=True)
    """The item that is to answer it."""
    revision_id: int | None = Field(default=None, sa_type=BigId)
    """The revision that is: of a staged edit, not the live one."""
    reason: str = Field(default="", max_length=1000)
    answered: float = 0.0
    """Share of its askings that are answered now, 0 to 1, when last asked again."""
    proved_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When its questions were last asked again."""
    opened_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    changed_by: str | None = Field(default=None, max_length=200)
    changed_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    """Since when it is in its state, and who put it there."""


class GapQuestion(SQLModel, table=True):
    """A question of a gap, as readers of one kind asked it; or a case that no item solves."""

    __tablename__ = "gap_question"
    __table_args__ = (
        Index("ix_gap_question_key", "key"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    gap_id: int = Field(sa_type=BigId, foreign_key="gap.id", index=True)
    key: str = Field(max_length=500)
    """The question as `kb.content.title_key` folds it."""
    text: str
    """As it was last asked."""
    lang: str = Field(max_length=16)
    role: str = Field(max_length=16)
    """Of who asked: anonymous, customer or agent, who stands for all of staff."""
    space_id: int | None = Field(default=None, foreign_key="space.id")
    """Where they have that role, as `kb.access.Principal.space`."""
    case_id: int | None = Field(default=None, sa_type=BigId, foreign_key="item.id", index=True)
    """The case whose issue it is; None: it was asked."""
    times: int
    """How often it failed in the days that were looked back at last."""
    last_at: datetime = Field(sa_type=UTCDateTime)
    answered: bool = False
    """Whether it is answered now, when last asked again."""
    central: float = 0.0
    """Cosine with the middle of its gap's questions."""


class QuestionVector(SQLModel, table=True):
    """The vector of a question that was asked, so that replaying the log embeds nothing twice. Holds no text."""

    __tablename__ = "question_vector"
    key: str = Field(primary_key=True, max_length=64)
    """SHA-256 of the question as embedded."""
    fingerprint: str = Field(primary_key=True, max_length=64)
    data: bytes = Field(sa_type=LargeBinary)
    """Little-endian float32, shape (dim,): as the model gives it, before what was learnt moves it."""
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime, index=True)


class Meta(SQLModel, table=True):
    """Facts about this database: `database_id`, `pseudonym_key`."""

    __tablename__ = "meta"
    key: str = Field(primary_key=True, max_length=64)
    value: str
