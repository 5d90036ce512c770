"""Topics of a Discourse forum as its API gives them (`/t/{id}.json`), each a case.

The first post is the issue, the accepted answer (the plugin Solved) the resolution; a topic without one is a draft.
Who asked and answered is not read.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.document import Document, Failure, Gone, ReadOptions
from ingest.fields import moment
from ingest.links import from_linked
from ingest.parse import MAX_TITLE, image_warnings, tidy
from ingest.reading import file_text, head
from ingest.records import checked, one_line
from kb.errors import UnreadableSource, shown

_LOOK = 1 << 16
_TOPIC = re.compile(r"(?:https?://[^/]+)?/t/(?:[^/?#]*/)?(\d+)(?:/\d+)?/?(?:[?#].*)?")
_QUOTE = re.compile(r"<aside class=\"quote.*?</aside>", re.DOTALL)
_REGULAR = 1


class DiscourseSource:
    """Reads `.json` of one topic with its posts."""

    name = "discourse"

    def recognises(self, path: Path) -> bool:
        start = head(path, ".json", _LOOK)
        return '"post_stream"' in start or all(f'"{name}"' in start for name in ("archetype", "posts_count", "details"))

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure | Gone]:
        """Yield the topic's document; that it is gone for a deleted or hidden one, or one made a private message.

        Links to topics beside it (files of the same folder named by their numbers) lead to their items.
        Raises TooLarge or UnreadableSource if it cannot be read.
        """
        text, _ = file_text(path, options.limits)
        try:
            topic = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UnreadableSource(f"{shown(path.name)} is not JSON: {error}: export it again") from error
        if not isinstance(topic, dict) or not isinstance(topic.get("id"), int):
            raise UnreadableSource(f"{shown(path.name)} is no topic: fetch /t/<number>.json")
        if topic.get("archetype") != "regular" or topic.get("deleted_at") or topic.get("visible") is False:
            yield Gone(str(topic["id"]))
            return
        yield _case(topic, _beside(path), options)


def _beside(path: Path) -> frozenset[str]:
    """Return the numbers of the topics whose files lie in the same folder."""
    names = (re.search(r"(\d+)$", file.stem) for file in path.parent.glob("*.json"))
    return frozenset(found[1] for found in names if found)


def _case(topic: dict[str, Any], beside: frozenset[str], options: ReadOptions) -> Document:
    title, number = topic.get("title"), str(topic["id"])
    stream = topic.get("post_stream")
    posts = [
        post
        for post in (stream.get("posts") or () if isinstance(stream, dict) else ())
        if isinstance(post, dict) and _is_open(post)
    ]
    first = next((post for post in posts if post.get("post_number") == 1), None)
    if not isinstance(title, str) or not title.strip() or first is None:
        raise UnreadableSource(f"the topic {number} has no title or no first post that may be read")
    told = topic.get("accepted_answer")
    accepted = told.get("post_number") if isinstance(told, dict) else None
    answer = next(
        (post for post in posts if post.get("accepted_answer") is True or post.get("post_number") == accepted), None
    )

    def resolve(address: str) -> str | None:
        found = _TOPIC.fullmatch(address)
        return found[1] if found and found[1] in beside and found[1] != number else None

    issue, resolution = (
        tidy(from_linked(_QUOTE.sub("", str(post.get("cooked") or "")), resolve).markdown) if post else ""
        for post in (first, answer if answer is not first else None)
    )
    tags = [tag.get("name") if isinstance(tag, dict) else tag for tag in topic.get("tags") or ()]
    return checked(
        Document(
            external_id=number,
            title=one_line(title)[:MAX_TITLE],
            issue=issue or one_line(title),
            resolution=resolution,
            kind="case",
            state=None if resolution else "draft",
            updated=moment((answer or first).get("updated_at") or (answer or first).get("created_at")),
            topics=tuple(dict.fromkeys(tag for tag in tags if isinstance(tag, str))),
            warnings=image_warnings(f"{issue}\n{resolution}"),
        ),
        options,
    )


def _is_open(post: dict[str, Any]) -> bool:
    """Say whether a post is a regular one that the forum shows to all."""
    closed = post.get("hidden") or post.get("deleted_at") or post.get("user_deleted")
    return not closed and post.get("post_type", _REGULAR) == _REGULAR
