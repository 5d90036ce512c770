"""The shapes of what goes out and comes in: one set for HTTP and for `--json`. docs/api.md explains the fields."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from sqlmodel import Session

from api.conversations import Asked
from kb import items
from kb.content import Content, Profile, choice, labels
from kb.fixed import Listed
from kb.items import ItemView
from kb.models import Audience, Confidence, Facet, Governance, Kind, Significance, now
from retrieval.answer import Answer
from retrieval.generate.outcome import Generation
from retrieval.search import Hit, Results

LARGEST = 2**31 - 1
"""Of a number that a request may name: what every database can compare and keep."""
Number = Annotated[int, Field(ge=1, le=LARGEST)]


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("this moment is outside of the years that can be kept, 1 to 9999") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment with its time zone, given in UTC."""


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Legs(Shape):
    dense: float = Field(description="Cosine of question and passage.")
    lexical: float = Field(description="BM25 of question and passage.")


class SearchHit(Shape):
    item: str = Field(description="Number of the item, such as KB-1042.")
    external_id: str
    kind: str
    title: str
    lang: str
    audience: str
    confidence: str
    updated_at: str
    path: str = Field(description="Headings above the passage.")
    applies_to: dict[str, list[str]] = Field(description="What the passage is for, by facet; {}: all.")
    passage: str = Field(description="The item's best passage, Markdown.")
    passage_id: int
    score: float = Field(description="Orders the hits of one search; means nothing across searches.")
    legs: Legs
    exact_title: bool
    environment: list[str] = Field(description="What of the environment stated the item names too, lower case.")
    translated: bool = Field(description="In another language than asked in; no version in that language may be read.")


class SearchResponse(Shape):
    id: str | None = Field(
        default=None, description="Name of this search in the event log; send it back with clicks and votes."
    )
    question: str
    corrected: str | None = Field(
        default=None,
        description="What was searched instead of the question, which has words that nothing has; not with `exact`.",
    )
    lang: str
    truncated: bool = Field(description="The question was longer than is searched; its first part was used.")
    hits: list[SearchHit]
    reranked: Literal["off", "done", "late", "failed"] = Field(
        description="Whether a reranker set the order of the best; late or failed: the order is that without it."
    )
    took_ms: dict[str, float]
    generation: int
    watermark: int


class CitationOut(Shape):
    n: int
    item: str
    external_id: str
    title: str
    passage_id: int
    path: str
    applies_to: dict[str, list[str]] = Field(description="What the passage is for, by facet; {}: all.")
    quote: str
    best: tuple[int, int] | None = Field(
        description="Start and end, in characters of `quote`, of the sentence, list item or table row that answers "
        "likeliest; null where none stands out."
    )


class Suggestion(Shape):
    item: str
    external_id: str
    title: str
    kind: str
    lang: str


class FixedOut(Shape):
    """That an editor wrote this answer for this question; it is shown as it is."""

    reviewed_at: str
    reviewed_by: str | None = Field(description="For staff; null for other readers.")
    by_author: bool = Field(description="Reviewed by who wrote it.")
    expires_at: str | None


class AnswerResponse(Shape):
    id: str | None = None
    question: str
    corrected: str | None = Field(
        default=None,
        description="What was searched instead of the question, which has words that nothing has; not with `exact`.",
    )
    band: Literal["answer", "did_you_mean", "no_answer"]
    text: str
    citations: list[CitationOut]
    suggestions: list[Suggestion]
    confidence: float = Field(description="Probability that the first hit is right, 0 to 1.")
    generation: str | None = Field(
        default=None,
        description="Where a language model is configured and the band is `answer`: `generated`, else why the text is "
        "an extract.",
    )
    took_ms: dict[str, float]
    fixed: FixedOut | None = None
    conversation: str | None = Field(default=None, description="Send it with the next question; null outside one.")
    understood_as: str | None = Field(
        default=None, description="What was searched, where the question leaned on the turns before."
    )


class TextsIn(Shape):
    """The texts of an item as a writer gives them. Missing ones are empty."""

    title: str
    body: str = ""
    issue: str = ""
    environment: str = ""
    resolution: str = ""
    cause: str = ""
    similar_questions: list[str] = []

    def content(self) -> Content:
        return Content.of(self)


class ItemIn(TextsIn):
    """An item as a writer gives it. Missing texts are empty."""

    kind: str = "article"
    lang: str = "en"
    audience: str = "internal"
    confidence: str = "not_validated"
    governance: str = "experience_based"
    family: str | None = None
    owner: str | None = None
    url: str | None = None
    products: list[str] = []
    versions: list[str] = []
    topics: list[str] = []
    groups: list[str] = []

    def profile(self) -> Profile:
        """Raises InvalidInput for a word that is not one of those there are."""
        return Profile(
            kind=choice(Kind, self.kind, "kind"),
            lang=self.lang,
            audience=choice(Audience, self.audience, "audience"),
            confidence=choice(Confidence, self.confidence, "confidence"),
            governance=choice(Governance, self.governance, "governance"),
            family=self.family,
            owner=self.owner,
            url=self.url,
            labels=labels(products=self.products, versions=self.versions, topics=self.topics, groups=self.groups),
        )


class ItemCreate(ItemIn):
    space: str | None = Field(default=None, description="Key of the space; default: the writer's own, else the root.")
    publish: bool = Field(default=False, description="Publish at once.")


class ItemUpdate(ItemIn):
    """The whole new state of an item: what is left away becomes empty or the default."""

    based_on: Number = Field(description="Number of the revision the change started from.")
    message: str = ""
    publish: bool = False
    significance: Significance | None = Field(
        default=None, description="Where it is published: what the change asks of translations."
    )
    follows: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Of a translation: number of the source's revision whose text it gives now."
    )


class ItemOut(Shape):
    item: str
    uid: str
    kind: str
    state: str
    title: str
    body: str
    issue: str
    environment: str
    resolution: str
    cause: str
    similar_questions: list[str]
    lang: str
    audience: str
    confidence: str
    governance: str
    family: str | None
    owner: str | None
    url: str | None
    source: str
    external_id: str
    products: list[str]
    versions: list[str]
    topics: list[str]
    groups: list[str]
    revision: int = Field(description="Number of the revision shown.")
    created_at: str
    updated_at: str


class FixedAnswerIn(Shape):
    """An answer as an editor writes it for a question."""

    question: str
    answer: str = Field(description="Markdown; returned as it is.")
    wordings: list[str] = Field(default=[], description="Further wordings of the question.")
    lang: str = "en"
    audience: str = "internal"
    groups: list[str] = []
    products: list[str] = []
    versions: list[str] = []
    topics: list[str] = []

    def content(self) -> Content:
        return Content(title=self.question, body=self.answer, similar_questions=tuple(self.wordings))

    def profile(self) -> Profile:
        """Raises InvalidInput for a word that is not one of those there are."""
        return Profile(
            kind=Kind.FIXED,
            lang=self.lang,
            audience=choice(Audience, self.audience, "audience"),
            confidence=Confidence.VALIDATED,
            labels=labels(products=self.products, versions=self.versions, topics=self.topics, groups=self.groups),
        )


class FixedAnswerOut(Shape):
    """The newest revision of a fixed answer, and where it stands."""

    item: str
    question: str
    answer: str
    wordings: list[str]
    lang: str
    audience: str
    groups: list[str]
    space: int
    state: str
    revision: int = Field(description="Number of the newest revision, which is shown.")
    live_revision: int | None = Field(description="The one that readers get; null: they get none.")
    author: str | None
    review_at: str | None = Field(description="In force: when to look at it again.")
    expires_at: str | None = Field(description="In force: from when on it is returned no longer.")
    expired: bool
    review: dict[str, Any] | None = Field(description="The newest review of the revision shown; null: none was asked.")


class Written(Shape):
    """What a write did."""

    item: str
    revision: int
    state: str
    seq: int = Field(description="Change-log number; a search whose watermark is at least this has seen the write.")
    searchable: bool = Field(description="Whether this server's searches see it already.")


def hit_out(hit: Hit) -> SearchHit:
    found = hit.found
    return SearchHit(
        item=found.number,
        external_id=found.external_id,
        kind=found.kind,
        title=found.title,
        lang=found.lang,
        audience=found.audience,
        confidence=found.confidence,
        updated_at=found.updated_at,
        path=found.path,
        applies_to=found.applies.said,
        passage=found.text,
        passage_id=found.passage_id,
        score=round(hit.score, 6),
        legs=Legs(dense=round(hit.dense, 6), lexical=round(hit.lexical, 6)),
        exact_title=hit.exact_title,
        environment=list(hit.environment),
        translated=hit.translated,
    )


def search_out(results: Results, uid: str | None = None) -> SearchResponse:
    return SearchResponse(
        id=uid,
        question=results.question,
        corrected=results.corrected,
        lang=results.lang,
        truncated=results.truncated,
        hits=[hit_out(hit) for hit in results.hits],
        reranked=results.reranked.value,
        took_ms=results.took_ms,
        generation=results.generation,
        watermark=results.watermark,
    )


def suggestion_out(hit: Hit) -> Suggestion:
    found = hit.found
    return Suggestion(
        item=found.number, external_id=found.external_id, title=found.title, kind=found.kind, lang=found.lang
    )


def answer_out(answer: Answer, uid: str | None = None, asked: Asked | None = None) -> AnswerResponse:
    return AnswerResponse(
        id=uid,
        question=answer.question if asked is None or asked.understood_as is None else asked.typed,
        corrected=answer.results.corrected if answer.results is not None else None,
        band=answer.band.value,
        text=answer.text,
        citations=[
            CitationOut(
                n=citation.n,
                item=citation.found.number,
                external_id=citation.found.external_id,
                title=citation.found.title,
                passage_id=citation.found.passage_id,
                path=citation.found.path,
                applies_to=citation.found.applies.said,
                quote=citation.quote,
                best=citation.best if citation.best[0] < citation.best[1] else None,
            )
            for citation in answer.citations
        ],
        suggestions=[suggestion_out(hit) for hit in answer.suggestions],
        confidence=answer.confidence,
        generation=answer.generation.outcome.value if answer.generation is not None else None,
        took_ms=answer.results.took_ms if answer.results is not None else {},
        fixed=FixedOut(**asdict(answer.fixed)) if answer.fixed is not None else None,
        conversation=asked.conversation if asked is not None else None,
        understood_as=asked.understood_as if asked is not None else None,
    )


def item_out(view: ItemView) -> ItemOut:
    item, revision = view.item, view.revision
    return ItemOut(
        item=item.number,
        uid=item.uid,
        kind=item.kind.value,
        state=item.state.value,
        title=revision.title,
        body=revision.body,
        issue=revision.issue,
        environment=revision.environment,
        resolution=revision.resolution,
        cause=revision.cause,
        similar_questions=revision.similar_questions,
        lang=item.lang,
        audience=item.audience.value,
        confidence=item.confidence.value,
        governance=item.governance.value,
        family=item.family,
        owner=item.owner,
        url=item.url,
        source=item.source,
        external_id=item.external_id,
        products=view.values(Facet.PRODUCT),
        versions=view.values(Facet.VERSION),
        topics=view.values(Facet.TOPIC),
        groups=view.values(Facet.GROUP),
        revision=revision.n,
        created_at=item.created_at.isoformat(timespec="seconds"),
        updated_at=item.updated_at.isoformat(timespec="seconds"),
    )


def fixed_answer_out(session: Session, row: Listed) -> FixedAnswerOut:
    item, revision, review = row.item, row.revision, row.review
    number = int(item.id or 0)
    tags = items.labels(session, [number]).get(number, frozenset())
    expired = item.expires_at is not None and item.expires_at <= now()
    asked = review and {
        "asked_by": review.asked_by,
        "asked_at": _iso(review.asked_at),
        "review_at": _iso(review.review_at),
        "expires_at": _iso(review.expires_at),
        "outcome": review.outcome and review.outcome.value,
        "decided_by": review.decided_by,
        "decided_at": _iso(review.decided_at),
        "message": review.message,
        "answer": review.answer,
        "by_author": review.by_author,
    }
    return FixedAnswerOut(
        item=item.number,
        question=revision.title,
        answer=revision.body,
        wordings=revision.similar_questions,
        lang=item.lang,
        audience=item.audience.value,
        groups=sorted(value for facet, value in tags if facet == Facet.GROUP),
        space=item.space_id,
        state=item.state.value,
        revision=revision.n,
        live_revision=None if expired else row.live,
        author=revision.author,
        review_at=_iso(item.review_at),
        expires_at=_iso(item.expires_at),
        expired=expired,
        review=asked,
    )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment is not None else None


def search_event(results: Results, *, mode: str, filters: dict[str, Any], instant: bool = False) -> dict[str, Any]:
    """Return the `data` of a search event."""
    return {
        "mode": mode,
        "lang": results.lang,
        "filters": filters,
        "results": [{"item": hit.found.item_id, "rank": rank} for rank, hit in enumerate(results.hits, start=1)],
        "took_ms": results.took_ms,
        "generation": results.generation,
        "watermark": results.watermark,
        **({"corrected": results.corrected} if results.corrected is not None else {}),
        **({"instant": True} if instant else {}),
    }


def answer_event(answer: Answer, asked: Asked | None = None) -> dict[str, Any]:
    """Return the `data` of an answer event; `typed` where the question was completed."""
    return {
        "band": answer.band.value,
        "confidence": answer.confidence,
        "citations": [
            {"n": citation.n, "item": citation.found.item_id, "passage": citation.found.passage_id}
            for citation in answer.citations
        ],
        "lang": answer.results.lang if answer.results else None,
        "took_ms": answer.results.took_ms if answer.results else {},
        "generation": answer.results.generation if answer.results else None,
        **({"fixed": True} if answer.fixed is not None else {}),
        **({"typed": asked.typed[:1000]} if asked is not None and asked.understood_as is not None else {}),
        **({"llm": _llm_event(answer.generation)} if answer.generation is not None else {}),
    }


def _llm_event(generation: Generation) -> dict[str, Any]:
    return {
        "outcome": generation.outcome.value,
        "model": generation.model,
        "kept": generation.kept,
        "removed": generation.removed,
        "took_ms": generation.took_ms,
    }
