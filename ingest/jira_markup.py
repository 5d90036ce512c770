"""Jira's wiki markup as Markdown: what people write in descriptions and comments.

Macros that only dress a text go, code keeps its letters. What Jira does not take for markup is said in Markdown as it
stands there (https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

Lead = Callable[[str], str | None]
"""From an issue's key or an address to the address that the link shall have, or None."""

_VERBATIM = re.compile(r"[ \t]*\n?\{(code|noformat)(?::([^}\n]*))?\}(.*?)\{\1\}[ \t]*\n?", re.DOTALL)
_LANGUAGE = re.compile(r"(?:^|\|)(?:language=)?([a-zA-Z+#]{1,20})(?=\||$)")
_QUOTE = re.compile(r"\s*\{quote\}[ \t]*\n?")
_TITLED = re.compile(r"\{(?:panel|info|note|warning|tip|expand)(?::(?:[^}\n]*\|)?title=([^}|\n]*)[^}\n]*)\}")
_DRESS = re.compile(
    r"\{(?:color|anchor|panel|info|note|warning|tip|expand|toc|section|column|center|div|span|status)(?::[^}\n]*)?\}"
)
_HEADING = re.compile(r"\s*h([1-6])\.\s+(.*)")
_RULE = re.compile(r"\s*-{4,}\s*")
_LISTED = re.compile(r"\s*([*#]+-?|-)\s+(.*)")
_ROW = re.compile(r"\s*\|.*\|\s*")
_KEY = r"[A-Z][A-Z0-9_]+-\d+"
_INLINE = re.compile(
    r"\{\{(?P<mono>.+?)\}\}"
    r"|!(?P<image>[^\s!|][^!|\n]*\.\w{2,5})(?:\|[^!\n]*)?!"
    r"|[ \t]*\[~(?P<person>[^\]\n]+)\]"
    r"|\[(?P<link>[^\[\]\n]+)\]"
    r"|(?P<url>https?://[^\s|<>\[\]{}]+)"
    rf"|(?<![\w-])(?P<key>{_KEY})(?![\w-])"
    r"|(?P<line>\\\\(?:[ \t]|$))"
    r"|\\(?P<plain>[{}\[\]*_|!+^~?-])"
)
_MARKS = tuple(
    (re.compile(rf"(?<![\w\\{mark}]){mark}(?=[^\s{mark}])([^\n]{{0,300}}?[^\s{mark}]){mark}(?![\w{mark}])"), into)
    for mark, into in ((r"\*", r"**\1**"), ("_", r"*\1*"), (r"\-", r"~~\1~~"), (r"\+", r"\1"))
)
_KEPT_OPEN, _KEPT_CLOSE = "\ue000", "\ue001"
_KEPT = re.compile(f"{_KEPT_OPEN}(\\d+){_KEPT_CLOSE}")
_MARKUP = re.compile(r"<(?=[a-zA-Z/!?])|`")
_SAFE = "/:?#@!$&'*+,;=%~[]"
"""Characters of an address that may stand in a link of Markdown."""
_BLANKS = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Converted:
    """A text as Markdown, and how many images it showed that lie in Jira alone."""

    markdown: str
    images_dropped: int = 0


def from_jira(text: str, lead: Lead = lambda _: None) -> Converted:
    """Return a text in Jira's markup as Markdown; links that `lead` knows an address for go there.

    Names of people who are spoken to are left out, as are images: they are seen by who signs in at Jira.
    """
    return _Page(lead).converted(text)


@dataclass(slots=True)
class _Page:
    lead: Lead
    kept: list[str] = field(default_factory=list)
    """Pieces of Markdown that stand in the text by their number until it is done."""
    blocks: list[str] = field(default_factory=list)
    images: int = 0

    def converted(self, text: str) -> Converted:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        text = text.replace(_KEPT_OPEN, "").replace(_KEPT_CLOSE, "")
        text = _VERBATIM.sub(self._verbatim, text)
        text = _TITLED.sub(lambda found: f"\n*{found[1].strip()}*\n" if found[1].strip() else "", text)
        lines = _Lines()
        for line in _QUOTE.sub("\n{quote}\n", _DRESS.sub("", text)).split("\n"):
            self._line(line, lines)
        return Converted(_BLANKS.sub("\n\n", lines.text()).strip("\n"), self.images)

    def _verbatim(self, found: re.Match[str]) -> str:
        language = _LANGUAGE.search(found[2] or "")
        code = found[3].strip("\n").rstrip()
        fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", code))])
        self.blocks.append(f"{fence}{language[1].lower() if language else ''}\n{code}\n{fence}")
        return f"\n{{code}}{len(self.blocks) - 1}\n"

    def _line(self, line: str, lines: "_Lines") -> None:
        if line == "{quote}":
            lines.quote()
        elif line.startswith("{code}") and line[6:].isdecimal() and int(line[6:]) < len(self.blocks):
            lines.add("code", self.blocks[int(line[6:])])
        elif not line.strip():
            lines.add("", "")
        elif heading := _HEADING.fullmatch(line):
            lines.add("heading", f"{'#' * int(heading[1])} {self._inline(heading[2])}")
        elif _RULE.fullmatch(line):
            lines.add("rule", "---")
        elif listed := _LISTED.fullmatch(line):
            lines.item(listed[1], self._inline(listed[2]))
        elif line.lstrip().startswith("bq. "):
            lines.add("quote", "> " + self._inline(line.lstrip()[4:]))
        elif _ROW.fullmatch(line):
            lines.row(self._inline(line.strip()))
        else:
            lines.add("text", _escaped_start(self._inline(line.strip()).strip()))

    def _inline(self, text: str) -> str:
        text = _INLINE.sub(self._token, text)
        text = _MARKUP.sub(r"\\\g<0>", text)
        for pattern, into in _MARKS:
            text = pattern.sub(into, text)
        while _KEPT.search(text):  # the text of a link may hold what is kept
            text = _KEPT.sub(lambda found: self.kept[int(found[1])], text)
        return text

    def _token(self, found: re.Match[str]) -> str:
        match found.lastgroup:
            case "mono":
                code = found["mono"].strip()
                ticks = "`" * max([1, *(len(run) + 1 for run in re.findall(r"`+", code))])
                return self._keep(f"{ticks}{' ' if ticks != '`' else ''}{code}{' ' if ticks != '`' else ''}{ticks}")
            case "image":
                if found["image"].startswith(("http://", "https://")):
                    return self._keep(f"![]({found['image']})")
                self.images += 1
                return ""
            case "person":
                return ""
            case "link":
                return self._link(found)
            case "url":
                bare = found["url"].rstrip(".,;:!?'\")*_")
                led = self.lead(bare)
                name = bare.rpartition("/")[2]
                return self._keep(f"[{name}]({led})" if led else f"<{bare}>") + found["url"][len(bare) :]
            case "key":
                led = self.lead(found["key"])
                return self._keep(f"[{found['key']}]({led})") if led else found["key"]
            case "line":
                return self._keep("<br>")
            case _:
                return self._keep("\\" + found["plain"])

    def _link(self, found: re.Match[str]) -> str:
        text, _, rest = found["link"].partition("|")
        target = (rest.partition("|")[0] or text).strip()
        name = text.strip() if rest else target
        if target.startswith("^"):
            return name.removeprefix("^")
        if target.startswith(("#", "mailto:")):
            return name.removeprefix("#").removeprefix("mailto:")
        address = self.lead(target) or (target if re.match(r"(?:https?|ftp)://", target) else None)
        if address is None:
            return found[0] if not rest else name
        if name == address:
            return self._keep(f"<{address}>")
        return self._keep("[") + name + self._keep(f"]({quote(address, safe=_SAFE)})")

    def _keep(self, markdown: str) -> str:
        self.kept.append(markdown)
        return f"{_KEPT_OPEN}{len(self.kept) - 1}{_KEPT_CLOSE}"


@dataclass(slots=True)
class _Lines:
    """Lines of Markdown as they are put together: a blank one wherever a block of another kind begins."""

    quoted: bool = False
    _done: list[str] = field(default_factory=list)
    _kind: str = ""
    _numbers: list[int] = field(default_factory=list)
    """How far each open list has counted, outermost first."""
    _indent: str = ""
    """What stands before a block that belongs to the last item of a list."""

    def add(self, kind: str, markdown: str) -> None:
        inside = kind in ("code", "text") and self._kind in ("list", "inside")
        if kind and self._kind and kind != self._kind and not (inside and kind == "text"):
            self._put("")
        if kind == "text" and self._kind == "text":
            self._done[-1] += "  "  # a line of Jira is a line
        if not inside:
            self._numbers, self._indent = ([], "") if kind else (self._numbers, "")
        for line in markdown.split("\n"):
            self._put((self._indent if inside else "") + line)
        self._kind = "inside" if inside else kind

    def quote(self) -> None:
        """Begin a quotation, or end the one at hand."""
        was, self.quoted = self.quoted, False
        self.add("", "")
        self.quoted = not was

    def item(self, marker: str, text: str) -> None:
        depth = len(marker)
        if self._kind not in ("list", "inside"):
            self.add("list", "")
            self._done.pop()
        del self._numbers[depth:]
        self._numbers += [0] * (depth - len(self._numbers))
        self._numbers[-1] += 1
        own = f"{self._numbers[-1]}. " if marker[-1] == "#" else "- "
        before = "".join("   " if mark == "#" else "  " for mark in marker[:-1])
        self._indent = before + " " * len(own)
        self._put(before + own + text)
        self._kind = "list"

    def row(self, line: str) -> None:
        cells = [cell.strip() for cell in re.split(r"\|\|?", line.strip().strip("|"))]
        whole = f"| {' | '.join(cells)} |"
        if self._kind == "table":
            self._put(whole)
            return
        heads = line.startswith("||")
        self.add("table", whole if heads else f"|{'  |' * len(cells)}")
        self._put(f"|{' --- |' * len(cells)}")
        if not heads:
            self._put(whole)

    def text(self) -> str:
        return "\n".join(line.rstrip() + ("  " if line.endswith("  ") and line.strip() else "") for line in self._done)

    def _put(self, line: str) -> None:
        self._done.append(f"> {line}".rstrip() if self.quoted else line)


def _escaped_start(line: str) -> str:
    """Return a line of text that Markdown does not take for a heading, quote, list or code."""
    if re.match(r"(?:#{1,6}|>|[+-])(?:\s|$)", line):
        return "\\" + line
    return re.sub(r"^(\d{1,9})([.)])(?=\s|$)", r"\1\\\2", line)
