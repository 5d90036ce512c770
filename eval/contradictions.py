"""How often two resolutions of one issue are told to contradict each other, rightly: on written pairs, half reported.

`contradictions.jsonl`: title, environment and resolution of two texts each, and the `kind` of what differs, `none` for
two that agree, that say more, or that are of other environments. In English and Chinese, written for this.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ingest.judged import tuning_half
from retrieval.contradictions import Fields, contradiction

PAIRS = Path(__file__).with_name("contradictions.jsonl")
NONE = "none"


@dataclass(frozen=True, slots=True)
class Written:
    """One pair, with what is said of it."""

    id: str
    lang: str
    kind: str
    said: str
    """The kind that was found, `none` where nothing was."""

    @property
    def tuning(self) -> bool:
        return tuning_half(self.id)


@dataclass(frozen=True, slots=True)
class Told:
    """Counts of one language."""

    lang: str
    pairs: int
    contradictory: int
    found: int
    """Contradictory pairs that were told to be."""
    wrong: int
    """Other pairs that were told to be."""
    same_kind: int
    """Of those found, with the kind that they were written as."""

    @property
    def precision(self) -> float | None:
        told = self.found + self.wrong
        return self.found / told if told else None

    @property
    def recall(self) -> float | None:
        return self.found / self.contradictory if self.contradictory else None


def judged() -> list[Written]:
    """Return all written pairs with what is said of them."""
    rows = []
    for line in PAIRS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        one, other = (
            Fields(issue=title, environment=environment, resolution=resolution)
            for title, environment, resolution in zip(row["title"], row["environment"], row["resolution"], strict=True)
        )
        found = contradiction(one, other)
        rows.append(Written(row["id"], row["lang"], row["kind"], found.kind if found is not None else NONE))
    return rows


def told(rows: list[Written], lang: str) -> Told:
    """Count those in one language."""
    here = [row for row in rows if row.lang == lang]
    count = Counter((row.kind != NONE, row.said != NONE) for row in here)
    return Told(
        lang=lang,
        pairs=len(here),
        contradictory=count[True, True] + count[True, False],
        found=count[True, True],
        wrong=count[False, True],
        same_kind=sum(row.kind == row.said != NONE for row in here),
    )
