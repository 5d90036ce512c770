"""Images and attachments: who may read a file, which revisions use it, when it goes.

A revision uses a file by its address in the Markdown, `/files/DIGEST/NAME`. Knowing a digest is no right: a file is for
who may read an item whose live revision uses it, who writes where an item uses it, and who sent it. So that nobody
gives away what they may not read themselves, a revision that names such a file is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, true
from sqlalchemy import delete as sql_delete
from sqlmodel import Session, col, select

from kb import audit, changes
from kb.access import Principal, Role, readable, scope_of
from kb.compose import FIELDS
from kb.db import Database
from kb.errors import InvalidInput, NotFound, TooLarge
from kb.file_store import FileStore
from kb.file_types import TYPES, safe_name, type_of
from kb.models import Attachment, AttachmentUpload, AttachmentUse, Draft, Item, Kind, Revision, now

ADDRESS = re.compile(r"/files/([0-9a-f]{64})/[^/\s?#]{1,400}")
"""The address of a file, as in Markdown, where its name may be percent-encoded."""
DIGEST = re.compile(r"[0-9a-f]{64}")
_NAMED = re.compile(r"/files/([0-9a-f]{64})(?![0-9a-f])")
_TEXTS = (*FIELDS, "body")


@dataclass(frozen=True, slots=True)
class Count:
    """How many files there are, and how many of them nothing uses."""

    files: int
    size: int
    """Bytes of all."""
    unused: int


def address(digest: str, name: str) -> str:
    """Return the address of a file, the name as it is: Markdown takes letters of every script."""
    return f"/files/{digest}/{name}"


def markdown(found: Attachment, name: str) -> str:
    """Return the Markdown that shows a picture, or links to another file."""
    picture = TYPES[found.media].picture
    text = name.rpartition(".")[0] if picture else name
    return f"{'!' if picture else ''}[{text}]({address(found.digest, name)})"


def upload(
    db: Database, store: FileStore, data: bytes, name: str, *, most: int, actor: Principal
) -> tuple[Attachment, str]:
    """Keep a file; return it with the safe form of its name. For contributors. Twice is once.

    Raises TooLarge over `most` bytes, InvalidInput for a type that is not taken, Forbidden.
    """
    actor.require(Role.CONTRIBUTOR, "add files")
    if len(data) > most:
        raise TooLarge(f"a file has at most {most:,} bytes; this one has more: make it smaller", field="file")
    kind = type_of(data, name)
    plain = safe_name(name, kind)
    with store.alone():
        digest = store.keep(data)
        with db.write() as session:
            found = session.get(Attachment, digest)
            if found is None:
                found = Attachment(digest=digest, media=kind.media, size=len(data), name=plain)
                session.add(found)
                session.flush()
            session.merge(AttachmentUpload(digest=digest, person=actor.subject or "", at=now()))
            about = {"name": plain, "media": found.media, "size": found.size}
            audit.record(session, actor, "file.add", f"file:{digest}", space=actor.space, after=about)
    return found, plain


def get(session: Session, digest: str, reader: Principal) -> Attachment:
    """Return a file that `reader` may read. Raises NotFound alike whether it is not there or not theirs."""
    found = session.get(Attachment, digest) if DIGEST.fullmatch(digest) else None
    if found is None or not _readable(session, digest, reader):
        raise NotFound("there is no file here that you may read", field="file")
    return found


def note_uses(session: Session, item: Item, revision: Revision, *, actor: Principal) -> None:
    """Keep which files a new revision uses. Raises InvalidInput for one that `actor` may not read.

    An admin of everything may name a file before it is here, as an import does.
    """
    before = set(session.exec(select(AttachmentUse.digest).where(col(AttachmentUse.item_id) == item.id)))
    everywhere = actor.role is Role.ADMIN and actor.space is None
    for digest, field in _named(revision).items():
        if digest not in before and not everywhere:
            try:
                get(session, digest, actor)
            except NotFound:
                raise InvalidInput(
                    f"the text uses the file {digest[:12]}…, and there is none that you may read: add it again and "
                    "use the address that it gets",
                    field=field,
                ) from None
    keep_uses(session, revision)


def keep_uses(session: Session, revision: Revision) -> None:
    """Keep which files a revision uses, whoever may read them: for what was here, or elsewhere, before."""
    session.add_all(
        AttachmentUse(revision_id=int(revision.id or 0), digest=digest, item_id=revision.item_id)
        for digest in _named(revision)
    )
    session.flush()


def count(session: Session) -> Count:
    """Count the files. For operators."""
    files, size = session.exec(select(func.count(), func.coalesce(func.sum(Attachment.size), 0))).one()
    return Count(int(files), int(size), len(unused(session, before=now())))


def missing(session: Session, store: FileStore) -> int:
    """Count the files that are not in the folder, or that were never added though a revision names them."""
    named = set(session.exec(select(Attachment.digest))) | set(session.exec(select(AttachmentUse.digest)))
    return sum(not store.path(digest).is_file() for digest in named)


def unused(session: Session, *, before: datetime) -> Sequence[Attachment]:
    """Return the files that no revision and no draft names and that nobody has sent since `before`, oldest first."""
    used = select(AttachmentUse.digest).where(col(AttachmentUse.digest) == col(Attachment.digest))
    recent = select(AttachmentUpload.digest).where(
        col(AttachmentUpload.digest) == col(Attachment.digest), col(AttachmentUpload.at) >= before
    )
    found = session.exec(
        select(Attachment).where(~used.exists(), ~recent.exists()).order_by(col(Attachment.added_at))
    ).all()
    drafted = set(_NAMED.findall("\n".join(str(data) for data in session.exec(select(Draft.data))))) if found else set()
    return [one for one in found if one.digest not in drafted]


def clean(db: Database, store: FileStore, *, days: int, actor: Principal) -> list[Attachment]:
    """Remove the files that nothing has used for `days`, and what a killed process left; return the files removed.

    A revision is forever, and so are its files.
    """
    before = now() - timedelta(days=days)
    with store.alone():
        with db.write() as session:
            changes.in_order(session)  # nobody saves a revision that names one of them meanwhile
            gone = list(unused(session, before=before))
            for one in gone:
                for table in (AttachmentUpload, Attachment):
                    session.exec(sql_delete(table).where(col(table.digest) == one.digest))
                audit.record(session, actor, "file.remove", f"file:{one.digest}", before={"name": one.name})
            session.flush()
            kept = set(session.exec(select(Attachment.digest)))
        for path in store.leftovers():
            if path.name not in kept and path.stat().st_mtime < before.timestamp():
                path.unlink()
    return gone


def faults(db: Database, store: FileStore) -> list[str]:
    """Return what is wrong with the files: named and not here, or not what they were. Reads all of them."""
    with db.read() as session:
        there = set(session.exec(select(Attachment.digest)))
        named = session.exec(
            select(AttachmentUse.digest, Item.id).join(Item, col(Item.id) == col(AttachmentUse.item_id))
        )
        users: dict[str, set[str]] = {}
        for digest, item in named:
            users.setdefault(digest, set()).add(f"KB-{item}")
    found = []
    for digest in sorted(there | users.keys()):
        by = f", used by {', '.join(sorted(users[digest])[:5])}" if digest in users else ""
        if digest not in there:
            found.append(f"the file {digest[:12]}… was never added{by}")
            continue
        try:
            if not store.sound(digest):
                found.append(f"the file {store.path(digest)} is not what was added{by}: take it from a backup")
        except OSError as error:
            found.append(f"the file {store.path(digest)} cannot be read ({error.strerror}){by}: take it from a backup")
    return found


def _named(revision: Revision) -> dict[str, str]:
    """Return the field in which each file that the texts name is named first, by digest."""
    fields = [(name, _NAMED.findall(getattr(revision, name))) for name in reversed(_TEXTS)]
    return {digest: name for name, digests in fields for digest in digests}


def _readable(session: Session, digest: str, reader: Principal) -> bool:
    if reader.subject is not None and session.get(AttachmentUpload, (digest, reader.subject)) is not None:
        return True
    scope = scope_of(session, reader)
    live = and_(col(AttachmentUse.revision_id) == col(Item.live_revision_id), readable(scope.published_only()))
    any_revision = and_(_writes(session, reader), readable(scope))
    statement = (
        select(AttachmentUse.item_id)
        .join(Item, col(Item.id) == col(AttachmentUse.item_id))
        .where(col(AttachmentUse.digest) == digest, or_(live, any_revision))
        .limit(1)
    )
    return session.exec(statement).first() is not None


def _writes(session: Session, reader: Principal) -> ColumnElement[bool]:
    """Return the condition, on items, that `reader` writes them: as `kb.editorial.require_writable` has it."""

    def where(role: Role) -> ColumnElement[bool]:
        spaces = reader.spaces_of(session, role)
        return true() if spaces is None else col(Item.space_id).in_(sorted(spaces))

    return or_(and_(where(Role.CONTRIBUTOR), col(Item.kind) != Kind.FIXED), where(Role.EDITOR))
