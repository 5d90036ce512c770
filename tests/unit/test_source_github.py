"""GitHub issues: which become published cases, whose words are the resolution, where links lead."""

import json
from pathlib import Path
from typing import Any

from ingest.document import Document
from tests.unit.test_sources import found, reason, written

API = "https://api.github.com/repos/example/app"
WEB = "https://github.com/example/app/issues"


def issue(number: int, **more: Any) -> dict[str, Any]:
    return {
        "url": f"{API}/issues/{number}", "repository_url": API, "comments_url": f"{API}/issues/{number}/comments",
        "html_url": f"{WEB}/{number}", "number": number, "title": f"Issue {number}", "body": "It fails.",
        "state": "closed", "state_reason": "completed", "closed_at": "2026-03-02T10:00:00Z",
        "user": {"login": "someone"}, "labels": [{"name": "router"}],
    } | more  # fmt: skip


def comment(number: int, text: str, when: str, who: str = "MEMBER") -> dict[str, Any]:
    return {"issue_url": f"{API}/issues/{number}", "body": text, "created_at": when, "author_association": who}


def test_issues_become_cases(tmp_path: Path) -> None:
    body = f"<!-- Fill this in -->\nAs in [that]({WEB}/2#issuecomment-1) and {WEB}/3, not {WEB}/99."
    issues = [
        issue(1, body=body),
        issue(2, state="open", state_reason=None, closed_at=None),
        issue(3, state_reason="not_planned"),
        issue(4, pull_request={"url": "x"}),
        issue(5, body=None),
    ]
    comments = [
        comment(1, "Have you tried?", "2026-03-01T10:00:00Z"),
        comment(1, "Restart it.", "2026-03-02T10:00:00Z"),
        comment(1, "Me too, I think.", "2026-03-02T09:59:59Z", "NONE"),
        comment(1, "Thanks all.", "2026-03-05T10:00:00Z"),
        comment(2, "We look into it.", "2026-03-01T10:00:00Z"),
        comment(3, "We will not.", "2026-03-01T10:00:00Z"),
    ]
    written(tmp_path, "issues.json", json.dumps(issues))
    written(tmp_path, "comments.json", json.dumps(comments))
    documents = {outcome.external_id: outcome for outcome in found(tmp_path) if isinstance(outcome, Document)}
    assert {number.rpartition("/")[2]: (d.state, d.resolution) for number, d in documents.items()} == {
        "1": (None, "Restart it."), "2": ("draft", ""), "3": ("draft", ""), "5": ("draft", ""),
    }  # fmt: skip
    case = documents["example/app/issues/1"]
    assert (case.kind, case.title, case.topics, case.url) == ("case", "Issue 1", ("router",), f"{WEB}/1")
    assert case.issue == (
        "As in [that](/example/app/issues/2) and [example/app#3](/example/app/issues/3), "
        "not https://github.com/example/app/issues/99."
    )
    assert "someone" not in repr(documents)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    assert "not JSON" in reason(written(tmp_path, "issues.json", json.dumps([issue(1)])[:-4]))
