"""DITA: topics, what maps say, what is reused from other files, and only from files of the source."""

from pathlib import Path

from ingest.document import Document
from tests.unit.test_sources import found, one, reason, written

HEAD = '<?xml version="1.0"?>\n<!DOCTYPE task PUBLIC "-//OASIS//DTD DITA Task//EN" "task.dtd">\n'
RESET = (
    HEAD
    + """<task id="reset" xml:lang="en-US"><title>Reset <keyword keyref="box"/></title>
<shortdesc>How it is done.</shortdesc>
<prolog><metadata><keywords><indexterm>hidden</indexterm></keywords></metadata></prolog>
<taskbody><context><p>See <xref href="lights.dita#lights"/>, <xref keyref="more">more</xref>,
<xref keyref="site"/>.</p></context>
<steps><step id="open"><cmd>Open <uicontrol>it</uicontrol></cmd></step>
<step conkeyref="shared/close"><cmd/></step><step><cmd>Go on from <xref href="#./open"/></cmd></step></steps>
<result><note type="warning">Hot.</note><codeblock outputclass="language-sh show-line-numbers">ping a
  exit</codeblock>
<table><tgroup cols="2"><colspec/><thead><row><entry>Light</entry><entry>Meaning</entry></row></thead>
<tbody><row><entry>red</entry><entry>fault</entry></row></tbody></tgroup></table></result>
<section><title>Later</title><p conref="lights.dita#lights/again"/><draft-comment>To do</draft-comment></section>
</taskbody></task>"""
)
LIGHTS = '<concept id="lights"><title>The lights</title><conbody><p id="again">Red again.</p></conbody></concept>'
SHARED = (
    '<task id="t"><title>Shared</title><taskbody><steps><step id="close"><cmd>Close it</cmd></step></steps></taskbody>'
    "</task>"
)
MAP = """<map><keydef keys="box"><topicmeta><keywords><keyword>the box</keyword></keywords></topicmeta></keydef>
<keydef keys="shared" href="shared.dita"/><topicref keys="more" href="lights.dita"/>
<keydef keys="site" href="https://example.org" scope="external">
<topicmeta><linktext>Our site</linktext></topicmeta></keydef>
</map>"""


def test_topics_with_their_map(tmp_path: Path) -> None:
    for name, text in (("reset.dita", RESET), ("lights.dita", LIGHTS), ("shared.dita", SHARED), ("all.ditamap", MAP)):
        written(tmp_path, name, text)
    documents = {document.external_id: document for document in found(tmp_path) if isinstance(document, Document)}
    assert set(documents) == {"reset.dita", "lights.dita", "shared.dita"}
    reset = documents["reset.dita"]
    assert (reset.title, reset.lang, reset.warnings) == ("Reset the box", "en", ())
    for kept in (
        "How it is done.",
        "See [The lights](lights.dita), [more](lights.dita), [Our site](https://example.org).",
        "1. Open **it**\n2. Close it\n3. Go on from 1",
        "> **Warning:** Hot.",
        "```sh\nping a\n  exit\n```",
        "| Light | Meaning |",
        "| red | fault |",
        "## Later",
        "Red again.",
    ):
        assert kept in reset.body, (kept, reset.body)
    for left in ("hidden", "To do"):
        assert left not in reset.body, left


def test_nothing_outside_of_the_source_is_read(tmp_path: Path) -> None:
    written(tmp_path, "secret.dita", LIGHTS.replace("Red again.", "Secret."))
    topic = HEAD + (
        '<topic id="a"><title>A</title><body><p conref="../secret.dita#lights/again"/>'
        '<p>See <xref href="../secret.dita"/>.</p></body></topic>'
    )
    document = one(written(tmp_path, "in/a.dita", topic).parent)
    assert "Secret" not in document.body + document.title
    assert "The lights" not in document.body
    assert "1 reused" in document.warnings[0]


def test_topics_that_reuse_themselves_end(tmp_path: Path) -> None:
    topic = '<topic id="a"><title>A</title><body><p id="x">Text <ph conref="a.dita#a/x"/></p></body></topic>'
    assert one(written(tmp_path, "a.dita", topic)).body.startswith("Text")


def test_topics_that_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot be read as XML" in reason(written(tmp_path, "torn.dita", RESET[:-8]))
    assert "no topic" in reason(written(tmp_path, "other.dita", "<html/>"))
    laughs = '<!DOCTYPE topic [<!ENTITY b "c">]><topic id="a"><title>&b;</title></topic>'
    assert "entities" in reason(written(tmp_path, "entity.dita", laughs))
