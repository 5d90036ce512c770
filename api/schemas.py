"""The shapes of what goes out and comes in: one set for HTTP and for `--json`. docs/api.md explains the fields."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kb.content import Content, Profile, choice, labels
from kb.items import ItemView
from kb.models import Audience, Confidence, Facet, Governance, Kind
from retrieval.answer import Answer
from retrieval.search import Hit, Results


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
    passage: str = Field(description="The item's best passage, Markdown.")
    passage_id: int
    score: float = Field(description="Orders the hits of one search; means nothing across searches.")
    legs: Legs
    exact_title: bool
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
    quote: str


class Suggestion(Shape):
    item: str
    external_id: str
    title: str
    kind: str
    lang: str


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
    confidence: float = Field(description="0 to 1; provisional, not calibrated yet.")
    took_ms: dict[str, float]


class ItemIn(Shape):
    """An item as a writer gives it. Missing texts are empty."""

    title: str
    body: str = ""
    issue: str = ""
    environment: str = ""
    resolution: str = ""
    cause: str = ""
    similar_questions: list[str] = []
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

    def content(self) -> Content:
        return Content(
            title=self.title,
            body=self.body,
            issue=self.issue,
            environment=self.environment,
            resolution=self.resolution,
            cause=self.cause,
            similar_questions=tuple(self.similar_questions),
        )

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

    based_on: Annotated[int, Field(ge=1)] = Field(description="Number of the revision the change started from.")
    message: str = ""
    publish: bool = False


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
        passage=found.text,
        passage_id=found.passage_id,
        score=round(hit.score, 6),
        legs=Legs(dense=round(hit.dense, 6), lexical=round(hit.lexical, 6)),
        exact_title=hit.exact_title,
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
        took_ms=results.took_ms,
        generation=results.generation,
        watermark=results.watermark,
    )


def suggestion_out(hit: Hit) -> Suggestion:
    found = hit.found
    return Suggestion(
        item=found.number, external_id=found.external_id, title=found.title, kind=found.kind, lang=found.lang
    )


def answer_out(answer: Answer, uid: str | None = None) -> AnswerResponse:
    return AnswerResponse(
        id=uid,
        question=answer.question,
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
                quote=citation.quote,
            )
            for citation in answer.citations
        ],
        suggestions=[suggestion_out(hit) for hit in answer.suggestions],
        confidence=answer.confidence,
        took_ms=answer.results.took_ms if answer.results is not None else {},
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


def answer_event(answer: Answer) -> dict[str, Any]:
    """Return the `data` of an answer event."""
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
    }
