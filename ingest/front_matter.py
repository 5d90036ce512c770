"""The YAML block at the head of a Markdown file, as plain texts and lists.

Every scalar stays the text it was written as: `versions: [8.10]` is not the number 8.1, `lang: no` is not false.
Aliases are refused and depth is bounded, so that a small file cannot unfold into a large one.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from kb.errors import TooLarge, UnreadableSource, shown

LONGEST = 64 * 1024
"""Most characters of front matter."""
DEEPEST = 16
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_BLOCK = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


def split(text: str) -> tuple[dict[str, Any], str]:
    """Return the front matter and the text after it; no front matter gives an empty mapping.

    Raises UnreadableSource if it is not YAML, not a mapping or uses aliases, TooLarge if it is too long or deep.
    """
    found = _BLOCK.match(text.removeprefix("\ufeff"))
    if found is None:
        return {}, text
    body = text.removeprefix("\ufeff")[found.end() :]
    if len(found[1]) > LONGEST:
        raise TooLarge(f"the front matter has {len(found[1]):,} characters; it has at most {LONGEST:,}")
    try:
        events = yaml.parse(found[1], Loader=_LOADER)
        value = _document(events)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise UnreadableSource(f"the front matter is not YAML: {shown(problem)}; quote values with a colon") from error
    if value is None:
        return {}, body
    if not isinstance(value, dict):
        raise UnreadableSource(f"the front matter is to be a mapping (name: value), not {shown(value)}")
    return value, body


def _document(events: Iterator[yaml.Event]) -> Any:
    for event in events:
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent | yaml.AliasEvent):
            return _value(event, events, 0)
    return None


def _value(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Any:
    if depth > DEEPEST:
        raise TooLarge(f"the front matter is nested more than {DEEPEST} deep")
    if isinstance(event, yaml.ScalarEvent):
        return event.value
    if isinstance(event, yaml.SequenceStartEvent):
        return list(_inside(events, depth))
    if isinstance(event, yaml.MappingStartEvent):
        inside = list(_inside(events, depth))
        # A key that is a list or mapping names no field.
        return {key: value for key, value in zip(inside[::2], inside[1::2], strict=True) if isinstance(key, str)}
    raise UnreadableSource("the front matter uses a YAML alias (*name): write the value out")


def _inside(events: Iterator[yaml.Event], depth: int) -> Iterator[Any]:
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            return
        yield _value(event, events, depth + 1)
