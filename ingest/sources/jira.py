"""Issues as Jira's REST API gives them (`/rest/api/2/search?fields=*all`, `/rest/api/2/issue/{key}`), each a case.

Comments are in the issues or in pages of `/rest/api/2/issue/{key}/comment` beside them; a folder of such files alone is
read as one, so that links go across its files. The resolution is the last comment that somebody else than the reporter
wrote before the issue was resolved, and the versions it was fixed in; an issue without them is a draft, as is one that
was closed unsolved. Who reported, wrote and is spoken to is not read.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingest import json_stream
from ingest.document import Document, Failure, Limits, ReadOptions
from ingest.fields import moment
from ingest.jira_markup import from_jira
from ingest.links import to_item
from ingest.parse import MAX_TITLE, image_warnings, tidy
from ingest.reading import file_text, head
from ingest.records import checked, one_line
from kb.errors import KBError, UnreadableSource, shown

_LOOK = 1 << 16
_API = re.compile(r"/rest/api/(?:\d|latest)/issue/")
_ISSUES = re.compile(r'"issues"\s*:\s*\[')
_COMMENTS = re.compile(r'"comments"\s*:\s*\[')
_ONE = re.compile(r'"fields"\s*:\s*\{')
_PAGED = re.compile(r'"(?:startAt|isLast)"\s*:')
_BROWSED = re.compile(r"https?://[^\s?#]+/browse/([A-Z][A-Z0-9_]+-\d+)/?(?:[?#]\S*)?")
_COMMENTED = re.compile(r"/rest/api/(?:\d|latest)/issue/([\w-]+)/comment/")
_UNSOLVED = re.compile(
    r"won'?t (?:fix|do)|wontfix|will not .*|duplicate.*|(?:can ?not|can'?t) reproduce|incomplete|invalid|declined"
    r"|rejected|cancell?ed|withdrawn|abandoned|not a (?:bug|problem)|later|unresolved"
    r"|不予.*|重复.*|无法(?:重现|复现)|不完整|无效|已?拒绝|已?取消",
    re.IGNORECASE,
)
"""Names that Jira gives to resolutions of what was not solved, in English and Chinese."""
_AT_ONCE = timedelta(minutes=1)
"""A comment that is written on resolving may get a moment just after it."""


@dataclass(slots=True)
class _Known:
    """What is told of all files before an issue is read."""

    keys: set[str] = field(default_factory=set)
    solved: dict[str, tuple[str, datetime, str]] = field(default_factory=dict)
    """Key of each solved issue, when it was resolved and who reported it, by its id and by its key."""
    answers: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    """The moment and text of the comment that resolved it, by key."""

    def look(self, issue: dict[str, Any]) -> None:
        key, fields = issue["key"], issue["fields"]
        self.keys.add(key)
        at = moment(fields.get("resolutiondate"))
        if at is not None and _is_solved(fields):
            # Who solved what he had reported himself answers in his own comments.
            reporter, assignee = _person(fields.get("reporter")), _person(fields.get("assignee"))
            self.solved[str(issue.get("id"))] = self.solved[key] = key, at, "" if reporter == assignee else reporter
        comments = fields.get("comment")
        for comment in (comments.get("comments") or ()) if isinstance(comments, dict) else ():
            self.answer(key, comment)

    def answer(self, issue: str, comment: Any) -> None:
        """Take a comment on an issue, named by its id or key, for the answer if it is a better one than is known."""
        if issue not in self.solved or not isinstance(comment, dict) or not _is_open(comment):
            return
        key, resolved, reporter = self.solved[issue]
        at, text = moment(comment.get("created")), comment.get("body")
        if at is None or at > resolved + _AT_ONCE or not isinstance(text, str) or not text.strip():
            return
        if (_person(comment.get("author")) != reporter or not reporter) and at >= self.answers.get(key, (at, ""))[0]:
            self.answers[key] = at, text


class JiraSource:
    """Reads `.json` of issues, and folders that hold nothing but issues and their comments."""

    name = "jira"

    def recognises(self, path: Path) -> bool:
        if path.is_dir():
            files = _files(path)
            return all(file.is_file() and _is_jira(file) for file in files) and any(map(self.recognises, files))
        start = head(path, ".json", _LOOK)
        return bool(_API.search(start) and (_ISSUES.search(start) or (_ONE.search(start) and '"key"' in start)))

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield a document an issue. Raises TooLarge or UnreadableSource for a file that is read by itself."""
        files = _files(path) if path.is_dir() else [path]
        known, broken = _Known(), set()
        for file in files:
            try:
                for issue in _issues(file, options.limits):
                    known.look(issue)
            except KBError as error:
                if file == path:
                    raise
                broken.add(file)
                yield Failure(options.place(file), error.message)
        readable = [file for file in files if file not in broken]
        beside = files if path.is_dir() else sorted(path.parent.glob("*comments*.json"))
        for file in beside:
            if file not in broken and not file.is_symlink():
                _comments(file, options.limits, known)
        for file in readable:
            for issue in _issues(file, options.limits):
                try:
                    yield _case(issue, known, options)
                except KBError as error:
                    yield Failure(f"{options.place(file)}:{issue['key']}", error.message)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if not file.name.startswith("."))


def _is_jira(path: Path) -> bool:
    start = head(path, ".json", _LOOK)
    return bool(_API.search(start) or (_PAGED.search(start) and (_ISSUES.search(start) or _COMMENTS.search(start))))


def _issues(path: Path, limits: Limits) -> Iterator[dict[str, Any]]:
    listed = False
    for name, number, value in json_stream.records(path, limits):
        if name in ("issues", "comments"):
            listed = True
        if name == "issues":
            if not _is_issue(value):
                raise UnreadableSource(f"issue {number} of {shown(path.name)} has no key or fields: export it again")
            yield value
    if listed:
        return
    text, _ = file_text(path, limits)
    try:
        issue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableSource(f"{shown(path.name)} is not JSON: {error}: export it again") from error
    if _is_issue(issue):
        yield issue


def _is_issue(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("key"), str) and isinstance(value.get("fields"), dict)


def _comments(path: Path, limits: Limits, known: _Known) -> None:
    for name, _, value in json_stream.records(path, limits):
        of = _COMMENTED.search(str(value.get("self"))) if name == "comments" and isinstance(value, dict) else None
        if of is not None:
            known.answer(of[1], value)


def _name(value: Any) -> str:
    found = value.get("name") if isinstance(value, dict) else value
    return one_line(found) if isinstance(found, str) else ""


def _names(values: Any) -> tuple[str, ...]:
    named = map(_name, values if isinstance(values, list) else ())
    return tuple(dict.fromkeys(name for name in named if name))


def _person(value: Any) -> str:
    """Return what tells one person from another, kept nowhere."""
    named = (value.get(name) for name in ("accountId", "key", "name")) if isinstance(value, dict) else ()
    return next((str(name) for name in named if name), "")


def _is_solved(fields: dict[str, Any]) -> bool:
    resolution = _name(fields.get("resolution"))
    return bool(resolution) and not _UNSOLVED.fullmatch(resolution)


def _is_open(comment: dict[str, Any]) -> bool:
    """Say whether a comment is a person's and shown to all who see the issue."""
    author = comment.get("author")
    by_program = isinstance(author, dict) and author.get("accountType") == "app"
    return not by_program and not comment.get("visibility") and comment.get("jsdPublic") is not False


def _case(issue: dict[str, Any], known: _Known, options: ReadOptions) -> Document:
    key, fields = issue["key"], issue["fields"]
    own = str(issue.get("self") or "")
    base = own[: found.start()] if (found := _API.search(own)) and own.startswith(("http://", "https://")) else ""
    images = 0

    def lead(target: str) -> str | None:
        browsed = _BROWSED.fullmatch(target)
        if browsed and not (base and target.startswith(f"{base}/browse/")):
            return None
        named = browsed[1] if browsed else target
        return to_item(named) if named in known.keys and named != key else None

    def markdown(text: Any, name: str) -> str:
        nonlocal images
        if isinstance(text, dict):
            raise UnreadableSource(f"the {name} of {key} is in the format of /rest/api/3: export it from /rest/api/2")
        converted = from_jira(text if isinstance(text, str) else "", lead)
        images += converted.images_dropped
        return tidy(converted.markdown)

    title = one_line(str(fields.get("summary") or ""))
    said = markdown(fields.get("description"), "description")
    environment = markdown(fields.get("environment"), "environment")
    answer = markdown(known.answers[key][1], "comment") if key in known.answers else ""
    fixed = ", ".join(_names(fields.get("fixVersions"))) if key in known.solved else ""
    resolution = "\n\n".join(
        part for part in (answer, f"{_name(fields.get('resolution'))}: {fixed}" if fixed else "") if part
    )
    restricted = fields.get("security") is not None
    return checked(
        Document(
            external_id=key,
            title=(title or key)[:MAX_TITLE],
            issue=said or title,
            environment=environment,
            resolution=resolution,
            body=_linked(fields, known.keys - {key}),
            kind="case",
            state=None if resolution and not restricted else "draft",
            # What was open at an earlier import and is no longer is closed to customers at once.
            audience="internal" if restricted else None,
            url=f"{base}/browse/{key}" if base else None,
            updated=moment(fields.get("resolutiondate") or fields.get("updated")),
            products=_names([fields.get("project")]),
            versions=_names(fields.get("versions")),
            topics=tuple(dict.fromkeys((*_names(fields.get("components")), *_names(fields.get("labels"))))),
            warnings=(
                *((f"{images} images that lie in Jira alone were left out",) if images else ()),
                *image_warnings(f"{said}\n{resolution}"),
            ),
        ),
        options,
    )


def _linked(fields: dict[str, Any], keys: set[str]) -> str:
    """Return the issues that this one is linked to as a list, those of the source led to their items.

    Titles are left out: the other issue may be restricted.
    """

    def line(how: str, other: Any) -> str:
        key = other.get("key") if isinstance(other, dict) else None
        if not isinstance(key, str):
            return ""
        return f"- {how} {f'[{key}]({to_item(key)})' if key in keys else key}".replace("  ", " ")

    lines = [line("", other) for other in (fields.get("parent"), *(fields.get("subtasks") or ()))]
    for link in fields.get("issuelinks") or ():
        if isinstance(link, dict) and isinstance(kind := link.get("type"), dict):
            lines += [
                line(one_line(str(kind.get(way) or "")), link.get(f"{way}Issue")) for way in ("inward", "outward")
            ]
    return "\n".join(dict.fromkeys(filter(None, lines)))
