"""Whether to answer, to offer questions, or to say that nothing was found.

PROVISIONAL: a logistic model over four features of the best hit, with thresholds set on the tuning halves of a few
judged sets (docs/decisions/0008-bands.md). The evaluation work replaces it by calibrated probabilities with a target
risk.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from retrieval.search import Hit, Results


class Band(StrEnum):
    ANSWER = "answer"
    DID_YOU_MEAN = "did_you_mean"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the logistic model, with the two thresholds on its probability."""

    bias: float
    cosine: float
    spread: float
    share: float
    margin: float
    answer: float
    suggest: float


PROVISIONAL = Weights(bias=-10.0, cosine=8.0, spread=0.5, share=3.0, margin=0.5, answer=0.5, suggest=0.25)


@dataclass(frozen=True, slots=True)
class Decision:
    band: Band
    confidence: float
    """0 to 1, not calibrated yet."""


def features(results: Results) -> tuple[float, float, float, float]:
    """Return cosine of the best hit, its z-score over the corpus, its BM25 as a share of the bound, the margin.

    The margin is the lead of the best hit's fused score over the third hit's. Zeros where nothing was found.
    """
    if not results.hits:
        return 0.0, 0.0, 0.0, 0.0
    best = max(results.hits[:3], key=lambda hit: hit.dense)
    spread = (best.dense - results.dense_mean) / results.dense_std if results.dense_std > 1e-6 else 0.0
    share = max(hit.lexical for hit in results.hits[:3]) / results.stats_bound if results.stats_bound > 0 else 0.0
    ranked = [hit.score for hit in results.hits]
    margin = ranked[0] - ranked[min(2, len(ranked) - 1)]
    return best.dense, spread, share, margin


def decide(results: Results, weights: Weights = PROVISIONAL) -> Decision:
    """Return the band for what was found, and how sure that is."""
    if not results.hits:
        return Decision(Band.NO_ANSWER, 0.0)
    cosine, spread, share, margin = features(results)
    logit = (
        weights.bias
        + weights.cosine * cosine
        + weights.spread * spread
        + weights.share * share
        + weights.margin * margin
    )
    confidence = 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))
    if results.hits[0].exact_title:
        confidence = max(confidence, weights.answer)
    if confidence >= weights.answer:
        return Decision(Band.ANSWER, confidence)
    return Decision(Band.DID_YOU_MEAN if confidence >= weights.suggest else Band.NO_ANSWER, confidence)


def suggestions(hits: Sequence[Hit], most: int = 5) -> list[Hit]:
    """Return the hits whose titles to offer as questions: articles and answers before cases, in rank order."""
    written = [hit for hit in hits if hit.found.kind in ("article", "answer")]
    return (written or list(hits))[:most]
