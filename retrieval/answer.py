"""From a question to an answer in one of three bands: an extract with citations, questions to choose from, or nothing.

Works without a language model: what is shown are the passages' own words, and each citation is checked before it is.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from kb import items
from kb.access import Principal, scope_of
from kb.items import Found
from retrieval.abstain import Band, Decision, decide, suggestions, weights_for
from retrieval.citations import Citation, check
from retrieval.extract import extract
from retrieval.search import Hit, Results, Searcher
from retrieval.text import sentences
from retrieval.types import Filters

SOURCES = 5
"""Hits looked at for an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a question, and why."""

    question: str
    band: Band
    confidence: float
    text: str = ""
    """Markdown; ends each statement with its citation, as in [1]. Empty unless the band is `answer`."""
    citations: Sequence[Citation] = ()
    suggestions: Sequence[Hit] = ()
    """Items whose titles are questions that can be answered; in the band `no_answer` the closest there are."""
    results: Results | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sources:
    """First event: what was found, best first."""

    hits: Sequence[Hit]


@dataclass(frozen=True, slots=True)
class Text:
    """A further piece of the answer's Markdown."""

    delta: str


@dataclass(frozen=True, slots=True)
class Answered:
    answer: Answer


@dataclass(frozen=True, slots=True)
class DidYouMean:
    answer: Answer


@dataclass(frozen=True, slots=True)
class NoAnswer:
    answer: Answer


AnswerEvent = Sources | Text | Answered | DidYouMean | NoAnswer


def answer(
    searcher: Searcher,
    question: str,
    *,
    reader: Principal,
    filters: Filters | None = None,
    lang: str | None = None,
    exact: bool = False,
) -> Answer:
    """Answer from passages that `reader` may read. Raises InvalidInput or TooLarge as a search does."""
    results = searcher.search(question, reader=reader, filters=filters, limit=SOURCES, lang=lang, exact=exact)
    return answer_from(searcher, results, reader=reader)


def answer_from(searcher: Searcher, results: Results, *, reader: Principal) -> Answer:
    """Answer from what a search has found already."""
    decision = decide(results, weights_for(results.embedder))
    if decision.band is not Band.ANSWER:
        offered = suggestions(results.hits, 5 if decision.band is Band.DID_YOU_MEAN else 3)
        return _of(results, decision, suggestions=offered)
    hit = results.hits[0]
    passages = _answering_passages(searcher, hit, results, reader)
    citations: list[Citation] = []
    for found in passages:
        start, end = extract(found.text, results.terms)
        quote = found.text[start:end].strip()
        if quote:
            citations.append(Citation(n=len(citations) + 1, found=found, quote=quote))
    check(citations, passages)
    if not citations:
        return _of(results, Decision(Band.DID_YOU_MEAN, decision.confidence), suggestions=suggestions(results.hits))
    text = "\n\n".join(_cited(citation) for citation in citations)
    return _of(results, decision, text=text, citations=citations, suggestions=suggestions(results.hits[1:], 3))


def _of(
    results: Results,
    decision: Decision,
    *,
    text: str = "",
    citations: Sequence[Citation] = (),
    suggestions: Sequence[Hit] = (),
) -> Answer:
    return Answer(
        question=results.question,
        band=decision.band,
        confidence=round(decision.confidence, 4),
        text=text,
        citations=citations,
        suggestions=suggestions,
        results=results,
    )


def _answering_passages(searcher: Searcher, hit: Hit, results: Results, reader: Principal) -> list[Found]:
    """Return the passages to quote: the best one; where another of its item holds the resolution, that one."""
    with searcher.db.read() as session:
        scope = scope_of(session, reader).published_only()
        resolution = items.resolution_passage(session, hit.found.item_id, results.generation)
        if resolution is None or resolution == hit.found.passage_id:
            return [hit.found]
        found = items.recheck(session, scope, [resolution]).get(resolution)
    return [found] if found is not None else [hit.found]


def _cited(citation: Citation) -> str:
    """Return the quote with its number, on a line of its own where the quote ends in a list, table or code."""
    last = citation.quote.splitlines()[-1].lstrip()
    between = "\n\n" if last.startswith(("-", "*", "+", "|", "```", "~~~", ">")) or last[:1].isdigit() else " "
    return f"{citation.quote}{between}[{citation.n}]"


async def stream(
    searcher: Searcher,
    question: str,
    *,
    reader: Principal,
    filters: Filters | None = None,
    lang: str | None = None,
    exact: bool = False,
) -> AsyncIterator[AnswerEvent]:
    """Stream an answer grounded in passages that `reader` may read.

    Yields Sources first and ends with exactly one of Answered, DidYouMean, NoAnswer.
    """
    results = await asyncio.to_thread(
        searcher.search, question, reader=reader, filters=filters, limit=SOURCES, lang=lang, exact=exact
    )
    yield Sources(results.hits)
    result = await asyncio.to_thread(answer_from, searcher, results, reader=reader)
    if result.band is Band.ANSWER:
        for start, end in _pieces(result.text):
            yield Text(result.text[start:end])
        yield Answered(result)
    elif result.band is Band.DID_YOU_MEAN:
        yield DidYouMean(result)
    else:
        yield NoAnswer(result)


def _pieces(text: str) -> list[tuple[int, int]]:
    """Cut a text at its sentences, losing nothing."""
    starts = [0, *(start for start, _ in sentences(text) if start > 0)]
    return [(a, b) for a, b in zip(starts, [*starts[1:], len(text)], strict=True) if b > a]
