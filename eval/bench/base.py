"""The real passages and questions that corpora are grown from: read, cut and embedded as the product does."""

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from eval.bench.corpus import Base, Question
from ingest import demo
from ingest.chunk import chunk
from ingest.document import Document
from ingest.judged import load_questions
from ingest.sources import walk
from kb.compose import composed
from retrieval.embed import Embedder
from retrieval.language import language
from retrieval.text import analyze

HELP_CENTRES = ("docs/help_arduino_en", "docs/help_ms_alchemy_zh", "judged/stackfaq", "judged/feedbackqa_test")
"""Folders of real help-centre text below KB_SHARED_DATA; those that are there are used."""
DOCUMENTS = 600
"""Most documents of one source, so that none outweighs the others: those with the lowest hash of their id."""
QUESTIONS = 200
"""Most questions, an equal part of each set that has any."""


def read(embedder: Embedder, shared: Path | None, *, max_tokens: int, tell: Callable[[str], None]) -> Base:
    """Return the demo's passages and questions, and with `shared` those of real help centres and judged sets."""
    passages: list[str] = []
    sources: dict[str, int] = {}
    asked: dict[str, list[str]] = {}
    with demo.folder() as folder:
        contents = [folder / name for name in ("articles", "cases.jsonl", "lessons.jsonl")]
        found = {"the shipped demo": [document for path in contents for document in _documents(path)]}
        asked["the shipped demo"] = [query.text for query in load_questions(folder / "judged", "demo").queries]
    for name in HELP_CENTRES if shared is not None else ():
        corpus = Path(shared or "") / name / "corpus.jsonl"
        if corpus.is_file():
            found[corpus.parent.name] = list(_documents(corpus))
            if (corpus.parent / "queries.jsonl").is_file():
                questions = load_questions(corpus.parent, corpus.parent.name).judged()
                asked[corpus.parent.name] = [query.text for query in questions]
    for name, documents in found.items():
        chosen = sorted(documents, key=lambda document: hashlib.sha256(document.external_id.encode()).digest())
        texts = [text for document in chosen[:DOCUMENTS] for text in _passages(document, embedder, max_tokens)]
        sources[name] = len(texts)
        passages += texts
    texts = list(dict.fromkeys(passages))
    tell(f"{len(texts):,} real passages ({', '.join(sources)}): embedding those not embedded before")
    vectors = np.concatenate([embedder.embed_passages(texts[at : at + 256]) for at in range(0, len(texts), 256)])
    questions_of = _chosen(asked)
    return Base.of(
        terms=[analyze(text) for text in texts],
        vectors=vectors,
        questions=[Question(text, analyze(text), embedder.embed_query(text)) for text in questions_of],
        about={
            "embedder": embedder.name,
            "passages": len(texts),
            "passages_by_source": sources,
            "questions": len(questions_of),
        },
    )


def _documents(path: Path) -> Iterator[Document]:
    for found in walk(path, "beir" if path.name == "corpus.jsonl" else "auto"):
        if isinstance(found, Document):
            yield found


def _passages(document: Document, embedder: Embedder, max_tokens: int) -> list[str]:
    lang = document.lang or language(f"{document.title}\n{document.body}")
    text = composed(lang, document)
    return [
        piece.search_text for piece in chunk(document.title, text, lang=lang, embedder=embedder, max_tokens=max_tokens)
    ]


def _chosen(asked: dict[str, list[str]]) -> list[str]:
    """Return a seeded choice of questions that have terms, in a seeded order."""
    rng = random.Random(7)
    share = QUESTIONS // len(asked)
    chosen: list[str] = []
    for questions in asked.values():
        usable = [question for question in dict.fromkeys(questions) if analyze(question)]
        chosen += rng.sample(usable, min(share, len(usable)))
    rng.shuffle(chosen)
    return chosen
