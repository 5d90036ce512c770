"""GitHub issues as its REST API gives them (`/repos/{owner}/{repo}/issues?state=all`), each a case.

Comments (`/repos/{owner}/{repo}/issues/comments`) lie in files beside it whose names begin with `comments`. GitHub has
no accepted answer: the resolution is the last comment that one of the project wrote before the issue was closed as
completed. An issue without that is a draft; pull requests are passed over. Who asked and answered is not read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest import json_stream
from ingest.document import Document, Failure, Limits, ReadOptions
from ingest.fields import moment
from ingest.links import to_item
from ingest.markdown_html import cleaned
from ingest.parse import MAX_TITLE, image_warnings, tidy
from ingest.reading import head
from ingest.records import checked, one_line
from kb.errors import KBError, UnreadableSource, shown

_LOOK = 1 << 16
_PROJECT = frozenset(["OWNER", "MEMBER", "COLLABORATOR"])
_UNSOLVED = frozenset(["not_planned", "duplicate"])
_ISSUE = re.compile(r"https://api\.github\.com/repos/([\w.-]+/[\w.-]+)/issues/(\d+)|https?://[^/]+/api/v3/repos/"
                    r"([\w.-]+/[\w.-]+)/issues/(\d+)")  # fmt: skip
_ADDRESS = re.compile(r"(\]\(|<)?https?://[\w.-]+/([\w.-]+/[\w.-]+/issues/\d+)(?:#[\w-]*)?(\)|>)?(?![\w/])")


@dataclass(slots=True)
class _Known:
    closed: dict[str, str] = field(default_factory=dict)
    """When each issue was closed (ISO 8601), empty if it is open, by external id."""
    answers: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The moment and text of the comment that closes it."""


class GitHubSource:
    """Reads `.json` that is an array of issues; read twice, so that links between issues are known."""

    name = "github"

    def recognises(self, path: Path) -> bool:
        start = head(path, ".json", _LOOK)
        if not start.lstrip("\ufeff \r\n\t").startswith("["):
            return False
        return '"repository_url"' in start and '"comments_url"' in start

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield a document an issue. Raises TooLarge or UnreadableSource for the file."""
        known = _Known()
        for issue, number in _issues(path, options.limits):
            known.closed[number] = str(issue.get("closed_at") or "") if issue.get("state") == "closed" else ""
        for file in sorted(path.parent.glob("comments*.json")):
            if not file.is_symlink():
                _answers(file, options.limits, known)
        for issue, number in _issues(path, options.limits):
            try:
                yield _case(issue, number, known, options)
            except KBError as error:
                yield Failure(f"{options.place(path)}:{number}", error.message)


def _issues(path: Path, limits: Limits) -> Iterator[tuple[dict[str, Any], str]]:
    for name, _, value in json_stream.records(path, limits):
        if name or not isinstance(value, dict) or "pull_request" in value:
            continue
        if number := _number(value.get("url")):
            yield value, number


def _number(address: Any) -> str:
    """Return `owner/repo/issues/12` of an issue's address in the API, or nothing."""
    found = _ISSUE.fullmatch(address) if isinstance(address, str) else None
    return f"{found[1] or found[3]}/issues/{found[2] or found[4]}" if found else ""


def _answers(path: Path, limits: Limits, known: _Known) -> None:
    for name, _, value in json_stream.records(path, limits):
        if name or not isinstance(value, dict) or value.get("author_association") not in _PROJECT:
            continue
        number, when, text = _number(value.get("issue_url")), str(value.get("created_at") or ""), value.get("body")
        closed = known.closed.get(number, "")
        if isinstance(text, str) and text.strip() and when and when <= closed:
            known.answers[number] = max(known.answers.get(number, ("", "")), (when, text))


def _case(issue: dict[str, Any], number: str, known: _Known, options: ReadOptions) -> Document:
    title, text = issue.get("title"), issue.get("body")
    if not isinstance(title, str) or not title.strip():
        raise UnreadableSource(f"the issue {shown(number)} has no title")
    solved = issue.get("state") == "closed" and issue.get("state_reason") not in _UNSOLVED
    answer = known.answers.get(number, ("", ""))[1] if solved else ""
    said, resolution = (_markdown(part, number, known) for part in (text if isinstance(text, str) else "", answer))
    labels = [label.get("name") if isinstance(label, dict) else label for label in issue.get("labels") or ()]
    address = issue.get("html_url")
    return checked(
        Document(
            external_id=number,
            title=one_line(title)[:MAX_TITLE],
            issue=said or one_line(title),
            resolution=resolution,
            kind="case",
            state=None if resolution else "draft",
            url=address if isinstance(address, str) and address.startswith("https://") else None,
            updated=moment(issue.get("closed_at") or issue.get("updated_at")),
            topics=tuple(dict.fromkeys(label for label in labels if isinstance(label, str))),
            warnings=image_warnings(f"{said}\n{resolution}"),
        ),
        options,
    )


def _markdown(text: str, number: str, known: _Known) -> str:
    """Return a text with its links to other issues of the file leading to their items."""

    def led(found: re.Match[str]) -> str:
        target = found[2]
        if target not in known.closed or target == number:
            return found[0]
        if found[1] == "](":
            return f"]({to_item(target)}{found[3] or ''}"
        return f"[{target.replace('/issues/', '#')}]({to_item(target)})"

    return _ADDRESS.sub(led, tidy(cleaned(text)))
