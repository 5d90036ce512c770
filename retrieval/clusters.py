"""Questions in one sense put together, in several languages: leader clustering by mean cosine (average linkage).

A question joins the cluster that it is nearest to, if it is near enough; else it opens one. Nothing moves afterwards,
so a cluster keeps its number when others join. Near is the mean cosine with a cluster's questions in one language. Two
wordings in one language are nearer than a wording and its translation, so each of the two has a threshold of its own.
Not the cosine with the middle of a cluster: a large cluster's is near to everything.

See docs/decisions/0024-gaps-and-replay.md.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from retrieval.tuned import Nearness
from retrieval.types import Vector


@dataclass(slots=True)
class Clusters:
    """Clusters of unit vectors, by number."""

    near: Nearness
    _sizes: dict[tuple[int, str], int] = field(default_factory=dict)
    """How many questions there are of a cluster in a language; in the order of `_means`."""
    _means: dict[tuple[int, str], npt.NDArray[np.float32]] = field(default_factory=dict)
    """Their mean; its cosines with others are the mean of theirs, so it is not brought to unit length."""

    def add(self, number: int, vector: Vector, lang: str) -> None:
        """Put a question into a cluster, which may be a new one."""
        place = number, lang
        size = self._sizes[place] = self._sizes.get(place, 0) + 1
        before = self._means.get(place)
        self._means[place] = vector if before is None else np.asarray(before + (vector - before) / size, np.float32)

    def nearest(self, vector: Vector, lang: str) -> int | None:
        """Return the number of the cluster that a question belongs to, None if to none that there is.

        Of equally near ones, the first that was made.
        """
        if not self._means:
            return None
        least = [self.near.within if lang == other else self.near.across for _, other in self._means]
        margins = np.stack(list(self._means.values())) @ vector - np.array(least, np.float32)
        best = int(margins.argmax())
        return list(self._means)[best][0] if margins[best] >= 0 else None
