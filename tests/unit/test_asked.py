import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from retrieval.asked import Asked
from retrieval.types import Vector

WAIT = 30.0


def vector(text: str) -> Vector:
    return np.full(3, len(text), np.float32)


def test_the_same_question_at_the_same_moment_is_computed_once() -> None:
    computed: Counter[str] = Counter()
    begun, go = threading.Event(), threading.Event()

    def slow(text: str) -> Vector:
        computed[text] += 1
        begun.set()
        assert go.wait(WAIT)
        return vector(text)

    asked = Asked(slow, 10)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(asked, "same")
        assert begun.wait(WAIT)
        others = [pool.submit(asked, "same") for _ in range(4)]
        go.set()
        vectors = [found.result(WAIT) for found in (first, *others)]
    assert computed == {"same": 1}
    assert all(found is vectors[0] for found in vectors)


def test_a_slow_question_does_not_hold_up_another() -> None:
    begun, go = threading.Event(), threading.Event()

    def embed(text: str) -> Vector:
        if text == "slow":
            begun.set()
            assert go.wait(WAIT)
        return vector(text)

    asked = Asked(embed, 10)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(asked, "slow")
        assert begun.wait(WAIT)
        assert asked("quick")[0] == 5
        assert not slow.done()
        go.set()
        assert slow.result(WAIT)[0] == 4


def test_an_error_is_told_and_not_remembered() -> None:
    tries: list[str] = []

    def fails_once(text: str) -> Vector:
        tries.append(text)
        if tries.count("bad") == 1 and text == "bad":
            raise ValueError("no")
        return vector(text)

    asked = Asked(fails_once, 10)
    with pytest.raises(ValueError, match="no"):
        asked("bad")
    assert asked("good")[0] == 4
    assert asked("bad")[0] == 3
    assert tries == ["bad", "good", "bad"]


def test_the_oldest_is_forgotten() -> None:
    computed: list[str] = []

    def embed(text: str) -> Vector:
        computed.append(text)
        return vector(text)

    asked = Asked(embed, 2)
    for text in ("a", "bb", "a", "ccc", "a", "bb"):
        asked(text)
    assert computed == ["a", "bb", "ccc", "bb"]
