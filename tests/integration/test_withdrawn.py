"""What a source no longer shows is not shown here, with the next import: turned into a draft, in the trash, hidden."""

import json
from pathlib import Path

import pytest
from sqlmodel import col, select

from ingest.pipeline import Report, ingest
from kb import editorial
from kb.access import SYSTEM
from kb.db import Database
from kb.models import Item, State

WORDPRESS = """<?xml version="1.0"?>
<rss xmlns:wp="http://wordpress.org/export/1.2/" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<wp:base_blog_url>https://blog.example</wp:base_blog_url>
<item><title>Reset</title><link>https://blog.example/reset</link><wp:post_id>7</wp:post_id>
<wp:post_type>post</wp:post_type><wp:status>{status}</wp:status>
<content:encoded><![CDATA[<p>Hold the button.</p>]]></content:encoded></item></channel></rss>
"""


def states(db: Database) -> dict[str, State]:
    with db.read() as session:
        return {item.external_id: item.state for item in session.exec(select(Item).order_by(col(Item.id)))}


def done(report: Report) -> tuple[int, int, int, int]:
    assert report.failed == []
    return report.added, report.updated, report.retired, report.unchanged


@pytest.mark.parametrize(("status", "counts"), [("draft", (0, 1, 1, 0)), ("trash", (0, 0, 1, 0))])
def test_wordpress(db: Database, tmp_path: Path, status: str, counts: tuple[int, int, int, int]) -> None:
    path = tmp_path / "blog.xml"
    path.write_text(WORDPRESS.format(status="publish"), encoding="utf-8")
    assert done(ingest(db, [path], actor=SYSTEM)) == (1, 0, 0, 0)
    assert states(db) == {"7": State.PUBLISHED}
    path.write_text(WORDPRESS.format(status=status), encoding="utf-8")
    assert done(ingest(db, [path], actor=SYSTEM)) == counts
    assert states(db) == {"7": State.RETIRED}
    again = ingest(db, [path], actor=SYSTEM)
    assert (again.added, again.updated, again.retired) == (0, 0, 0), "a second run changes nothing"
    path.write_text(WORDPRESS.format(status="publish"), encoding="utf-8")
    assert done(ingest(db, [path], actor=SYSTEM)) == (0, 1, 0, 0)
    assert states(db) == {"7": State.PUBLISHED}, "shown again there, shown again here"


def test_a_hidden_discourse_topic(sqlite: Database, tmp_path: Path) -> None:
    post = {"post_number": 1, "cooked": "<p>It fails.</p>", "username": "a"}
    answer = {"post_number": 2, "cooked": "<p>Restart it.</p>", "username": "b", "accepted_answer": True}
    topic = {
        "id": 12,
        "title": "It fails",
        "archetype": "regular",
        "posts_count": 2,
        "details": {},
        "visible": True,
        "post_stream": {"posts": [post, answer]},
    }
    path = tmp_path / "12.json"
    path.write_text(json.dumps(topic), encoding="utf-8")
    ingest(sqlite, [path], actor=SYSTEM, name="forum")
    assert states(sqlite) == {"12": State.PUBLISHED}
    path.write_text(json.dumps(topic | {"visible": False}), encoding="utf-8")
    assert done(ingest(sqlite, [path], actor=SYSTEM, name="forum")) == (0, 0, 1, 0)
    assert states(sqlite) == {"12": State.RETIRED}


def test_a_confluence_page_in_the_trash(sqlite: Database, tmp_path: Path) -> None:
    page = {
        "id": "55",
        "type": "page",
        "status": "current",
        "title": "Reset",
        "version": {"number": 1},
        "body": {"storage": {"value": "<p>Hold the button.</p>"}},
        "_links": {"self": "https://wiki.example/rest/api/content/55"},
    }
    path = tmp_path / "pages.json"
    path.write_text(json.dumps({"results": [page]}), encoding="utf-8")
    ingest(sqlite, [path], actor=SYSTEM, format="confluence")
    assert states(sqlite) == {"55": State.PUBLISHED}
    path.write_text(json.dumps({"results": [page | {"status": "trashed"}]}), encoding="utf-8")
    assert done(ingest(sqlite, [path], actor=SYSTEM, format="confluence")) == (0, 0, 1, 0)
    assert states(sqlite) == {"55": State.RETIRED}


def test_what_an_editor_published_of_a_draft_stays(sqlite: Database, tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text("---\nstate: draft\n---\n# Note\n\nOne.\n", encoding="utf-8")
    ingest(sqlite, [path], actor=SYSTEM)
    with sqlite.write() as session:
        item = session.exec(select(Item)).one()
        editorial.publish(session, item, editorial.newest_revision(session, item), actor=SYSTEM)
    path.write_text("---\nstate: draft\n---\n# Note\n\nTwo.\n", encoding="utf-8")
    assert done(ingest(sqlite, [path], actor=SYSTEM)) == (0, 1, 0, 0)
    assert states(sqlite) == {"note.md": State.PUBLISHED}
