"""One order from two legs: cosine on a scale of the whole corpus, and how much of the question a passage says.

    score  = (cosine - mean) / std  +  weight * share / (best share + damping)
    share  = said * bm25 / bound

`mean` and `std` are those of the question's cosine to every live passage; `bound` is the highest BM25 score that any
passage could reach for this question, terms unknown to the corpus included. The lexical part is relative to the best
candidate, so it weighs as much for a long question as for a short one, and it is damped where even the best candidate
has few of the question's words: then they say little.

`said` is what a shared word says about a passage: 1 in the language of the question. In another language the words of
the question mean something else or are left over from a translation; names and codes are the same everywhere. All
that a Chinese question shares with an English passage are such, so it is 1 there too. Of a question in letters it is
the share of its terms that have a digit.

docs/decisions/0007-fusion.md has what was measured. A fused score orders; it is never a threshold.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from retrieval.language import primary
from retrieval.tuned import TUNED
from retrieval.types import Candidates, Query

_LEAST_STD = 1e-6
_IDEOGRAPHIC = frozenset({"zh", "ja", "ko"})


def fuse(
    candidates: Candidates,
    query: Query,
    *,
    weight: float = TUNED.lexical_weight,
    damping: float = TUNED.lexical_damping,
) -> npt.NDArray[np.float64]:
    """Return the fused score of each candidate for `query`, shape (n,), higher is better.

    Without a question vector (all cosines 0) only the lexical part remains.
    """
    stats = candidates.stats
    score = np.zeros(len(candidates), np.float64)
    if stats.dense_std > _LEAST_STD:
        score += (candidates.dense.astype(np.float64) - stats.dense_mean) / stats.dense_std
    elif np.any(candidates.dense):
        score += candidates.dense  # a corpus of one passage, or all alike: no spread to measure by
    if stats.lexical_bound > 0 and len(candidates):
        share = _said(candidates, query) * candidates.lexical / stats.lexical_bound
        score += weight * share / (max(0.0, float(share.max())) + damping)
    return score


def order(score: npt.NDArray[np.float64], passage: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return the positions best first, equal scores by passage id."""
    return np.lexsort((passage, -score))


def _said(candidates: Candidates, query: Query) -> npt.NDArray[np.float64]:
    """Return what a shared word says about each candidate, 0 to 1."""
    spoken = primary(query.lang)
    if spoken == "und" or spoken in _IDEOGRAPHIC:
        return np.ones(len(candidates))
    langs, places = np.unique(candidates.lang, return_inverse=True)
    elsewhere = _named(query.terms)
    return np.array([1.0 if primary(str(lang)) in (spoken, "und") else elsewhere for lang in langs])[places]


def _named(terms: Sequence[str]) -> float:
    """Return the share of terms that are the same in every language: codes, versions, numbers."""
    return sum(any(c.isdigit() for c in term) for term in terms) / len(terms) if terms else 0.0
