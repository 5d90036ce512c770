"""From a question and a reader to ranked items: both legs under the scope, fused, checked again, one row an item."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

import numpy as np
import numpy.typing as npt
from sqlmodel import Session

from kb import items
from kb.access import Principal, Scope, scope_of
from kb.applies import Applies, occurring
from kb.content import storable, title_key
from kb.db import Database
from kb.errors import InvalidInput, KBError, TooLarge, shown
from kb.items import Found, Named
from kb.settings import ANSWER_RISK, ANSWERABLE
from retrieval.adapted import comparable, fused
from retrieval.embed import Embedder
from retrieval.environment import NOTHING_NAMED, Part, checked_environment, match, parts, stated_among
from retrieval.fusion import order
from retrieval.index import SearchIndex
from retrieval.language import language
from retrieval.rerank import Reordered, Reranked, Reranking
from retrieval.shelf import Readable, Shelf
from retrieval.spelling import corrected
from retrieval.text import ANALYZER_VERSION, analyze, analyzer
from retrieval.tuned import TUNED
from retrieval.types import Candidates, Filters, Query

MAX_QUESTION = 100_000
"""Most characters accepted; of a longer text than MAX_USED the first part is searched."""
MAX_USED = 8_000
MAX_LIMIT = 100
ENVIRONMENT_LOOKS = 30
"""Least number of items whose environment is held against the one stated."""
DEPTH = 50
"""Least number of passages taken from each leg."""


class Mode(StrEnum):
    """Which legs are asked."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


@dataclass(frozen=True, slots=True)
class Hit:
    """One item, shown by its best passage."""

    found: Found
    score: float
    dense: float
    """Cosine of question and passage."""
    lexical: float
    """BM25 of question and passage."""
    exact_title: bool = False
    translated: bool = False
    """In another language than the reader asked in, and no version in that language may be read."""
    others: tuple[Found, ...] = ()
    """Further passages of the same item among the candidates, best first, at most two."""
    environment: tuple[str, ...] = ()
    """What was stated of the environment that the item names too (`retrieval.environment`)."""


@dataclass(frozen=True, slots=True)
class Results:
    """What a search found, best first, with what it took."""

    question: str
    """As asked: storable, trimmed and cut to MAX_USED characters."""
    lang: str
    hits: Sequence[Hit]
    terms: Sequence[str]
    """As this program's analyzer gives them: for highlights and extracts."""
    stats_bound: float
    """Upper bound of BM25 for the question."""
    generation: int
    watermark: int
    took_ms: dict[str, float] = field(default_factory=dict)
    truncated: bool = False
    dense_mean: float = 0.0
    dense_std: float = 0.0
    embedder: str = ""
    """Name of the embedding model that was asked."""
    reranked: Reranked = Reranked.OFF
    """Whether a reranker has set the order of the best, and if not, why."""
    corrected: str | None = None
    """What was searched instead of the question, which has words that nothing the reader may read has."""

    @property
    def searched(self) -> str:
        """The question as searched: corrected, or as asked."""
        return self.corrected or self.question


class Searcher:
    """All that a search needs. Safe to share between threads."""

    def __init__(
        self,
        db: Database,
        index: SearchIndex,
        embedder: Embedder,
        reranking: Reranking | None = None,
        *,
        risk: float = ANSWER_RISK,
        answerable: float = ANSWERABLE,
    ) -> None:
        """`index` was made with `embedder`. `reranking`: what orders the best of each search anew, if anything.

        `risk` and `answerable` are those of `retrieval.abstain.decide`.
        """
        self.db = db
        self.reranking = reranking
        self.risk = risk
        self.answerable = answerable
        self._engine = (index, embedder)

    @property
    def index(self) -> SearchIndex:
        return self._engine[0]

    @property
    def embedder(self) -> Embedder:
        return self._engine[1]

    def unranked(self) -> "Searcher":
        """Return one of the same index and model that is never switched and asks no reranker: for several steps that
        must all be of one generation."""
        return Searcher(self.db, *self._engine, risk=self.risk, answerable=self.answerable)

    def switch(self, index: SearchIndex, embedder: Embedder) -> None:
        """Search another generation from the next question on. A search under way ends with what it began with."""
        self._engine = (index, embedder)

    def search(
        self,
        question: str,
        *,
        reader: Principal,
        filters: Filters | None = None,
        limit: int = 10,
        mode: Mode = Mode.HYBRID,
        lang: str | None = None,
        exact: bool = False,
        environment: str | None = None,
        environment_weight: float = TUNED.environment_weight,
    ) -> Results:
        """Return the best `limit` items that `reader` may read.

        Slips of the keyboard and pinyin in a short question are corrected (`retrieval.spelling`) unless `exact`.

        Of translations of one another only one is shown: in the language of the question, or in `lang` (that of the
        page) where the question's is not one that was found. This restricts nothing; `filters` do.
        `environment` (a case's products, versions, platform) is searched with the question, and items that name the
        same rise by at most `environment_weight`, in standard deviations of the cosine: see `retrieval.environment`.
        Raises InvalidInput for an empty question or an impossible limit, TooLarge for a question of over MAX_QUESTION
        characters or an environment of over MAX_ENVIRONMENT.
        """
        if self.reranking is not None:
            self.reranking.reranker.load()  # once: before the clock runs and the database is read
        started = time.perf_counter()
        text = checked_question(question)
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidInput(f"limit is 1 to {MAX_LIMIT}, not {shown(limit)}", field="limit")
        used = text[:MAX_USED]
        stated = checked_environment(environment)
        index, embedder = self._engine
        analyze_used = analyzer(index.analyzer)
        with self.db.read() as session:
            scope = scope_of(session, reader).published_only()
        correcting_started = time.perf_counter()
        meant = None if exact else corrected(used, partial(index.frequencies, scope=scope), analyze_used)
        correct_ms = _ms(correcting_started)
        searched = meant or used
        spoken = language(searched)
        whole = f"{searched}\n{stated}" if stated else searched
        terms = analyze_used(whole) if mode != Mode.DENSE else []
        embedding_started = time.perf_counter()
        vector = embedder.embed_query(whole) if mode != Mode.LEXICAL else None
        embed_ms = _ms(embedding_started)
        with self.db.read() as session:
            query = Query(terms=terms, vector=vector, lang=spoken)
            looked_at = max(limit, ENVIRONMENT_LOOKS) if stated else limit
            candidates = index.search(query, scope=scope, filters=filters or Filters(), limit=max(DEPTH, 5 * limit))
            found = ranked(
                Readable(session, scope, index.generation),
                embedder,
                query,
                candidates,
                asked=used,
                searched=whole,
                limit=looked_at,
                filters=filters,
                lang=lang,
                reranking=self.reranking,
            )
            hits = found.hits
            if stated:
                environments_started = time.perf_counter()
                hits = _for_environment(session, scope, hits, stated, environment_weight)[:limit]
                environment_ms = _ms(environments_started)
        return Results(
            question=used,
            lang=spoken,
            hits=hits,
            terms=analyze(searched) if terms and (stated or index.analyzer != ANALYZER_VERSION) else terms,
            stats_bound=found.candidates.stats.lexical_bound,
            generation=candidates.generation,
            watermark=candidates.watermark,
            took_ms={
                "correct": correct_ms,
                "embed": embed_ms,
                "dense": candidates.took_ms.get("dense", 0.0),
                "lexical": candidates.took_ms.get("lexical", 0.0),
                "fuse": found.fuse_ms,
                "read": found.read_ms,
                **({"rerank": found.reordered.ms} if self.reranking is not None else {}),
                **({"environment": environment_ms} if stated else {}),
                "total": _ms(started),
            },
            truncated=len(text) > MAX_USED,
            dense_mean=found.candidates.stats.dense_mean,
            dense_std=found.candidates.stats.dense_std,
            embedder=embedder.name,
            reranked=found.reordered.outcome,
            corrected=meant,
        )


@dataclass(frozen=True, slots=True)
class Ranked:
    """What became of candidates."""

    hits: list[Hit]
    candidates: Candidates
    """With cosines that are comparable (`retrieval.adapted.comparable`)."""
    reordered: Reordered
    fuse_ms: float
    read_ms: float


def ranked(
    shelf: Shelf,
    embedder: Embedder,
    query: Query,
    candidates: Candidates,
    *,
    asked: str,
    searched: str,
    limit: int,
    filters: Filters | None,
    lang: str | None,
    reranking: Reranking | None = None,
) -> Ranked:
    """Return the best `limit` items of the candidates that were found for `query`, as a search shows them.

    `asked` is the question as typed, `searched` as corrected; `lang` is the page's.
    """
    if query.vector is not None:
        candidates = comparable(embedder, searched, candidates)
    fuse_started = time.perf_counter()
    score = fused(embedder, candidates, query)
    ranking = order(score, candidates.passage)
    fuse_ms = _ms(fuse_started)
    read_started = time.perf_counter()
    looked_at = max(limit, reranking.top) if reranking is not None else limit
    hits = _collapse(shelf, candidates, score, ranking, looked_at, filters)
    hits, reordered = _reranked(reranking, searched, hits)
    hits = hits[:limit]
    if filters is None or filters == Filters():
        hits = _named_first(shelf, asked, hits, limit)
    wanted = query.lang if any(hit.found.lang == query.lang for hit in hits) else lang or query.lang
    hits = _one_language(shelf, hits, wanted, filters)
    return Ranked(hits, candidates, reordered, fuse_ms, round(_ms(read_started) - reordered.ms, 3))


def checked_question(question: str) -> str:
    """Return the question as it may be searched. Raises InvalidInput or TooLarge."""
    if len(question) > MAX_QUESTION:
        raise TooLarge(
            f"a question has at most {MAX_QUESTION:,} characters, not {len(question):,}: send the part that matters",
            field="q",
        )
    text = " ".join(storable(question).split())
    if not any(c.isprintable() and not c.isspace() and c != "\ufffd" for c in text):
        raise InvalidInput("a question is needed; this one is empty", field="q")
    return text


def _collapse(
    shelf: Shelf,
    candidates: Candidates,
    score: npt.NDArray[np.float64],
    ranking: npt.NDArray[np.intp],
    limit: int,
    filters: Filters | None,
) -> list[Hit]:
    """Walk the ranking, checking passages against the database in blocks, until `limit` items are full.

    Left out are passages of sections that do not apply to the product or version filtered for.
    """
    hits: dict[int, Hit] = {}
    block = 3 * limit
    picks = filters.labels if filters is not None else {}
    for start in range(0, len(ranking), block):
        positions = ranking[start : start + block]
        found = shelf.recheck([int(candidates.passage[i]) for i in positions])
        for i in positions:
            passage = found.get(int(candidates.passage[i]))
            if passage is None or not passage.applies.to(picks):
                continue
            hit = hits.get(passage.item_id)
            if hit is not None:
                if len(hit.others) < 2:
                    hits[passage.item_id] = replace(hit, others=(*hit.others, passage))
            elif len(hits) < limit:
                hits[passage.item_id] = Hit(
                    found=passage,
                    score=float(score[i]),
                    dense=float(candidates.dense[i]),
                    lexical=float(candidates.lexical[i]),
                )
        if len(hits) >= limit:
            break
    return list(hits.values())


def _reranked(reranking: Reranking | None, question: str, hits: list[Hit]) -> tuple[list[Hit], Reordered]:
    """Order the best hits anew. The n-th place keeps the fused score of the n-th place: scores order, nothing else."""
    if reranking is None or not hits:
        return hits, Reordered((), Reranked.OFF, 0.0)
    best = hits[: reranking.top]
    reordered = reranking.reorder(question, [passage_text(hit.found) for hit in best])
    anew = [replace(best[n], score=place.score) for n, place in zip(reordered.order, best, strict=True)]
    return [*anew, *hits[reranking.top :]], reordered


def passage_text(found: Found) -> str:
    """Return a passage with title and path, as a reranker reads it."""
    return "\n".join(part for part in (found.title, found.path, found.text) if part)


def _for_environment(session: Session, scope: Scope, hits: list[Hit], environment: str, weight: float) -> list[Hit]:
    """Order the hits anew, each raised or lowered by what its item names of the environment; equals as they stood.

    What the question names by title or number stays first.
    """
    stated = parts(environment)
    named = items.named(session, scope, [hit.found.item_id for hit in hits])
    moved: list[Hit] = []
    for hit in hits:
        hit = _applying(hit, stated)
        same = match(stated, _with_section(named.get(hit.found.item_id, NOTHING_NAMED), hit.found.applies))
        moved.append(replace(hit, score=hit.score + weight * same.weight, environment=same.values))
    return sorted(moved, key=lambda hit: (not hit.exact_title, -hit.score))


def _applying(hit: Hit, stated: Sequence[Part]) -> Hit:
    """Show a hit by its best passage that applies to what was stated, as far as its passages say; others follow."""
    passages = (hit.found, *hit.others)
    picks = stated_among(stated, occurring(passage.applies for passage in passages))
    first, *others = sorted(passages, key=lambda passage: not passage.applies.to(picks)) if picks else passages
    return replace(hit, found=first, others=tuple(others))


def _with_section(named: Named, applies: Applies) -> Named:
    """Return what an item names, with what the passage shown applies to."""
    said = ", ".join(value for _, values in applies.items() for value in values)
    return replace(named, environment=f"{named.environment}\n{said}") if said else named


def _named_first(shelf: Shelf, question: str, hits: list[Hit], limit: int) -> list[Hit]:
    """Put first the items that the question names: by exact title, or by number (KB-1042)."""
    named = shelf.titled(title_key(question))
    try:
        number = items.item_id(question) if question.upper().startswith("KB-") else 0
    except KBError:
        number = 0
    wanted = list(dict.fromkeys([*([number] if number else []), *named]))
    if not wanted:
        return hits
    by_item = {hit.found.item_id: hit for hit in hits}
    first = shelf.first_passages([item for item in wanted if item not in by_item])
    found = shelf.recheck(list(first.values()))
    top = max((hit.score for hit in hits), default=0.0)
    front: list[Hit] = []
    for item in sorted(wanted, key=lambda item: -by_item[item].score if item in by_item else float("inf")):
        if item in by_item:
            front.append(replace(by_item[item], exact_title=True))
        elif first.get(item) in found:
            front.append(Hit(found=found[first[item]], score=top, dense=0.0, lexical=0.0, exact_title=True))
    chosen = {hit.found.item_id for hit in front}
    return [*front, *(hit for hit in hits if hit.found.item_id not in chosen)][:limit]


def _one_language(shelf: Shelf, hits: list[Hit], lang: str, filters: Filters | None) -> list[Hit]:
    """Show one of several translations of one another: the one in `lang` where there is one."""
    shown_hits: dict[str | int, Hit] = {}
    for hit in hits:
        key = hit.found.family or hit.found.item_id
        before = shown_hits.get(key)
        if before is None:
            shown_hits[key] = hit
        elif before.found.lang != lang and hit.found.lang == lang:
            shown_hits[key] = replace(hit, score=before.score, exact_title=before.exact_title or hit.exact_title)
    if filters is None or not filters.langs:
        foreign = {key: hit for key, hit in shown_hits.items() if hit.found.family and hit.found.lang != lang}
        versions = shelf.family_members([str(key) for key in foreign], lang)
        first = shelf.first_passages(list(versions.values()))
        found = shelf.recheck(list(first.values()))
        for key, hit in foreign.items():
            passage = found.get(first.get(versions.get(str(key), 0), 0))
            if passage is not None and passage.applies.to(filters.labels if filters is not None else {}):
                shown_hits[key] = replace(hit, found=passage, others=())
    return [replace(hit, translated=hit.found.lang != lang) for hit in shown_hits.values()]


def _ms(since: float) -> float:
    return round((time.perf_counter() - since) * 1000, 3)
