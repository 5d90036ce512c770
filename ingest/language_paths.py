"""The language of a page where its path says so, and what it shares with its translations."""

import re
from pathlib import PurePosixPath

# Codes that are also words people name folders by (id, in, is, it, no, or, so, to) say a language with a region only.
_NAMES = """
ar bg cs da de el en es et fa fi fr he hi hr hu ja ko lt lv nl pl pt ro ru sk sl sv th tr uk ur vi zh
"""
_ALONE = frozenset(_NAMES.split())
_WITH_REGION = _ALONE | {"ca", "id", "it", "ms", "nb", "nn", "no"}
_TAG = re.compile(r"([a-z]{2})(?:[-_](?:hans|hant|latn|cyrl|[a-z]{2}|419)){0,2}", re.IGNORECASE)
# After a hyphen many words look like a language (row-id, as-is): there only the two this product is made for count.
_ENDING = re.compile(
    r"(?:\.([a-z]{2}(?:[-_][a-z]{2,4})?)|[_-]((?:en|zh)(?:[-_](?:hans|hant|[a-z]{2}))?))\Z", re.IGNORECASE
)


def told_by_path(place: str) -> dict[str, str]:
    """Return `lang` and `family` as the path says them (`zh-CN/a/b.html`: zh, `a/b`), or nothing.

    A folder is named by the language (`en`, `zh-CN`), or the file ends in it (`setup.zh.md`). The path without language
    and ending is the same for the translations of one page.
    """
    path = PurePosixPath(place)
    for at, part in enumerate(path.parts[:-1]):
        if language := _language(part):
            rest = PurePosixPath(*path.parts[:at], *path.parts[at + 1 :])
            return {"lang": language, "family": rest.with_suffix("").as_posix()}
    stem = path.stem
    if (found := _ENDING.search(stem)) and (language := _language(found[1] or found[2])):
        bare = stem[: found.start()]
        if bare:
            return {"lang": language, "family": path.with_name(bare).as_posix()}
    return {}


def _language(tag: str) -> str | None:
    found = _TAG.fullmatch(tag)
    if found is None:
        return None
    primary = found[1].lower()
    return primary if primary in _ALONE or (len(tag) > 2 and primary in _WITH_REGION) else None
