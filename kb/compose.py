"""One Markdown text from the KCS fields and the body of an item, with section titles in its language.

What is searched, cited and shown is this text. `ingest.parse.decompose` is the inverse.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from markdown_it import MarkdownIt

from kb.applies import lenient, unmarked

FIELDS = ("issue", "environment", "resolution", "cause")
"""The KCS fields, in the order in which they are shown."""

PATH_SEPARATOR = " > "
"""Between the headings of a passage's path, where the path is kept as one string."""

SECTION_LEVEL = 2
"""Heading level of the sections that `compose` writes."""

_TITLES = {
    "en": {"issue": "Issue", "environment": "Environment", "resolution": "Resolution", "cause": "Cause"},
    "zh": {"issue": "问题", "environment": "环境", "resolution": "解决方法", "cause": "原因"},
    "zh-hant": {"issue": "問題", "environment": "環境", "resolution": "解決方法", "cause": "原因"},
}
_TRADITIONAL = {"zh-tw", "zh-hk", "zh-mo"}

# What pages call the four fields, folded as `_fold` does.
_SYNONYMS = {
    "issue": (
        "issue", "issues", "problem", "problems", "symptom", "symptoms", "issue description", "problem description",
        "问题", "问题描述", "现象", "问题现象", "故障现象", "故障描述", "症状",
        "問題", "問題描述", "現象", "問題現象", "故障現象", "症狀",
    ),
    "environment": (
        "environment", "applies to", "applicable to", "affected versions", "affected products",
        "环境", "环境信息", "环境信息收集", "适用范围", "适用于", "适用版本",
        "環境", "環境資訊", "適用範圍", "適用於", "適用版本",
    ),
    "resolution": (
        "resolution", "resolutions", "solution", "solutions", "workaround", "workarounds", "fix", "how to fix it",
        "解决方法", "解决方案", "解决办法", "处理方法", "处理办法", "处理方案",
        "处理建议", "解决", "解决问题", "临时解决方案", "规避方法",
        "解決方法", "解決方案", "解決辦法", "處理方法", "處理方式",
    ),
    "cause": (
        "cause", "causes", "root cause", "root causes", "reason",
        "原因", "根本原因", "故障原因", "问题原因", "原因分析", "根因", "問題原因",
    ),
}  # fmt: skip
_FIELD_OF = {title: field for field, titles in _SYNONYMS.items() for title in titles}

_MARKS = re.compile(r"<[^>]*>|[*_`]")
_NUMBERING = re.compile(r"^\s*(?:\d+(?:\.\d+)*[.)、．]?\s|[一二三四五六七八九十]+[、.])\s*")
_MAY_HAVE_HEADING = re.compile(r"^ {0,3}(?:#{1,6}(?=[ \t]|$)|=+[ \t]*$|-+[ \t]*$)", re.MULTILINE)
_BLOCKS = MarkdownIt("commonmark").disable(["inline", "text_join"])


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a Markdown text that lies in no list, quote or code block."""

    level: int
    title: str
    """Markdown of one line."""
    start: int
    """Number of its first line, from 0."""
    end: int
    """Number of the line after it."""


class KCS(Protocol):
    """What has the KCS fields and a body, each Markdown."""

    @property
    def issue(self) -> str: ...
    @property
    def environment(self) -> str: ...
    @property
    def resolution(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def body(self) -> str: ...


def section_title(field: str, lang: str) -> str:
    """Return the title of the section that holds `field`, in the language (English where there is no other)."""
    lang = lang.lower()
    if lang in _TRADITIONAL or lang.startswith("zh-hant"):
        return _TITLES["zh-hant"][field]
    return _TITLES.get(lang.split("-")[0], _TITLES["en"])[field]


def field_of_title(title: str) -> str | None:
    """Return the KCS field that a section with this title holds, or None."""
    return _FIELD_OF.get(_fold(title))


def is_section_title(field: str, title: str) -> bool:
    """Say whether `title` is a title of the section that holds the KCS field `field`, in any language known."""
    return field_of_title(title) == field


def compose(
    *, lang: str, issue: str = "", environment: str = "", resolution: str = "", cause: str = "", body: str = ""
) -> str:
    """Return one Markdown text: what the body says before its first heading, the fields, the rest of the body.

    Without fields it is the body. Headings inside a field are moved below its section's, so that they stay inside it.
    """
    texts = dict(zip(FIELDS, (issue, environment, resolution, cause), strict=True))
    sections = [
        f"{'#' * SECTION_LEVEL} {section_title(field, lang)}\n\n{with_headings_below(text, SECTION_LEVEL)}"
        for field in FIELDS
        if (text := texts[field].strip("\n").rstrip())
    ]
    body = body.strip("\n").rstrip()
    if not sections:
        return body
    intro, rest = _split_at_heading(body)
    return "\n\n".join(part for part in (intro, *sections, _lifted(rest)) if part)


def composed(lang: str, fields: KCS) -> str:
    """Return the one Markdown text of what holds the KCS fields and a body: a revision, a document."""
    return compose(
        lang=lang,
        issue=fields.issue,
        environment=fields.environment,
        resolution=fields.resolution,
        cause=fields.cause,
        body=fields.body,
    )


def headings(text: str) -> list[Heading]:
    """Return the headings of the text, in order."""
    if not _MAY_HAVE_HEADING.search(text):
        return []
    tokens = _BLOCKS.parse(unmarked(text))
    return [
        Heading(int(token.tag[1]), " ".join(tokens[at + 1].content.split()), token.map[0], token.map[1])
        for at, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map
    ]


def with_headings_below(text: str, level: int) -> str:
    """Return Markdown with all headings moved down by one step, so that the highest is below `level` (6 at most)."""
    found = headings(text)
    step = level + 1 - min((heading.level for heading in found), default=level + 1)
    return _moved(text, found, step) if step > 0 else text


def _fold(title: str) -> str:
    plain = _NUMBERING.sub("", _MARKS.sub("", title))
    return " ".join(plain.casefold().split()).strip(" :：.。?？【】[]")


def _split_at_heading(text: str) -> tuple[str, str]:
    found = headings(text)
    if not found:
        return text, ""
    lines = text.split("\n")
    # A section for some products, versions or platforms stays whole.
    at = next((one.start for one in lenient(text) if one.start < found[0].start < one.end), found[0].start)
    return "\n".join(lines[:at]).rstrip(), "\n".join(lines[at:])


def _lifted(text: str) -> str:
    """Return Markdown that starts with a heading with that heading no lower than the sections are."""
    found = headings(text)
    return _moved(text, found, SECTION_LEVEL - found[0].level) if found and found[0].level > SECTION_LEVEL else text


def _moved(text: str, found: list[Heading], step: int) -> str:
    lines = text.split("\n")
    for heading in reversed(found):
        level = (
            min(6, heading.level + step) if step > 0 else min(heading.level, max(SECTION_LEVEL, heading.level + step))
        )
        lines[heading.start : heading.end] = [f"{'#' * level} {heading.title}".rstrip()]
    return "\n".join(lines)
