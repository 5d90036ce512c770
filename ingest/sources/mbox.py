"""Mail archives (mbox, packed with gzip too), each thread a case.

Mails are one thread by Message-ID, In-Reply-To and References; a reply whose parent is not here goes by its subject.
The first mail is the issue, the last answer of somebody other than who asked is the resolution. A thread without one,
or whose first mail is not here, is a draft. Who asked and answered is not read; mails of programs answer nothing.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from ingest.document import Document, Failure, ReadOptions
from ingest.letters import from_letter, without_addresses, without_quotations
from ingest.mail import header, is_automatic, sender, sent, written
from ingest.mbox_file import Place, begins_with_mail, opened, places
from ingest.parse import MAX_TITLE, tidy
from ingest.records import checked, one_line
from ingest.redaction.findings import Placeholders
from ingest.signatures import without_mail_below, without_signature
from kb.errors import KBError, TooLarge, UnreadableSource

_ENDINGS = (".mbox", ".mbox.gz")
_MAYBE = ("", ".mbx", ".txt", ".gz")
"""Endings under which archives are kept too: they are told by how they begin."""
_ID = re.compile(r"<([^<>\s]+)>")
_REPLY = re.compile(
    r"^((?:\[[^\]]{1,60}\]\s*)?)((?:(?:re|aw|sv|回复|答复|回覆)(?:\[\d+\])?\s*[:：]\s*)+)", re.IGNORECASE
)
_PASSED_ON = re.compile(r"^(?:(?:fwd?|转发|轉寄)\s*[:：]\s*)+", re.IGNORECASE)
_ESCAPED = re.compile(rb"(?m)(^(?!>).*\n)>(>*From )")
_HEADER = 1 << 18
"""Most bytes of a header."""
_NAMED = 10
_ATTACHED = re.compile(r"[^\w .()+\-]")


@dataclass(slots=True)
class _Mail:
    place: Place
    id: str
    parents: list[str]
    subject: str
    address: str
    name: str
    when: datetime
    automatic: bool


@dataclass(slots=True)
class _Thread:
    root: str
    """The id of the mail that began it, whether it is here or not."""
    whole: bool
    """Whether that mail is here."""
    mails: list[_Mail] = field(default_factory=list)


class MboxSource:
    """Reads `.mbox` and `.mbox.gz`, and other files that begin as an archive does."""

    name = "mbox"

    def recognises(self, path: Path) -> bool:
        if not path.is_file():
            return False
        return path.name.lower().endswith(_ENDINGS) or (path.suffix.lower() in _MAYBE and begins_with_mail(path))

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield a document a thread; a mail that is there twice is taken once. Headers alone are held in memory.

        Raises TooLarge or UnreadableSource for the file; what is wrong with a mail is a Failure with its line.
        """
        with opened(path, options.limits) as file:
            mails = _mails(file, list(places(file, path.name)))
            for thread in _threads(mails):
                try:
                    yield _case(thread, file, options)
                except KBError as error:
                    yield Failure(f"{options.place(path)}:{thread.mails[0].place.line}", error.message)


def _mails(file: BinaryIO, found: list[Place]) -> list[_Mail]:
    """Return what the headers say, in the order in which the mails were written."""
    mails: dict[str, _Mail] = {}
    when = datetime.min.replace(tzinfo=UTC)
    for place in found:
        data = _bytes(file, place, _HEADER)
        mail: Message = BytesHeaderParser().parsebytes(data)
        own = _ID.search(header(mail, "message-id"))
        number = own[1] if own else hashlib.sha256(data).hexdigest()
        # In-Reply-To holds prose at times; it is one parent beside the list that References is.
        parents = [*_ID.findall(header(mail, "references")), *_ID.findall(header(mail, "in-reply-to"))[:1]]
        when = sent(mail, place.envelope) or when
        if number not in mails:
            others = [parent for parent in parents if parent != number]
            told = (header(mail, "subject"), *sender(mail))
            mails[number] = _Mail(place, number, others, *told, when, is_automatic(mail))
    return sorted(mails.values(), key=lambda mail: mail.when)


def _threads(mails: list[_Mail]) -> list[_Thread]:
    """Return threads in the order in which they began."""
    here = {mail.id for mail in mails}
    beginnings = {mail.id for mail in mails if not mail.parents}
    leads: dict[str, str] = {}

    def root(number: str) -> str:
        while number in leads:
            above = leads[number]
            leads[number] = leads.get(above, above)
            number = above
        return number

    def join(earlier: str, later: str) -> None:
        if root(earlier) != root(later):
            leads[root(later)] = root(earlier)

    for mail in mails:
        for parent, child in pairwise([*mail.parents, mail.id]):
            # What was written as a beginning stays one, whatever others say that it answers.
            if root(child) not in beginnings:
                join(parent, child)
    begun: dict[str, str] = {}
    for mail in mails:
        subject = _bare(mail.subject).casefold()
        if not here.isdisjoint(mail.parents) or not subject:
            continue
        if _REPLY.match(mail.subject):
            if subject in begun:
                join(begun[subject], mail.id)
        elif not mail.parents:
            begun[subject] = mail.id
    threads: dict[str, _Thread] = {}
    for mail in mails:
        number = root(mail.id)
        threads.setdefault(number, _Thread(number, number in here)).mails.append(mail)
    for thread in threads.values():
        # Clocks go wrong: who began the thread stands first whatever its time.
        thread.mails.sort(key=lambda mail: mail.id != thread.root)
        thread.whole = thread.whole and not _REPLY.match(thread.mails[0].subject)
    return list(threads.values())


def _case(thread: _Thread, file: BinaryIO, options: ReadOptions) -> Document:
    first, *later = thread.mails
    placeholders = Placeholders()
    issue, attached = _said(first, file, placeholders, options)
    answer, resolution = first, ""
    for mail in reversed(later):
        if not resolution and not mail.automatic and _is_other(mail, first):
            resolution, more = _said(mail, file, placeholders, options)
            answer = mail
            attached += more if resolution else []
    title = without_addresses(one_line(_bare(first.subject)), placeholders) or one_line(issue)
    if not title:
        raise UnreadableSource("the mail has neither a subject nor a text of its own")
    names = ", ".join(_ATTACHED.sub("_", name)[:80] for name in attached[:_NAMED])
    warnings = () if thread.whole else ("the mail that began the thread is not in the archive: it is a draft",)
    return checked(
        Document(
            # Ids of mails hold names of people and of their machines.
            external_id=hashlib.sha256(thread.root.encode("utf-8", "replace")).hexdigest()[:32],
            title=title[:MAX_TITLE],
            issue=issue or title,
            resolution=resolution,
            kind="case",
            state=None if resolution and thread.whole else "draft",
            updated=None if (when := (answer if resolution else first).when).year == 1 else when,
            warnings=(*warnings, f"attached, not read: {names}") if names else warnings,
        ),
        options,
    )


def _said(mail: _Mail, file: BinaryIO, placeholders: Placeholders, options: ReadOptions) -> tuple[str, list[str]]:
    """Return a mail's own words as Markdown, and the names of what is attached."""
    place, most = mail.place, options.limits.file_bytes
    if place.end - place.start > most:
        raise TooLarge(f"the mail on line {place.line} has more than {most:,} bytes: take it out, or raise the limit")
    try:
        found = written(message_from_bytes(_ESCAPED.sub(rb"\1\2", _bytes(file, place, most))))
    except (ValueError, LookupError, RecursionError) as error:
        raise UnreadableSource(f"the mail on line {place.line} cannot be read: {error}: export it again") from error
    texts = []
    for text, is_markdown in found.texts:
        own = without_signature(without_quotations(without_mail_below(text)), mail.name)
        own = without_addresses(own, placeholders)
        texts.append(tidy(own) if is_markdown else from_letter(own))
    return "\n\n".join(filter(None, texts)).strip(), found.attached


def _bytes(file: BinaryIO, place: Place, most: int) -> bytes:
    file.seek(place.start)
    return file.read(min(place.end - place.start, most))


def _bare(subject: str) -> str:
    """Return a subject without what replying put before it; the tag of a list stays."""
    return _PASSED_ON.sub("", _REPLY.sub(r"\1", subject.strip())).strip()


def _is_other(mail: _Mail, first: _Mail) -> bool:
    """Say whether somebody else wrote a mail; people who are known by neither address nor name may be anybody."""
    if not (mail.address or mail.name):
        return False
    return not (mail.address and mail.address == first.address) and not (mail.name and mail.name == first.name)
