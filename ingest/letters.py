"""Plain text that people write to one another (comments of a tracker) as Markdown, without what they quote.

E-mail addresses become placeholders.
"""

import re
from collections.abc import Callable, Iterator

from ingest.parse import tidy
from ingest.redaction import numbers
from ingest.redaction.findings import Finding, Kind, Placeholders, replaced

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_QUOTED = re.compile(r"[ \t]{0,3}>")
_WHO_WROTE = re.compile(
    r"\(?In reply to .{0,200}\)?|.{0,200}(?:wrote|writes|schrieb|a écrit|写道|寫道)\s?[:：]"
    r"|.{0,120}>\s?(?:于|在).{0,80}[:：]",
    re.IGNORECASE,
)
"""The line before a quotation, on which is who said it; mail programs break it into two."""
_OLD_MAIL = re.compile(
    r"\s*-{2,}\s*(?:original message|forwarded message|next part|原始邮件|原邮件|转发邮件|邮件原件)\s*-{2,}\s*",
    re.IGNORECASE,
)
_LONGEST_LINE = 60
"""Columns up to which a line that could have taken the next word was ended on purpose."""
_STARTS = re.compile(r"(?:#{1,6}(?=\s|$)|={2,}\s*$|-{2,}\s*$|\*{3,}\s*$)")
_MARKUP = re.compile(r"<(?=[a-zA-Z/!?])(?!https?://)|(?<=\w)\*(?=\w)|__(?=\w)|(?<=\w)__")


def without_quotations(text: str) -> str:
    """Return a reply without what it quotes and the lines that say who is quoted."""
    lines = text.split("\n")
    kept: list[str] = []
    for at, line in enumerate(lines):
        if _OLD_MAIL.fullmatch(line):
            break
        if _QUOTED.match(line):
            while kept and not kept[-1].strip():
                kept.pop()
            for count in (2, 1):
                if _WHO_WROTE.fullmatch(" ".join(part.strip() for part in kept[-count:])):
                    del kept[-count:]
                    break
            kept.append("")
        elif not (line.startswith("(In reply to ") and _WHO_WROTE.fullmatch(line) and at == 0):
            kept.append(line)
    return "\n".join(kept).strip("\n")


def without_addresses(text: str, placeholders: Placeholders) -> str:
    """Return text with each e-mail address as a placeholder, numbered through the texts of one thread."""
    found: list[Finding] = []
    for start, end, score in sorted(numbers.emails(text)):
        if not found or start >= found[-1].end:
            found.append(Finding(Kind.EMAIL, start, end, text[start:end], score))
    return replaced(text, found, placeholders)


def from_letter(text: str, led: Callable[[str], str] = lambda text: text) -> str:
    """Return plain text as Markdown that reads as it was typed; `led` puts links into it.

    Lines that were wrapped are one paragraph, short ones stay lines. What Markdown would take for markup is escaped
    where it surely is none; indented text is code.
    """
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).expandtabs(8)
    lines = list(_escaped(led(text).split("\n")))
    for at in range(len(lines) - 1):
        line, following = lines[at].rstrip(), lines[at + 1].strip()
        first = following.split(" ", 1)[0]
        wrapped = _columns(line) + 1 + _columns(first) >= _LONGEST_LINE
        lines[at] = line + ("" if wrapped or not line.strip() or not following or line.startswith("    ") else "  ")
    return tidy("\n".join(lines))


def _escaped(lines: list[str]) -> Iterator[str]:
    code = False
    before = ""
    for line in lines:
        # What is indented after a blank line is code, to the letter, until something is not.
        indented, blank = line.startswith("    "), not line.strip()
        code = code if blank else indented and (code or not before.strip())
        if not code:
            line = line if indented else line.lstrip()
            line = _MARKUP.sub(lambda found: "".join("\\" + char for char in found[0]), line)
            line = _STARTS.sub(lambda found: "\\" + found[0], line)
        yield line
        before = line


def _columns(line: str) -> int:
    return sum(1 + (char > "\u2e7f") for char in line)
