"""Bugs as Bugzilla gives them, each a case: XML of `show_bug.cgi?ctype=xml`, or JSON of its REST API (`/rest/bug`).

With REST, comments (`/rest/bug/{id}/comment`) lie in files beside it with `comments` in their names. A folder of such
files alone is read as one. The first comment is the issue; the resolution is the last one of whom the bug was assigned
to, else of anybody but the reporter. A bug without that is a draft, as is one that was closed unsolved. Who reported
and wrote is not read.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from ingest import json_stream, xml_stream
from ingest.document import Document, Failure, Limits, ReadOptions
from ingest.fields import moment
from ingest.letters import from_letter, without_addresses, without_quotations
from ingest.links import to_item
from ingest.parse import MAX_TITLE
from ingest.reading import file_text, head
from ingest.records import checked, one_line
from ingest.redaction.findings import Placeholders
from ingest.xml_stream import LOOK, child_text
from kb.errors import KBError, UnreadableSource, shown

_ROOT = re.compile(r"<bugzilla\b[^>]*>")
_BASE = re.compile(r"\burlbase=\"(https?://[^\"]+)\"")
_BUGS = re.compile(r'"bugs"\s*:\s*\[')
_COMMENTS = re.compile(r'"bugs"\s*:\s*\{\s*"\d+"\s*:\s*\{\s*"comments"')
_TOLD = ('"component"', '"product"', '"summary"')
_UNSOLVED = frozenset(
    "--- INVALID WONTFIX LATER REMIND DUPLICATE WORKSFORME INCOMPLETE MOVED NOTABUG NOTOURBUG CANTFIX DEFERRED EXPIRED "
    "INSUFFICIENT_DATA EOL NOTECLIPSE NOT_ECLIPSE INACTIVE".split()
)
_UNSAID = frozenset(["", "---", "unspecified", "all", "other", "unknown", "none"])
_NOTICE = re.compile(r"\*\*\* .* \*\*\*\s*")
"""What Bugzilla itself writes about duplicates."""
_NAMED = re.compile(r"(?<!\[)\b([Bb]ug #?(\d+))\b(?![^\[]*\]\()")
_GONE = "NotFound"


@dataclass(frozen=True, slots=True)
class _Comment:
    who: str
    text: str


@dataclass(slots=True)
class _Bug:
    """A bug as both forms tell it; people are known apart by what they are called, which goes no further."""

    number: str
    title: str
    product: str
    component: str
    version: str
    platform: str
    system: str
    keywords: tuple[str, ...]
    resolution: str
    reporter: str
    assignee: str
    restricted: bool
    changed: datetime | None
    links: tuple[tuple[str, str], ...]
    """How it is linked, and the number of the other bug."""
    comments: list[_Comment] = field(default_factory=list)


@dataclass(slots=True)
class _Known:
    numbers: set[str] = field(default_factory=set)
    comments: dict[str, list[_Comment]] = field(default_factory=dict)


class BugzillaSource:
    """Reads `.xml` and `.json` of bugs, and folders that hold nothing but bugs and their comments."""

    name = "bugzilla"

    def recognises(self, path: Path) -> bool:
        if path.is_dir():
            files = _files(path)
            return all(self.recognises(file) or _are_comments(file) for file in files) and bool(files)
        if _ROOT.search(head(path, ".xml", LOOK)):
            return True
        start = head(path, ".json", LOOK)
        return bool(_BUGS.search(start)) and all(name in start for name in _TOLD)

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield a document a bug, a failure for one that Bugzilla did not show to who exported it.

        Raises TooLarge or UnreadableSource for a file that is read by itself.
        """
        files = _files(path) if path.is_dir() else [path]
        beside = files if path.is_dir() else sorted(path.parent.glob("*comments*.json"))
        known, broken = _Known(), set()
        for file in files:
            try:
                known.numbers.update(bug.number for bug in _bugs(file, options.limits) if isinstance(bug, _Bug))
            except KBError as error:
                if file == path:
                    raise
                broken.add(file)
                yield Failure(options.place(file), error.message)
        for file in beside:
            if file not in broken and not file.is_symlink() and _are_comments(file):
                known.comments.update(_comments(file, options.limits))
        for file in files:
            for bug in _bugs(file, options.limits) if file not in broken else ():
                if isinstance(bug, Failure):
                    yield Failure(f"{options.place(file)}:{bug.path}", bug.reason)
                    continue
                try:
                    yield _case(bug, _base(file), known, options)
                except KBError as error:
                    yield Failure(f"{options.place(file)}:{bug.number}", error.message)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if not file.name.startswith("."))


def _are_comments(path: Path) -> bool:
    return bool(_COMMENTS.search(head(path, ".json", LOOK)))


def _base(path: Path) -> str:
    """Return the address of the Bugzilla that an XML file is from, or nothing."""
    root = _ROOT.search(head(path, ".xml", LOOK))
    found = _BASE.search(root[0]) if root else None
    return html.unescape(found[1]) if found else ""


def _bugs(path: Path, limits: Limits) -> Iterator[_Bug | Failure]:
    if path.suffix.lower() == ".xml":
        for element in xml_stream.elements(path, limits, frozenset(["bug"])):
            number, error = child_text(element, "bug_id").strip(), element.get("error")
            if error is None and number:
                yield _of_xml(number, element)
            elif error != _GONE:
                yield Failure(number or "?", f"Bugzilla did not show it ({error or 'no bug_id'}): export it signed in")
        return
    for name, at, value in json_stream.records(path, limits):
        if name != "bugs":
            continue
        if isinstance(value, dict) and isinstance(value.get("id"), int):
            yield _of_json(value)
        else:
            yield Failure(str(at), "it is no bug with an id: export it again")


def _of_xml(number: str, bug: Element) -> _Bug:
    def texts(name: str) -> list[str]:
        return [(child.text or "").strip() for child in bug if child.tag == name]

    comments = [
        _Comment(child_text(said, "who"), child_text(said, "thetext"))
        for said in bug
        if said.tag == "long_desc" and said.get("isprivate") != "1"
    ]
    first = next((said for said in bug if said.tag == "long_desc"), None)
    if first is not None and first.get("isprivate") == "1":
        comments.insert(0, _Comment("", ""))
    how = {"dependson": "Depends on", "blocked": "Blocks", "dup_id": "Duplicate of"}
    return _Bug(
        number=number,
        title=child_text(bug, "short_desc"),
        product=child_text(bug, "product"),
        component=child_text(bug, "component"),
        version=child_text(bug, "version"),
        platform=child_text(bug, "rep_platform"),
        system=child_text(bug, "op_sys"),
        keywords=tuple(word for text in texts("keywords") for word in re.split(r"[,\s]+", text)),
        resolution=child_text(bug, "resolution"),
        reporter=child_text(bug, "reporter"),
        assignee=child_text(bug, "assigned_to"),
        restricted=any(texts("group")),
        changed=moment(child_text(bug, "delta_ts")),
        links=tuple((said, other) for name, said in how.items() for other in texts(name) if other),
        comments=comments,
    )


def _of_json(bug: dict[str, Any]) -> _Bug:
    def text(name: str) -> str:
        return value if isinstance(value := bug.get(name), str) else ""

    def several(name: str) -> list[str]:
        value = bug.get(name)
        return [str(one) for one in (value if isinstance(value, list) else [value]) if isinstance(one, int | str)]

    how = {"depends_on": "Depends on", "blocks": "Blocks", "dupe_of": "Duplicate of"}
    return _Bug(
        number=str(bug["id"]),
        title=text("summary"),
        product=text("product"),
        component=" ".join(several("component")),
        version=" ".join(several("version")),
        platform=text("platform"),
        system=text("op_sys"),
        keywords=tuple(several("keywords")),
        resolution=text("resolution"),
        reporter=text("creator"),
        assignee=text("assigned_to"),
        restricted=bool(bug.get("groups")),
        changed=moment(bug.get("cf_last_resolved") or bug.get("last_change_time")),
        links=tuple((said, other) for name, said in how.items() for other in several(name)),
    )


def _comments(path: Path, limits: Limits) -> Iterator[tuple[str, list[_Comment]]]:
    text, _ = file_text(path, limits)
    try:
        bugs = json.loads(text)["bugs"].items()
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise UnreadableSource(f"{shown(path.name)} is not JSON of comments: {error}: export it again") from error
    for number, bug in bugs:
        said = bug.get("comments") if isinstance(bug, dict) else None
        found = [comment for comment in said or () if isinstance(comment, dict)]
        # A private first comment leaves the issue empty: the next one is an answer.
        yield (
            number,
            [
                _Comment("", "")
                if comment.get("is_private")
                else _Comment(str(comment.get("creator")), str(comment.get("text") or ""))
                for comment in found
            ],
        )


def _case(bug: _Bug, base: str, known: _Known, options: ReadOptions) -> Document:
    title = one_line(bug.title)
    if not title:
        raise UnreadableSource(f"the bug {bug.number} has no summary")
    comments = bug.comments or known.comments.get(bug.number, [])
    placeholders = Placeholders()

    def led(found: re.Match[str]) -> str:
        return f"[{found[1]}]({to_item(found[2])})" if found[2] in known.numbers - {bug.number} else found[1]

    def markdown(text: str) -> str:
        own = without_addresses(without_quotations(text.replace("\r\n", "\n")), placeholders)
        return from_letter(own, lambda text: _NAMED.sub(led, text))

    said = markdown(comments[0].text) if comments else ""
    solved = bug.resolution.strip() not in _UNSOLVED | {""}
    resolution = next(filter(None, map(markdown, _answers(bug, comments))), "") if solved else ""
    environment = [text.strip() for text in (bug.platform, bug.system) if text.strip().casefold() not in _UNSAID]
    return checked(
        Document(
            external_id=bug.number,
            title=title[:MAX_TITLE],
            issue=said or title,
            environment=", ".join(environment),
            resolution=resolution,
            body="\n".join(
                f"- {how} {f'[{other}]({to_item(other)})' if other in known.numbers else other}"
                for how, other in bug.links
            ),
            kind="case",
            state=None if resolution and not bug.restricted else "draft",
            # What was open at an earlier import and is no longer is closed to customers at once.
            audience="internal" if bug.restricted else None,
            url=f"{base}show_bug.cgi?id={bug.number}" if base else None,
            updated=bug.changed,
            products=_said(bug.product),
            versions=_said(bug.version),
            topics=tuple(dict.fromkeys((*_said(bug.component), *filter(None, map(one_line, bug.keywords))))),
        ),
        options,
    )


def _answers(bug: _Bug, comments: list[_Comment]) -> Iterable[str]:
    """Return the texts of comments that may have solved a bug, the likeliest first."""
    later = [comment for comment in reversed(comments[1:]) if not _NOTICE.fullmatch(comment.text)]
    yield from (comment.text for comment in later if comment.who == bug.assignee)
    yield from (comment.text for comment in later if comment.who not in (bug.assignee, bug.reporter))


def _said(word: str) -> tuple[str, ...]:
    return () if word.strip().casefold() in _UNSAID else (one_line(word),)
