"""From a question to an answer in one of three bands: an extract with citations, questions to choose from, or nothing.

Works without a language model: what is shown are the passages' own words, and each citation is checked before it is.
With one (`retrieval.generate`), its sentences are shown as far as their passages support them; where nothing good comes
of it, the extract is.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from kb import items
from kb.access import Principal, Role, scope_of
from kb.items import Found
from retrieval.abstain import CONSIDERED, Band, Decision, decide, suggestions
from retrieval.citations import Citation, check
from retrieval.extract import nearness_of
from retrieval.fixed import Fixed, fixed_answer
from retrieval.generate.outcome import Failed, Generation, Outcome
from retrieval.neighbours import Context, context, extract_of
from retrieval.search import Hit, Results, Searcher
from retrieval.text import sentences
from retrieval.types import Filters

if TYPE_CHECKING:  # what it needs is imported only where a language model is configured
    from retrieval.generate.writer import Writer

SOURCES = 5
"""Hits shown beside an answer."""
SUPPLIED = 6
"""Most passages that a language model is given, those beside another among them."""


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
    fixed: Fixed | None = None
    """Set where the text is an editor's for this very question, shown as it is."""
    generation: Generation | None = None
    """What came of asking the language model, where there is one and the band is `answer`."""

    @property
    def generated(self) -> bool:
        """Whether the text was written by the language model; else it is the passages' own words."""
        return self.generation is not None and self.generation.outcome is Outcome.GENERATED


@dataclass(frozen=True, slots=True)
class Sources:
    """First event: what was found, best first."""

    hits: Sequence[Hit]


@dataclass(frozen=True, slots=True)
class Text:
    """A further piece of the answer's Markdown."""

    delta: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """All text so far is withdrawn: the language model failed half way. Text anew, or another outcome, follows."""

    why: Outcome


@dataclass(frozen=True, slots=True)
class Answered:
    answer: Answer


@dataclass(frozen=True, slots=True)
class DidYouMean:
    answer: Answer


@dataclass(frozen=True, slots=True)
class NoAnswer:
    answer: Answer


AnswerEvent = Sources | Text | Replaced | Answered | DidYouMean | NoAnswer
Outcomes = Answered | DidYouMean | NoAnswer


def answer(
    searcher: Searcher,
    question: str,
    *,
    reader: Principal,
    filters: Filters | None = None,
    lang: str | None = None,
    exact: bool = False,
    environment: str | None = None,
    writer: "Writer | None" = None,
) -> Answer:
    """Answer from passages that `reader` may read. Raises InvalidInput or TooLarge as a search does.

    With a `writer` this runs an event loop of its own: inside one, await `answered(stream(...))`.
    """
    results = searcher.search(
        question,
        reader=reader,
        filters=filters,
        limit=CONSIDERED,
        lang=lang,
        exact=exact,
        environment=environment,
    )
    if writer is None:
        return answer_from(searcher, results, reader=reader, filters=filters, lang=lang)
    events = events_from(searcher, results, reader=reader, filters=filters, lang=lang, writer=writer)
    return asyncio.run(answered(events))


async def answered(events: AsyncIterator[AnswerEvent]) -> Answer:
    """Return what a stream of events ends with."""
    result: Answer | None = None
    async for event in events:
        if isinstance(event, Outcomes):
            result = event.answer
    assert result is not None, "a stream ends with exactly one outcome"
    return result


def answer_from(
    searcher: Searcher,
    results: Results,
    *,
    reader: Principal,
    filters: Filters | None = None,
    lang: str | None = None,
) -> Answer:
    """Answer from what a search, with these filters and for a page in this language, has found already."""
    if (said := _fixed(searcher, results, reader, filters, lang)) is not None:
        return said
    decision = decide(results, risk=searcher.risk, answerable=searcher.answerable)
    if decision.band is not Band.ANSWER:
        offered = suggestions(results.hits, 5 if decision.band is Band.DID_YOU_MEAN else 3)
        return _of(results, decision, suggestions=offered)
    hit = results.hits[0]
    read = _read(searcher, hit.found, results, reader)
    nearness = nearness_of(searcher.embedder, results.searched)
    citations = read.cited(extract_of(read, results.searched, terms=results.terms, nearness=nearness))
    check(citations, read.passages)
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


def _fixed(
    searcher: Searcher, results: Results, reader: Principal, filters: Filters | None, lang: str | None
) -> Answer | None:
    """Return what an editor has fixed for this question, as it is, cited by itself; None where nothing is."""
    with searcher.db.read() as session:
        found = fixed_answer(
            session,
            scope_of(session, reader),
            results.question,
            filters=filters or Filters(),
            lang=lang,
            generation=results.generation,
        )
    if found is None:
        return None
    passage, review = found
    citations = [Citation(n=1, found=passage, quote=passage.text)]
    check(citations, [passage])
    review = review if reader.at_least(Role.AGENT) else replace(review, reviewed_by=None)
    others = [hit for hit in results.hits if hit.found.item_id != passage.item_id]
    said = _of(
        results,
        Decision(Band.ANSWER, 1.0),
        text=passage.text,
        citations=citations,
        suggestions=suggestions(others, 3),
    )
    return replace(said, fixed=review)


def _read(searcher: Searcher, found: Found, results: Results, reader: Principal) -> Context:
    """Return what is read for an answer: the passage that was found, or else the one of its item that opens the
    resolution, with those beside it."""
    with searcher.db.read() as session:
        scope = scope_of(session, reader).published_only()
        resolution = items.resolution_passage(session, found.item_id, results.generation)
        # What was found for some only stays; what is for all does not lead to what is for others.
        if resolution is not None and resolution != found.passage_id and not found.applies:
            opening = items.recheck(session, scope, [resolution]).get(resolution, found)
            found = found if opening.applies else opening
        beside = items.beside(session, scope, [found.passage_id], results.generation)
    return context(found, beside.get(found.passage_id, ()))


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
    environment: str | None = None,
    writer: "Writer | None" = None,
) -> AsyncGenerator[AnswerEvent, None]:
    """Stream an answer grounded in passages that `reader` may read.

    Yields Sources first and ends with exactly one of Answered, DidYouMean, NoAnswer. The texts since the start, or
    since Replaced, are the answer's text.
    """
    results = await asyncio.to_thread(
        searcher.search,
        question,
        reader=reader,
        filters=filters,
        limit=CONSIDERED,
        lang=lang,
        exact=exact,
        environment=environment,
    )
    yield Sources(results.hits[:SOURCES])
    said = events_from(searcher, results, reader=reader, filters=filters, lang=lang, writer=writer)
    async with aclosing(said) as events:
        async for event in events:
            yield event


async def events_from(
    searcher: Searcher,
    results: Results,
    *,
    reader: Principal,
    filters: Filters | None = None,
    lang: str | None = None,
    writer: "Writer | None" = None,
) -> AsyncGenerator[AnswerEvent, None]:
    """Stream an answer from what a search has found already: as `stream`, without Sources."""
    read = partial(answer_from, searcher, reader=reader, filters=filters, lang=lang)
    result = await asyncio.to_thread(read, results)
    if writer is not None and result.band is Band.ANSWER and result.fixed is None:
        since, shown = time.perf_counter(), False
        try:
            sources = await asyncio.to_thread(supplied, searcher, results, reader)
            spoken = results.lang if results.lang != "und" else sources[0].found.lang
            async with aclosing(writer.write(results.searched, spoken, sources, searcher.embedder)) as written:
                async for piece in written:
                    if isinstance(piece, str):
                        shown = True
                        yield Text(piece)
                        continue
                    await asyncio.to_thread(_still_there, searcher, piece.citations, reader)
                    generation = writer.wrote(piece, since)
                    result = replace(result, text=piece.text, citations=piece.citations, generation=generation)
                    yield Answered(result)
                    return
        except Failed as failed:
            if shown:
                yield Replaced(failed.outcome)
            results = await asyncio.to_thread(_rechecked, searcher, results, reader)  # some time has passed
            result = await asyncio.to_thread(read, results)
            result = replace(result, generation=writer.failed(failed, since))
    if result.band is Band.ANSWER:
        for start, end in _pieces(result.text):
            yield Text(result.text[start:end])
        yield Answered(result)
    elif result.band is Band.DID_YOU_MEAN:
        yield DidYouMean(result)
    else:
        yield NoAnswer(result)


def supplied(searcher: Searcher, results: Results, reader: Principal) -> list[Context]:
    """Return the sources for a language model: what the extract is read from, then the best passages of each hit.

    Passages beside another take the places of the last ones: there are SUPPLIED in all. All are read anew: they leave
    this process, so what counts is what the reader may read now. Raises Failed.
    """
    hit = results.hits[0]
    read = _read(searcher, hit.found, results, reader)
    single = [hit.found.passage_id, *(found.passage_id for found in hit.others)]
    single += [hit.found.passage_id for hit in results.hits[1:SOURCES]]
    inside = [found.passage_id for found in read.passages]
    chosen = [*inside, *(passage for passage in dict.fromkeys(single) if passage not in inside)][:SUPPLIED]
    found = _readable(searcher, chosen, reader)
    if not found:
        raise Failed(Outcome.WITHDRAWN)
    sources = [Context((found[passage],)) for passage in chosen[len(inside) :] if passage in found]
    if read.found.passage_id in found:
        beside = [found[passage] for passage in inside if passage in found]
        sources.insert(0, context(found[read.found.passage_id], beside))
    return sources


def _still_there(searcher: Searcher, citations: Sequence[Citation], reader: Principal) -> None:
    """Raise Failed unless the reader may still read what is cited: writing takes its time."""
    cited = [citation.found.passage_id for citation in citations]
    if len(_readable(searcher, cited, reader)) < len(cited):
        raise Failed(Outcome.WITHDRAWN)


def _rechecked(searcher: Searcher, results: Results, reader: Principal) -> Results:
    """Return the results without what the reader may not read any more."""
    found = _readable(searcher, [hit.found.passage_id for hit in results.hits], reader)
    hits = [replace(hit, found=found[hit.found.passage_id]) for hit in results.hits if hit.found.passage_id in found]
    return replace(results, hits=hits)


def _readable(searcher: Searcher, passages: Sequence[int], reader: Principal) -> dict[int, Found]:
    """Return those of the passages that the reader may read now, by id, in the order given."""
    with searcher.db.read() as session:
        found = items.recheck(session, scope_of(session, reader).published_only(), passages)
    return {passage: found[passage] for passage in passages if passage in found}


def _pieces(text: str) -> list[tuple[int, int]]:
    """Cut a text at its sentences, losing nothing."""
    starts = [0, *(start for start, _ in sentences(text) if start > 0)]
    return [(a, b) for a, b in zip(starts, [*starts[1:], len(text)], strict=True) if b > a]
