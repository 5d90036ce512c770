"""The values that pass between the parts of retrieval. No behaviour beyond checking their shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
"""One embedding, shape (dim,), unit length."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a passage can be filtered by. All of it belongs to its item."""

    kind: str
    audience: str
    space: int
    lang: str
    labels: frozenset[tuple[str, str]] = frozenset()
    """(facet, value) pairs; facets: product, version, topic, group."""


@dataclass(frozen=True, slots=True)
class PassageDoc:
    """One passage as an index takes it."""

    id: int
    terms: Sequence[str]
    """Terms in text order, repeats kept, as `retrieval.text.analyze` gives them."""
    vector: Vector


@dataclass(frozen=True, slots=True)
class Change:
    """The state of one item after change-log row `seq`: replaces all passages of the item.

    No passages: the item is gone from the index (retired, deleted, never published).
    """

    seq: int
    item: int
    attributes: Attributes | None
    passages: tuple[PassageDoc, ...] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """Restrictions that a reader asks for. Values of one facet are alternatives; facets combine with AND.

    A passage without any version passes a version filter (it applies to all of them), likewise for product.
    """

    kinds: frozenset[str] = frozenset()
    langs: frozenset[str] = frozenset()
    spaces: frozenset[int] = frozenset()
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """A question, ready for both legs."""

    terms: Sequence[str]
    """Analyzed terms in query order, repeats kept."""
    vector: Vector | None
    """None: lexical leg only."""
    lang: str = "und"
    """BCP 47 language of the question; `und`: not known."""


@dataclass(frozen=True, slots=True)
class QueryStats:
    """What fusion needs to know about the whole corpus for one question."""

    passages: int
    """Live passages in the snapshot (before scope and filters)."""
    dense_mean: float
    dense_std: float
    """Mean and standard deviation of the cosine of the question to all live passages (0 where empty)."""
    lexical_bound: float
    """Upper bound of BM25 for this question: sum of idf*(k1+1) over its terms, unknown terms included."""
    terms: int
    terms_known: int


@dataclass(frozen=True, slots=True)
class Candidates:
    """The union of each leg's best passages, each with both scores; no particular order.

    All arrays have shape (n,). Every passage lies inside the scope and the filters.
    """

    passage: npt.NDArray[np.int64]
    item: npt.NDArray[np.int64]
    dense: npt.NDArray[np.float32]
    """Cosine of question and passage; 0 where the query has no vector."""
    lexical: npt.NDArray[np.float64]
    """BM25Okapi score over the live corpus; 0 where no term is shared."""
    lang: npt.NDArray[np.str_]
    """BCP 47 language of each passage's item."""
    stats: QueryStats
    generation: int
    watermark: int
    took_ms: Mapping[str, float]
    """Milliseconds by leg: `dense`, `lexical`."""

    def __len__(self) -> int:
        return len(self.passage)
