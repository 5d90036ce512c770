"""One order from two legs, on a scale that does not depend on what else was found.

    score = (cosine - mean) / std  +  LEXICAL_WEIGHT * bm25 / bound

`mean` and `std` are those of the question's cosine to every live passage; `bound` is the highest BM25 score that any
passage could reach for this question, terms unknown to the corpus included. So the lexical leg fades by itself where
the question's words are not there (another language, a paraphrase), and rules where they are (an error code). Rank
fusion cannot do that: see docs/decisions/0007-fusion.md for what was measured.

A fused score orders; it is never a threshold.
"""

import numpy as np
import numpy.typing as npt

from retrieval.types import Candidates

LEXICAL_WEIGHT = 5.0
"""From a first measurement over nine pairs of model and judged set; the evaluation work refines it."""

_LEAST_STD = 1e-6


def fuse(candidates: Candidates, *, lexical_weight: float = LEXICAL_WEIGHT) -> npt.NDArray[np.float64]:
    """Return the fused score of each candidate, shape (n,), higher is better.

    Without a question vector (all cosines 0) only the lexical part remains.
    """
    stats = candidates.stats
    score = np.zeros(len(candidates), np.float64)
    if stats.dense_std > _LEAST_STD:
        score += (candidates.dense.astype(np.float64) - stats.dense_mean) / stats.dense_std
    elif np.any(candidates.dense):
        score += candidates.dense  # a corpus of one passage, or all alike: no spread to measure by
    if stats.lexical_bound > 0:
        score += lexical_weight * (candidates.lexical / stats.lexical_bound)
    return score


def order(score: npt.NDArray[np.float64], passage: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return the positions best first, equal scores by passage id."""
    return np.lexsort((passage, -score))
