"""One mail: what its header says and the text that was written, in whatever encoding it came."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from ingest.html import from_html
from ingest.reading import decoded
from kb.errors import UnreadableSource

_SEVEN_BITS = re.compile(r"iso-2022-|hz|utf-?7$", re.IGNORECASE)
_UNTOLD = frozenset("ascii us-ascii iso-8859-1 latin1 windows-1252 cp1252 unknown unknown-8bit x-unknown 8bit".split())
"""What programs write that were never told the encoding."""
_GB = frozenset("gb2312 gbk gb_2312-80 cp936 x-gbk gb18030 euc-cn".split())
_NESTED = 32
_OBFUSCATED = re.compile(r"(\S+) at (\S+)(?: \((.*)\))?", re.DOTALL)
"""Archives of Mailman write `name at host (Person)`."""


@dataclass(slots=True)
class Written:
    """What a mail holds: pieces of text (and whether each is Markdown made from HTML), names of what is attached."""

    texts: list[tuple[str, bool]] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)


def text_of(data: bytes, charset: str | None) -> str:
    """Return bytes of a mail as text: UTF-8, else as declared, else what can be told; what is broken is replaced."""
    said = (charset or "").strip("\"' ").casefold()
    said = "gb18030" if said in _GB else said
    if _SEVEN_BITS.match(said):
        try:
            return data.decode(said, "replace").replace("\r\n", "\n")
        except (LookupError, ValueError):
            said = ""
    for encoding in (None if said in _UNTOLD or not said else said, None):
        try:
            return decoded(data, "mail", encoding=encoding)[0]
        except (UnreadableSource, ValueError):  # a name that can be none, a codec that is for no texts
            continue
    return data.replace(b"\0", b"").decode("utf-8", "replace").replace("\r\n", "\n")


def header(mail: Message, name: str) -> str:
    """Return a field of a header as text on one line, or nothing."""
    raw = next((value for key, value in mail.raw_items() if key.casefold() == name.casefold()), "")
    raw = " ".join(str(raw).split())
    if not raw.isascii():
        return text_of(raw.encode("utf-8", "surrogateescape"), None)
    try:
        parts = decode_header(raw)
    except HeaderParseError:  # base64 that is none
        return raw
    return "".join(part if isinstance(part, str) else text_of(part, charset) for part, charset in parts)


def sender(mail: Message) -> tuple[str, str]:
    """Return address and name of who wrote a mail, folded to be compared; nothing where it is not said.

    A list that writes in the name of its members (`Ana via list`) has their names alone.
    """
    said = header(mail, "from")
    if found := _OBFUSCATED.fullmatch(said):
        return f"{found[1]}@{found[2]}".casefold(), (found[3] or "").casefold()
    name, address = next(iter(getaddresses([said])), ("", ""))
    name = name or " ".join(re.findall(r"\(([^)]*)\)", said))
    personal, via, _ = name.partition(" via ")
    return "" if via else address.casefold(), personal.strip("\"' ").casefold()


def sent(mail: Message, envelope: bytes) -> datetime | None:
    """Return when a mail was written, else when it arrived, else None."""
    arrived = re.search(r"\w{3} +\w{3} +\d+ +\d+:\d\d.*", envelope.decode("ascii", "replace"))
    for told in (header(mail, "date"), arrived[0] if arrived else ""):
        try:
            found = parsedate_to_datetime(told)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def is_automatic(mail: Message) -> bool:
    """Say whether a program wrote a mail: an absence, a report on delivery."""
    told = header(mail, "auto-submitted").casefold()
    away = header(mail, "x-autoreply") or header(mail, "x-auto-reply")
    reply = header(mail, "precedence").casefold() == "auto_reply"
    return told.startswith("auto-") or bool(away) or reply or mail.get_content_type() == "multipart/report"


def written(mail: Message) -> Written:
    """Return what a mail says. Of the same in several forms plain text is taken; HTML where that is all there is."""
    found = Written()
    for text, is_html in _parts(mail, found, 0):
        markdown = from_html(text).markdown if is_html else text
        if markdown.strip():
            found.texts.append((markdown, is_html))
    return found


def _parts(part: Message, found: Written, depth: int) -> Iterator[tuple[str, bool]]:
    name, kind = part.get_filename(), part.get_content_type()
    if depth > _NESTED:
        return
    if part.get_content_disposition() == "attachment" or name or not kind.startswith(("text/", "multipart/")):
        found.attached.append(_name(name) or kind)
        return
    if not part.is_multipart():
        data = part.get_payload(decode=True)
        if isinstance(data, bytes) and data.strip() and kind in ("text/plain", "text/html"):
            yield text_of(data, part.get_content_charset()), kind == "text/html"
        return
    inside = [list(_parts(child, found, depth + 1)) for child in part.get_payload() if isinstance(child, Message)]
    forms = [texts for texts in inside if any(text.strip() for text, _ in texts)]
    if kind == "multipart/alternative":
        forms = sorted(forms, key=lambda texts: any(is_html for _, is_html in texts))[:1]
    for texts in forms:
        yield from texts


def _name(name: str | None) -> str:
    """Return the name of a file, which mail programs write as they write headers."""
    holder = Message()
    holder["name"] = "".join(char for char in name or "" if char not in "\r\n")
    return header(holder, "name")
