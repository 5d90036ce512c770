"""What came of asking a language model, as the event log, the metrics and the API name it."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """`generated`, or why the extract was served instead. The words are stable; docs/operations.md explains each."""

    GENERATED = "generated"
    # The server or the way to it. These count towards a pause.
    UNREACHABLE = "unreachable"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_FIRST_TOKEN = "timeout_first_token"
    TIMEOUT_BETWEEN_TOKENS = "timeout_between_tokens"
    TIMEOUT_WHOLE = "timeout_whole"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    MODEL_NOT_FOUND = "model_not_found"
    REJECTED = "rejected"
    SERVER_ERROR = "server_error"
    NOT_A_STREAM = "not_a_stream"
    INVALID_STREAM = "invalid_stream"
    BROKEN_STREAM = "broken_stream"
    # What it wrote.
    REFUSED = "refused"
    NO_ANSWER = "no_answer"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    WRONG_LANGUAGE = "wrong_language"
    UNSUPPORTED = "unsupported"
    # Neither.
    WITHDRAWN = "withdrawn"
    CHECK_FAILED = "check_failed"
    PAUSED = "paused"

    @property
    def of_the_server(self) -> bool:
        """Whether asking again at once would most likely fail the same way, whatever is asked."""
        return self in _OF_THE_SERVER


_OF_THE_SERVER = frozenset(
    {
        Outcome.UNREACHABLE, Outcome.TIMEOUT_CONNECT, Outcome.TIMEOUT_FIRST_TOKEN, Outcome.TIMEOUT_BETWEEN_TOKENS,
        Outcome.TIMEOUT_WHOLE, Outcome.RATE_LIMITED, Outcome.UNAUTHORIZED, Outcome.MODEL_NOT_FOUND, Outcome.REJECTED,
        Outcome.SERVER_ERROR, Outcome.NOT_A_STREAM, Outcome.INVALID_STREAM, Outcome.BROKEN_STREAM,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Generation:
    """What came of asking the model for one answer."""

    outcome: Outcome
    model: str
    kept: int = 0
    """Sentences and steps that their passages support."""
    removed: int = 0
    """Those that none supports, or that cite none."""
    took_ms: float = 0.0


class Failed(Exception):
    """No answer came of the model. Never reaches a reader: the extract is served."""

    def __init__(self, outcome: Outcome, detail: str = "", *, retry_after: float | None = None) -> None:
        """`detail` is for the log: no key, no text of a passage. `retry_after`: seconds, as the server says."""
        super().__init__(f"{outcome}: {detail}" if detail else str(outcome))
        self.outcome = outcome
        self.detail = detail
        self.retry_after = retry_after
