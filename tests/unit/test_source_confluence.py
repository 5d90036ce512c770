"""Confluence's pages: versions, links by title and by address, its own elements, what is not open."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.confluence_storage import html_of
from ingest.document import Document, Failure
from ingest.html import from_html
from tests.unit.test_sources import found, reason, written

BASE = "https://example.org/wiki"


def page(number: int, title: str, text: str | None, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number), "type": "page", "status": "current", "title": title, "space": {"key": "HELP"},
        "version": {"number": 1, "when": "2026-06-10T20:05:21.000Z", "by": {"displayName": "Someone"}},
        "metadata": {"labels": {"results": [{"name": "router"}]}},
        "body": {"storage": {"value": text}} if text is not None else {},
        "_links": {"self": f"{BASE}/rest/api/content/{number}", "webui": f"/display/HELP/{title}"},
    } | more  # fmt: skip


def test_a_folder_of_pages_is_one_space(tmp_path: Path) -> None:
    text = (
        '<p>See <ac:link><ri:page ri:content-title="Reset" /></ac:link>, <a href="/wiki/display/HELP/Reset">again</a>, '
        '<a href="/wiki/pages/viewpage.action?pageId=2">by number</a>, <a href="/wiki/display/X/Other">other</a>.</p>'
    )
    written(tmp_path, "a.json", json.dumps({"results": [page(1, "Router", text), {"id": "a1", "type": "attachment",
            "_links": {"self": f"{BASE}/rest/api/content/a1"}}], "_links": {}}))  # fmt: skip
    written(tmp_path, "b.json", json.dumps(page(2, "Reset", "<p>Old</p>", status="historical")))
    written(tmp_path, "c.json", json.dumps(page(2, "Reset", "<p>New</p>", version={"number": 2})))
    written(tmp_path, "d.json", json.dumps(page(3, "Plan", "<p>x</p>", status="draft")))
    written(tmp_path, "e.json", json.dumps(page(4, "Bin", "<p>x</p>", status="trashed")))
    closed = {"read": {"restrictions": {"user": {"results": []}, "group": {"results": [{"name": "board"}]}}}}
    written(tmp_path, "f.json", json.dumps(page(5, "Closed", "<p>x</p>", restrictions=closed)))
    outcomes = found(tmp_path)
    documents = {outcome.external_id: outcome for outcome in outcomes if isinstance(outcome, Document)}
    assert not [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert {number: document.state for number, document in documents.items()} == {
        "1": None, "2": None, "3": "draft", "5": "draft",
    }  # fmt: skip
    assert {document.audience for document in documents.values() if document.state == "draft"} == {"internal"}
    router = documents["1"]
    assert (router.title, router.topics, router.url) == ("Router", ("router",), f"{BASE}/display/HELP/Router")
    assert router.body == (
        "See [Reset](/2), [again](/2), [by number](/2), [other](https://example.org/wiki/display/X/Other)."
    )
    assert documents["2"].body == "New"


@pytest.mark.parametrize(
    ("storage", "markdown"),
    [
        (
            '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">sh</ac:parameter>'
            "<ac:plain-text-body><![CDATA[a <b>\n  c]]></ac:plain-text-body></ac:structured-macro>",
            "```sh\na <b>\n  c\n```",
        ),
        (
            '<ac:structured-macro ac:name="warning"><ac:rich-text-body><p>Hot.</p></ac:rich-text-body>'
            "</ac:structured-macro>",
            "> **Warning:** Hot.",
        ),
        (
            '<ac:structured-macro ac:name="expand"><ac:parameter ac:name="title">More</ac:parameter>'
            "<ac:rich-text-body><p>Inside.</p></ac:rich-text-body></ac:structured-macro>",
            "**More**\n\nInside.",
        ),
        (
            "<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>complete</ac:task-status>"
            "<ac:task-body>Open it</ac:task-body></ac:task></ac:task-list>",
            "- [x] Open it",
        ),
        ('<p>By <ac:link><ri:user ri:userkey="k" /></ac:link>, done</p>', "By , done"),
        ('<p><ac:image ac:alt="The back"><ri:attachment ri:filename="b.png" /></ac:image></p>', "The back"),
        ('<ac:structured-macro ac:name="toc" /><p>Text</p>', "Text"),
    ],
)
def test_storage_format(storage: str, markdown: str) -> None:
    assert from_html(html_of(storage, lambda title, space: None)).markdown == markdown


def test_a_page_without_text_says_how_to_export_it(tmp_path: Path) -> None:
    assert "expand=body.storage" in reason(written(tmp_path, "a.json", json.dumps(page(1, "A", None))))
    broken = json.dumps(page(1, "A", "<p>x</p>"))[:-5]
    assert "not JSON" in reason(written(tmp_path, "b.json", broken))
