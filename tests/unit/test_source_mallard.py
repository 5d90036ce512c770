"""GNOME's Mallard: structure, links to pages beside, what is for editors alone."""

from pathlib import Path

from ingest.document import Document
from tests.unit.test_sources import found, one, reason, written

PAGE = """<page xmlns="http://projectmallard.org/1.0/" xmlns:if="http://projectmallard.org/if/1.0/"
 xmlns:uix="http://projectmallard.org/experimental/ui/" type="{kind}" id="{id}" xml:lang="en-GB">
<info><link type="guide" xref="index#top"/><revision date="2026-01-02" status="stub"/><revision date="2026-03-04"/>
<credit type="author"><name>Someone</name></credit><desc>How to <em>reset</em> it.</desc><uix:thumb src="a.svg"/></info>
<title>{title}</title>{text}</page>"""

TEXT = """<p>Press <gui>Reset</gui>, <keyseq><key>Ctrl</key><key>R</key></keyseq>, see <link xref="lights"/>,
<link xref="lights#red">red</link> or <link href="https://example.org">more</link>.</p>
<comment><p>To be rewritten.</p></comment>
<steps><title>How</title><item><p>Open</p></item><item><p>Close</p></item></steps>
<terms><item><title>Light</title><p>A lamp</p></item></terms>
<section id="s"><title>Later</title><note style="warning"><p>Hot.</p></note>
<screen>ping a
  exit</screen><if:choose><if:when test="x"><p>One way</p></if:when><if:else><p>Another</p></if:else></if:choose>
<media type="image" src="box.png">The box</media></section>"""


def page(name: str, title: str, text: str, kind: str = "topic") -> str:
    return PAGE.format(id=name, title=title, text=text, kind=kind)


def test_a_page_and_the_pages_beside_it(tmp_path: Path) -> None:
    written(tmp_path, "reset.page", page("reset", "Reset", TEXT))
    written(tmp_path, "lights.page", page("lights", "The lights", "<p>Red.</p>"))
    index = page("index", "Help", "<links/>", "guide").replace("<desc>How to <em>reset</em> it.</desc>", "")
    written(tmp_path, "index.page", index)
    documents = {document.external_id: document for document in found(tmp_path) if isinstance(document, Document)}
    reset = documents["reset.page"]
    assert (reset.title, reset.lang) == ("Reset", "en")
    assert reset.updated is not None
    assert reset.updated.date().isoformat() == "2026-03-04"
    for kept in (
        "How to *reset* it.",
        "Press **Reset**, **Ctrl+R**, see [The lights](lights.page), [red](lights.page) or [more](https://example.org).",
        "**How**\n\n1. Open\n2. Close",
        "- **Light**\n\n  A lamp",
        "## Later",
        "> **Warning:** Hot.",
        "```\nping a\n  exit\n```",
        "One way",
        "The box",
    ):
        assert kept in reset.body, (kept, reset.body)
    for left in ("Someone", "rewritten", "Another", "# Reset"):
        assert left not in reset.body, left
    assert "- [Reset](reset.page)" in documents["index.page"].body, "a guide lists the pages that name it"


def test_pages_that_cannot_be_read(tmp_path: Path) -> None:
    whole = page("a", "A", "<p>x</p>")
    assert "cannot be read as XML" in reason(written(tmp_path, "torn.page", whole[:-9]))
    laughs = '<!DOCTYPE page [<!ENTITY b "c">]>' + page("a", "A", "<p>&b;</p>")
    assert "entities" in reason(written(tmp_path, "entity.page", laughs))
    assert one(written(tmp_path, "fine.page", whole)).title == "A"
