"""What a draft would change: questions asked of the index as it is, and of the index with the draft in it.

Nothing is estimated. The engine's state with the draft is made in memory, as publishing would make it (statistics of
BM25 and of the cosines included), and both states are searched, ranked and judged by the code that answers readers.
What is shared between questions is done once: passages are read from the database together, and a vector is made for
each question, not for each state. Left out is a reranker, where one is set: it would read 20 passages a question.

See docs/decisions/0024-gaps-and-replay.md.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from kb.access import Scope
from kb.content import title_key
from kb.items import Found
from retrieval.abstain import CONSIDERED, Band, Decision, decide
from retrieval.embed import Embedder
from retrieval.language import language
from retrieval.local.preview import Preview
from retrieval.search import DEPTH, MAX_USED, Results, checked_question, ranked
from retrieval.shelf import Shelf
from retrieval.spelling import corrected
from retrieval.text import ANALYZER_VERSION, analyze, analyzer
from retrieval.types import Candidates, Change, Filters, Query, Vector

Vectors = Callable[[Sequence[str]], Mapping[str, Vector]]
"""Gives the vectors of questions, as the engine's embedder would."""


class Outcome(StrEnum):
    """What a draft does to a question; the first that holds."""

    BROKEN = "broken"
    """Answered before and not after, or the article that was judged right is first no more."""
    NEWLY_ANSWERED = "newly_answered"
    """By the draft; not answered before."""
    TAKEN = "taken"
    """The draft is first, where another article was."""
    LOST = "lost"
    """The item's live revision was first, the draft is not."""
    KEPT = "kept"
    """The item is first, before and after."""
    OTHER = "other"
    """Something else is first than before, or in another band."""
    UNAFFECTED = "unaffected"


@dataclass(frozen=True, slots=True)
class Question:
    """One to be replayed."""

    text: str
    times: int = 1
    """How often it was asked; 0: judged, and not known to have been asked."""
    relevant: frozenset[int] = frozenset()
    """Items that are judged right for it; empty where nobody has judged."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as the engine takes it."""

    change: Change
    """Replaces what the index has of the item. The passages' ids are of none that there is."""
    passages: Mapping[int, Found]
    """The same passages as readers would see them."""
    title_key: str
    family: str | None
    lang: str
    wordings: frozenset[str] = frozenset()
    """Of a fixed answer: the folded questions that it answers."""

    @property
    def item(self) -> int:
        return self.change.item


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader is told."""

    band: Band
    confidence: float
    item: int | None
    """The first item; None where nothing is found."""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    question: Question
    outcome: Outcome
    before: Seen
    after: Seen


@dataclass(slots=True)
class WithDraft:
    """A shelf with a draft in the place of its item's live revision."""

    shelf: Shelf
    draft: Draft

    def recheck(self, passage_ids: Collection[int]) -> dict[int, Found]:
        mine = self.draft.passages
        found = self.shelf.recheck([passage for passage in passage_ids if passage not in mine])
        there = {passage: one for passage, one in found.items() if one.item_id != self.draft.item}
        return there | {passage: mine[passage] for passage in passage_ids if passage in mine}

    def titled(self, key: str) -> list[int]:
        others = [item for item in self.shelf.titled(key) if item != self.draft.item]
        return sorted([*others, self.draft.item]) if key and key == self.draft.title_key else others

    def first_passages(self, ids: Collection[int]) -> dict[int, int]:
        found = self.shelf.first_passages([item for item in ids if item != self.draft.item])
        return found | ({self.draft.item: min(self.draft.passages)} if self.draft.item in ids else {})

    def family_members(self, families: Collection[str], lang: str) -> dict[str, int]:
        found = self.shelf.family_members(families, lang)
        family = self.draft.family
        if family in families and family is not None and lang == self.draft.lang:
            found = found | {family: min(found.get(family, self.draft.item), self.draft.item)}
        return found


@dataclass(slots=True)
class Remembering:
    """A shelf that reads each thing once: what is asked for a thousand questions is mostly the same."""

    shelf: Shelf
    _passages: dict[int, Found | None] = field(default_factory=dict)
    _titled: dict[str, list[int]] = field(default_factory=dict)
    _members: dict[tuple[str, str], int | None] = field(default_factory=dict)

    def recheck(self, passage_ids: Collection[int]) -> dict[int, Found]:
        new = [passage for passage in passage_ids if passage not in self._passages]
        if new:
            found = self.shelf.recheck(new)
            self._passages.update((passage, found.get(passage)) for passage in new)
        known = ((passage, self._passages[passage]) for passage in passage_ids)
        return {passage: one for passage, one in known if one is not None}

    def titled(self, key: str) -> list[int]:
        if key not in self._titled:
            self._titled[key] = self.shelf.titled(key)
        return self._titled[key]

    def first_passages(self, ids: Collection[int]) -> dict[int, int]:
        return self.shelf.first_passages(ids) if ids else {}

    def family_members(self, families: Collection[str], lang: str) -> dict[str, int]:
        new = [family for family in families if (family, lang) not in self._members]
        if new:
            found = self.shelf.family_members(new, lang)
            self._members.update(((family, lang), found.get(family)) for family in new)
        known = ((family, self._members[family, lang]) for family in families)
        return {family: item for family, item in known if item is not None}


@dataclass(frozen=True, slots=True)
class State:
    """One state of the index with what else decides what a reader of `scope` is told."""

    index: Preview
    shelf: Shelf
    scope: Scope
    embedder: Embedder
    risk: float
    answerable: float
    fixed: Callable[[str], tuple[int, str] | None]
    """Item and title of the answer that is fixed for a question."""
    filters: Filters = field(default_factory=Filters)
    """What a reader restricts the search to."""

    def seen(self, questions: Sequence[str], vectors: Vectors) -> list[Seen]:
        """Return what readers are told to each question, in the order given."""
        analyze_here = analyzer(self.index.analyzer)
        frequencies = partial(self.index.frequencies, scope=self.scope)
        used = [checked_question(question)[:MAX_USED] for question in questions]
        meant = [corrected(question, frequencies, analyze_here) for question in used]
        searched = [other or question for question, other in zip(used, meant, strict=True)]
        known = vectors(searched)
        queries = [Query(analyze_here(text), known[text], language(text)) for text in searched]
        found = [
            self.index.search(query, scope=self.scope, filters=self.filters, limit=max(DEPTH, 5 * CONSIDERED))
            for query in queries
        ]
        self.shelf.recheck({int(passage) for candidates in found for passage in candidates.passage})
        return [
            self._told(question, other, query, candidates)
            for question, other, query, candidates in zip(used, meant, queries, found, strict=True)
        ]

    def _told(self, asked: str, meant: str | None, query: Query, candidates: Candidates) -> Seen:
        if (fixed := self.fixed(asked)) is not None:
            return Seen(Band.ANSWER, 1.0, *fixed)
        searched = meant or asked
        found = ranked(
            self.shelf,
            self.embedder,
            query,
            candidates,
            asked=asked,
            searched=searched,
            limit=CONSIDERED,
            filters=self.filters,
            lang=None,
        )
        results = Results(
            question=asked,
            lang=query.lang,
            hits=found.hits,
            terms=analyze(searched) if query.terms and self.index.analyzer != ANALYZER_VERSION else query.terms,
            stats_bound=found.candidates.stats.lexical_bound,
            generation=candidates.generation,
            watermark=candidates.watermark,
            dense_mean=found.candidates.stats.dense_mean,
            dense_std=found.candidates.stats.dense_std,
            embedder=self.embedder.name,
            corrected=meant,
        )
        return seen(results, decide(results, risk=self.risk, answerable=self.answerable))


def seen(results: Results, decision: Decision) -> Seen:
    """Return what a reader is told by results and what was decided on them."""
    first = results.hits[0].found if results.hits else None
    return Seen(
        decision.band,
        round(decision.confidence, 4),
        first.item_id if first is not None else None,
        first.title if first is not None else "",
    )


def outcome(item: int, relevant: Collection[int], before: Seen, after: Seen) -> Outcome:
    """Return what publishing a draft of `item` does to a question for which `relevant` are judged right."""
    answered, answers = before.band is Band.ANSWER, after.band is Band.ANSWER
    if (answered and not answers) or (before.item in relevant and after.item not in relevant):
        return Outcome.BROKEN
    if after.item == item and answers and not answered:
        return Outcome.NEWLY_ANSWERED
    if after.item == item:
        return Outcome.KEPT if before.item == item else Outcome.TAKEN
    if before.item == item:
        return Outcome.LOST
    same = (before.item, before.band) == (after.item, after.band)
    return Outcome.UNAFFECTED if same else Outcome.OTHER


def replay(
    questions: Sequence[Question], draft: Draft, before: State, after: State, *, vectors: Vectors
) -> list[Replayed]:
    """Ask both states all questions; return what came of each, in the order given.

    Raises InvalidInput for a question that is empty.
    """
    texts = [question.text for question in questions]
    was, would_be = before.seen(texts, vectors), after.seen(texts, vectors)
    return [
        Replayed(question, outcome(draft.item, question.relevant, old, new), old, new)
        for question, old, new in zip(questions, was, would_be, strict=True)
    ]


def folded(texts: Collection[str]) -> frozenset[str]:
    """Return the keys under which a fixed answer with these wordings is found."""
    return frozenset(key for text in texts if (key := title_key(text)))
