"""A follow-up question put in full by the language model; what it may not be trusted with is checked.

Only questions and titles that the reader has seen are sent. A result that names a number or a code of its own is
refused: `retrieval.followup` then takes the rules' result, as it does where the model fails or takes too long.
"""

import asyncio
import re
from collections.abc import Sequence

from kb.errors import Unavailable
from retrieval.followup import Turn
from retrieval.generate.outcome import Failed
from retrieval.generate.prompt import rewriting
from retrieval.generate.writer import Writer

SECONDS = 3.0
"""Most that may pass: the search waits for it."""
_CODED = re.compile(r"[^\W_]*\d[\w.:/-]*")


class ModelRewriter:
    """Meets `retrieval.followup.Rewriter` with the model of a Writer, whose pauses it shares."""

    def __init__(self, writer: Writer, *, seconds: float = SECONDS) -> None:
        self._writer = writer
        self._seconds = seconds

    def __call__(self, turns: Sequence[Turn], question: str) -> str:
        """Return the question in full. Raises Unavailable for whatever goes wrong; runs an event loop of its own."""
        try:
            text = asyncio.run(self._writer.completed(rewriting(turns, question), seconds=self._seconds))
        except Failed as failed:
            raise Unavailable(f"the language model has not completed the question: {failed}") from None
        text = text.strip().partition("\n")[0].strip().strip("\"“”'「」")
        known = " ".join([question, *(part for turn in turns for part in (turn.question, *turn.titles))]).casefold()
        for name in _CODED.findall(text.casefold()):
            if name.strip(".:/-") not in known:
                raise Unavailable(f"the language model put {name!r} into the question")
        return text
