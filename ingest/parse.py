"""From one Markdown text to what an item says: its title, the KCS fields where the page has them, the body."""

import re
from dataclasses import dataclass

from ingest.plain import inline_plain, plain
from kb.applies import lenient
from kb.compose import FIELDS, Heading, field_of_title, headings

MAX_TITLE = 500
DERIVED_TITLE = 100
"""Most characters of a title that is made from the text."""

_INVISIBLE = re.compile("[\ufeff\u200b\u2060\u00ad\ufdd0-\ufdef]")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANKS = re.compile(r"\n{4,}")
_IMAGE_WITHOUT_TEXT = re.compile(r"!\[\s*\]\([^)\s]*\)|<img\b(?![^>]*\balt\s*=\s*[\"'][^\"'])[^>]*>", re.IGNORECASE)
_WORKAROUND = re.compile(r"workarounds?|临时解决方案|规避方法", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a page says, by field. All Markdown."""

    body: str
    issue: str = ""
    environment: str = ""
    resolution: str = ""
    cause: str = ""


def decompose(markdown: str) -> Parts:
    """Take the KCS sections out of a page; the inverse of `kb.compose.compose`.

    Only where that is unambiguous: the page has a section for the resolution and at least one more, each field has one
    section, and all are on the page's highest heading level. Otherwise the body is the page.
    """
    found = headings(markdown)
    sections = _kcs_sections(found)
    if not sections:
        return Parts(markdown)
    level = sections["resolution"].level
    lines = markdown.split("\n")
    ends = [heading.start for heading in found if heading.level <= level] + [len(lines)]
    texts: dict[str, str] = {}
    taken: list[tuple[int, int]] = []
    for name, heading in sections.items():
        end = next(start for start in ends if start > heading.start)
        texts[name] = "\n".join(lines[heading.end : end]).strip("\n").rstrip()
        taken.append((heading.start, end))
    cuts = [edge for span in taken for edge in span]
    if any(one.start < cut <= one.end for one in lenient(markdown) for cut in cuts):  # it would be torn
        return Parts(markdown)
    if not texts["resolution"] or not any(text for name, text in texts.items() if name != "resolution"):
        return Parts(markdown)
    kept: list[str] = []
    at = 0
    for start, end in sorted(taken):
        kept += lines[at:start]
        at = end
    return Parts("\n".join([*kept, *lines[at:]]).strip("\n").rstrip(), **texts)


def _kcs_sections(found: list[Heading]) -> dict[str, Heading]:
    """Return the section of each KCS field, or nothing unless it is plain which they are."""
    named = [(field, heading) for heading in found if (field := field_of_title(heading.title))]
    # A page may give a workaround beside the resolution; then it is a section of its own.
    if any(field == "resolution" and not _WORKAROUND.search(heading.title) for field, heading in named):
        named = [(field, heading) for field, heading in named if not _WORKAROUND.search(heading.title)]
    level = min((heading.level for heading in found), default=0)
    top = [(field, heading) for field, heading in named if heading.level == level]
    sections = dict(top)
    if "resolution" not in sections or len(sections) < 2 or len(sections) < len(top):
        return {}
    return {field: sections[field] for field in FIELDS if field in sections}


def split_title(markdown: str) -> tuple[str, str]:
    """Return the page's own title (plain) and the text without it: a heading of the first level before any other.

    The title is empty and the text whole if it does not start with such a heading.
    """
    found = headings(markdown)
    if not found or found[0].level != 1:
        return "", markdown
    lines = markdown.split("\n")
    before = "\n".join(lines[: found[0].start])
    if plain(before).strip():
        return "", markdown
    title = inline_plain(found[0].title, {})
    return title, "\n".join(lines[found[0].end :]).strip("\n") if title else markdown


def title_of(text: str) -> str:
    """Return a title for a text that has none: the start of what it says, cut at the end of a sentence or word."""
    words = " ".join(plain(text[: DERIVED_TITLE * 20]).split())
    if len(words) <= DERIVED_TITLE:
        return words
    start = words[: DERIVED_TITLE + 1]
    ends = [found.end() for found in re.finditer(r"[。！？!?](?=.)|\.(?=\s)", start)]
    if ends:
        return start[: ends[0]].rstrip(" .。")
    return (start.rsplit(" ", 1)[0] if " " in start[DERIVED_TITLE // 2 :] else start[:DERIVED_TITLE]).rstrip(
        " ,，;；:："
    )


def tidy(markdown: str) -> str:
    """Return text with newlines as \\n and without what nobody sees: zero-width characters, blank lines."""
    text = _INVISIBLE.sub("", markdown.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " "))
    # Two spaces at the end of a line are a line break in Markdown; more or fewer say nothing.
    text = _TRAILING.sub(lambda found: "  " if found[0] == "  " else "", text)
    return _BLANKS.sub("\n\n\n", text).strip("\n").rstrip()


def image_warnings(markdown: str) -> tuple[str, ...]:
    """Return a warning if images of the text have no alternative text: what they show cannot be found."""
    count = len(_IMAGE_WITHOUT_TEXT.findall(markdown))
    return (f"{count} image{'s' if count > 1 else ''} without alternative text",) if count else ()
