"""Asking a language model for an answer and letting through only what its passages support."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import ParamSpec, TypeVar

from kb.errors import KBError
from retrieval.embed import Embedder
from retrieval.entailment import Entailment
from retrieval.generate.breaker import Breaker
from retrieval.generate.draft import Draft, Written
from retrieval.generate.endpoint import Endpoint, Message
from retrieval.generate.outcome import Failed, Generation, Outcome
from retrieval.generate.prompt import messages
from retrieval.generate.units import Units
from retrieval.neighbours import Context
from retrieval.support import Supporter

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class Writer:
    """One model, its state, and how its sentences are checked. Safe to share between threads and event loops."""

    def __init__(
        self, endpoint: Endpoint, *, breaker: Breaker | None = None, entailment: Entailment | None = None
    ) -> None:
        self._endpoint = endpoint
        self._breaker = breaker or Breaker()
        self._entailment = entailment

    @property
    def model(self) -> str:
        return self._endpoint.model

    async def write(
        self, question: str, lang: str, sources: Sequence[Context], embedder: Embedder
    ) -> AsyncGenerator[str | Written, None]:
        """Yield the answer in `lang` piece by piece, each checked, then the whole of it. Raises Failed.

        `sources` are all that is sent, and all that may be cited: the caller has made sure that the reader may read
        them. Closing the iterator stops the server.
        """
        draft = Draft(lang, sources, Supporter(embedder, entails=self._entailment))
        units = Units()
        with self._breaker.attempt():
            async with aclosing(self._endpoint.complete(messages(question, lang, sources))) as answer:
                async for piece in answer:
                    for unit in units.feed(piece):
                        if shown := await asyncio.to_thread(_checked, draft.add, unit):
                            yield shown
            for unit in units.rest():
                if shown := await asyncio.to_thread(_checked, draft.add, unit):
                    yield shown
            yield await asyncio.to_thread(_checked, draft.finish)

    async def completed(self, asked: Sequence[Message], *, seconds: float) -> str:
        """Return all that the model says to messages, unchecked. Raises Failed, also after `seconds`."""
        try:
            with self._breaker.attempt():
                async with asyncio.timeout(seconds), aclosing(self._endpoint.complete(asked)) as answer:
                    return "".join([piece async for piece in answer])
        except TimeoutError:
            raise Failed(Outcome.TIMEOUT_WHOLE, f"{seconds:g} s for a question") from None

    def failed(self, failed: Failed, since: float) -> Generation:
        """Say in the log why there is no generated answer, and return it for the event. `since`: perf_counter."""
        level = logging.WARNING if failed.outcome.of_the_server else logging.INFO
        log.log(level, "no answer from the language model %s: %s", self.model, failed)
        return Generation(failed.outcome, self.model, took_ms=_ms(since))

    def wrote(self, written: Written, since: float) -> Generation:
        return Generation(Outcome.GENERATED, self.model, written.kept, written.removed, _ms(since))


def _checked(step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return step(*args, **kwargs)
    except KBError as error:  # such as a model of entailment that is not there
        log.error("what the language model wrote cannot be checked: %s", error.message)
        raise Failed(Outcome.CHECK_FAILED, error.code) from None


def _ms(since: float) -> float:
    return round((time.perf_counter() - since) * 1000, 3)
