"""Each format as its origin writes it: what is kept, what is refused and how it is said."""

import contextlib
import io
import json
import zipfile
from pathlib import Path

import docx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.document import Document, Failure, Gone, Limits, ReadOptions
from ingest.sources import SOURCES, Skipped, detect, walk
from kb.errors import InvalidInput, KBError, UnreadableSource
from tests.pdf_builder import PdfFile


def found(path: Path, source: str = "auto", **options: object) -> list[Document | Failure | Gone | Skipped]:
    return list(walk(path, source, ReadOptions(**options)))  # type: ignore[arg-type]


def one(path: Path, source: str = "auto", **options: object) -> Document:
    (document,) = found(path, source, **options)
    assert isinstance(document, Document), document
    return document


def reason(path: Path, source: str = "auto", **options: object) -> str:
    (failure,) = found(path, source, **options)
    assert isinstance(failure, Failure), failure
    return failure.reason


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


ARTICLE = """---
id: en-loop
title: The app loops
lang: en
audience: customer
products: [app]
versions: ["8.0"]
similar_questions:
  - cant log in
updated: 2026-10-08
---
## Issue

It asks to sign in again.

## Resolution

1. Clear the storage.
2. Sign in.

| Code | Meaning |
| --- | --- |
| APP-1103 | loop |

## Notes

More [about it](other.md).
"""


def test_markdown_with_front_matter_and_kcs_sections(tmp_path: Path) -> None:
    document = one(written(tmp_path, "a.md", ARTICLE))
    assert (document.external_id, document.title, document.lang) == ("en-loop", "The app loops", "en")
    assert (document.audience, document.products, document.versions) == ("customer", ("app",), ("8.0",))
    assert document.similar_questions == ("cant log in",)
    assert document.issue == "It asks to sign in again."
    assert document.resolution.startswith("1. Clear the storage.")
    assert "| APP-1103 | loop |" in document.resolution
    assert document.body == "## Notes\n\nMore [about it](other.md)."
    assert document.updated is not None
    assert document.updated.year == 2026


def test_markdown_without_front_matter_is_named_by_its_heading_and_place(tmp_path: Path) -> None:
    written(tmp_path, "deep/er/b.md", "# 重置路由器\n\n按住重置键。\n")
    document = one(tmp_path)
    assert (document.external_id, document.title, document.body) == ("deep/er/b.md", "重置路由器", "按住重置键。")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("---\ntitle: a: b\n---\nText", "quote values with a colon"),
        ("---\n" + "a: &x [1]\n" + "b: *x\n" + "---\nText", "alias"),
        ("---\ntitle: [" + "[" * 500 + "\n---\nText", "front matter"),
    ],
)
def test_bad_front_matter_is_named(tmp_path: Path, content: str, says: str) -> None:
    assert says in reason(written(tmp_path, "bad.md", content))


PAGE = """<!doctype html><html lang="en"><head><title>Reset | Help</title><script>alert(1)</script></head><body>
<nav><a href="/">Home</a> <a href="/all">All articles</a></nav>
<main><h1>Reset the router</h1><p>Hold <b>Reset</b> for 12&nbsp;seconds. See <a href="lights.html">the lights</a>.</p>
<h2>Lights</h2><table><tr><th>Light</th><th>Meaning</th></tr><tr><td>red</td><td>fault</td></tr></table>
<ol><li>First<ul><li>inner</li></ul></li><li>Second</li></ol><pre><code>ping 192.168.10.1
exit</code></pre><img src="box.png" alt="The back of the box"></main>
<footer>Imprint and cookies</footer></body></html>"""


def test_html_keeps_structure_and_leaves_the_page_around(tmp_path: Path) -> None:
    document = one(written(tmp_path, "reset.html", PAGE))
    assert document.title == "Reset the router"
    body = document.body
    for kept in (
        "## Lights",
        "| Light | Meaning |",
        "| red | fault |",
        "[the lights](lights.html)",
        "1. First",
        "inner",
        "2. Second",
        "```\nping 192.168.10.1\nexit\n```",
        "The back of the box",
    ):
        assert kept in body, kept
    for left in ("alert", "All articles", "Imprint"):
        assert left not in body, left


def test_csv_with_columns_mapped(tmp_path: Path) -> None:
    path = written(tmp_path, "faq.csv", "Nr;Frage;Antwort;Thema\n7;How to reset?;Hold it.;router\n8;;No title here.;\n")
    columns = {"external_id": "Nr", "question": "Frage", "answer": "Antwort", "topics": "Thema"}
    documents = [d for d in found(path, columns=columns) if isinstance(d, Document)]
    assert (documents[0].external_id, documents[0].title, documents[0].topics) == ("7", "How to reset?", ("router",))
    assert "Hold it." in documents[0].body + documents[0].resolution


def test_a_column_that_names_no_field_is_an_error_of_the_call(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="colour"):
        found(written(tmp_path, "faq.csv", "a,b\n1,2\n"), columns={"colour": "a"})


def test_jsonl_goes_on_after_a_bad_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "cases.jsonl",
        '{"id": 1, "title": "One", "issue": "It fails.", "resolution": "Restart it."}\n{"id": 2, "title": \n'
        + "[" * 5000
        + '\n{"id": "l", "title": "Learned", "recommendation": "Do it first.", "what_happened": "Late."}\n',
    )
    outcomes = found(path)
    assert [type(outcome) for outcome in outcomes] == [Document, Failure, Failure, Document]
    case, bad, deep, lesson = outcomes
    assert isinstance(case, Document)
    assert isinstance(lesson, Document)
    assert (case.kind, case.resolution, lesson.kind) == ("case", "Restart it.", "lesson")
    assert "Late." in lesson.body + lesson.issue
    assert isinstance(bad, Failure)
    assert isinstance(deep, Failure)
    assert bad.path == "cases.jsonl:2"
    assert deep.path == "cases.jsonl:3"


def test_zendesk_articles_with_their_sections(tmp_path: Path) -> None:
    export = {
        "articles": [
            {"id": 11, "title": "Reset", "body": "<p>Hold <em>it</em>.</p>", "locale": "en-us", "section_id": 5,
             "draft": False, "updated_at": "2026-08-12T18:18:01Z", "label_names": ["router"]},
            {"id": 12, "title": "草稿", "body": "<p>没写完</p>", "locale": "zh-cn", "section_id": 5, "draft": True},
            {"id": 13, "title": None, "body": None},
        ],
        "sections": [{"id": 5, "name": "Router", "category_id": 6}],
        "categories": [{"id": 6, "name": "Internet"}],
    }  # fmt: skip
    outcomes = found(written(tmp_path, "export.json", json.dumps(export)))
    first, second, *rest = outcomes
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.external_id, first.title, first.lang) == ("11-en-us", "Reset", "en"), "translations share a number"
    assert "Hold *it*." in first.body
    assert {"Internet", "Router"} <= set(first.topics)
    assert (second.lang, second.state) == ("zh", "draft")
    assert all(isinstance(outcome, Failure) for outcome in rest), "an article without a title is reported, not lost"
    assert len(rest) == 1


POSTS = """<?xml version="1.0" encoding="utf-8"?>
<posts>
  <row Id="1" PostTypeId="1" AcceptedAnswerId="3" Title="How to reset?"
       Body="&lt;p&gt;It hangs.&lt;/p&gt;" Tags="|router|wifi|"/>
  <row Id="2" PostTypeId="2" ParentId="1" Score="9" Body="&lt;p&gt;Wrong but loved.&lt;/p&gt;"/>
  <row Id="3" PostTypeId="2" ParentId="1" Score="1" Body="&lt;p&gt;Hold &lt;code&gt;Reset&lt;/code&gt;.&lt;/p&gt;"/>
  <row Id="4" PostTypeId="1" Title="Best one?" Body="&lt;p&gt;Which?&lt;/p&gt;" Tags="&lt;a&gt;"/>
  <row Id="5" PostTypeId="2" ParentId="4" Score="2" Body="&lt;p&gt;This.&lt;/p&gt;"/>
  <row Id="6" PostTypeId="1" Title="Unanswered" Body="&lt;p&gt;?&lt;/p&gt;"/>
</posts>"""


def test_a_dump_gives_questions_with_their_accepted_or_best_answer(tmp_path: Path) -> None:
    written(tmp_path, "dump/Posts.xml", POSTS)
    outcomes = found(tmp_path / "dump")
    documents = [outcome for outcome in outcomes if isinstance(outcome, Document)]
    assert [(d.external_id, d.resolution, d.topics) for d in documents] == [
        ("1", "Hold `Reset`.", ("router", "wifi")),
        ("4", "This.", ("a",)),
    ]
    assert {d.kind for d in documents} == {"answer"}
    assert one_case(tmp_path / "dump").kind == "case"


def one_case(path: Path) -> Document:
    document = found(path, kind="case")[0]
    assert isinstance(document, Document)
    return document


def test_entities_are_refused(tmp_path: Path) -> None:
    laughs = '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><posts><row Id="&b;"/></posts>'
    assert "XML" in reason(written(tmp_path, "Posts.xml", laughs))


def word(tmp_path: Path) -> Path:
    document = docx.Document()
    document.core_properties.title = "Reset the router"
    document.add_heading("Reset the router", 0)
    document.add_heading("Steps", 1)
    document.add_paragraph("Hold the button.", style="List Number")
    document.add_paragraph("Wait.", style="List Number")
    table = document.add_table(2, 2)
    for at, text in enumerate(("Light", "Meaning", "red", "fault")):
        table.cell(at // 2, at % 2).text = text
    path = tmp_path / "reset.docx"
    document.save(str(path))
    return path


def test_docx_keeps_headings_lists_and_tables(tmp_path: Path) -> None:
    document = one(word(tmp_path))
    assert document.title == "Reset the router"
    assert "# Steps" in document.body
    assert "1. Hold the button." in document.body
    assert "| red | fault |" in document.body


def test_zip_containers_are_checked_before_they_are_unpacked(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("word/document.xml", b"0" * 50_000_000)
    assert "zip bomb" in reason(written(tmp_path, "bomb.docx", bomb.getvalue()))
    entity = io.BytesIO()
    with zipfile.ZipFile(entity, "w") as container:
        container.writestr("word/document.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    assert "document type" in reason(written(tmp_path, "entity.docx", entity.getvalue()))
    assert "not a sound zip" in reason(written(tmp_path, "torn.docx", word(tmp_path).read_bytes()[:900]))
    assert "encrypted" in reason(written(tmp_path, "old.docx", bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 600))


def pdf(*, encrypted: bool = False, mapped: bool = True) -> PdfFile:
    file = PdfFile(title="Reset the router", encrypted=encrypted, mapped=mapped)
    page = file.page()
    page.text(72, 700, "Reset the router", 24, bold=True)
    page.text(72, 660, "Hold the button for twelve seconds, until the light goes")
    page.text(72, 645, "out and comes back.")
    page.text(72, 610, "Lights", 18, bold=True)
    page.text(72, 580, "Red is a fault. 红灯表示故障。")
    return file


def test_pdf_lines_become_paragraphs_and_headings(tmp_path: Path) -> None:
    document = one(written(tmp_path, "reset.pdf", pdf().data()))
    assert document.title == "Reset the router"
    assert "until the light goes out and comes back." in document.body
    assert "# Lights" in document.body
    assert "红灯表示故障。" in document.body


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (pdf(encrypted=True).data(), "password"),
        (b"%PDF-1.7\nnothing", "not a sound pdf"),
        (b"", "empty"),
        (pdf(mapped=False).data(), "font"),
    ],
    ids=["encrypted", "damaged", "empty", "unmapped"],
)
def test_a_pdf_that_cannot_be_read_says_why(tmp_path: Path, data: bytes, says: str) -> None:
    assert says in reason(written(tmp_path, "bad.pdf", data)).lower()


def test_a_beir_folder_is_one_source(tmp_path: Path) -> None:
    written(tmp_path, "set/corpus.jsonl", '{"_id": "d1", "title": "T", "text": "Body.", "lang": "en"}\n')
    written(tmp_path, "set/queries.jsonl", '{"_id": "q1", "text": "t"}\n')
    written(tmp_path, "set/qrels.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    document = one(tmp_path / "set")
    assert (document.external_id, document.title, document.body) == ("d1", "T", "Body.")


def test_a_walk_goes_on_and_says_what_it_left(tmp_path: Path) -> None:
    written(tmp_path, "a/one.md", "# One\n\nText.")
    written(tmp_path, "a/bad.pdf", b"%PDF-1.7")
    written(tmp_path, "b/two.html", "<h1>Two</h1><p>Text.</p>")
    written(tmp_path, "b/picture.png", b"\x89PNG")
    written(tmp_path, ".git/config.md", "# Hidden")
    outside = written(tmp_path.parent, f"{tmp_path.name}-outside.md", "# Outside\n\nSecret.")
    (tmp_path / "link.md").symlink_to(outside)
    outcomes = found(tmp_path)
    assert [d.external_id for d in outcomes if isinstance(d, Document)] == ["a/one.md", "b/two.html"]
    assert [f.path for f in outcomes if isinstance(f, Failure)] == ["a/bad.pdf"]
    assert {s.path for s in outcomes if isinstance(s, Skipped)} == {".git", "b/picture.png", "link.md"}


def test_limits_hold(tmp_path: Path) -> None:
    assert "bytes" in reason(written(tmp_path, "large.md", "# A\n\n" + "x" * 5000), limits=Limits(file_bytes=1000))
    long = written(tmp_path, "long.md", "# A\n\n" + "word " * 500)
    assert "characters" in reason(long, limits=Limits(document_characters=1000))
    deep = tmp_path / "deep" / "/".join(["d"] * 6)
    written(deep, "x.md", "# X\n\nText.")
    assert "deep" in reason(tmp_path / "deep", limits=Limits(folder_depth=3))
    nested = "<div>" * 3000 + "<p>Text.</p>" + "</div>" * 3000
    outcomes = found(written(tmp_path, "nested.html", nested))
    assert len(outcomes) == 1


def test_a_second_document_of_the_same_id_is_reported(tmp_path: Path) -> None:
    written(tmp_path, "a.md", "---\nid: same\n---\n# A\n\nText.")
    written(tmp_path, "b.md", "---\nid: same\n---\n# B\n\nText.")
    first, second = found(tmp_path)
    assert isinstance(first, Document)
    assert isinstance(second, Failure)
    assert "twice" in second.reason


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_text_in_another_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    text = "# 重置路由器\n\n" + "按住重置键十二秒，直到指示灯熄灭，然后等待五分钟。" * 20
    document = one(written(tmp_path, "zh.md", text.encode(encoding)))
    assert document.title == "重置路由器"
    assert "按住重置键十二秒" in document.body


def test_what_no_source_reads_is_named_with_the_choice(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match="markdown"):
        detect(written(tmp_path, "x.exe", b"MZ"))
    with pytest.raises(InvalidInput, match="no source"):
        found(tmp_path, "word")
    with pytest.raises(UnreadableSource, match="nothing at"):
        found(tmp_path / "missing")


@given(data=st.binary(max_size=400), name=st.sampled_from(sorted(SOURCES)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_no_bytes_make_a_source_fail_otherwise_than_it_promises(tmp_path: Path, data: bytes, name: str) -> None:
    ending = {"stackexchange": "Posts.xml", "beir": "corpus.jsonl", "zendesk": "x.json"}.get(
        name, f"x.{ {'markdown': 'md'}.get(name, name) }"
    )
    path = written(tmp_path, ending, data)
    with contextlib.suppress(KBError):  # what it promises to raise; anything else fails the test
        for outcome in walk(path, name):
            assert isinstance(outcome, Document | Failure | Skipped)
