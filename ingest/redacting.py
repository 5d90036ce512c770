"""A document of a source without the personal data in it, for those who import cases."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ingest.document import Document
from ingest.redaction import Finding, Placeholders, replaced
from ingest.redaction.find import language_of
from kb.content import storable

Find = Callable[[str, str], Sequence[Finding]]
"""`ingest.redaction.find`, or the same in another process."""

TEXTS = ("title", "issue", "environment", "resolution", "cause", "body")
LISTS = ("similar_questions", "products", "versions", "topics")
BEFORE = {"products": "product ", "versions": "version "}
BETWEEN = "\n\n---\n\n"
"""Stands between texts that are looked through as one; nothing that is found reaches over it."""


def found_in(texts: Sequence[tuple[str, str]], lang: str, find: Find) -> list[list[Finding]]:
    """Return what is found in each of the texts of one case. Raises as `find`.

    All are looked through as one: a name told in one is known in all. The first of each two is put before the text:
    10.0.19045.1 is an address, version 10.0.19045.1 is not.
    """
    whole = find(BETWEEN.join(before + text for before, text in texts), lang)
    found: list[list[Finding]] = []
    start = 0
    for before, text in texts:
        start += len(before)
        found.append([])
        for one in whole:
            begin, end = max(one.start - start, 0), min(one.end - start, len(text))
            if begin < end:
                found[-1].append(replace(one, start=begin, end=end, text=text[begin:end]))
        start += len(text) + len(BETWEEN)
    return found


def redacted(document: Document, find: Find) -> Document:
    """Return a document with placeholders for personal data, the same for the same value in all its texts and labels.

    Its id stays. Its owner and its address are left out, as they name people too. Raises as `find`, and InvalidInput
    for a language in which names are not found.
    """
    texts = [("", storable(getattr(document, name))) for name in TEXTS]
    lists = [(name, getattr(document, name)) for name in LISTS]
    every = [*texts, *((BEFORE.get(name, ""), storable(value)) for name, values in lists for value in values)]
    lang = document.lang or language_of(" ".join(text for _, text in texts))
    numbering = Placeholders()
    for _, text in every:
        numbering.leave_free(text)
    found = found_in(every, lang, find)
    kept = iter([replaced(text, of, numbering) for (_, text), of in zip(every, found, strict=True)])
    values: dict[str, Any] = {name: next(kept) for name in TEXTS}
    values |= {name: tuple(next(kept) for _ in given) for name, given in lists}
    return replace(document, **values, lang=document.lang or lang, owner=None, url=None)
