"""The elements of an XML export that may be larger than memory, one at a time."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, iterparse

from defusedxml.common import DefusedXmlException, DTDForbidden  # type: ignore[import-untyped]
from defusedxml.ElementTree import DefusedXMLParser  # type: ignore[import-untyped]

from ingest.document import Limits
from ingest.reading import checked_size
from kb.errors import TooLarge, UnreadableSource, shown

LOOK = 1 << 14
"""Bytes of a file that tell which XML it is."""
_CHARACTERS_A_RECORD = 8
"""Times the text of a document that one record may hold, markup and older revisions included."""


class _Parser(DefusedXMLParser):  # type: ignore[misc]
    """Takes a document type that only names a DTD, which is never read; refuses declarations in the file itself."""

    def __init__(self) -> None:
        super().__init__(forbid_dtd=True, forbid_entities=True, forbid_external=True)

    def defused_start_doctype_decl(self, name: str, sysid: str, pubid: str, has_internal_subset: int) -> None:
        if has_internal_subset:
            raise DTDForbidden(name, sysid, pubid)


def local(tag: str) -> str:
    """Return the name of an element without its namespace."""
    return tag.rpartition("}")[2]


def child_text(element: Element, name: str) -> str:
    """Return the text of the first child of a local name, or nothing."""
    return next((child.text or "" for child in element if local(child.tag) == name), "")


def elements(
    path: Path, limits: Limits, names: frozenset[str], *, last_only: frozenset[str] = frozenset()
) -> Iterator[Element]:
    """Yield the outermost elements of the local names `names`, whole, in order; the rest is not kept.

    Of children named in `last_only` an element holds the last alone (older revisions of a page). A yielded element is
    forgotten afterwards. Declarations in the file are refused, and with them entities; a DTD that it names is not read.
    Raises TooLarge for the file or an element over the limits, UnreadableSource if the file is not XML (what came
    before was good).
    """
    if checked_size(path, limits.export_bytes) == 0:
        raise UnreadableSource(f"{shown(path.name)} is empty")
    opened: list[Element] = []
    wanted: Element | None = None
    characters = 0
    try:
        with path.open("rb") as file:
            for event, element in iterparse(file, events=("start", "end"), parser=_Parser()):
                if event == "start":
                    opened.append(element)
                    if len(opened) > limits.nesting:
                        raise UnreadableSource(f"{shown(path.name)} is nested more than {limits.nesting} deep")
                    if wanted is None and local(element.tag) in names:
                        wanted, characters = element, 0
                    continue
                opened.pop()
                parent = opened[-1] if opened else None
                if wanted is not None:
                    characters += len(element.text or "")
                    if local(element.tag) in last_only and parent is not None:
                        # The parser is ahead of its events: what follows may be there already.
                        before = list(parent)[: list(parent).index(element)]
                        for older in [child for child in before if child.tag == element.tag]:
                            characters -= sum(len(text) for text in older.itertext())
                            parent.remove(older)
                    if characters > limits.document_characters * _CHARACTERS_A_RECORD:
                        raise TooLarge(f"a record of {shown(path.name)} is beyond the limit: export it by itself")
                if wanted is not None and element is wanted:
                    yield wanted
                    wanted = None
                if wanted is None and parent is not None:
                    parent.remove(element)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise UnreadableSource(f"{shown(path.name)} cannot be read as XML: {error}: export it again") from error
    except OSError as error:
        raise UnreadableSource(f"{shown(path.name)} cannot be read: {error.strerror or error}") from error
