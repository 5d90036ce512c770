"""Discourse topics: whose words are the resolution, what the forum itself does not show."""

import json
from pathlib import Path
from typing import Any

from ingest.document import Document, Gone
from tests.unit.test_sources import found, one, reason, written


def post(number: int, text: str, **more: Any) -> dict[str, Any]:
    return {"post_number": number, "post_type": 1, "cooked": f"<p>{text}</p>", "username": "someone",
            "created_at": f"2026-01-0{number}T00:00:00Z", "hidden": False, "deleted_at": None} | more  # fmt: skip


def topic(number: int, *posts: dict[str, Any], **more: Any) -> str:
    whole = {"id": number, "title": "It fails", "archetype": "regular", "tags": ["router"], "visible": True,
             "post_stream": {"posts": list(posts)}} | more  # fmt: skip
    return json.dumps(whole)


def test_a_solved_topic_is_a_case(tmp_path: Path) -> None:
    first = post(1, 'See <a href="/t/other/8/2">that</a> and <a href="https://f.example.org/t/x/9">this</a>.')
    quote = '<aside class="quote"><p>See that</p></aside>Restart it.'
    written(tmp_path, "7.json", topic(7, first, post(2, "No idea."), post(3, quote, accepted_answer=True)))
    written(tmp_path, "8.json", topic(8, post(1, "Open question"), post(2, "Try this")))
    solved, unsolved = found(tmp_path)
    assert isinstance(solved, Document)
    assert isinstance(unsolved, Document)
    assert (solved.external_id, solved.kind, solved.state, solved.topics) == ("7", "case", None, ("router",))
    assert solved.issue == "See [that](/8) and [this](https://f.example.org/t/x/9)."
    assert solved.resolution == "Restart it."
    assert (unsolved.state, unsolved.resolution) == ("draft", "")
    assert "someone" not in repr((solved, unsolved))


def test_what_the_forum_does_not_show_is_not_read(tmp_path: Path) -> None:
    hidden = post(2, "Secret", accepted_answer=True, hidden=True)
    deleted = post(3, "Gone", accepted_answer=True, deleted_at="2026-01-05T00:00:00Z")
    whisper = post(4, "Among us", accepted_answer=True, post_type=4)
    told = one(written(tmp_path, "a/1.json", topic(1, post(1, "Help"), hidden, deleted, whisper)))
    assert (told.state, told.resolution) == ("draft", "")
    closed: list[dict[str, Any]] = [{"archetype": "private_message"}, {"deleted_at": "2026-01-05"}, {"visible": False}]
    for at, more in enumerate(closed):
        assert found(written(tmp_path, f"b/{at}.json", topic(1, post(1, "Secret"), **more))) == [Gone("1")]
    assert "no first post" in reason(written(tmp_path, "c/1.json", topic(1, post(1, "Secret", hidden=True))))
    assert "not JSON" in reason(written(tmp_path, "d/1.json", topic(1, post(1, "Help"))[:-3]))
