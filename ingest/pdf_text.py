"""Lines of PDF pages as Markdown: headings told by size or wording, paragraphs and lists put together."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ingest.pdf_lines import Line, PageContent, Table, joined
from ingest.plain import escaped, is_wide, start_escaped

_MARGIN = 0.1
"""Share of the page's height, above and below, in which running headers and footers stand."""
_LARGER = 1.12
"""Times the body's font size from which a line is a heading."""
_LONGEST_HEADING = 80
_PAGE_NUMBER = re.compile(
    r"(?:[-–—]\s*)?(?:page|p\.|第)?\s*\d{1,4}\s*[頁页]?(?:\s*[,，、/]?\s*(?:of|共|/)?\s*\d{1,4}\s*[頁页]?)?(?:\s*[-–—])?",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_CLAUSE = re.compile(
    r"第\s*[零〇一二三四五六七八九十百千\d]+\s*([編编篇章節节條条])(?:\s|之[一二三四五六七八九十]+\s|$)"
)
_CLAUSE_LEVEL = {"編": 1, "编": 1, "篇": 1, "章": 2, "節": 3, "节": 3, "條": 4, "条": 4}
_BULLET = re.compile(r"[•●○■□◆◇▪‧∙‣⁃–—*-]\s+|[●■◆]\s*")
_NUMBER = re.compile(r"(\d{1,3})[.)．]\s+(?=\S)")
_ITEM = re.compile(r"[（(]?[一二三四五六七八九十]{1,3}[、)）.]|[（(]\d{1,3}[)）]|\d{1,3}、|[①-⑳]")
_SENTENCE_END = tuple('。！？；：.!?;:」』”"）)')


@dataclass(frozen=True, slots=True)
class Text:
    """What a PDF says."""

    markdown: str
    header: str
    """The running header, where there is one: mostly the document's name."""
    largest: str
    """The line in the largest type of the first page, if that is larger than the text."""


@dataclass(slots=True)
class _Open:
    """A paragraph, heading or item that may go on with the next line."""

    text: str
    mark: str = ""
    last: Line | None = None
    level: int = 0


@dataclass(slots=True)
class _Writer:
    body: float
    levels: dict[float, int]
    clause_levels: dict[str, int]
    blocks: list[str] = field(default_factory=list)
    open: _Open | None = None

    def add(self, item: Line | Table) -> None:
        if isinstance(item, Table):
            self.close()
            self.blocks.append(_table(item))
            return
        level = self._level(item)
        if level:
            if self.open and self.open.level == level and self.open.last and _near(self.open.last, item):
                self._go_on(item)
            else:
                self._start(_Open(item.text, level=level), item)
        elif bullet := _BULLET.match(item.text):
            self._start(_Open(item.text[bullet.end() :], mark="- "), item)
        elif number := _NUMBER.match(item.text):
            self._start(_Open(item.text[number.end() :], mark=f"{number[1]}. "), item)
        elif self.open and not self.open.level and not _ITEM.match(item.text) and _continues(self.open.last, item):
            self._go_on(item)
        else:
            self._start(_Open(item.text), item)

    def close(self) -> None:
        if self.open and self.open.text.strip():
            text = escaped(self.open.text.strip())
            if self.open.level:
                self.blocks.append(f"{'#' * self.open.level} {text}")
            else:
                self.blocks.append(self.open.mark + (text if self.open.mark else start_escaped(text)))
        self.open = None

    def _start(self, new: _Open, line: Line) -> None:
        self.close()
        new.last = line
        self.open = new

    def _go_on(self, line: Line) -> None:
        assert self.open is not None
        self.open.text = joined(self.open.text, line.text)
        self.open.last = line

    def _level(self, line: Line) -> int:
        """Return the level of the heading that a line is, or 0."""
        if len(line.text) > _LONGEST_HEADING or not any(map(str.isalnum, line.text)):
            return 0
        if line.size in self.levels:
            return self.levels[line.size]
        clause = _CLAUSE.match(line.text)
        if clause and not line.text.endswith(("。", "；", "，", "：")) and len(line.text) <= 40:
            return self.clause_levels.get(clause[1], 0)
        alone = line.bold and not line.text.endswith(_SENTENCE_END) and line.x1 < line.right - 3 * line.size
        return min(6, max([1, *self.levels.values()]) + 1) if alone and not _ITEM.match(line.text) else 0


def markdown_of(pages: Sequence[PageContent]) -> Text:
    """Return what the pages say as one Markdown text, without what stands in their margins."""
    lines = [item for page in pages for item in page.items if isinstance(item, Line)]
    sizes = Counter[float]()
    for line in lines:
        sizes[line.size] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    headers, dropped = _margins(pages, body)
    kept = [line for line in lines if id(line) not in dropped]
    larger = sorted({line.size for line in kept if line.size >= _LARGER * body}, reverse=True)
    levels = {size: min(4, rank) for rank, size in enumerate(larger, 1)}
    used = {clause[1] for line in kept if (clause := _CLAUSE.match(line.text))}
    ranks = sorted({_CLAUSE_LEVEL[unit] for unit in used})
    first = max(levels.values(), default=1)
    clauses = {unit: min(6, first + 1 + ranks.index(_CLAUSE_LEVEL[unit])) for unit in used}
    writer = _Writer(body, levels, clauses)
    for page in pages:
        for item in page.items:
            if id(item) not in dropped:
                writer.add(item)
    writer.close()
    return Text(_assembled(writer.blocks), headers, _largest(pages, dropped, body))


def _margins(pages: Sequence[PageContent], body: float) -> tuple[str, set[int]]:
    """Return the running header and the ids of the lines that stand in margins on most pages, or are page numbers."""
    seen: Counter[str] = Counter()
    candidates: list[tuple[str, Line, bool]] = []
    for page in pages:
        edge = _MARGIN * page.height
        found = [
            (_DIGITS.sub("#", line.text), line, line.top < edge)
            for line in page.items
            if isinstance(line, Line) and (line.bottom < edge or line.top > page.height - edge)
        ]
        candidates += found
        seen.update({key for key, _, _ in found})
    dropped: set[int] = set()
    headers: Counter[str] = Counter()
    for key, line, above in candidates:
        repeated = seen[key] >= max(2, len(pages) * 0.4) and line.size < _LARGER * body
        number = _PAGE_NUMBER.fullmatch(line.text.strip()) is not None
        # On a single page nothing repeats: smaller type in the margin is the sign that is left.
        alone = len(pages) == 1 and line.size < 0.95 * body
        if repeated or number or alone:
            dropped.add(id(line))
            if above and not number:
                headers[line.text] += 1
    return (headers.most_common(1)[0][0] if headers else ""), dropped


def _largest(pages: Sequence[PageContent], dropped: Iterable[int], body: float) -> str:
    lines = [item for item in pages[0].items if isinstance(item, Line) and id(item) not in dropped] if pages else []
    size = max((line.size for line in lines), default=0.0)
    if size < 1.3 * body:
        return ""
    title = ""
    for line in lines:
        if line.size == size:
            title = joined(title, line.text) if title else line.text
        elif title:
            break
    return title


def _near(previous: Line, line: Line) -> bool:
    """Say whether a heading goes on: the next line is as large and no further than a line's height away."""
    return abs(previous.size - line.size) < 0.2 and -line.size < line.top - previous.bottom < line.size


def _continues(previous: Line | None, line: Line) -> bool:
    """Say whether a line goes on with the paragraph of the line before."""
    if previous is None or abs(previous.size - line.size) > 0.15 * previous.size or previous.bold != line.bold:
        return False
    gap = line.top - previous.bottom
    # A jump up is the next column or page, where a paragraph may go on.
    if 0 <= gap > 0.9 * line.size:
        return False
    left_over = previous.right - previous.x1
    ended = previous.text.rstrip().endswith(_SENTENCE_END)
    if is_wide(previous.text[-1:]):
        return left_over < (line.size if ended else 2.5 * line.size)
    indented = line.x0 > previous.x0 + 1.2 * line.size and gap > 0
    return not indented and (not ended or left_over < 0.15 * (previous.right - previous.x0))


def _table(table: Table) -> str:
    width = max(map(len, table.rows))
    rows = [[escaped(cell).replace("|", "\\|") for cell in row] + [""] * (width - len(row)) for row in table.rows]
    lines = [rows[0], ["---"] * width, *rows[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _assembled(blocks: Sequence[str]) -> str:
    """Return the blocks as one text; items of one list stand without a blank line between."""
    text = ""
    previous = ""
    for block in blocks:
        if text:
            both = all(re.match(r"- |\d+\. ", one) for one in (previous, block))
            text += "\n" if both else "\n\n"
        text += block
        previous = block
    return text
