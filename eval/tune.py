"""Tune the fusion on the tuning halves of judged sets, and record constants with the run that made them.

For each pair of weight and damping: what the hybrid gains over the better leg, a set each. Of the pairs that lose at
most LARGEST_REGRET on any set the one with the largest mean gain is chosen. A set with few queries is left out of the
choice: a handful of questions would decide for all.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import retrieval
from eval.run import SYSTEMS, Outcome, Ranker
from ingest.judged import JudgedSet
from retrieval import tuned
from retrieval.fusion import fuse

WEIGHTS = (1.5, 2.0, 2.6, 3.0, 3.5, 4.0)
DAMPINGS = (0.03, 0.06, 0.1, 0.15, 0.2)
LARGEST_REGRET = 0.0015
FEWEST = 40
"""Fewest queries of a set that is tuned on."""
_MEASURE = "ndcg@10"
_LEGS = ("bm25", "dense")


@dataclass(frozen=True, slots=True)
class Tried:
    """One pair of constants on all sets."""

    weight: float
    damping: float
    gains: dict[str, float]
    """nDCG@10 above that of the better leg, by set."""
    queries: dict[str, int]

    @property
    def mean_gain(self) -> float:
        return sum(self.gains.values()) / len(self.gains)

    @property
    def worst(self) -> float:
        return min(self.gains.values())


def grid() -> dict[str, Ranker]:
    """Return the legs and a ranker for each pair."""
    legs = {name: SYSTEMS[name] for name in _LEGS}
    return legs | {f"{w} {d}": partial(fuse, weight=w, damping=d) for w in WEIGHTS for d in DAMPINGS}


def tune(runs: Iterable[tuple[JudgedSet, Sequence[Outcome]]]) -> Iterator[Tried]:
    """Yield each pair with its gains, from runs of `grid()` over the sets."""
    gains: dict[str, dict[str, float]] = {}
    queries: dict[str, int] = {}
    for judged, outcomes in runs:
        if outcomes[0].queries < FEWEST:
            continue
        queries[judged.name] = outcomes[0].queries
        values = {outcome.system: outcome.values[_MEASURE] for outcome in outcomes}
        leg = max(values.pop(name) for name in _LEGS)
        for name, value in values.items():
            gains.setdefault(name, {})[judged.name] = value - leg
    for name, found in gains.items():
        weight, damping = map(float, name.split())
        yield Tried(weight, damping, found, queries)


def chosen(tried: Sequence[Tried]) -> Tried:
    """Return the pair with the largest mean gain of those with a bearable worst set, else the least bad one."""
    bearable = [one for one in tried if one.worst >= -LARGEST_REGRET]
    return max(bearable, key=lambda one: one.mean_gain) if bearable else max(tried, key=lambda one: one.worst)


def record(best: Tried, embedder: str) -> Path:
    """Write the constants with their run into `retrieval/tuned.json`; return its path."""
    run = {
        "command": "kb eval tune --write DIR...",
        "date": datetime.now(UTC).date().isoformat(),
        "answerwell": version("answerwell"),
        "embedder": embedder,
        "half": "tune",
        "queries": best.queries,
        "gain": {name: round(gain, 4) for name, gain in best.gains.items()},
        "mean_gain": round(best.mean_gain, 4),
    }
    return update("fusion", {"lexical_weight": best.weight, "lexical_damping": best.damping, "run": run})


def update(part: str, values: dict[str, Any]) -> Path:
    """Replace one part of the file of constants; return its path."""
    path = Path(str(retrieval.__path__[0])) / "tuned.json"
    document = tuned.read()
    document[part] = values
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path
