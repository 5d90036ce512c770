"""Constants that were tuned, in one file with the runs that made them: `tuned.json`, written by `kb eval`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

ANY = "*"
"""Stands for an embedder whose scale of cosines is not known."""


@dataclass(frozen=True, slots=True)
class Model:
    """A logistic model of `retrieval.abstain`."""

    bias: float
    cosine: float
    coverage: float
    cosine_lead: float
    spread_lead: float
    lexical_lead: float


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure an answer is, for one embedder."""

    models: dict[str, Model]
    """By group: zh, other, across."""
    curve: tuple[tuple[float, float, float, float], ...]
    """What answering from given log odds on comes to, these falling: (log odds, share of the answerable questions that
    are answered right, that are answered wrong, share of the unanswerable ones that are answered)."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """A logistic model of `retrieval.duplicates`."""

    bias: float
    cosine: float
    title: float
    words: float


@dataclass(frozen=True, slots=True)
class Nearness:
    """Least cosines at which `retrieval.clusters` takes two questions for one."""

    within: float
    """Of questions in one language."""
    across: float
    """Of questions in two."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the runs recorded in the file came to."""

    lexical_weight: float
    """Of the lexical part of a fused score, in standard deviations of the cosine."""
    lexical_damping: float
    """Added to the share that the lexical part is relative to."""
    environment_weight: float
    """Of an environment in full agreement, in standard deviations of the cosine."""
    confidence: dict[str, Confidence]
    """By name of the embedder."""
    likeness: dict[str, dict[str, Likeness]]
    """By name of the embedder and group: zh, other."""
    nearness: dict[str, Nearness]
    """By name of the embedder."""

    def confidence_of(self, embedder: str) -> Confidence:
        return self.confidence.get(embedder, self.confidence[ANY])

    def likeness_of(self, embedder: str) -> dict[str, Likeness]:
        return self.likeness.get(embedder, self.likeness[ANY])

    def nearness_of(self, embedder: str) -> Nearness:
        return self.nearness.get(embedder, self.nearness[ANY])


def read() -> dict[str, Any]:
    """Return the file as it is."""
    found: dict[str, Any] = json.loads((files("retrieval") / "tuned.json").read_text(encoding="utf-8"))
    return found


def confidence(part: Mapping[str, Any]) -> Confidence:
    """Return what the file says of one embedder."""
    return Confidence(
        models={group: Model(**weights) for group, weights in part["models"].items()},
        curve=tuple((odds, right, wrong, unanswerable) for odds, right, wrong, unanswerable in part["curve"]),
    )


def likeness(part: Mapping[str, Any]) -> dict[str, Likeness]:
    """Return what the file says of near duplicates for one embedder."""
    return {group: Likeness(**weights) for group, weights in part.items()}


def _tuned() -> Tuned:
    document = read()
    fusion = document["fusion"]
    return Tuned(
        lexical_weight=fusion["lexical_weight"],
        lexical_damping=fusion["lexical_damping"],
        environment_weight=document["environment"]["weight"],
        confidence={name: confidence(part) for name, part in document["confidence"].items() if name != "run"},
        likeness={name: likeness(part) for name, part in document["duplicates"].items() if name != "run"},
        nearness={name: Nearness(**part) for name, part in document["gaps"].items() if name != "run"},
    )


TUNED = _tuned()
