"""Passages: golden files, and what holds for any text.

`WRITE_GOLDEN=1 pytest tests/unit/test_chunk.py` writes them anew: read the difference before you commit it, and give
CHUNKER_VERSION a new value.
"""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunk import CHUNKER_VERSION, chunk
from ingest.plain import plain
from tests.fakes import FakeEmbedder

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "chunks"
EMBEDDER = FakeEmbedder(max_tokens=512)


@pytest.mark.parametrize("name", ["kcs", "long", "chinese"])
@pytest.mark.parametrize("most", [60, 400])
def test_golden_passages(name: str, most: int) -> None:
    markdown = (GOLDEN / f"{name}.md").read_text(encoding="utf-8")
    lang = "zh" if name == "chinese" else "en"
    chunks = chunk("Open the router's page", markdown, lang=lang, embedder=EMBEDDER, max_tokens=most)
    found = [{"path": list(c.path), "text": c.text, "search_text": c.search_text} for c in chunks]
    golden = GOLDEN / f"{name}-{most}.json"
    if os.environ.get("WRITE_GOLDEN"):
        golden.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(golden.read_text(encoding="utf-8"))


def test_other_passages_need_another_version() -> None:
    assert CHUNKER_VERSION == "2"


WORDS = "router reset 重置。 登录 Then. FB-E21 6.1.2 (see) **bold** `code` [link](a.md) 指示灯，".split()
LINE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=25).map(" ".join)
BLOCK = st.one_of(
    LINE,
    LINE.map(lambda line: f"## {line[:40]}"),
    LINE.map(lambda line: f"### {line[:40]}"),
    st.lists(LINE, min_size=1, max_size=5).map(lambda lines: "\n".join(f"- {line}" for line in lines)),
    st.lists(LINE, min_size=1, max_size=5).map(
        lambda lines: "\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1))
    ),
    st.lists(LINE, min_size=1, max_size=5).map(
        lambda lines: "| a | b |\n| - | - |\n" + "\n".join(f"| {line} | x |" for line in lines)
    ),
    st.lists(LINE, min_size=1, max_size=5).map(lambda lines: "```\n" + "\n".join(lines) + "\n```"),
    LINE.map(lambda line: f"> {line}"),
)
MARKDOWN = st.lists(BLOCK, max_size=12).map("\n\n".join)


def words(text: str) -> list[str]:
    return re.findall(r"\w", text)


@given(markdown=MARKDOWN, most=st.sampled_from([24, 60, 200]))
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_and_nothing_is_too_long(markdown: str, most: int) -> None:
    chunks = chunk("Title", markdown, lang="en", embedder=EMBEDDER, max_tokens=most)
    counts = EMBEDDER.count_tokens([c.search_text for c in chunks])
    assert all(count <= most for count in counts), list(zip(counts, chunks, strict=True))
    assert [c.ordinal for c in chunks] == list(range(len(chunks)))
    assert all(c.search_text.startswith("Title") for c in chunks)
    said = "".join(c.text + " ".join(c.path) for c in chunks)
    for word in {"router", "重", "登", "E21"} & set(re.findall(r"router|重|登|E21", plain(markdown))):
        assert word in said


@given(lines=st.lists(st.sampled_from(["One.", "Two is here.", "三句话。", "Four 4.5 five."]), min_size=1, max_size=40))
@settings(deadline=None)
def test_plain_paragraphs_are_cut_without_overlap(lines: list[str]) -> None:
    text = " ".join(f"{line[:-1]} {n}{line[-1]}" for n, line in enumerate(lines))
    chunks = chunk("T", text, lang="en", embedder=EMBEDDER, max_tokens=30)
    assert words("".join(c.text for c in chunks)) == words(text)


def test_a_text_without_content_gives_one_passage_of_its_title() -> None:
    (only,) = chunk("Only a title", "", lang="en", embedder=EMBEDDER)
    assert (only.text, only.search_text) == ("Only a title", "Only a title")
    assert chunk("", "", lang="en", embedder=EMBEDDER) == []
