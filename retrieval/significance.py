"""Is one system better than another, or was it the questions? Fisher's randomisation test over pairs.

If two systems were the same, it would not matter which of them gave which of a question's two values: the difference of
the means is held against those with the values of each question exchanged at random. Source: Smucker, Allan and
Carterette, "A Comparison of Statistical Significance Tests for Information Retrieval Evaluation" (CIKM 2007).
"""

from collections.abc import Mapping

import numpy as np

ROUNDS = 20_000
"""Random exchanges, so that a p of .05 is known to about .0015."""
_CHUNK = 500
_EQUAL = 1e-12


def randomisation(a: Mapping[str, float], b: Mapping[str, float], *, rounds: int = ROUNDS, seed: int = 0) -> float:
    """Return the two-sided p that the means of `a` and `b` differ by so much or more, given by the same questions.

    Raises ValueError if the questions are not the same. 1 for no questions.
    """
    if a.keys() != b.keys():
        raise ValueError("two systems are compared on the same questions")
    difference = np.array([a[query] - b[query] for query in a], np.float64)
    difference = difference[difference != 0]
    if not len(difference):
        return 1.0
    observed = abs(difference.sum())
    random = np.random.default_rng(seed)
    extreme = 0
    for start in range(0, rounds, _CHUNK):
        signs = random.integers(0, 2, (min(_CHUNK, rounds - start), len(difference)), np.int8) * 2 - 1
        extreme += int(np.count_nonzero(np.abs(signs @ difference) >= observed - _EQUAL))
    return (extreme + 1) / (rounds + 1)
