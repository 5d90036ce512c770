"""How long a replay takes: python -m eval.bench_replay --passages 10000 --questions 1000

Fills a throw-away knowledge base with seeded documents made of the demo's own sentences, and an event log with
questions made of their titles, sentences and the demo's questions. Then a new draft and a draft of a live article are
replayed, each several times: the first time no question is remembered, after that all are. Vectors are seeded random
ones, so `embed` is without the model's forward pass: `--model` embeds with the model of the settings instead. The
whole call is timed, from reading the log to what an editor is shown. Prints one JSON document.
"""

import argparse
import json
import random
import statistics
import sys

from eval.bench_search import RandomVectors, corpus, written
from eval.throwaway import KnowledgeBase, knowledge_base
from ingest import demo
from ingest.replaying import DraftReplay, replay_item
from kb import editorial, events
from kb.access import SYSTEM
from kb.content import Content, Profile
from kb.events import Happened
from kb.models import Audience, EventKind, Item
from kb.settings import load_settings
from retrieval.embed import Embedder, load_embedder
from retrieval.text import sentences
from retrieval.titled import TitledEmbedder


def asked(documents: list[Content], count: int, rng: random.Random) -> list[str]:
    """Return `count` distinct questions: the demo's, then titles, short sentences and pairs of their words."""
    found = dict.fromkeys(query.text for query in demo.questions().queries)
    while len(found) < count:
        document = rng.choice(documents)
        start, end = rng.choice(sentences(document.body))
        words = document.body[start:end].split()
        at = rng.randrange(max(1, len(words) - 8))
        found[" ".join(words[at : at + rng.randint(4, 9)])[:120].strip() or document.title] = None
    return list(found)[:count]


def measure(passages: int, count: int, rounds: int, embedder: Embedder) -> dict[str, object]:
    rng = random.Random(7)
    documents = corpus(passages, rng)
    load = written(documents, lambda: Audience.PUBLIC)
    with knowledge_base("bench", load, embedder, tell=lambda _: None) as kb:
        kb.opened.indexer.flush()
        rows = [Happened(EventKind.ANSWER, "anonymous", text=text) for text in asked(documents, count, rng)]
        events.write(kb.db, rows)
        with kb.db.write() as session:
            new, _ = editorial.create(
                session, documents[0], Profile(audience=Audience.PUBLIC), actor=SYSTEM, external_id="new"
            )
            live = session.get_one(Item, 2)
            changed = Content(title=documents[1].title, body=documents[1].body + "\n\n" + documents[2].body)
            editorial.revise(session, live, changed, actor=SYSTEM)
        return {
            "passages": kb.index.stats().passages,
            "questions": count,
            "new draft": _timed(kb, int(new.id or 0), count, rounds),
            "draft of a live article": _timed(kb, 2, count, rounds),
        }


def _timed(kb: KnowledgeBase, item: int, count: int, rounds: int) -> dict[str, object]:
    def once() -> DraftReplay:
        return replay_item(kb.db, kb.opened, kb.searcher, item, actor=SYSTEM, most=count)

    first, *again = [once() for _ in range(rounds + 1)]
    return {
        "first_ms": {name: round(ms) for name, ms in first.took_ms.items()},
        "first_embedded": first.embedded,
        "remembered_ms": {name: round(statistics.median(one.took_ms[name] for one in again)) for name in first.took_ms},
        "counts": first.counts(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", action="store_true", help="Embed with the model of the settings.")
    given = parser.parse_args()
    embedder: Embedder = RandomVectors()
    if given.model:
        settings = load_settings()
        embedder = TitledEmbedder(load_embedder(settings.embedder, settings.cache, settings.threads))
    sys.stdout.write(json.dumps(measure(given.passages, given.questions, given.rounds, embedder), indent=2) + "\n")


if __name__ == "__main__":
    main()
