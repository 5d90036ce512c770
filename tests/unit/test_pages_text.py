"""What the pages make of text: safe HTML, snippets with marks, addresses, and the words of both languages."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web import readable_name, rendering
from api.web.i18n import CATALOGUE
from retrieval.text import analyze

DANGEROUS = re.compile(r"<(?:script|img|iframe|svg|style|object)|\son\w+\s*=|javascript:", re.IGNORECASE)
_PIECES = [*"<>&\"'`[]()!:/#|*_\\ \n1a登", "<script>", "<img src=x onerror=y>", "javascript:", "](", "[1]"]
HOSTILE = st.lists(st.sampled_from(_PIECES), max_size=40).map("".join)


def article(text: str) -> str:
    return str(rendering.article(text, resolve=lambda href: "/a/KB-2" if href == "other.md" else None))


@given(text=HOSTILE)
def test_no_text_becomes_markup_of_its_own(text: str) -> None:
    shown = [article(text), str(rendering.answer(text, lambda n: f"/a/KB-{n}", resolve=lambda _: None))]
    for html in shown:
        tags = re.findall(r"<[^>]*>", html)
        assert not any(DANGEROUS.search(tag) for tag in tags), tags


@given(text=HOSTILE, question=HOSTILE)
def test_marks_are_the_only_markup_of_a_snippet(text: str, question: str) -> None:
    for html in (rendering.snippet(text, analyze(question)), rendering.marked(text, analyze(question))):
        assert re.sub(r"</?mark>", "", str(html)).count("<") == 0


def answered(text: str, *marked: str) -> str:
    marks = [(text.index(piece), text.index(piece) + len(piece)) for piece in marked]
    return str(rendering.answer(text, lambda n: f"/a/KB-{n}", resolve=lambda _: "/a/KB-2", marks=marks))


def test_what_answers_is_marked_through_its_markup() -> None:
    html = answered(
        "Wait. Hold **Reset** for 12 s, see [this](x.md). Then <b>go</b>. [1]",
        "Hold **Reset** for 12 s, see [this](x.md).",
    )
    assert "<p>Wait. <mark>Hold </mark><strong><mark>Reset</mark></strong><mark> for 12 s, see </mark><a" in html
    assert "<mark>this</mark></a><mark>.</mark> Then &lt;b&gt;go&lt;/b&gt;." in html


def test_of_a_marked_row_each_cell_is_marked() -> None:
    html = answered("| a | b |\n| - | - |\n| `x` (y) | **4** \\| 5 |\n| 6 | 7 |", "| `x` (y) | **4** \\| 5 |")
    assert html.count("<mark>") == 3
    assert "<td><code>x</code><mark> (y)</mark></td>" in html
    assert "<td><strong><mark>4</mark></strong><mark> | 5</mark></td>" in html
    assert "<td>6</td>" in html


def test_an_item_is_marked_and_stays_an_item() -> None:
    html = answered("1. **One**\n2. two\n   - **(x)** three", "**(x)** three")
    assert "<li><strong><mark>(x)</mark></strong><mark> three</mark></li>" in html


def test_signs_of_marks_in_a_text_are_text() -> None:
    html = answered("a \u2e28b\u2e29 c. d", "d")
    assert "<mark>" not in html
    assert "\u2e28b\u2e29" in html


@given(text=HOSTILE, places=st.tuples(st.integers(0, 40), st.integers(0, 40)))
def test_marks_add_nothing_but_marks(text: str, places: tuple[int, int]) -> None:
    start, end = sorted(min(place, len(text)) for place in places)
    html = str(rendering.answer(text, lambda n: f"/a/KB-{n}", resolve=lambda _: None, marks=[(start, end)]))
    assert not any(DANGEROUS.search(tag) for tag in re.findall(r"<[^>]*>", html))
    assert html.count("<mark>") == html.count("</mark>")


def test_links_lead_to_our_pages_or_nowhere() -> None:
    html = article("[a](other.md) [b](missing.md) [c](data:x) [d](https://vellamo.example/x)")
    assert '<a href="/a/KB-2"' in html
    assert "missing" not in html
    assert "data:" not in html.replace("[c](data:x)", "")
    assert 'href="https://vellamo.example/x"' in html
    assert "noopener" in html


def test_pictures_from_elsewhere_are_links_not_loads() -> None:
    html = article("![The lights](https://elsewhere.example/x.png)")
    assert "<img" not in html
    assert ">The lights</a>" in html


def test_citations_become_links_in_text_and_nowhere_else() -> None:
    def cited(n: int) -> str | None:
        return "/a/KB-1#p-1" if n == 1 else None

    html = str(
        rendering.answer("See [1] and [2], `[1]` and [x](https://e.example/[1]).", cited, resolve=lambda _: None)
    )
    assert html.count('class="cite"') == 1
    assert "[2]" in html
    assert "<code>[1]</code>" in html


def test_a_passage_is_where_its_anchor_is() -> None:
    text = "Intro.\n\n## One\n\nFirst part.\n\n## Two\n\n- second part\n- more"
    passages = [(11, "Intro."), (12, "## One\n\nFirst part."), (13, "- second part\n- more")]
    html = str(rendering.article(text, resolve=lambda _: None, passages=passages))
    assert '<p id="p-11">Intro.' in html
    assert '<p id="p-12">First part.' in html
    assert '<ul id="p-13">' in html


def test_snippets_show_where_the_words_are() -> None:
    text = "Nothing here. " * 60 + "Hold the **reset** button for twelve seconds. " + "Nothing there. " * 60
    html = str(rendering.snippet(text, analyze("reset button")))
    assert "<mark>reset</mark>" in html
    assert html.startswith("…")
    assert html.endswith("…")
    assert len(html) < 400


def test_a_snippet_says_what_the_passage_says_not_its_headings() -> None:
    assert (
        str(rendering.snippet("## Issue\n\nThe light is red.\n\n## Cause\n\nNo power.", []))
        == "The light is red. No power."
    )
    assert str(rendering.snippet("## Only a heading", [])) == "Only a heading"


def test_chinese_words_are_marked_as_one() -> None:
    assert "<mark>重置键</mark>" in str(rendering.snippet("请按住重置键十二秒。", analyze("重置键")))


@pytest.mark.parametrize(
    ("title", "made"),
    [
        ("The app returns, again!", "the-app-returns-again"),
        ("更新后 App 反复", "更新后-app-反复"),
        ("<b>", "b"),
        ("!!", ""),
    ],
)
def test_slugs(title: str, made: str) -> None:
    assert rendering.slug(title) == made


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("vellamo-tv", "Vellamo TV"),
        ("sms", "SMS"),
        ("mobile-data", "Mobile data"),
        ("FibreBox", "FibreBox"),
        ("路由器", "路由器"),
    ],
)
def test_labels_read_as_people_write_them(label: str, shown: str) -> None:
    assert readable_name(label) == shown


def test_both_languages_say_the_same_things() -> None:
    """Every key in both, with the same placeholders."""
    english, chinese = CATALOGUE["en"], CATALOGUE["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        names = [{name for _, name, _, _ in string.Formatter().parse(words) if name} for words in (text, chinese[key])]
        assert names[0] == names[1], key
        assert text.strip()
        assert chinese[key].strip()
