"""From what a model writes to what a reader may see: each sentence is checked before it is shown, or it is not."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kb.items import Found
from retrieval.citations import Citation, check
from retrieval.extract import LONGEST
from retrieval.generate.outcome import Failed, Outcome
from retrieval.generate.prompt import NO_ANSWER
from retrieval.generate.units import Unit
from retrieval.language import language
from retrieval.neighbours import Context
from retrieval.support import Support

_REFUSAL = re.compile(
    r"(?:i['’]?m|i am)\s+(?:(?:very|so)\s+)?(?:sorry|afraid|unable|not able|just an? )"
    r"|i (?:can['’]?t|can ?not|won['’]t|must decline)|sorry\b|as an ai\b|unfortunately,? i\b"
    r"|(?:很|非常)?抱歉|对不起|我(?:无法|不能|没有办法)|作为(?:一个)?(?:人工智能|AI|语言模型)",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"!\[([^\]\n]*)\](?:\([^)\n]*\)|\[[^\]\n]*\])")
_LINK = re.compile(r"\[([^\]\n]+)\](?:\([^)\n]*\)|\[[^\]\n]*\])")
_ADDRESS = re.compile(r"<((?:https?|mailto):[^<>\s]+)>")
_TAG = re.compile(r"<[A-Za-z/!?][^<>]*>?|&(?:#\w+|[a-z]{2,8});")
_IN_CODE = re.compile(r"(`[^`\n]+`)")
_LABEL = re.compile(r"\*\*.+?\*\*|\*[^*\n]+\*|`[^`\n]+`|“[^”\n]*”|\"[^\"\n]*\"")
_WORDS = re.compile(r"[^\W\d_]+")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_WIDE_LANGUAGES = ("zh", "ja", "ko")


@dataclass(frozen=True, slots=True)
class Written:
    """A whole answer, checked."""

    text: str
    """Markdown; each statement ends with its citations, which run 1, 2, ... in order of first use."""
    citations: tuple[Citation, ...]
    kept: int
    removed: int


@dataclass(slots=True)
class Draft:
    """One answer as it grows. `add` for each unit in order, then `finish`."""

    lang: str
    """The language that the answer has to be in."""
    sources: Sequence[Context]
    """Those that the model was given, in that order."""
    supports: Callable[[str, Found], Support]
    kept: int = 0
    removed: int = 0
    text: str = ""
    _used: dict[tuple[int, int], list[Support]] = field(default_factory=dict)
    _held: list[Unit] = field(default_factory=list)
    _breaks: int = 0
    _item: bool = False
    _in_list: bool = False
    _steps: int = 0

    def add(self, unit: Unit) -> str:
        """Return the piece of Markdown to show for a unit, empty where there is none. Raises Failed.

        A unit is shown if a passage that it cites supports it. One that cites none waits for the next of its line, and
        one that announces a list for that list's first item: it is checked against what that one cites. A step of a
        numbered list that has to be left out ends the answer: a procedure with a hole is worse than none.
        """
        if NO_ANSWER.casefold() in unit.text.casefold() and len(unit.text) < 2 * len(NO_ANSWER):
            raise Failed(Outcome.NO_ANSWER)
        if not self.text and not unit.cites and _REFUSAL.match(unit.text):
            raise Failed(Outcome.REFUSED, "in words")
        self._spoken(unit.text)
        if unit.breaks:
            self._let_go()
        self._held.append(unit)
        if not unit.cites:
            return ""
        held, self._held = self._held, []
        return "".join(self._take(one, unit.cites) for one in held)

    def _let_go(self) -> None:
        """Leave out what has waited in vain for a citation in its line. Raises Failed."""
        held, self._held = self._held, []
        for one in held:
            if one is held[-1] and one.text.rstrip("*").endswith((":", "：")):
                self._held = [one]
            else:
                self._leave_out(one)

    def _leave_out(self, unit: Unit) -> None:
        self.removed += 1
        if unit.step:
            raise Failed(Outcome.UNSUPPORTED, "a step of a list")
        self._breaks = max(self._breaks, unit.breaks)
        self._item = self._item or unit.item

    def _take(self, unit: Unit, cites: Sequence[int]) -> str:
        found = self._checked(unit, cites)
        if not found:
            self._leave_out(unit)
            return ""
        self.kept += 1
        piece = f"{self._separator(unit)}{_shown(unit.text)} {' '.join(f'[{n}]' for n in found)}"
        self.text += piece
        return piece

    def finish(self) -> Written:
        """Return the answer. Raises Failed where too little of it is left."""
        for unit in self._held:
            self._leave_out(unit)
        if not self.kept:
            raise Failed(Outcome.UNSUPPORTED if self.removed else Outcome.EMPTY)
        if self.removed > self.kept:
            raise Failed(Outcome.UNSUPPORTED, f"{self.removed} of {self.removed + self.kept} sentences")
        spoken = language(_LABEL.sub(" ", self.text))
        if spoken not in (self.lang, "und") and (self.lang in ("en", "zh") or len(_WORDS.findall(self.text)) >= 12):
            raise Failed(Outcome.WRONG_LANGUAGE, f"{spoken}, not {self.lang}")
        used = [(self.sources[at].passages[which], stretches) for (at, which), stretches in self._used.items()]
        citations = tuple(
            Citation(n=n, found=passage, quote=_quote(passage.text, stretches))
            for n, (passage, stretches) in enumerate(used, start=1)
        )
        check(citations, [passage for source in self.sources for passage in source.passages])
        return Written(self.text, citations, self.kept, self.removed)

    def _spoken(self, text: str) -> None:
        """Raise Failed for a sentence in the script of another language; names of buttons stay as they are."""
        own = _LABEL.sub(" ", text)
        wide, words = len(_WIDE.findall(own)), len(_WORDS.findall(own))
        if (not wide and words >= 6) if self.lang in _WIDE_LANGUAGES else wide > words / 2:
            raise Failed(Outcome.WRONG_LANGUAGE, f"not {self.lang}")

    def _checked(self, unit: Unit, cites: Sequence[int]) -> list[int]:
        """Return the answer's own numbers of the passages that support the unit: of each source cited, the first."""
        text = _bare(unit.text)
        if _TAG.search(_IN_CODE.sub("", text)):
            return []
        found = []
        for cited in cites:
            if not 1 <= cited <= len(self.sources):
                continue
            for which, passage in enumerate(self.sources[cited - 1].passages):
                support = self.supports(text, passage)
                if support.supported:
                    self._used.setdefault((cited - 1, which), []).append(support)
                    found.append((cited - 1, which))
                    break
        order = list(self._used)
        return sorted(order.index(at) + 1 for at in found)

    def _separator(self, unit: Unit) -> str:
        breaks, item = max(self._breaks, unit.breaks), self._item or unit.item
        self._breaks, self._item = 0, False
        before = "\n" if item and self._in_list else "\n\n" if item or breaks else " "
        continues = not breaks and not item
        self._in_list = item or (self._in_list and continues)
        if item:
            self._steps = self._steps + 1 if unit.step else 0
        elif not continues:
            self._steps = 0
        marker = (f"{self._steps}. " if unit.step else "- ") if item else ""
        return f"{before if self.text else ''}{marker}"


def _bare(text: str) -> str:
    """Return a sentence without images and with the words of links only: where they lead is not the model's to say."""
    return _ADDRESS.sub(r"\1", _LINK.sub(r"\1", _IMAGE.sub("", text))).strip()


def _shown(text: str) -> str:
    """Return the Markdown of a sentence: what is no citation of ours must not look like one, or like a link."""
    parts = _IN_CODE.split(_bare(text))
    return "".join(part if at % 2 else part.replace("[", "\\[").replace("<", "\\<") for at, part in enumerate(parts))


def _quote(text: str, stretches: Sequence[Support]) -> str:
    start, end = min(s.start for s in stretches), max(s.end for s in stretches)
    if end - start > LONGEST:
        start, end = stretches[0].start, stretches[0].end
    return text[start:end]
