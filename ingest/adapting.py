"""Learning an adapter from a knowledge base's judged questions, and judging whether it may be adopted.

It learns from one half of the questions and is held to the other: what is adopted is what was measured.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sqlmodel import Session, col, select

from ingest.gate import Judged, ndcg
from ingest.judged import tuning_half
from kb import items
from kb.access import SYSTEM, scope_of
from kb.db import Database
from kb.models import Item, Passage, State, StoredVector, now
from retrieval.adapted import AdaptedEmbedder, Adapter
from retrieval.adapting import Learnt, Lesson, learn
from retrieval.embed import Embedder
from retrieval.index import SearchIndex
from retrieval.language import language
from retrieval.measures import mean
from retrieval.search import MAX_USED, Searcher, checked_question
from retrieval.significance import randomisation
from retrieval.types import Query

ENOUGH = 20
"""Questions that each half needs, and each language to be moved."""
MOST = 2_000
"""Questions learnt from at most."""
SURE = 0.05
"""Least p of Fisher's randomisation test at which nothing is adopted."""
_DEPTH = 100
"""Passages a question that are looked at while learning, beside those of all others."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was learnt and measured: nDCG@10 of the product's search on the half that was not learnt from."""

    adapter: Adapter | None
    """None: nothing was learnt that helped where it was learnt."""
    learnt_from: int
    questions: int
    before: float = 0.0
    after: float = 0.0
    p: float = 1.0
    langs: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    """By language of the question: how many, before, after."""
    refusal: str | None = None
    """Why it is not adopted, None if it may be."""

    def as_json(self) -> dict[str, Any]:
        return {
            "adopted": self.refusal is None,
            "refusal": self.refusal,
            "learnt_from": self.learnt_from,
            "questions": self.questions,
            "measure": "ndcg@10",
            "before": round(self.before, 4),
            "after": round(self.after, 4),
            "p": round(self.p, 5),
            "langs": {
                lang: {"questions": count, "before": round(before, 4), "after": round(after, 4)}
                for lang, (count, before, after) in self.langs.items()
            },
        }


def adapt(
    db: Database,
    index: SearchIndex,
    embedder: Embedder,
    judged: Sequence[Judged],
    *,
    most: int = MOST,
    tell: Callable[[str], None] = lambda _: None,
) -> Adoption:
    """Learn from the tuning half of the questions (at most `most`), measure on the other half. Writes nothing.

    `embedder` is the plain one. Adopted is what is better with p below SURE and no worse in any language.
    """
    plain = embedder.plain if isinstance(embedder, AdaptedEmbedder) else embedder
    lesson_of, held, refusal = halves(judged, most)
    known = Adoption(None, len(lesson_of), len(held))
    if refusal is not None:
        return _no(known, refusal)
    tell(f"learning from {len(lesson_of)} questions")
    used, lesson = _lesson(db, index, plain, lesson_of)
    if len(used) < ENOUGH:
        return _no(known, f"only {len(used)} questions have a relevant item with passages, {ENOUGH} are needed")
    learnt = learn(lesson)
    langs = _helped([language(one.query.text) for one in used], learnt)
    if not langs:
        return _no(known, "nothing was learnt that helps, in cross-validation, any language")
    tell(f"measuring on {len(held)} questions")
    adapter = Adapter(plain.fingerprint, langs, learnt.map, learnt.scale, learnt.offset)
    before = ndcg(Searcher(db, index, plain), held)
    after = ndcg(Searcher(db, index, AdaptedEmbedder(plain, lambda: adapter)), held)
    return _judged(adapter, learnt, len(used), held, before, after)


def halves(judged: Sequence[Judged], most: int) -> tuple[list[Judged], list[Judged], str | None]:
    """Return the questions to learn from, at most `most`, those to measure on, and why these are not enough, if so."""
    lesson = [one for one in judged if tuning_half(one.query.id)][:most]
    held = [one for one in judged if not tuning_half(one.query.id)]
    few = f"too few questions: {len(lesson)} to learn from, {len(held)} to measure on, {ENOUGH} each"
    return lesson, held, few if min(len(lesson), len(held)) < ENOUGH else None


def _judged(
    adapter: Adapter,
    learnt: Learnt,
    used: int,
    held: Sequence[Judged],
    before: dict[str, float],
    after: dict[str, float],
) -> Adoption:
    verdict = judge(held, before, after)
    found = Adoption(adapter, used, len(held), verdict.before, verdict.after, verdict.p, verdict.langs, verdict.refusal)
    facts = {
        "at": now().isoformat(timespec="seconds"),
        "negatives": learnt.negatives,
        "weight": learnt.weight,
        "ridge": learnt.ridge,
        **found.as_json(),
    }
    return replace(found, adapter=replace(adapter, learnt=facts))


@dataclass(frozen=True, slots=True)
class Held:
    """What the questions that were not learnt from say."""

    before: float
    after: float
    p: float
    langs: dict[str, tuple[int, float, float]]
    """By language of the question: how many, before, after."""
    refusal: str | None


def judge(held: Sequence[Judged], before: dict[str, float], after: dict[str, float]) -> Held:
    """Say whether what was learnt may be adopted: better with p below SURE, and worse in no language."""
    spoken: dict[str, list[str]] = {}
    for one in held:
        spoken.setdefault(language(one.query.text), []).append(one.query.id)
    langs = {
        lang: (len(ids), mean({i: before[i] for i in ids}), mean({i: after[i] for i in ids}))
        for lang, ids in sorted(spoken.items())
    }
    p = randomisation(after, before)
    worse = [lang for lang, (_, was, became) in langs.items() if became < was]
    refusal = None
    if mean(after) <= mean(before):
        refusal = "it is no better on the questions that it did not learn from"
    elif p >= SURE:
        refusal = f"that it is better may be chance (p {p:.3f}, below {SURE} is needed)"
    elif worse:
        refusal = f"questions in {', '.join(worse)} would fare worse"
    return Held(mean(before), mean(after), p, langs, refusal)


def _no(known: Adoption, refusal: str) -> Adoption:
    return replace(known, refusal=refusal)


def _helped(spoken: Sequence[str], learnt: Learnt) -> tuple[str, ...]:
    """Return the languages with enough questions whose mean rose in cross-validation."""
    gain = learnt.after - learnt.before
    by_lang = {lang: np.array([one == lang for one in spoken]) for lang in set(spoken)}
    return tuple(sorted(lang for lang, of in by_lang.items() if of.sum() >= ENOUGH and gain[of].mean() > 0))


def _lesson(db: Database, index: SearchIndex, plain: Embedder, judged: Sequence[Judged]) -> tuple[list[Judged], Lesson]:
    """Return the questions that have a relevant passage, and what is to be learnt from them.

    Passages are those of all judged items and the ones most like some question.
    """
    vectors = [plain.embed_query(checked_question(one.query.text)[:MAX_USED]) for one in judged]
    with db.read() as session:
        scope = scope_of(session, SYSTEM).published_only()
        of_name = published(session, {name for one in judged for name in one.relevant})
        near: set[int] = set()
        for one, vector in zip(judged, vectors, strict=True):
            found = index.search(Query(terms=[], vector=vector), scope=scope, filters=one.query.filters, limit=_DEPTH)
            near.update(int(passage) for passage in found.passage)
        rows = _passages(
            session, index.generation, plain.fingerprint, near, {i for ids in of_name.values() for i in ids}
        )
    number = {item: n for n, item in enumerate(sorted({item for item, _, _ in rows}))}
    langs = {lang: n for n, lang in enumerate(sorted({lang for _, lang, _ in rows}))}

    def named(one: Judged, *, helps: bool) -> dict[int, int]:
        return {
            number[item]: grade
            for name, grade in one.relevant.items()
            for item in of_name.get(name, ())
            if item in number and (grade > 0) == helps
        }

    kept = [n for n, one in enumerate(judged) if named(one, helps=True)]
    used = [judged[n] for n in kept]
    return used, Lesson(
        questions=np.array([vectors[n] for n in kept], np.float32).reshape(len(kept), plain.dim),
        passages=np.array([vector for _, _, vector in rows], np.float32).reshape(len(rows), plain.dim),
        item=np.array([number[item] for item, _, _ in rows], np.intp),
        relevant=[named(one, helps=True) for one in used],
        dismissed=[set(named(one, helps=False)) for one in used],
        lang=np.array([langs[lang] for _, lang, _ in rows], np.intp),
        wanted=np.array([langs.get(one.query.target_lang or "", -1) for one in used], np.intp),
    )


def published(session: Session, names: Collection[str]) -> dict[str, list[int]]:
    """Return the ids of published items by external id."""
    found: dict[str, list[int]] = {}
    for some in items.batched(sorted(names), 500):
        statement = select(Item.external_id, Item.id).where(
            col(Item.external_id).in_(some), col(Item.state) == State.PUBLISHED
        )
        for name, item in session.exec(statement):
            found.setdefault(name, []).append(int(item or 0))
    return found


def _passages(
    session: Session, generation: int, fingerprint: str, passages: Collection[int], of: Collection[int]
) -> list[tuple[int, str, np.ndarray[tuple[int], np.dtype[np.float16]]]]:
    """Return (item, language, vector) of these passages and of all live ones of these items, by item."""
    statement = (
        select(Passage.id, Passage.item_id, Item.lang, StoredVector.data)
        .join(Item, col(Item.id) == col(Passage.item_id))
        .join(StoredVector, col(StoredVector.embedding_hash) == col(Passage.embedding_hash))
        .where(
            col(Passage.generation) == generation,
            col(Passage.revision_id) == col(Item.live_revision_id),
            col(StoredVector.fingerprint) == fingerprint,
            col(Item.state) == State.PUBLISHED,
        )
    )
    found = {}
    for key, wanted in ((col(Passage.id), passages), (col(Passage.item_id), of)):
        for some in items.batched(sorted(wanted), 500):
            for passage, item, lang, data in session.exec(statement.where(key.in_(some))):
                found[int(passage or 0)] = item, lang, np.frombuffer(data, "<f2")
    return [row for _, row in sorted(found.items(), key=lambda pair: (pair[1][0], pair[0]))]
