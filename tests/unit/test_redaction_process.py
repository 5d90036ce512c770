"""Personal data found in a process of its own: the same as here, and nothing hangs or is lost when it ends."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from eval.redaction import sentences
from ingest.redaction import find
from ingest.redaction.process import Redactor
from kb.errors import InvalidInput, Unavailable


def test_it_finds_the_same_without_torch(redactor: Redactor) -> None:
    some = sentences("tune")[:40]
    assert [redactor.find(one.text, one.lang) for one in some] == [find(one.text, one.lang) for one in some]


def test_errors_come_through(redactor: Redactor) -> None:
    with pytest.raises(InvalidInput, match="not in 'fr'") as raised:
        redactor.find("bonjour", "fr")
    assert raised.value.field == "lang"
    assert redactor.find("mail a@b.example", "en"), "an error ends nothing"


def test_it_starts_again_and_ends_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    with Redactor(idle=0.0) as fresh:
        assert fresh.process is None
        with monkeypatch.context() as patch:
            patch.setattr("ingest.redaction.process.MOST_SECONDS", 0.0)
            with pytest.raises(Unavailable, match="ended by itself") as raised:
                fresh.find("mail secret@b.example", "en")
        assert "secret@" not in str(raised.value)
        assert fresh.find("mail a@b.example", "en"), "another is started"
        _wait(lambda: fresh.process is None)
    with Redactor() as closed:
        assert closed.process is None, "it starts at the first text"


def test_it_does_not_outlive_who_started_it() -> None:
    code = (
        "import os; from ingest.redaction.process import Redactor; r = Redactor(); r.find('a@b.example', 'en');"
        "print(r.process, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    _wait(lambda: not _alive(int(done.stdout)))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _wait(until: Callable[[], bool]) -> None:
    for _ in range(1000):
        if until():
            return
        time.sleep(0.01)
    pytest.fail("that did not come to pass")
