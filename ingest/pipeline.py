"""From paths to items: read, compare with what is known, write what changed. The indexer makes it searchable after."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from ingest.document import Document, Failure, Gone, ReadOptions
from ingest.redacting import Find, redacted
from ingest.sources import Skipped, source_name, walk
from kb import editorial, pending, translations
from kb.access import Principal
from kb.content import Content, Profile, checked_content, checked_profile, choice, labels
from kb.db import Database
from kb.errors import InvalidInput, KBError, Misconfigured, Unavailable, shown
from kb.models import Audience, Confidence, Governance, Item, Kind, ReviewOutcome, State, now
from retrieval.language import language

BATCH = 64
"""Documents written in one transaction."""
_DRAFT = "draft:"
"""What the hash of a document begins with that is a draft in its source."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a document does not say. Its own audience always wins: nothing is opened by a default."""

    space_id: int | None = None
    audience: Audience = Audience.PUBLIC
    kind: Kind = Kind.ARTICLE


@dataclass(slots=True)
class Report:
    """What an ingest did. Counts are documents."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    retired: int = 0
    skipped: int = 0
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    passages: int = 0
    seconds: float = 0.0

    @property
    def seen(self) -> int:
        return self.added + self.updated + self.unchanged + len(self.failed)

    def as_json(self) -> dict[str, Any]:
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "retired": self.retired,
            "skipped": self.skipped,
            "failed": [{"path": failure.path, "reason": failure.reason} for failure in self.failed],
            "warnings": [{"path": warning.path, "reason": warning.reason} for warning in self.warnings],
            "passages": self.passages,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class _Known:
    """An item of the source at hand, as it was at the start."""

    item_id: int
    source_hash: str | None
    state: State


def ingest(
    db: Database,
    paths: Iterable[Path],
    *,
    actor: Principal,
    format: str = "auto",
    name: str | None = None,
    defaults: Defaults | None = None,
    options: ReadOptions | None = None,
    prune: bool = False,
    redact: Find | None = None,
    report: Report | None = None,
    on_progress: Callable[[Report], None] | None = None,
) -> Report:
    """Read every path and bring the items of its source level with it; return what was done.

    Each path is one source, called `name` or after its file or folder. An item is known by (source, external id) and
    its hash: a second run changes nothing. One bad file is reported and the rest goes on. With `prune`, items of a
    source that its path no longer holds are retired, unless something of it could not be read.
    What a source itself no longer shows (a page turned back into a draft, in the trash, hidden) is retired in any case.
    With `redact`, personal data is replaced by placeholders before anything is stored; a document in which it cannot be
    looked for is a failure, and without a model nothing is read. Raises Misconfigured or Unavailable then.
    Work is committed in batches: an interrupted run is finished by the next. `report` is filled as it goes.
    """
    report = report or Report()
    started, since = time.monotonic(), now()
    for path in paths:
        source = name or source_name(path)
        if source == editorial.EDITOR_SOURCE:
            raise InvalidInput(
                f"the source name {shown(source)} is taken by items written here; give another with --name"
            )
        _ingest_source(
            db,
            path,
            source,
            format,
            actor,
            defaults or Defaults(),
            options or ReadOptions(),
            prune,
            redact,
            report,
            on_progress,
            since,
        )
    report.seconds = time.monotonic() - started
    return report


def _ingest_source(
    db: Database,
    path: Path,
    source: str,
    format: str,
    actor: Principal,
    defaults: Defaults,
    options: ReadOptions,
    prune: bool,
    redact: Find | None,
    report: Report,
    on_progress: Callable[[Report], None] | None,
    since: datetime,
) -> None:
    with db.read() as session:
        rows = session.exec(
            select(Item.id, Item.external_id, Item.source_hash, Item.state).where(col(Item.source) == source)
        ).all()
    known = {external: _Known(int(item or 0), digest, State(state)) for item, external, digest, state in rows}
    failures = len(report.failed)
    seen: set[str] = set()
    withdrawn: set[str] = set()
    for batch in _batches(walk(path, source=format, options=options), seen, withdrawn, report):
        _write(db, batch, source, actor, defaults, known, redact, report, since)
        if on_progress is not None:
            on_progress(report)
    _retire(db, _there(known, withdrawn - seen), actor, report, on_progress)
    gone = _there(known, known.keys() - seen - withdrawn)
    if not prune or not gone:
        return
    if len(report.failed) > failures:
        report.warnings.append(
            Failure(
                str(path),
                f"{len(gone)} items were not pruned, since something could not be read; mend it and run again",
            )
        )
        return
    _retire(db, gone, actor, report, on_progress)


def _there(known: dict[str, _Known], externals: AbstractSet[str]) -> list[int]:
    """Return the ids of the items of these documents that are here and not retired."""
    return sorted(
        known[external].item_id
        for external in externals
        if external in known and known[external].state != State.RETIRED
    )


def _retire(
    db: Database, ids: list[int], actor: Principal, report: Report, on_progress: Callable[[Report], None] | None
) -> None:
    for start in range(0, len(ids), BATCH):
        with db.write() as session:
            for item_id in ids[start : start + BATCH]:
                editorial.retire(session, session.get_one(Item, item_id), actor=actor)
                report.retired += 1
        if on_progress is not None:
            on_progress(report)


def _batches(
    found: Iterator[Document | Failure | Gone | Skipped], seen: set[str], withdrawn: set[str], report: Report
) -> Iterator[list[Document]]:
    batch: list[Document] = []
    for outcome in found:
        match outcome:
            case Failure():
                report.failed.append(outcome)
            case Skipped():
                report.skipped += 1
            case Gone():
                withdrawn.add(outcome.external_id)
            case Document():
                seen.add(outcome.external_id)
                report.warnings.extend(Failure(outcome.external_id, warning) for warning in outcome.warnings)
                batch.append(outcome)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(
    db: Database,
    batch: list[Document],
    source: str,
    actor: Principal,
    defaults: Defaults,
    known: dict[str, _Known],
    redact: Find | None,
    report: Report,
    since: datetime,
) -> None:
    ready: list[tuple[Document, Content, Profile, str]] = []
    for given in batch:
        try:
            document = redacted(given, redact) if redact is not None else given
            content, profile = _parts(document, source, defaults)
        except (Misconfigured, Unavailable):
            raise
        except KBError as error:
            report.failed.append(Failure(given.external_id, error.message))
            continue
        digest = _hash(content, profile, document, defaults)
        before = known.get(document.external_id)
        # A retired item whose document is there again comes back, unless its document says it is a draft.
        stays = before is not None and (before.state != State.RETIRED or document.state == State.DRAFT)
        if before is not None and before.source_hash == digest and stays:
            report.unchanged += 1
        else:
            ready.append((document, content, profile, digest))
    if not ready:
        return
    written = {"added": 0, "updated": 0, "retired": 0}
    with db.write() as session:
        for document, content, profile, digest in ready:
            before = known.get(document.external_id)
            item = session.get(Item, before.item_id) if before is not None else None
            written["added" if item is None else "updated"] += 1
            item = _put(session, item, document, content, profile, digest, source, actor, defaults, since)
            if before is not None and not _as_draft(before.source_hash) and _withdrawn(item, document):
                editorial.retire(session, item, actor=actor)
                written["retired"] += 1
    report.added += written["added"]
    report.updated += written["updated"]
    report.retired += written["retired"]


def _as_draft(source_hash: str | None) -> bool:
    """Say whether a document was a draft in its source when it was last read.

    What an editor has published since of such a one stays published.
    """
    return source_hash is not None and source_hash.startswith(_DRAFT)


def _withdrawn(item: Item, document: Document) -> bool:
    """Say whether readers see what the source has turned back into a draft."""
    return document.state == State.DRAFT and item.state == State.PUBLISHED


def _put(
    session: Session,
    item: Item | None,
    document: Document,
    content: Content,
    profile: Profile,
    digest: str,
    source: str,
    actor: Principal,
    defaults: Defaults,
    since: datetime,
) -> Item:
    if item is None:
        item, revision = editorial.create(
            session,
            content,
            profile,
            actor=actor,
            space_id=defaults.space_id,
            source=source,
            external_id=document.external_id,
            source_hash=digest,
        )
    else:
        revision = editorial.revise(session, item, content, actor=actor, message="ingest")
        if revision.created_at >= since:
            revision.follows_id = None  # it gives the source as this delivery has it
        editorial.reprofile(session, item, profile, actor=actor)
        item.source_hash = digest
    if document.state != State.DRAFT:
        if item.kind != Kind.FIXED:  # what a source says is live needs no review here
            pending.end_review(session, item, ReviewOutcome.OVERTAKEN, actor=actor)
        editorial.publish(session, item, revision, actor=actor)
        translations.came_together(session, item, revision, since=since)
    if document.updated is not None:
        item.updated_at = document.updated
    session.add(item)
    return item


def _parts(document: Document, source: str, defaults: Defaults) -> tuple[Content, Profile]:
    content = checked_content(Content.of(document))
    sample = " ".join((content.title, content.issue, content.resolution, content.body))[:4000]
    profile = Profile(
        kind=choice(Kind, document.kind, "kind") if document.kind else defaults.kind,
        lang=(document.lang or language(sample)).lower(),
        audience=choice(Audience, document.audience, "audience") if document.audience else defaults.audience,
        confidence=choice(Confidence, document.confidence, "confidence")
        if document.confidence
        else Confidence.NOT_VALIDATED,
        governance=choice(Governance, document.governance, "governance")
        if document.governance
        else Governance.EXPERIENCE_BASED,
        family=f"{source}/{document.family}" if document.family else None,
        owner=document.owner,
        url=document.url,
        labels=labels(
            products=document.products, versions=document.versions, topics=document.topics, groups=document.groups
        ),
    )
    if document.state not in (None, State.DRAFT, State.PUBLISHED):
        raise InvalidInput(f"state is draft or published, not {shown(document.state)}", field="state")
    return content, checked_profile(profile)


def _hash(content: Content, profile: Profile, document: Document, defaults: Defaults) -> str:
    rest = f"{document.state}|{document.updated and document.updated.isoformat()}|{defaults.space_id}"
    digest = hashlib.sha256(f"{content.hash}|{profile.hash}|{rest}".encode()).hexdigest()
    return f"{_DRAFT}{digest}"[:64] if document.state == State.DRAFT else digest
