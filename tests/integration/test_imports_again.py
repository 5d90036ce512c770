"""Real exports: counts are those of the source itself, and a second import changes nothing. Needs KB_SHARED_DATA."""

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path

import pytest
from sqlmodel import select

from ingest.document import Document
from ingest.pipeline import ingest
from ingest.sources import walk
from kb.access import SYSTEM
from kb.db import Database
from kb.models import Audience, Item
from tests.integration.test_real_data import SHARED
from tests.unit.test_source_wordpress import export
from tests.unit.test_source_wordpress import item as post


def _texts(element: ET.Element) -> dict[str, str]:
    return {child.tag.rpartition("}")[2]: child.text or "" for child in element}


def mediawiki(path: Path) -> int:
    """Pages of namespaces 0 and 12 that are no redirects."""
    pages = [_texts(element) for element in ET.parse(path).iter() if element.tag.endswith("}page")]
    return sum(page["ns"] in ("0", "12") and "redirect" not in page for page in pages)


def wordpress(path: Path) -> int:
    """Posts and pages, in whatever state."""
    (file,) = path.glob("*.xml")
    kinds = Counter(_texts(item)["post_type"] for item in ET.parse(file).iter("item"))
    return kinds["post"] + kinds["page"]


def confluence(path: Path) -> int:
    """Pages whose newest version is current."""
    newest: dict[str, tuple[int, str]] = {}
    for file in path.glob("*.json"):
        whole = json.loads(file.read_text(encoding="utf-8"))
        for page in whole.get("results", [whole]):
            if page["type"] == "page":
                version = page.get("version", {}).get("number", 0)
                newest[page["id"]] = max(newest.get(page["id"], (0, "")), (version, page.get("status", "")))
    return sum(status == "current" for _, status in newest.values())


def jira(path: Path) -> int:
    """Issues of all pages: what each page says is their total."""
    pages = [json.loads(file.read_text(encoding="utf-8")) for file in path.glob("jira_issues_page_[0-9].json")]
    totals = {page["total"] for page in pages}
    assert len(totals) == 1
    return int(totals.pop())


def bugzilla(path: Path) -> int:
    """Bugs of an XML file that were shown to who exported it, or of the REST API."""
    if path.suffix == ".json":
        return len(json.loads(path.read_text(encoding="utf-8"))["bugs"])
    return len(ET.parse(path).findall("bug"))


def mbox(path: Path) -> int:
    """Mails of different ids; in these archives none answers another."""
    mails = re.split(rb"^From .*\n", path.read_bytes(), flags=re.MULTILINE)[1:]
    return len({message_from_bytes(mail)["Message-ID"] or mail for mail in mails})


def pages(path: Path) -> int:
    """Files of Mallard or DITA."""
    return len([*path.glob("*.page"), *path.rglob("*.dita")])


SAMPLES: list[tuple[str, Callable[[Path], int]]] = [
    ("import/mediawiki/smallwiki-latest-pages-articles.xml", mediawiki),
    ("import/wxr", wordpress),
    ("import/perceval/confluence", confluence),
    ("import/perceval/jira", jira),
    ("import/perceval/bugzilla/bugzilla_bugs_details.xml", bugzilla),
    ("import/perceval/bugzilla/bugzilla_bugs_details_next.xml", bugzilla),
    ("import/perceval/bugzilla/bugzilla_rest_bugs.json", bugzilla),
    *(
        (f"import/perceval/mbox/mbox_{name}.mbox", mbox)
        for name in "complex iso8859_encoding multipart no_fields single unixfrom_encoding unknown_encoding".split()
    ),
    ("raw/gnome_mallard_en", pages),
    ("import/dita", pages),
]


def _here(place: str) -> Path:
    path = SHARED / place
    if not path.exists():
        pytest.skip(f"the real data is not here: {place} (KB_SHARED_DATA names its folder)")
    return path


@pytest.mark.parametrize(("place", "count"), SAMPLES, ids=[place for place, _ in SAMPLES])
def test_counts_are_those_of_the_source_and_a_second_run_changes_nothing(
    db: Database, place: str, count: Callable[[Path], int]
) -> None:
    path = _here(place)
    first = ingest(db, [path], actor=SYSTEM, prune=True)
    assert first.failed == []
    assert first.added == count(path)
    again = ingest(db, [path], actor=SYSTEM, prune=True)
    assert (again.added, again.updated, again.retired, again.unchanged) == (0, 0, 0, first.added)


def test_links_of_a_wiki_lead_to_its_items() -> None:
    path = _here("import/mediawiki/smallwiki-latest-pages-articles.xml")
    documents = [found for found in walk(path) if isinstance(found, Document)]
    known = {document.external_id for document in documents}
    links = [part.split(")")[0] for document in documents for part in document.body.split("](/")[1:]]
    assert len(links) > len(documents), "pages of a wiki link to one another"
    assert set(links) <= known


def test_issues_that_are_no_pull_requests_become_cases() -> None:
    """Files of the API without an ending are read by the source that is named."""
    for name in ("github_request", "github_issue_1", "github_issue_2"):
        path = _here(f"import/perceval/github/{name}")
        issues = [issue for issue in json.loads(path.read_text(encoding="utf-8")) if "pull_request" not in issue]
        documents = [found for found in walk(path, "github") if isinstance(found, Document)]
        assert len(documents) == len(issues), name
        assert {document.title for document in documents} == {issue["title"] for issue in issues}


def test_topics_of_a_forum_become_cases() -> None:
    for number in (1148, 1149, 1150):
        path = _here(f"import/perceval/discourse/discourse_topic_{number}.json")
        topic = json.loads(path.read_text(encoding="utf-8"))
        (case,) = walk(path)
        assert isinstance(case, Document)
        assert (case.external_id, case.title, case.state) == (str(topic["id"]), topic["title"], "draft")


def test_a_page_that_is_open_no_longer_is_closed_to_customers(db: Database, tmp_path: Path) -> None:
    for status, audience in (("publish", Audience.PUBLIC), ("private", Audience.INTERNAL)):
        (tmp_path / "export.xml").write_text(export(post(1, "Page", "Text", status=status)), encoding="utf-8")
        assert ingest(db, [tmp_path / "export.xml"], actor=SYSTEM).failed == []
        with db.read() as session:
            assert session.exec(select(Item.audience)).all() == [audience]


def test_only_posts_that_hold_nothing_come_in_without_text() -> None:
    path = _here("import/wxr")
    (file,) = path.glob("*.xml")
    posts = {
        item["post_id"] for item in map(_texts, ET.parse(file).iter("item")) if item["post_type"] in ("post", "page")
    }
    bare = {
        item.findtext("{https://wordpress.org/export/1.2/}post_id")
        for item in ET.parse(file).iter("item")
        if not (item.findtext("{http://purl.org/rss/1.0/modules/content/}encoded") or "").strip()
    }
    assert {d.external_id for d in walk(path) if isinstance(d, Document) and not d.body} == posts & bare
