"""Sections for some products, versions or platforms: written, refused, cut into passages of their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.chunk import chunk
from ingest.parse import decompose
from kb.applies import ALL, Applies, agree, occurring, parts, sections, unmarked
from kb.compose import compose, headings
from kb.content import Content, checked_content
from kb.errors import InvalidInput
from tests.fakes import FakeEmbedder

TEXT = """Before all else, save your work.

## Install

::: for platform=Windows version=8.0,8.1
Run **setup.exe**.

### If it hangs

Start it as administrator.
:::

::: 适用 平台＝macOS、Linux
Open the package.
:::

Restart the device.

## Use

Press start."""


@pytest.mark.parametrize(
    ("line", "applies"),
    [
        ("::: for platform=Windows", Applies(platform=("Windows",))),
        (
            ":::for  Platform = windows , macOS version=8.0,8.1",
            Applies(version=("8.0", "8.1"), platform=("windows", "macOS")),
        ),
        (
            '::: FOR platform="Windows 11" product=vellamo-tv',
            Applies(product=("vellamo-tv",), platform=("Windows 11",)),
        ),
        ("：：：适用　产品＝路由器　版本＝2.0，2.1、3.0", Applies(product=("路由器",), version=("2.0", "2.1", "3.0"))),
        ("::: 适用于 平台=“鸿蒙 4” 版本=1", Applies(version=("1",), platform=("鸿蒙 4",))),
        (":::: for version=1 version=1,2", Applies(version=("1", "2"))),
    ],
)
def test_what_a_section_says(line: str, applies: Applies) -> None:
    found = sections(f"a\n{line}\nb\n:::\nc")
    assert [(one.applies, one.start, one.end) for one in found] == [(applies, 1, 3)]
    assert Applies.read(applies.stored) == applies


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n::: for platform=x\nb", "the section of line 2 is not closed"),
        ("::: for platform=x\n:::\n\n:::", "line 4 closes a section, and none is open"),
        ("::: for platform=x\n::: for version=1\n:::\n:::", "line 2 begins a section inside that of line 1"),
        ("::: for", "line 1: '::: for' cannot be read"),
        ("::: for Windows\n:::", "line 1: .*cannot be read"),
        ("x\n::: for platform=\n:::", "line 2: .*cannot be read"),
        ("::: for colour=red\n:::", "line 1: a section is for product, version or platform, not 'colour'"),
        ("::: fro platform=x\n:::", "line 1: a section begins with '::: for'"),
        ("::: 适用于平台=安卓\n:::", "line 1: a section begins with '::: for'"),
        ("::: for version=" + ",".join(map(str, range(51))) + "\n:::", "at most 50 values"),
    ],
)
def test_what_cannot_be_understood_names_its_line(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        sections(text)
    with pytest.raises(InvalidInput, match=says) as caught:
        checked_content(Content("t", resolution=text))
    assert caught.value.field == "resolution"
    assert [part.text for part in parts(text)] == [text], "shown as it is, as in a preview while it is typed"


@pytest.mark.parametrize(
    "text",
    [
        "```\n::: for nonsense\n```",
        "::: note\nMind the gap.\n:::",
        "a ::: for b",
        "    ::: for x\n",
        "::\n",
        "time: 12:::30",
    ],
)
def test_code_and_other_containers_are_text(text: str) -> None:
    assert sections(text) == []
    assert checked_content(Content("t", body=text)).body == text.strip("\n").rstrip()


def test_a_note_may_lie_in_a_section() -> None:
    found = sections("::: for version=1\n::: note\nx\n:::\ny\n:::")
    assert [(one.start, one.end) for one in found] == [(0, 5)]


@pytest.mark.parametrize(
    ("facet", "one", "other", "same"),
    [
        ("version", "8", "8.1", True),
        ("version", "v8.1", "8.1.2", True),
        ("version", "8.1", "8.10", False),
        ("version", "8.0", "8.1", False),
        ("platform", "Windows", "windows 11", True),
        ("platform", "Windows 10", "Windows 11", False),
        ("platform", "Windows", "Windows Server", False),
        ("platform", "安卓", "安卓", True),
        ("product", "vellamo-tv", "Vellamo TV", True),
        ("product", "FibreBox", "FibreBox 2", False),
    ],
)
def test_values_that_can_be_of_one_thing(facet: str, one: str, other: str, same: bool) -> None:
    assert agree(facet, one, other) is same
    assert agree(facet, other, one) is same


def test_who_a_section_applies_to() -> None:
    applies = Applies(version=("8.0", "8.1"), platform=("Windows",))
    assert applies.to({})
    assert applies.to({"platform": {"Windows", "macOS"}, "product": {"tv"}})
    assert applies.to({"platform": {"windows 11"}, "version": {"8.1.3"}})
    assert not applies.to({"platform": {"macOS"}})
    assert not applies.to({"platform": {"Windows"}, "version": {"7.4"}})
    assert ALL.to({"platform": {"macOS"}})
    several = [applies, Applies(version=("8.10", "8.1"), platform=("windows", "Linux"))]
    assert occurring(several) == {"version": ["8.0", "8.1", "8.10"], "platform": ["Linux", "Windows"]}


def test_passages_are_of_one_thing_under_the_headings_above() -> None:
    found = chunk("The app", TEXT, lang="en", embedder=FakeEmbedder(max_tokens=512))
    windows, others = Applies(platform=("Windows",), version=("8.0", "8.1")), Applies(platform=("macOS", "Linux"))
    assert [(one.ordinal, one.path, one.applies) for one in found] == [
        (0, (), ALL),
        (1, ("Install",), windows),
        (2, ("Install",), others),
        (3, ("Install",), ALL),
        (4, ("Use",), ALL),
    ]
    assert found[1].text == "Run **setup.exe**.\n\n### If it hangs\n\nStart it as administrator."
    assert found[1].search_text.splitlines()[:3] == ["The app", "Install", "8.0 8.1 Windows"]
    assert found[3].text == "Restart the device."
    assert not any(":::" in one.text + one.search_text for one in found)


def test_references_reach_over_sections() -> None:
    text = "::: for version=1\nSee [this][x].\n:::\n\nText.\n\n[x]: https://vellamo.example/x"
    found = chunk("t", text, lang="en", embedder=FakeEmbedder(max_tokens=512))
    assert found[0].text.endswith("[x]: <https://vellamo.example/x>")
    assert found[0].applies == Applies(version=("1",))


BLOCKS = st.sampled_from(
    [
        "## Head",
        "### Sub",
        "words and more words",
        "- item\n- item",
        "1. step",
        "::: for version=1",
        "::: for platform=x",
        ":::",
        "| a |\n| - |\n| b |",
    ]
)


@given(blocks=st.lists(BLOCKS, max_size=14), most=st.sampled_from([20, 60, 300]))
def test_nothing_is_lost_and_nothing_mixed(blocks: list[str], most: int) -> None:
    text = "\n\n".join(f"{block} w{number}" if block[0] in "w#1" else block for number, block in enumerate(blocks))
    found = chunk("t", text, lang="en", embedder=FakeEmbedder(max_tokens=512), max_tokens=most)
    owner = {f"w{n}": part.applies for part in parts(text) for n in range(len(blocks)) if f"w{n}" in part.text.split()}
    for one in found:
        for word in one.text.split():
            if word in owner:
                assert owner[word] == one.applies, word
    said = " ".join(f"{' '.join(one.path)} {one.text}" for one in found).split()
    assert owner.keys() <= set(said)
    order = [word for one in found for word in one.text.split() if word in owner]
    assert order == sorted(order, key=lambda word: int(word[1:]))


def test_a_section_stays_whole_when_fields_and_body_become_one_text() -> None:
    body = "Intro.\n\n::: for version=1\n#### Inside\n\nx\n:::\n\n## After\n\ny"
    whole = compose(lang="en", resolution="Do it.\n\n::: for version=2\n# A\n:::", body=body)
    assert [one.applies.version for one in sections(whole)] == [("2",), ("1",)]
    assert [part.text.split()[-1] for part in parts(whole)] == ["it.", "A", "x", "y"]
    assert [one.title for one in headings(whole)] == ["Resolution", "A", "Inside", "After"]
    assert unmarked(whole).count("\n") == whole.count("\n")


def test_a_page_whose_fields_lie_in_a_section_is_not_torn() -> None:
    text = "## Issue\n\na\n\n::: for version=1\n## Resolution\n\nb\n:::\n"
    assert decompose(text).body == text
