"""Whether to answer, to offer questions, or to say that nothing was found.

PROVISIONAL: a logistic model over four features of the best hit, with thresholds set on the tuning halves of a few
judged sets (docs/decisions/0008-bands.md). The evaluation work replaces it by calibrated probabilities with a target
risk.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from retrieval.search import Hit, Results
from retrieval.text import analyze

_CODE = re.compile(r"(?=.*\d)[a-z]+[-_]?[a-z]?\d+")
"""Letters and a number in one, as analyzed: fb-e21, app-1103, kb5034441."""


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


E5_SMALL = Weights(bias=-39.62, cosine=43.45, spread=0.0, share=0.0, margin=1.46, answer=0.69, suggest=0.17)
"""For multilingual-e5-small, whose cosines lie between .7 and 1."""
ANY_MODEL = Weights(bias=-3.4, cosine=0.0, spread=0.33, share=3.64, margin=1.26, answer=0.81, suggest=0.31)
"""For a model whose scale of cosines is not known: it does without them."""


def weights_for(embedder: str) -> Weights:
    """Return the weights for an embedder by its name."""
    return E5_SMALL if embedder == "e5-small" else ANY_MODEL


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


def decide(results: Results, weights: Weights = E5_SMALL) -> Decision:
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
    if results.hits[0].exact_title or _names_its_code(results):
        confidence = max(confidence, weights.answer)
    if confidence >= weights.answer:
        return Decision(Band.ANSWER, confidence)
    return Decision(Band.DID_YOU_MEAN if confidence >= weights.suggest else Band.NO_ANSWER, confidence)


def _names_its_code(results: Results) -> bool:
    """Say whether the question names a code (FB-E21) and the best hit's title has each that it names.

    A code has no meaning that a model of language could know, so its cosine says little.
    """
    codes = {term for term in results.terms if len(term) >= 4 and _CODE.fullmatch(term)}
    return bool(codes) and codes <= set(analyze(results.hits[0].found.title))


def suggestions(hits: Sequence[Hit], most: int = 5) -> list[Hit]:
    """Return the hits whose titles to offer as questions: articles and answers before cases, in rank order.

    What scores less than half of the best is not offered: a list of titles that do not fit helps nobody.
    """
    written = [hit for hit in hits if hit.found.kind in ("article", "answer", "fixed")] or list(hits)
    least = written[0].score / 2 if written else 0.0
    return [hit for hit in written if hit.score >= least][:most]
