"""How often the gold answer lies in the extract, at equal length, beside simple ways of choosing sentences.

A set's `answers.jsonl` names, a question each, the document that answers and the answers in it. Three settings:

- `given`: the gold document is read; what is measured is reading alone.
- `found`: the passage that the product's search puts first is read; that of another document counts as missed.
- `across`: of two sets with the same questions, one gives the question and the other, in its language, the document.

Each way of choosing gives every segment (a sentence, or a whole list, table or block of code) a score. All of them are
then cut by the same rule: the n neighbouring segments with the highest sum, or, at equal width, the best segment grown
by the better of its two neighbours until the width is reached, the last one cut.
"""

import hashlib
import json
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from rank_bm25 import BM25Okapi

from eval.throwaway import READER, corpus_of, knowledge_base
from ingest.judged import JudgedSet, tuning_half
from ingest.plain import plain
from kb.errors import NotFound, UnreadableSource, shown
from retrieval.clues import Floats, width
from retrieval.embed import Embedder
from retrieval.extract import extract, likely, nearness_of
from retrieval.segments import segments
from retrieval.significance import randomisation
from retrieval.text import analyze
from retrieval.types import Vector

SENTENCES = (1, 2, 3)
COLUMNS = 200
"""Of the extracts of equal width: Chinese characters count double."""
OURS = "reader"

Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with what is read for it."""

    id: str
    question: str
    document: str
    title: str
    text: str
    """Document or passage; empty where the search put another document first."""
    golds: tuple[str, ...]
    spans: tuple[Stretch, ...] = ()
    """Where the answers are in `text`; where that is not known, an extract that says one of `golds` has it."""

    def answered_by(self, pieces: Sequence[Stretch]) -> bool:
        """Say whether an answer lies whole in one of the stretches of the text."""
        if self.spans:
            return any(a <= start and end <= b for start, end in self.spans for a, b in pieces)
        said = [_normal(plain(self.text[a:b])) for a, b in pieces]
        return any(_normal(gold) in piece for gold in self.golds for piece in said)


def load_answers(judged: JudgedSet, half: str = "all") -> list[Asked]:
    """Return the answerable questions of a set with the documents that answer.

    Answers whose offsets do not fit the document are left out, and questions that have no other. Raises NotFound if the
    set has no answers.jsonl, UnreadableSource for a line that cannot be read.
    """
    path = judged.corpus.parent / "answers.jsonl"
    if not path.is_file():
        raise NotFound(f"{shown(str(path.parent))} has no answers.jsonl: there is no answer to look for")
    documents = {str(record["_id"]): record for _, record in _records(judged.corpus)}
    questions = {query.id: query.text for query in judged.queries}
    found: list[Asked] = []
    for number, record in _records(path):
        try:
            if half != "all" and tuning_half(str(record["_id"])) != (half == "tune"):
                continue
            document = documents[str(record["doc"])]
            text = str(document["text"])
            answers = [
                (str(answer["text"]), int(answer["start"]))
                for answer in record.get("answers", ())
                if answer["text"] and text.startswith(answer["text"], answer["start"])
            ]
            question = questions[str(record["_id"])]
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableSource(f"{path.name}, line {number} cannot be read: {error}") from error
        if answers:
            found.append(
                Asked(
                    id=str(record["_id"]),
                    question=question,
                    document=str(record["doc"]),
                    title=str(document.get("title", "")),
                    text=text,
                    golds=tuple(answer for answer, _ in answers),
                    spans=tuple((start, start + len(answer)) for answer, start in answers),
                )
            )
    return found


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line numbers and records. Raises UnreadableSource."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield number, dict(json.loads(line))
            except (TypeError, ValueError) as error:
                raise UnreadableSource(f"{path.name}, line {number} cannot be read: {error}") from error


def found_passages(
    judged: JudgedSet, asked: Sequence[Asked], embedder: Embedder, *, max_tokens: int, tell: Callable[[str], None]
) -> list[Asked]:
    """Return the questions with the passage that the product's search puts first instead of the gold document."""
    with knowledge_base(judged.name, corpus_of(judged), embedder, max_tokens=max_tokens, tell=tell) as kb:
        tell(f"{judged.name}: asking")
        result = []
        for one in asked:
            hits = kb.searcher.search(one.question, reader=READER, limit=1).hits
            right = bool(hits) and hits[0].found.external_id == one.document
            result.append(replace(one, text=hits[0].found.text if right else "", spans=()))
        return result


def asked_across(questions: Sequence[Asked], documents: Sequence[Asked]) -> list[Asked]:
    """Return the documents' questions in the words of the other set's, where it has them by the same id."""
    words = {one.id: one.question for one in questions}
    return [replace(one, question=words[one.id]) for one in documents if one.id in words]


@dataclass(frozen=True, slots=True)
class Read:
    """What a way of choosing sees of one question."""

    asked: Asked
    parts: tuple[Stretch, ...]
    terms: tuple[str, ...]
    said: tuple[tuple[str, ...], ...]
    """Terms of each part."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way of choosing: scores for the parts, equal ones go to the earlier, and how those of a stretch add up."""

    scores: Callable[[Read], Floats]
    distinct: bool = False
    """A stretch counts the question's terms that it covers, each once, as the extractor before did."""
    apart: bool = False
    """The best sentences, wherever they stand, instead of neighbours."""


def ways(asked: Sequence[Asked], embedder: Embedder) -> dict[str, Way]:
    """Return the ways of choosing by name."""
    corpus = BM25Okapi([analyze(text) for text in dict.fromkeys(one.text for one in asked if one.text)] or [["-"]])

    def bm25(read: Read, idf: Mapping[str, float] | None = None) -> Floats:
        if not any(read.said):
            return np.zeros(len(read.parts))
        scorer = BM25Okapi([list(terms) for terms in read.said])
        if idf is not None:
            scorer.idf = {term: idf.get(term, 0.0) for term in scorer.idf}
        return np.asarray(scorer.get_scores(list(read.terms)), np.float64)

    def ours(read: Read, near: Embedder | None = embedder) -> Floats:
        one = read.asked
        said = [one.text[a:b] for a, b in read.parts]
        nearness = nearness_of(near, one.question) if near is not None else None
        return likely(one.question, said, title=one.title, terms=read.terms, nearness=nearness)

    return {
        "random": Way(_random),
        "first": Way(lambda read: -np.arange(len(read.parts), dtype=np.float64)),
        "covered": Way(
            lambda read: np.array([len(set(read.terms) & set(said)) for said in read.said], np.float64), distinct=True
        ),
        "bm25": Way(lambda read: bm25(read, corpus.idf)),
        "bm25-apart": Way(lambda read: bm25(read, corpus.idf), apart=True),
        "bm25-passage": Way(bm25),
        "bm25-passage-apart": Way(bm25, apart=True),
        "reader-words": Way(lambda read: ours(read, None)),
        "reader-apart": Way(ours, apart=True),
        OURS: Way(ours),
    }


def _random(read: Read) -> Floats:
    seed = int.from_bytes(hashlib.sha256(read.asked.id.encode()).digest()[:8])
    return np.random.default_rng(seed).random(len(read.parts))


def stretch(way: Way, read: Read, scores: Floats, count: int) -> list[Stretch]:
    """Return the pieces of the text that a way shows when it may show `count` segments."""
    size = min(count, len(read.parts))
    if way.apart:
        chosen = np.argsort(-scores, kind="stable")[:size]
        return [read.parts[at] for at in sorted(chosen.tolist())]
    wanted = set(read.terms)
    first = max(
        range(len(read.parts) - size + 1),
        key=lambda at: (
            float(len(wanted & {*chain(*read.said[at : at + size])}))
            if way.distinct
            else float(scores[at : at + size].sum())
        ),
    )
    return [(read.parts[first][0], read.parts[first + size - 1][1])]


def cut(read: Read, scores: Floats, columns: int) -> Stretch:
    """Return the best segment grown by the better of its neighbours, all in all `columns` wide or the whole text."""
    text, parts = read.asked.text, read.parts
    first = last = int(np.argmax(scores))
    start, end = parts[first][0], _fitting(text, *parts[first], columns)
    while end == parts[last][1] and (first > 0 or last + 1 < len(parts)):
        below = last + 1 < len(parts) and (first == 0 or scores[last + 1] >= scores[first - 1])
        left = columns - width(text[start:end])
        if below:
            last += 1
            end = _fitting(text, end, parts[last][1], left)
        else:
            first -= 1
            reached = start
            while reached > parts[first][0] and width(text[reached - 1 : start]) <= left:
                reached -= 1
            start = reached
            if start > parts[first][0]:
                break
    return start, end


def _fitting(text: str, start: int, end: int, columns: int) -> int:
    """Return the end of what fits of a stretch into so many columns."""
    reached = min(end, start + columns)
    while reached > start and width(text[start:reached]) > columns:
        reached -= 1
    return reached


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way on one set in one setting."""

    set: str
    setting: str
    way: str
    half: str
    questions: int
    per_question: Mapping[str, Mapping[str, float]]
    """Measure -> question -> 1 where the extract holds an answer, else 0."""
    characters: Mapping[str, float]
    """Measure -> mean characters of the extracts."""
    p: Mapping[str, float]
    """Measure -> p that the way and ours are the same, two-sided."""

    def share(self, measure: str) -> float:
        return float(np.mean(list(self.per_question[measure].values()))) if self.per_question[measure] else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "set": self.set,
            "setting": self.setting,
            "way": self.way,
            "half": self.half,
            "questions": self.questions,
            "share": {name: round(self.share(name), 4) for name in self.per_question},
            "characters": {name: round(value, 1) for name, value in self.characters.items()},
            "p": {name: round(value, 5) for name, value in self.p.items()},
        }


MEASURES = (*(f"{count} sentence{'s' * (count > 1)}" for count in SENTENCES), f"{COLUMNS} columns")
AS_SHOWN = "as shown"
"""The extract as the product shows it, one to three sentences: of ours only."""


def read_all(name: str, setting: str, half: str, asked: Sequence[Asked], embedder: Embedder) -> list[Outcome]:
    """Return what every way makes of the questions of a set."""
    reads = [_prepared(one) for one in asked]
    outcomes: dict[str, Outcome] = {}
    for way_name, way in reversed(ways(asked, embedder).items()):
        hits: dict[str, dict[str, float]] = {measure: {} for measure in MEASURES}
        lengths: dict[str, list[int]] = {measure: [] for measure in MEASURES}
        if way_name == OURS:
            hits[AS_SHOWN], lengths[AS_SHOWN] = {}, []
        for read in reads:
            shown_pieces = _shown(way_name, way, read, embedder)
            for measure, pieces in shown_pieces.items():
                hits[measure][read.asked.id] = float(bool(read.asked.text) and read.asked.answered_by(pieces))
                lengths[measure].append(sum(b - a for a, b in pieces))
        ours = outcomes[OURS].per_question if outcomes else hits
        outcomes[way_name] = Outcome(
            set=name,
            setting=setting,
            way=way_name,
            half=half,
            questions=len(reads),
            per_question=hits,
            characters={measure: float(np.mean(values or [0])) for measure, values in lengths.items()},
            p={measure: randomisation(hits[measure], ours[measure]) for measure in hits},
        )
    return list(reversed(outcomes.values()))


def _prepared(asked: Asked) -> Read:
    parts = tuple((part.start, part.end) for part in segments(asked.text)) or ((0, len(asked.text)),)
    said = tuple(tuple(analyze(asked.text[a:b])) for a, b in parts)
    return Read(asked, parts, tuple(analyze(asked.question)), said)


def _shown(name: str, way: Way, read: Read, embedder: Embedder) -> dict[str, list[Stretch]]:
    scores = way.scores(read) if read.asked.text else np.zeros(len(read.parts))
    found = {measure: stretch(way, read, scores, count) for measure, count in zip(MEASURES, SENTENCES, strict=False)}
    found[MEASURES[-1]] = [cut(read, scores, COLUMNS)]
    if name == OURS:
        one = read.asked
        shown_extract = extract(
            one.text, one.question, title=one.title, terms=read.terms, nearness=nearness_of(embedder, one.question)
        )
        found[AS_SHOWN] = [(shown_extract.start, shown_extract.end)]
    return found


def timed(asked: Sequence[Asked], embedder: Embedder) -> dict[str, float]:
    """Return what reading takes a question, in ms of wall clock, and the share that asked for vectors of sentences.

    The question's own vector is there already, as after a search; what it took is told beside.
    """
    taken: list[float] = []
    called: list[bool] = []
    embedding: list[float] = []
    for one in asked:
        started = time.perf_counter()
        vector = embedder.embed_query(one.question)
        embedding.append((time.perf_counter() - started) * 1000)
        calls: list[int] = []

        def nearness(said: Sequence[str], vector: Vector = vector, calls: list[int] = calls) -> Floats:
            calls.append(len(said))
            return np.asarray(embedder.embed_passages(said) @ vector, np.float64)

        terms = analyze(one.question)
        started = time.perf_counter()
        extract(one.text, one.question, title=one.title, terms=terms, nearness=nearness)
        taken.append((time.perf_counter() - started) * 1000)
        called.append(bool(calls))
    words = [ms for ms, call in zip(taken, called, strict=True) if not call]
    vectors = [ms for ms, call in zip(taken, called, strict=True) if call]
    return {
        "questions": len(asked),
        "p50": _percentile(taken, 50),
        "p95": _percentile(taken, 95),
        "by words alone, p50": _percentile(words, 50),
        "with vectors, share": round(len(vectors) / max(1, len(asked)), 4),
        "with vectors, p50": _percentile(vectors, 50),
        "a question's vector, p50": _percentile(embedding, 50),
    }


def _percentile(values: Sequence[float], at: float) -> float:
    return round(float(np.percentile(values or [0.0], at)), 3)


def _normal(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
