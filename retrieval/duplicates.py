"""Near duplicates: is there an item already that says what this one says?

Candidates come from the search over title and issue. How likely each is a near duplicate is a probability of its own,
from a logistic model over three things that two texts have or have not in common: how near they are in meaning, and
how much of their weight in words the titles, and the whole texts, share. A fused score, which only orders, has no part
in it. The model was fitted on pairs that people judged (`kb eval duplicates`, docs/decisions/0021-duplicates.md) and
holds for candidates of which about one in fourteen is a duplicate, as it was there.

Whether numbers and identifiers agree is shown and not weighed: on those pairs it told nothing that the words had not.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, log, sqrt

import numpy as np
import numpy.typing as npt
from sqlmodel import Session, col, select

from kb import items
from kb.access import Principal, Scope, readable, scope_of
from kb.compose import composed
from kb.content import Content
from kb.items import ItemView
from kb.models import Item, Kind, Passage, Revision, StoredVector
from retrieval.abstain import probability
from retrieval.contradictions import Contradiction, Fields, contradiction
from retrieval.embed import Embedder
from retrieval.facts import facts
from retrieval.index import SearchIndex
from retrieval.language import language, primary
from retrieval.search import Searcher
from retrieval.text import Analyzer, analyzer, spans
from retrieval.tuned import TUNED, Likeness

CANDIDATES = 10
"""Items that are looked at for one text."""
SHOWN = 1 / 5
"""Least probability at which who writes is shown a near duplicate: of five such, one is, and each costs a glance."""
QUEUED_FROM = 1 / 3
"""Least probability at which a pair is queued: of three such, one is, and each costs reading two texts."""
LONGEST = 20_000
"""Characters of a text that are compared; what is said in more is said of something else by then."""
QUEUED_KINDS = frozenset(Kind) - {Kind.CASE}
"""Kinds whose pairs are queued, each with its own: cases that repeat are what articles are written from."""
_SEARCHED = 400
"""Characters of title and issue that candidates are searched with: longer ones found hardly more."""
_TERMS = 8
"""Shared terms that are named."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A text made ready to be compared: a draft, or an item as it is published."""

    title: str
    text: str
    """All that it says, title included, Markdown; cut to LONGEST."""
    lang: str
    fields: Fields
    vectors: npt.NDArray[np.float32]
    """Of its passages; float32 of shape (n, dim), n at least 1."""


@dataclass(frozen=True, slots=True)
class Alike:
    """What two texts have in common, each 0 to 1 (the cosine from -1)."""

    cosine: float
    """Of the two passages that are nearest."""
    title: float
    """Cosine of the titles' distinct terms, each weighed by how rare it is."""
    words: float
    """The same of the whole texts."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that a search found for a text."""

    view: ItemView
    compared: Compared
    probability: float
    """That it is a near duplicate."""
    alike: Alike
    shared: tuple[str, ...]
    """Terms that both have, those that say most first."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why two texts are taken for near duplicates, and what speaks against it. `here` is the first of the two."""

    terms: tuple[str, ...]
    """Shared words, those that say most first, as the first text writes them."""
    same: tuple[str, ...]
    """Numbers with units and identifiers that both have."""
    here: tuple[str, ...]
    there: tuple[str, ...]
    """Numbers and identifiers that only one has, where the other has others of the kind."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An item that may be read and is likely a near duplicate."""

    view: ItemView
    probability: float
    alike: Alike
    evidence: Evidence
    contradiction: Contradiction | None
    """What the two resolutions say differently of the same issue."""


def near_duplicates(
    searcher: Searcher,
    content: Content,
    *,
    lang: str | None = None,
    reader: Principal,
    limit: int = 5,
    least: float = SHOWN,
) -> list[Duplicate]:
    """Return the published items that `reader` may read and that say what a draft says, likeliest first.

    `lang`: the draft's language, told from its text where it is not given. Only items in it are compared: one in
    another language is a translation. Raises InvalidInput for a title without anything to search.
    """
    one = searcher.unranked()
    draft = compared(content, lang, one.embedder)
    return _likely(draft, candidates(one, draft, reader=reader), limit, least)


def duplicates_of(
    searcher: Searcher,
    view: ItemView,
    *,
    reader: Principal,
    also: Collection[int] = (),
    limit: int = 5,
    least: float = SHOWN,
) -> list[Duplicate]:
    """Return the other items that say what `view` says, as `near_duplicates` does. `also`: ids to look at besides."""
    one = searcher.unranked()
    with one.db.read() as session:
        mine = _compared(session, [view], one.embedder, one.index.generation)[0]
    return _likely(mine, candidates(one, mine, reader=reader, also=also, but=view.item), limit, least)


def compared(content: Content, lang: str | None, embedder: Embedder) -> Compared:
    """Return a draft made ready; it is embedded as one passage, of which the model reads what it can."""
    text = _whole(content.title, content.similar_questions, composed(lang or "en", content))
    return Compared(
        title=content.title,
        text=text,
        lang=primary(lang or language(text)),
        fields=Fields.of(content),
        vectors=embedder.embed_passages([text]),
    )


def alike(one: Compared, other: Compared, weights: Mapping[str, float], terms: "Terms") -> Alike:
    """Return what two texts have in common. `weights` by term, as `term_weights` gives them for both."""
    return Alike(
        cosine=float((one.vectors @ other.vectors.T).max()),
        title=_cosine(terms(one.title), terms(other.title), weights),
        words=_cosine(terms(one.text), terms(other.text), weights),
    )


def likelihood(model: Likeness, of: Alike) -> float:
    """Return the probability that two texts with this in common are near duplicates."""
    return probability(model.bias + model.cosine * of.cosine + model.title * of.title + model.words * of.words)


def group(lang: str) -> str:
    """Return which model is asked for texts in this language: `zh` or `other`."""
    return "zh" if primary(lang) == "zh" else "other"


class Terms:
    """The distinct terms of texts, each analyzed once. For one comparison of one text with others."""

    def __init__(self, analyze: Analyzer) -> None:
        self._analyze = analyze
        self._known: dict[str, frozenset[str]] = {}

    def __call__(self, text: str) -> frozenset[str]:
        if text not in self._known:
            self._known[text] = frozenset(self._analyze(text))
        return self._known[text]

    def shared(self, one: Compared, other: Compared, weights: Mapping[str, float]) -> tuple[str, ...]:
        """Return the terms that both texts have, those that say most first."""
        return tuple(sorted(self(one.text) & self(other.text), key=lambda term: (-weights[term], term)))


def term_weights(index: SearchIndex, terms: Iterable[str], *, scope: Scope, size: int) -> dict[str, float]:
    """Return how much each term says: log(1 + size / passages that have it), at most as for one passage.

    Counted within `scope`, so that nobody is told of what they may not read. `size`: readable items.
    """
    ordered = sorted(set(terms))
    counts = index.frequencies(ordered, scope=scope)
    return {term: log(1 + size / max(1, count)) for term, count in zip(ordered, counts, strict=True)}


def candidates(
    searcher: Searcher, mine: Compared, *, reader: Principal, also: Collection[int] = (), but: Item | None = None
) -> list[Candidate]:
    """Return the published items that `reader` may read and that a search for `mine` finds, each with its probability.

    No particular order. `searcher`: with the model that `mine` was made ready with. `but`: the item that `mine` is
    itself, which is left out with its translations.
    """
    index, embedder = searcher.index, searcher.embedder
    question = mine.fields.issue[: max(_SEARCHED, len(mine.title))]
    hits = searcher.search(question, reader=reader, limit=CANDIDATES + (but is not None), exact=True).hits
    with searcher.db.read() as session:
        scope = scope_of(session, reader).published_only()
        views = [
            view
            for view in _views(session, scope, {*(hit.found.item_id for hit in hits), *also})
            if _comparable(view.item, mine, but)
        ]
        others = _compared(session, views, embedder, index.generation)
        size = items.size(session, scope)
    terms = Terms(analyzer(index.analyzer))
    asked = {term for one in (mine, *others) for term in terms(one.text) | terms(one.title)}
    weights = term_weights(index, asked, scope=scope, size=size)
    model = TUNED.likeness_of(embedder.name)[group(mine.lang)]
    found = []
    for view, other in zip(views, others, strict=True):
        common = alike(mine, other, weights, terms)
        found.append(Candidate(view, other, likelihood(model, common), common, terms.shared(mine, other, weights)))
    return found


def _likely(mine: Compared, found: Sequence[Candidate], limit: int, least: float) -> list[Duplicate]:
    likely = sorted(
        (one for one in found if one.probability >= least), key=lambda one: (-one.probability, one.view.item.id)
    )
    return [
        Duplicate(
            one.view,
            one.probability,
            one.alike,
            _evidence(mine, one.compared, one.shared),
            contradiction(mine.fields, one.compared.fields),
        )
        for one in likely[:limit]
    ]


def _comparable(item: Item, mine: Compared, but: Item | None) -> bool:
    if primary(item.lang) != mine.lang and mine.lang != "und":
        return False
    if but is None:
        return True
    return item.id != but.id and (but.family is None or item.family != but.family or item.lang == but.lang)


def _views(session: Session, scope: Scope, ids: Collection[int]) -> list[ItemView]:
    statement = (
        select(Item, Revision)
        .join(Revision, col(Revision.id) == col(Item.live_revision_id))
        .where(col(Item.id).in_(sorted(ids)), readable(scope))
        .order_by(col(Item.id))
    )
    labels = items.labels(session, ids)
    return [
        ItemView(item, revision, labels.get(item.id or 0, frozenset())) for item, revision in session.exec(statement)
    ]


def _compared(session: Session, views: Sequence[ItemView], embedder: Embedder, generation: int) -> list[Compared]:
    """Make items ready, with the vectors that are stored of them; an item that has none yet is embedded here."""
    live = {int(view.revision.id or 0): int(view.item.id or 0) for view in views}
    statement = (
        select(Passage.item_id, StoredVector.data)
        .join(StoredVector, col(StoredVector.embedding_hash) == col(Passage.embedding_hash))
        .where(
            col(Passage.revision_id).in_(sorted(live)),
            col(Passage.generation) == generation,
            col(StoredVector.fingerprint) == embedder.fingerprint,
        )
        .order_by(col(Passage.item_id), col(Passage.ordinal))
    )
    stored: dict[int, list[npt.NDArray[np.float32]]] = {}
    for item, data in session.exec(statement):
        stored.setdefault(item, []).append(np.frombuffer(data, "<f2").astype(np.float32))
    found = []
    for view in views:
        revision = view.revision
        text = _whole(revision.title, revision.similar_questions, composed(view.item.lang, revision))
        vectors = stored.get(int(view.item.id or 0))
        found.append(
            Compared(
                title=revision.title,
                text=text,
                lang=primary(view.item.lang),
                fields=Fields.of(revision),
                vectors=np.stack(vectors) if vectors else embedder.embed_passages([text]),
            )
        )
    return found


def _whole(title: str, questions: Sequence[str], text: str) -> str:
    return "\n".join([title, *questions, text])[:LONGEST].rstrip()


def _cosine(one: frozenset[str], other: frozenset[str], weights: Mapping[str, float]) -> float:
    # Exact sums, since a set has no order: equal texts are equally alike in every run.
    lengths = [fsum(weights[term] ** 2 for term in terms) for terms in (one, other)]
    shared = fsum(weights[term] ** 2 for term in one & other)
    return shared / sqrt(lengths[0] * lengths[1]) if shared else 0.0


def _evidence(mine: Compared, other: Compared, shared: Sequence[str]) -> Evidence:
    said, meant = facts(mine.text), facts(other.text)
    units = {unit for _, unit in said.numbers} & {unit for _, unit in meant.numbers}
    return Evidence(
        terms=_written(mine.text, shared),
        same=_named(said.numbers & meant.numbers, _codes(said.identifiers) & _codes(meant.identifiers)),
        here=_only(said.numbers - meant.numbers, units, said.identifiers, meant.identifiers),
        there=_only(meant.numbers - said.numbers, units, meant.identifiers, said.identifiers),
    )


def _written(text: str, shared: Sequence[str]) -> tuple[str, ...]:
    """Return the stretches of a text that shared terms make up, those with the terms that say most first."""
    place = {term: at for at, term in enumerate(shared)}
    stretches: list[tuple[int, int, int]] = []
    for span in spans(text):
        if span.term not in place:
            continue
        first = (place[span.term], span.start, span.end)
        if stretches and span.start < stretches[-1][2]:  # pairs of characters overlap, parts lie within a code
            at, start, end = stretches.pop()
            first = (min(at, first[0]), start, max(end, first[2]))
        stretches.append(first)
    words: dict[str, str] = {}
    for _, start, end in sorted(stretches):
        words.setdefault(text[start:end].casefold(), text[start:end])
    return tuple(words.values())[:_TERMS]


def _only(
    numbers: Collection[tuple[str, str]], units: Collection[str], mine: Collection[str], theirs: Collection[str]
) -> tuple[str, ...]:
    codes = _codes(mine) - _codes(theirs) if _codes(theirs) else frozenset[str]()
    return _named({(number, unit) for number, unit in numbers if unit in units}, codes)


def _codes(identifiers: Collection[str]) -> frozenset[str]:
    """Return those with a number in them: codes and versions, not names."""
    return frozenset(one for one in identifiers if any(c.isdigit() for c in one))


def _named(numbers: Collection[tuple[str, str]], codes: Collection[str]) -> tuple[str, ...]:
    return (*sorted(f"{number} {unit}".strip() for number, unit in numbers), *sorted(codes))[:20]
