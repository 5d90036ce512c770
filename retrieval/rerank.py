"""A second look at the best of the fused ranking: a model that reads question and passage together orders them anew.

An option, off by default: nothing here is loaded, torch least of all, unless KB_RERANKER names a model. It costs far
more than all the rest of a search (python -m eval.bench_rerank), so it has a time budget, and where that is spent the
fused order stands. Any cross-encoder of sentence-transformers will do; see Nogueira and Cho 2019, arXiv:1901.04085.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from kb.errors import Misconfigured, shown
from kb.settings import Settings

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

log = logging.getLogger(__name__)

LONGEST = 512
"""Most tokens of question and passage together."""
BATCH = 4
"""Passages read between two looks at the clock."""


class Reranked(StrEnum):
    """What became of the second look."""

    OFF = "off"
    DONE = "done"
    LATE = "late"
    """It took longer than its budget: the fused order stands."""
    FAILED = "failed"
    """The model failed: the fused order stands."""


class TooLate(Exception):
    """The time is over."""


class Reranker(Protocol):
    """Scores passages for a question. Safe to use from several threads."""

    @property
    def name(self) -> str:
        """What people call it: the name it was loaded by."""

    def load(self) -> None:
        """Load what the first question would wait for. Raises Misconfigured."""

    def scores(self, question: str, passages: Sequence[str], deadline: float) -> npt.NDArray[np.float64]:
        """Return a score of each passage, shape (n,), higher is better, on a scale of its own.

        Raises TooLate where it is not done at `deadline`, a moment of `time.perf_counter`.
        """


@dataclass(frozen=True, slots=True)
class Reordered:
    """An order of passages, and how it came about."""

    order: Sequence[int]
    """Positions, best first."""
    outcome: Reranked
    ms: float


@dataclass(frozen=True, slots=True)
class Reranking:
    """A reranker with what it may cost."""

    reranker: Reranker
    top: int
    """Items looked at."""
    budget_ms: float

    def reorder(self, question: str, passages: Sequence[str]) -> Reordered:
        """Return the order of the passages for a question; equal scores, and all where it fails, as they came.

        Loading the model is not counted. Raises Misconfigured where it cannot be loaded.
        """
        self.reranker.load()
        started = time.perf_counter()
        order: Sequence[int] = range(len(passages))
        try:
            scores = self.reranker.scores(question, passages, started + self.budget_ms / 1000)
            if scores.shape != (len(passages),) or not np.isfinite(scores).all():
                raise ValueError(f"{len(passages)} passages were given scores {scores!r:.80}")
            order, outcome = np.argsort(-scores, kind="stable").tolist(), Reranked.DONE
        except TooLate:
            outcome = Reranked.LATE
        except Exception:  # whatever ails the model, the fused order is there
            log.exception("the reranker %s failed, the fused order stands", self.reranker.name)
            outcome = Reranked.FAILED
        return Reordered(order, outcome, round((time.perf_counter() - started) * 1000, 3))


class CrossEncoderReranker:
    """A Reranker on a cross-encoder of sentence-transformers, loaded with torch when first needed."""

    def __init__(self, name: str, threads: int | None = None) -> None:
        """`name` is a hub id or a folder; `threads` of None: as torch has it."""
        self.name = name
        self._threads = threads
        self._model: CrossEncoder | None = None
        self._loading = threading.Lock()
        self._reading = threading.Lock()

    def load(self) -> None:
        with self._loading:
            if self._model is None:
                self._model = self._opened()

    def scores(self, question: str, passages: Sequence[str], deadline: float) -> npt.NDArray[np.float64]:
        self.load()
        found: list[float] = []
        if not self._reading.acquire(timeout=min(max(0.0, deadline - time.perf_counter()), threading.TIMEOUT_MAX)):
            raise TooLate
        try:
            for start in range(0, len(passages), BATCH):
                if time.perf_counter() >= deadline:
                    raise TooLate
                found += self._read(question, passages[start : start + BATCH])
        finally:
            self._reading.release()
        if time.perf_counter() > deadline:
            raise TooLate
        return np.array(found, np.float64)

    def _read(self, question: str, passages: Sequence[str]) -> list[float]:
        assert self._model is not None
        pairs = [(question, passage) for passage in passages]
        return [float(score) for score in self._model.predict(pairs, batch_size=BATCH, show_progress_bar=False)]

    def _opened(self) -> "CrossEncoder":
        import torch
        from sentence_transformers import CrossEncoder
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            if self._threads is not None:
                torch.set_num_threads(self._threads)
            # Raw scores: behind a sigmoid the best ones are all alike.
            model: CrossEncoder = CrossEncoder(self.name, device="cpu", activation_fn=torch.nn.Identity())
            model.max_seq_length = min(model.max_seq_length or LONGEST, LONGEST)
            probe = np.asarray(model.predict([("ready?", "yes")], show_progress_bar=False))
        except Exception as error:  # libraries raise what they will for what is no cross-encoder
            raise self._misfit(str(error).partition("\n")[0]) from error
        if probe.shape != (1,):
            raise self._misfit(f"it gives {probe.size} scores to a passage, not one")
        return model

    def _misfit(self, why: str) -> Misconfigured:
        return Misconfigured(
            f"the reranker {shown(self.name)} cannot be used ({why}): set KB_RERANKER to a cross-encoder of "
            "sentence-transformers, a folder or a hub id that can be reached, or unset it"
        )


def configured(settings: Settings) -> Reranking | None:
    """Return the reranking that the settings ask for, not loaded yet; None: it is off."""
    if settings.reranker is None:
        return None
    return Reranking(CrossEncoderReranker(settings.reranker, settings.threads), settings.rerank_top, settings.rerank_ms)
