"""When a server is left alone, for how long, and how it comes back."""

import pytest

from retrieval.generate.breaker import FAILURES, LONGEST_PAUSE, PAUSE, Breaker
from retrieval.generate.outcome import Failed, Outcome


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def ask(breaker: Breaker, outcome: Outcome | None = None, retry_after: float | None = None) -> Outcome | None:
    """Return what a question came to."""
    try:
        with breaker.attempt():
            if outcome is not None:
                raise Failed(outcome, retry_after=retry_after)
    except Failed as failed:
        return failed.outcome
    return None


def test_pauses_double_and_end_with_the_first_success() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert ask(breaker, Outcome.SERVER_ERROR) is Outcome.SERVER_ERROR
    pause = PAUSE
    for _ in range(10):
        assert ask(breaker) is Outcome.PAUSED
        clock.now += pause - 0.01
        assert ask(breaker) is Outcome.PAUSED
        clock.now += 0.02
        assert ask(breaker, Outcome.UNREACHABLE) is Outcome.UNREACHABLE, "one is let through"
        pause = min(2 * pause, LONGEST_PAUSE)
    clock.now += LONGEST_PAUSE
    assert ask(breaker) is None
    assert ask(breaker, Outcome.SERVER_ERROR) is Outcome.SERVER_ERROR
    assert ask(breaker) is None, "all is as it was"


def test_what_the_model_wrote_is_no_reason_for_a_pause() -> None:
    breaker = Breaker(Clock())
    for _ in range(3 * FAILURES):
        for outcome in (Outcome.REFUSED, Outcome.UNSUPPORTED, Outcome.SERVER_ERROR):
            assert ask(breaker, outcome) is outcome


def test_only_one_tries_a_server_that_may_be_back() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        ask(breaker, Outcome.SERVER_ERROR)
    clock.now += PAUSE
    with breaker.attempt():
        assert ask(breaker) is Outcome.PAUSED
    assert ask(breaker) is None


def test_a_trial_that_its_reader_left_is_no_verdict() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        ask(breaker, Outcome.SERVER_ERROR)
    clock.now += PAUSE
    with pytest.raises(GeneratorExit), breaker.attempt():
        raise GeneratorExit
    assert ask(breaker) is None, "another may try"


def test_those_under_way_when_a_pause_begins_do_not_lengthen_it() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    attempts = [breaker.attempt() for _ in range(20)]
    for attempt in attempts:
        attempt.__enter__()
    for attempt in attempts:
        assert not attempt.__exit__(Failed, Failed(Outcome.TIMEOUT_WHOLE), None)
    clock.now += PAUSE
    assert ask(breaker) is None


def test_a_server_is_taken_at_its_word_up_to_a_limit() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    ask(breaker, Outcome.RATE_LIMITED, retry_after=30)
    clock.now += 29
    assert ask(breaker) is Outcome.PAUSED
    clock.now += 2
    ask(breaker, Outcome.RATE_LIMITED, retry_after=1e9)
    clock.now += LONGEST_PAUSE
    assert ask(breaker) is None
