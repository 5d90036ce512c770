"""How well personal data is found: recall and precision of each kind, on labelled sentences of invented persons.

`eval/redaction.jsonl` was written for this, like sentences of support cases in English and Chinese; over a third hold
none, but what looks like it. Halves are by hash of the id: rules were written looking at one, the figures are of the
other. The made-up keys begin with a JSON escape there, so that no scanner for leaked keys reports them.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.judged import tuning_half
from ingest.redaction import Finding, Kind

SENTENCES = Path(__file__).with_name("redaction.jsonl")

Find = Callable[[str, str], list[Finding]]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence and its spans of personal data: kind, start, end."""

    id: str
    lang: str
    text: str
    spans: tuple[tuple[Kind, int, int], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Counts of one kind in one language. A span is found if findings of its kind cover all of its letters and digits;
    hidden, if findings of any kind do. A finding is right if it overlaps a span of its kind."""

    lang: str
    kind: Kind
    spans: int
    found: int
    hidden: int
    findings: int
    right: int

    @property
    def recall(self) -> float:
        return self.found / self.spans if self.spans else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.findings if self.findings else 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A span that was not found, or a finding that is none."""

    id: str
    kind: Kind
    missed: bool
    text: str


def sentences(half: str) -> list[Labelled]:
    """Return the sentences of a half: all, tune or report."""
    read = [json.loads(line) for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    return [
        Labelled(r["id"], r["lang"], r["text"], tuple((Kind(s["kind"]), s["start"], s["end"]) for s in r["spans"]))
        for r in read
        if half == "all" or tuning_half(r["id"]) == (half == "tune")
    ]


def measure(labelled: Sequence[Labelled], find: Find) -> tuple[list[Row], list[Fault]]:
    """Return a row for each language and kind that occurs or was found, and every fault."""
    counts: dict[tuple[str, Kind], Counter[str]] = {}
    faults = []
    for sentence in labelled:
        findings = find(sentence.text, sentence.lang)
        everything = _covered(findings)
        for kind, start, end in sentence.spans:
            wanted = {place for place in range(start, end) if sentence.text[place].isalnum()}
            found = wanted <= _covered(f for f in findings if f.kind is kind)
            counts.setdefault((sentence.lang, kind), Counter()).update(
                spans=1, found=int(found), hidden=int(wanted <= everything)
            )
            if not found:
                faults.append(Fault(sentence.id, kind, True, sentence.text[start:end]))
        for finding in findings:
            right = any(k is finding.kind and s < finding.end and finding.start < e for k, s, e in sentence.spans)
            counts.setdefault((sentence.lang, finding.kind), Counter()).update(findings=1, right=int(right))
            if not right:
                faults.append(Fault(sentence.id, finding.kind, False, finding.text))
    rows = [
        Row(lang, kind, *(count[name] for name in ("spans", "found", "hidden", "findings", "right")))
        for (lang, kind), count in sorted(counts.items())
    ]
    return rows, faults


def over(texts: Iterable[tuple[str, str]], find: Find) -> dict[Kind, list[str]]:
    """Return what is found in unlabelled texts (text, language), by kind: for a look at a sample of it."""
    found: dict[Kind, list[str]] = {}
    for text, lang in texts:
        for finding in find(text, lang):
            around = text[max(0, finding.start - 30) : finding.start], text[finding.end : finding.end + 30]
            shown = " ".join(f"{around[0]}«{finding.text}»{around[1]}".split())
            found.setdefault(finding.kind, []).append(shown)
    return found


def _covered(findings: Iterable[Finding]) -> set[int]:
    return {place for finding in findings for place in range(finding.start, finding.end)}
