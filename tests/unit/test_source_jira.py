"""Jira issues: which become published cases, whose words are the resolution, what its markup says, where links lead."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.document import Document
from ingest.jira_markup import from_jira
from ingest.plain import plain
from tests.unit.test_sources import found, one, reason, written

API = "https://jira.example.org/rest/api/2/issue"
WEB = "https://jira.example.org/browse"


def person(name: str) -> dict[str, str]:
    return {"name": name, "displayName": f"The {name}"}


def comment(text: str, at: str = "2026-03-01T10:00:00.000+0000", who: str = "agent", **more: Any) -> dict[str, Any]:
    return {"self": f"{API}/1/comment/7", "author": person(who), "body": text, "created": at} | more


def issue(number: int, *comments: dict[str, Any], **fields: Any) -> dict[str, Any]:
    own = {
        "summary": f"It fails {number}", "description": "Nothing happens.", "reporter": person("asker"),
        "resolution": {"name": "Fixed"}, "resolutiondate": "2026-03-02T10:00:00.000+0000",
        "assignee": person("agent"), "comment": {"comments": list(comments)},
    } | fields  # fmt: skip
    return {"self": f"{API}/{number}", "id": str(number), "key": f"APP-{number}", "fields": own}


def page(*issues: dict[str, Any]) -> str:
    return json.dumps({"startAt": 0, "total": len(issues), "issues": list(issues)})


def test_an_issue_is_a_case(tmp_path: Path) -> None:
    solved = issue(
        1,
        comment("Have you tried?"),
        comment("Restart it, as in APP-2.", "2026-03-02T10:00:30.000+0000"),
        comment("Still fails", "2026-03-02T09:59:00.000+0000", "asker"),
        comment("Thanks all", "2026-03-03T10:00:00.000+0000"),
        description=f"Hello [~ana], see [that|{WEB}/APP-2], {WEB}/APP-9 and !shot.png!",
        environment="*Linux* 6.1", versions=[{"name": "2.0"}], fixVersions=[{"name": "2.1"}],
        components=[{"name": "router"}], labels=["vpn", "router"], project={"key": "APP", "name": "The app"},
        issuelinks=[{"type": {"outward": "blocks", "inward": "is blocked by"},
                     "inwardIssue": {"key": "APP-2", "fields": {"summary": "Hidden"}}}],
    )  # fmt: skip
    case, other = found(written(tmp_path, "issues.json", page(solved, issue(2))))
    assert isinstance(case, Document)
    assert (case.external_id, case.kind, case.state, case.title) == ("APP-1", "case", None, "It fails 1")
    assert case.resolution == "Restart it, as in [APP-2](/APP-2).\n\nFixed: 2.1"
    assert case.issue == f"Hello, see [that](/APP-2), <{WEB}/APP-9> and"
    assert (case.environment, case.body) == ("**Linux** 6.1", "- is blocked by [APP-2](/APP-2)")
    assert (case.products, case.versions, case.topics) == (("The app",), ("2.0",), ("router", "vpn"))
    assert case.url == f"{WEB}/APP-1"
    assert "1 images" in case.warnings[0]
    assert isinstance(other, Document)
    assert (other.state, other.resolution) == ("draft", ""), "no comment says what helped"
    assert not any(secret in repr(case) for secret in ("agent", "asker", "ana", "Hidden"))


@pytest.mark.parametrize(
    "fields",
    [
        {"resolution": None, "resolutiondate": None},
        {"resolution": {"name": "Won't Fix"}},
        {"resolution": {"name": "Duplicate"}},
        {"resolution": {"name": "无法重现"}},
    ],
)
def test_what_was_not_solved_is_a_draft(tmp_path: Path, fields: dict[str, Any]) -> None:
    told = one(written(tmp_path, "a.json", page(issue(1, comment("We look into it."), **fields))))
    assert (told.state, told.resolution) == ("draft", "")


def test_what_jira_shows_to_some_alone_is_not_shown_here(tmp_path: Path) -> None:
    closed = [
        comment("Secret", visibility={"type": "role", "value": "Developers"}),
        comment("Secret", jsdPublic=False),
        comment("Secret", author={"accountType": "app", "name": "bot"}),
    ]
    assert "Secret" not in repr(one(written(tmp_path, "a.json", page(issue(1, *closed)))))
    restricted = issue(1, comment("Restart it."), security={"name": "Internal"})
    told = one(written(tmp_path, "b.json", page(restricted)))
    assert (told.state, told.audience) == ("draft", "internal")


def test_a_folder_of_issues_and_comments_is_read_as_one(tmp_path: Path) -> None:
    written(tmp_path, "1.json", page(issue(1, description="As in APP-3")))
    written(tmp_path, "3.json", json.dumps(issue(3)))
    written(tmp_path, "comments.json", json.dumps({"startAt": 0, "comments": [comment("Restart it.")]}))
    written(tmp_path, "last.json", json.dumps({"startAt": 2, "issues": []}))
    first, third = found(tmp_path)
    assert isinstance(first, Document)
    assert isinstance(third, Document)
    assert (first.issue, first.resolution) == ("As in [APP-3](/APP-3)", "Restart it.")
    assert (third.external_id, third.resolution) == ("APP-3", "")


def test_a_broken_export_is_named(tmp_path: Path) -> None:
    assert "not JSON" in reason(written(tmp_path, "a.json", page(issue(1))[:-4]))
    nameless = page(issue(1), {"self": f"{API}/2"})
    assert "issue 2 of 'b.json' has no key" in reason(written(tmp_path, "b.json", nameless))
    newer = page(issue(1, description={"type": "doc", "content": []}))
    assert "export it from /rest/api/2" in reason(written(tmp_path, "c.json", newer))


@pytest.mark.parametrize(
    ("markup", "markdown"),
    [
        ("h2. Steps\nText", "## Steps\n\nText"),
        ("*bold* _em_ -gone- +new+ {{a_b}} {color:red}red{color}", "**bold** *em* ~~gone~~ new `a_b` red"),
        ("a_b_c 2*3*4 ls -l -a C:\\temp", "a_b_c 2*3*4 ls -l -a C:\\temp"),
        ("one\ntwo\n\nthree", "one  \ntwo\n\nthree"),
        ("# one\n# two\n{code:sh}\nls *\n{code}\n# three", "1. one\n2. two\n\n   ```sh\n   ls *\n   ```\n3. three"),
        ("* a\n** b\n*** c\n- d", "- a\n  - b\n    - c\n- d"),
        ("||A||B||\n|1|[t|http://x.org]|\nafter", "| A | B |\n| --- | --- |\n| 1 | [t](http://x.org) |\n\nafter"),
        ("{quote}said\n{quote}\nreply", "> said\n\nreply"),
        ("bq. said", "> said"),
        ("{noformat}```{noformat}", "````\n```\n````"),
        ("{panel:title=Note|x=y}in{panel}", "**Note**  \nin"),
        ("[a|https://x.org/b (c)]", "[a](https://x.org/b%20%28c%29)"),
        ("[mail|mailto:a@b.org] [^log.txt] [plain]", "mail log.txt [plain]"),
        ("<b>1. \\*no\\*", "\\<b>1. \\*no\\*"),
        ("1. one", "1\\. one"),
    ],
)
def test_markup_is_said_in_markdown(markup: str, markdown: str) -> None:
    assert from_jira(markup).markdown == markdown


def test_markup_keeps_every_word() -> None:
    text = "{quote}\nA {color}*B* {{C}} [D|http://x]\n# E\n||F|G|\n{code}H\nh1. I\nbq. J {quote}\n{panel}K"
    assert set("ABCDEFGHIJK") <= set(plain(from_jira(text).markdown))
