"""What the passages beside the one that was found are worth: python -m eval.neighbours DIR... [--tokens N]

Each set is cut into passages of at most N tokens, so that answers run over their edges or stand in the next one; each
question is asked of the product's search, and the passage that it puts first is read alone and with its neighbours. The
measures are those of `kb eval answers --setting found`: whether the gold answer is whole in one to three neighbouring
segments, in 200 columns, and in the extract as it is shown; and whether it is whole in a source that a language model
is given. `--time`: what both take instead, the database included.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eval.reading import AS_SHOWN, COLUMNS, MEASURES, SENTENCES, Asked, Read, Way, cut, load_answers, stretch
from eval.throwaway import READER, KnowledgeBase, corpus_of, knowledge_base
from eval.vectors import embedder_of
from ingest.judged import JudgedSet, load
from kb import items
from kb.access import scope_of
from kb.errors import NotFound
from kb.settings import load_settings
from retrieval.abstain import CONSIDERED
from retrieval.answer import SOURCES, SUPPLIED, supplied
from retrieval.clues import Floats
from retrieval.embed import Embedder, load_embedder
from retrieval.extract import BESIDE, LONGEST, likely, nearness_of, weighed
from retrieval.neighbours import Context, context, extract_of
from retrieval.significance import randomisation
from retrieval.text import analyze
from retrieval.titled import TitledEmbedder

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Beside:
    """A question, and the passage that search puts first for it: alone and with its neighbours."""

    asked: Asked
    alone: Context | None
    """None where the passage is of another document."""
    whole: Context | None
    singles: tuple[Context, ...]
    """What a language model would be given of single passages, as many."""
    sources: tuple[Context, ...]
    """What it is given."""


def measured(judged: JudgedSet, half: str, most: int | None) -> list[Asked]:
    """Return the questions of a half, the first ones. Raises NotFound where there is none."""
    if not (asked := load_answers(judged, half)[:most]):
        where = judged.name if half == "all" else f"the {half} half of {judged.name}"
        raise NotFound(f"{where} has no question with an answer at a place in its document: name another set")
    return asked


def passages(judged: JudgedSet, asked: Sequence[Asked], embedder: Embedder, tokens: int, tell: Tell) -> list[Beside]:
    """Ask the questions of a knowledge base with the set's documents, cut at so many tokens."""
    with knowledge_base(judged.name, corpus_of(judged), embedder, max_tokens=tokens, tell=tell) as kb:
        tell(f"{judged.name}: asking")
        return [_found(kb, one) for one in asked]


def _found(kb: KnowledgeBase, one: Asked) -> Beside:
    results = kb.searcher.search(one.question, reader=READER, limit=CONSIDERED)
    if not results.hits:
        return Beside(one, None, None, (), ())
    best = results.hits[0]
    each = {found.passage_id: found for found in (best.found, *best.others)}
    each |= {hit.found.passage_id: hit.found for hit in results.hits[1:SOURCES]}
    singles = tuple(Context((found,)) for found in list(each.values())[:SUPPLIED])
    sources = tuple(supplied(kb.searcher, results, READER))
    found = best.found
    if found.external_id != one.document:
        return Beside(one, None, None, singles, sources)
    whole = context(found, _beside(kb, found.passage_id, results.generation))
    return Beside(one, Context((found,)), whole, singles, sources)


def _beside(kb: KnowledgeBase, passage: int, generation: int) -> Sequence[items.Found]:
    with kb.db.read() as session:
        return items.beside(session, scope_of(session, READER), [passage], generation).get(passage, [])


def read(of: Asked, what: Context | None, embedder: Embedder, beside: float = BESIDE) -> dict[str, tuple[float, int]]:
    """Return by measure whether the answer is in what is shown of a passage (1 or 0), and how many characters that is.

    `beside`: as in `retrieval.extract.BESIDE`.
    """
    if what is None:
        return dict.fromkeys((*MEASURES, AS_SHOWN), (0.0, 0))
    one = replace(of, text=what.text, spans=())
    terms = tuple(analyze(one.question))
    nearness = nearness_of(embedder, one.question)
    places = tuple((part.start, part.end) for part in what.parts(LONGEST)) or ((0, len(one.text)),)
    said = [one.text[a:b] for a, b in places]
    scores: Floats = likely(one.question, said, title=what.found.title, terms=terms, nearness=nearness)
    if len(what.passages) > 1:
        scores = weighed(scores, places, what.spans()[what.at], beside)
    of_parts = Read(one, places, terms, ())
    way = Way(lambda _: scores)
    shown = {measure: stretch(way, of_parts, scores, n) for measure, n in zip(MEASURES, SENTENCES, strict=False)}
    shown[MEASURES[-1]] = [cut(of_parts, scores, COLUMNS)]
    chosen = extract_of(what, one.question, terms=terms, nearness=nearness, beside=beside)
    shown[AS_SHOWN] = [(chosen.start, chosen.end)]
    return {name: (float(one.answered_by(some)), sum(b - a for a, b in some)) for name, some in shown.items()}


def given(some: Sequence[Beside]) -> dict[str, Any]:
    """Return the share of questions whose answer is whole in one source of a language model, without and with."""

    def holds(one: Asked, sources: Sequence[Context]) -> float:
        own = [source.text for source in sources if source.found.external_id == one.document]
        return float(any(replace(one, text=text, spans=()).answered_by([(0, len(text))]) for text in own))

    singles = {str(at): holds(one.asked, one.singles) for at, one in enumerate(some)}
    sources = {str(at): holds(one.asked, one.sources) for at, one in enumerate(some)}
    return {
        "answer in a source, single passages": round(float(np.mean(list(singles.values()))), 4),
        "answer in a source": round(float(np.mean(list(sources.values()))), 4),
        "p": round(randomisation(sources, singles), 5),
    }


def compare(some: Sequence[Beside], embedder: Embedder, besides: Sequence[float]) -> list[dict[str, Any]]:
    """Return a row for the passage alone and one for each weight of its neighbours; p against alone, two-sided."""
    alone = [read(one.asked, one.alone, embedder) for one in some]
    rows = [_row("alone", alone, alone)]
    for beside in besides:
        rows.append(_row(f"{beside:g}", [read(one.asked, one.whole, embedder, beside) for one in some], alone))
    return rows


def _row(
    name: str, of: Sequence[dict[str, tuple[float, int]]], alone: Sequence[dict[str, tuple[float, int]]]
) -> dict[str, Any]:
    def by_question(rows: Sequence[dict[str, tuple[float, int]]], measure: str) -> dict[str, float]:
        return {str(at): row[measure][0] for at, row in enumerate(rows)}

    measures = (*MEASURES, AS_SHOWN)
    return {
        "beside": name,
        "share": {m: round(float(np.mean([row[m][0] for row in of])), 4) for m in measures},
        "characters": {m: round(float(np.mean([row[m][1] for row in of if row[m][1]] or [0])), 1) for m in measures},
        "p": {m: round(randomisation(by_question(of, m), by_question(alone, m)), 5) for m in measures},
    }


def timed(
    judged: JudgedSet, asked: Sequence[Asked], remembering: Embedder, bare: Embedder, tokens: int, tell: Tell
) -> dict[str, Any]:
    """Return what reading takes a question alone and with neighbours, in ms of wall clock, and their query.

    Both are read in turns, with the question's own vector there already; `bare` embeds each sentence anew.
    """
    taken: dict[str, list[float]] = {"alone": [], "whole": [], "query": []}
    called = {"alone": 0, "whole": 0}
    with knowledge_base(judged.name, corpus_of(judged), remembering, max_tokens=tokens, tell=tell) as kb:
        for at, one in enumerate(asked):
            results = kb.searcher.search(one.question, reader=READER, limit=1)
            if not results.hits:
                continue
            found, vector, terms = results.hits[0].found, bare.embed_query(one.question), analyze(one.question)
            with kb.db.read() as session:  # an answer has one open already
                scope = scope_of(session, READER)
                started = time.perf_counter()
                near = items.beside(session, scope, [found.passage_id], results.generation).get(found.passage_id, [])
                taken["query"].append((time.perf_counter() - started) * 1000)
            for name in ("alone", "whole") if at % 2 else ("whole", "alone"):
                calls: list[int] = []

                def nearness(said: Sequence[str], vector: Any = vector, calls: list[int] = calls) -> Floats:
                    calls.append(len(said))
                    return np.asarray(bare.embed_passages(said) @ vector, np.float64)

                started = time.perf_counter()
                what = context(found, near if name == "whole" else ())
                extract_of(what, one.question, terms=terms, nearness=nearness)
                taken[name].append((time.perf_counter() - started) * 1000)
                called[name] += bool(calls)
    count = max(1, len(taken["query"]))
    return {
        "set": judged.name,
        "tokens": tokens,
        "questions": count,
        "p50, ms": {name: round(float(np.percentile(ms, 50)), 3) for name, ms in taken.items()},
        "p95, ms": {name: round(float(np.percentile(ms, 95)), 3) for name, ms in taken.items()},
        "asked the model": {name: round(calls / count, 4) for name, calls in called.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="judged sets with answers.jsonl")
    parser.add_argument("--tokens", type=int, default=64, help="most tokens of a passage")
    parser.add_argument("--half", choices=["all", "tune", "report"], default="report")
    parser.add_argument("--besides", default=f"{BESIDE:g}", help="weights of neighbours to compare, by commas")
    parser.add_argument("--most", type=int, help="questions of each set, the first ones")
    parser.add_argument("--time", action="store_true", help="what reading takes instead")
    args = parser.parse_args()
    settings = load_settings()

    def tell(message: str) -> None:
        print(message, file=sys.stderr)

    with embedder_of(settings) as embedder:
        bare = TitledEmbedder(load_embedder(settings.embedder, settings.cache, settings.threads))
        for judged in [load(folder) for folder in args.folders]:
            asked = measured(judged, args.half, args.most)
            if args.time:
                print(json.dumps(timed(judged, asked, embedder, bare, args.tokens, tell)), flush=True)
                continue
            some = passages(judged, asked, embedder, args.tokens, tell)
            row = {"set": judged.name, "half": args.half, "tokens": args.tokens, "questions": len(some)}
            row["right document"] = sum(one.alone is not None for one in some)
            print(json.dumps({**row, **given(some)}), flush=True)
            for compared in compare(some, embedder, [float(beside) for beside in args.besides.split(",")]):
                print(json.dumps({**row, **compared}), flush=True)


if __name__ == "__main__":
    main()
