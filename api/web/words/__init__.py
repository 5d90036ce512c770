"""The words of the pages' rooms: each room a file of keys, with English and Chinese beside each other."""

from collections.abc import Mapping

from api.web.words import (
    applying,
    attachments,
    before_publishing,
    cases,
    drafting,
    flags,
    gaps,
    history,
    meanwhile,
    reviewing,
    translations,
)

Pairs = Mapping[str, tuple[str, str]]
ROOMS: tuple[Pairs, ...] = (
    before_publishing.WORDS,
    attachments.WORDS,
    applying.WORDS,
    reviewing.WORDS,
    history.WORDS,
    translations.WORDS,
    cases.WORDS,
    gaps.WORDS,
    meanwhile.WORDS,
    drafting.WORDS,
    flags.WORDS,
)


def add_to(catalogue: dict[str, dict[str, str]]) -> None:
    """Add the words of all rooms to those of English and Chinese. Raises ValueError for a key that is there already."""
    for room in ROOMS:
        for key, (english, chinese) in room.items():
            if key in catalogue["en"]:
                raise ValueError(f"the words {key!r} are said twice")
            catalogue["en"][key], catalogue["zh"][key] = english, chinese
