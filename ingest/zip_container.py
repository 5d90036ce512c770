"""Checks on a zip container before anything in it is unpacked for use: bombs, entities, encryption."""

import io
import zipfile
import zlib

from ingest.document import Limits
from kb.errors import TooLarge, UnreadableSource, shown

_MOST_MEMBERS = 10_000
_SMALL = 1 << 20
"""Members up to this size in bytes may grow as they like: short repetitive parts are packed tightly."""
_OLD_OFFICE = bytes.fromhex("d0cf11e0a1b11ae1")


def checked_zip(data: bytes, name: str, limits: Limits) -> io.BytesIO:
    """Return the container as a file, once it is safe to be read.

    Raises TooLarge for what would unpack to more than the limits, UnreadableSource for what is no zip file, is
    encrypted, is damaged or holds XML with a document type (which could declare entities).
    """
    if data.startswith(_OLD_OFFICE):
        raise UnreadableSource(f"{shown(name)} is encrypted or of an old format: save it without a password as .docx")
    file = io.BytesIO(data)
    try:
        with zipfile.ZipFile(file) as container:
            members = container.infolist()
            _check_sizes(members, name, limits)
            for member in members:
                if member.flag_bits & 1:
                    raise UnreadableSource(f"{shown(name)} is encrypted: save it without a password")
                if member.filename.lower().endswith((".xml", ".rels")):
                    _check_xml(container.read(member), member.filename, name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise UnreadableSource(f"{shown(name)} is not a sound zip container: {error}") from error
    except zlib.error as error:
        raise UnreadableSource(f"{shown(name)} is damaged: {error}") from error
    file.seek(0)
    return file


def _check_sizes(members: list[zipfile.ZipInfo], name: str, limits: Limits) -> None:
    total = sum(member.file_size for member in members)
    if len(members) > _MOST_MEMBERS or total > limits.unpacked_bytes:
        raise TooLarge(
            f"{shown(name)} would unpack to {len(members):,} parts of {total:,} bytes; "
            f"the limit is {_MOST_MEMBERS:,} and {limits.unpacked_bytes:,}"
        )
    for member in members:
        if member.file_size > max(_SMALL, limits.unpacked_ratio * member.compress_size):
            raise TooLarge(
                f"{shown(member.filename)} in {shown(name)} would grow more than {limits.unpacked_ratio} times: "
                "it may be a zip bomb"
            )


def _check_xml(xml: bytes, part: str, name: str) -> None:
    plain = xml.decode("utf-16", "ignore").encode() if xml[:2] in (b"\xff\xfe", b"\xfe\xff") else xml
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise UnreadableSource(f"{shown(part)} in {shown(name)} declares a document type, which no office writes")
