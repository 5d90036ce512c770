"""Real help centres and exports are read whole: every document counted, nothing failed. Needs KB_SHARED_DATA."""

import os
from collections import Counter
from pathlib import Path

import pytest

from ingest.document import Document, Failure
from ingest.sources import walk

SHARED = Path(os.environ.get("KB_SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


@pytest.mark.parametrize(
    ("place", "documents"),
    [
        ("raw/arduino_markdown_en", 414),
        ("raw/libreoffice_html_enzh", 892),
        ("raw/tidb_markdown_zh", 537),
        ("import/zendesk/reddit_articles_all.json", 83),
        ("import/stackexchange", 564),
        ("import/pdf", 6),
        ("import/docx", 1),
        ("import/mediawiki/smallwiki-latest-pages-articles.xml", 903),
    ],
)
def test_every_document_is_read(place: str, documents: int) -> None:
    path = SHARED / place
    if not path.exists():
        pytest.skip(f"the real data is not here: {place} (KB_SHARED_DATA names its folder)")
    outcomes = list(walk(path))
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    found = [outcome for outcome in outcomes if isinstance(outcome, Document)]
    assert failed == []
    assert len(found) == documents
    assert all(document.title.strip() for document in found)
    empty = [d.external_id for d in found if not (d.body + d.issue + d.resolution + d.environment + d.cause).strip()]
    assert len(empty) <= 0.01 * len(found), empty
    assert Counter(document.external_id for document in found).most_common(1)[0][1] == 1
