"""A MediaWiki dump: which pages become articles, what becomes of wikitext, where links lead."""

from pathlib import Path

import pytest

from ingest.document import Document, Failure, Limits
from ingest.html import from_html
from ingest.wikitext import Wikitext
from tests.unit.test_sources import found, reason, written


def page(number: int, title: str, text: str, *, ns: int = 0, redirect: str = "", older: str = "") -> str:
    old = f"<revision><id>1</id><text>{older}</text></revision>" if older else ""
    to = f'<redirect title="{redirect}" />' if redirect else ""
    return (
        f"<page><title>{title}</title><ns>{ns}</ns><id>{number}</id>{to}{old}<revision><id>2</id>"
        f"<timestamp>2026-03-22T09:37:03Z</timestamp><contributor><username>Someone</username></contributor>"
        f"<model>wikitext</model><text>{text}</text></revision></page>"
    )


def dump(*pages: str) -> str:
    return (
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="en"><siteinfo><dbname>help</dbname>'
        "<base>https://wiki.example.org/wiki/Main_Page</base><namespaces>"
        '<namespace key="0" /><namespace key="6">Datei</namespace><namespace key="14">Kategorie</namespace>'
        "</namespaces></siteinfo>" + "".join(pages) + "</mediawiki>"
    )


ROUTER = """Hold '''Reset''' for [[Lights#Red|twelve]] seconds; see [[resetting]],
[[Nowhere]] and [[Datei:Box.png|thumb|The back]].
{{Infobox router|ports = 4|colour = black}}
{{Unknown}}
== Steps ==
# Open it
#* gently
# Close it
&lt;ref&gt;A book&lt;/ref&gt;
{| class="wikitable"
! Light !! Meaning
|-
| red || fault
|}
&lt;syntaxhighlight lang="sh"&gt;
ping a
  exit
&lt;/syntaxhighlight&gt;
[[Kategorie:Devices]] [[de:Router]] [https://example.org more]"""


def test_pages_become_articles_and_links_lead_to_items(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "dump.xml",
        dump(
            page(1, "Router", ROUTER, older="It was otherwise."),
            page(2, "Lights", "See [[router]]."),
            page(3, "Resetting", "#REDIRECT [[Reset]]", redirect="Reset"),
            page(4, "Reset", "#REDIRECT [[Lights]]", redirect="Lights"),
            page(5, "Talk:Router", "It is slow.", ns=1),
            page(6, "User:Someone", "About me.", ns=2),
        ),
    )
    router, lights = found(path)
    assert isinstance(router, Document)
    assert isinstance(lights, Document)
    assert (router.external_id, router.title, router.lang, router.topics) == ("help-1", "Router", "en", ("Devices",))
    assert router.url == "https://wiki.example.org/wiki/Router"
    for kept in (
        "Hold **Reset** for [twelve](/help-2) seconds",
        "[resetting](/help-2)",
        "[Nowhere](https://wiki.example.org/wiki/Nowhere)",
        "The back",
        "| ports | 4 |",
        "## Steps",
        "1. Open it\n   - gently\n2. Close it",
        "| red | fault |",
        "```sh\nping a\n  exit\n```",
        "[more](https://example.org)",
    ):
        assert kept in router.body, (kept, router.body)
    for left in ("A book", "Kategorie", "de:Router", "otherwise", "Someone"):
        assert left not in router.body, left
    assert any("1 templates" in warning for warning in router.warnings)
    assert "[router](/help-1)" in lights.body
    assert set(lights.similar_questions) == {"Resetting", "Reset"}


def test_redirects_that_run_in_circles_lead_to_the_wiki(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "dump.xml",
        dump(page(1, "A", "[[B]]"), page(2, "B", "", redirect="C"), page(3, "C", "", redirect="B")),
    )
    (document,) = found(path)
    assert isinstance(document, Document)
    assert document.body == "[B](https://wiki.example.org/wiki/B)"


@pytest.mark.parametrize(
    ("wikitext", "markdown"),
    [
        ("* a\n** b\n* c\n\ntext", "- a\n  - b\n- c\n\ntext"),
        ("; term : what\n: it is", "- **term : what**\n\n  it is"),
        (" code line\n  more", "```\ncode line\n more\n```"),
        ("{{Note|Take ''care''.}}", "> **Note:** Take *care*."),
        ("<nowiki>[[no]]</nowiki> <!-- hidden -->x", "[[no]] x"),
        ("{{a|{{b|{{c}}}}}}", ""),
    ],
)
def test_wikitext(wikitext: str, markdown: str) -> None:
    converter = Wikitext(lambda target: target, lambda target: False)
    assert from_html(converter.html(wikitext)).markdown == markdown


def test_a_broken_dump_gives_what_came_before_it_broke(tmp_path: Path) -> None:
    assert "cannot be read as XML" in reason(written(tmp_path, "torn.xml", dump(page(1, "A", "text"))[:-30]))
    laughs = '<!DOCTYPE a [<!ENTITY b "c">]>' + dump(page(1, "A", "&b;"))
    assert "cannot be read as XML" in reason(written(tmp_path, "entity.xml", laughs))
    large = written(tmp_path, "large.xml", dump(page(1, "A", "word " * 50), page(2, "B", "fine")))
    outcomes = found(large, limits=Limits(document_characters=100))
    assert [type(outcome) for outcome in outcomes] == [Failure, Document]
