"""How follow-up questions do: the shipped conversations, asked as they stand, behind all that was asked before,
completed by the rules, and as they were written out in full.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.throwaway import READER, knowledge_base, load_demo
from ingest import demo
from ingest.judged import JudgedSet, tuning_half
from retrieval.abstain import Band
from retrieval.answer import answer_from
from retrieval.embed import Embedder
from retrieval.followup import Turn, complete
from retrieval.measures import mean, measure
from retrieval.search import Searcher

SYSTEMS = ("alone", "all turns", "rules", "in full")
"""`alone`: as typed; `all turns`: behind all that was asked before; `in full`: as a person completed it."""


@dataclass(frozen=True, slots=True)
class Said:
    """One question of a conversation."""

    text: str
    follow_up: bool
    in_full: str
    relevant: dict[str, int]
    """External id -> grade."""


@dataclass(frozen=True, slots=True)
class Talk:
    id: str
    lang: str
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """How one system does on the questions of one language that come second or later. Shares are 0 to 1."""

    lang: str
    system: str
    follow_ups: int
    ndcg: float
    answered: float
    right: float
    """Answered from an article judged relevant."""
    alone: int
    """Questions that turn to something else."""
    ndcg_alone: float
    changed: int
    """Of these, how many are not searched as they were typed."""


def load(path: Path) -> list[Talk]:
    """Read conversations: one JSON document a line."""
    return [
        Talk(
            id=record["id"],
            lang=record["lang"],
            said=tuple(
                Said(
                    text=turn["text"],
                    follow_up=turn["kind"] == "follow_up",
                    in_full=turn.get("complete", turn["text"]),
                    relevant=turn["relevant"],
                )
                for turn in record["turns"]
            ),
        )
        for record in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    ]


def searched(system: str, said: Sequence[Said]) -> Iterator[str]:
    """Yield what a system searches for each question of a conversation, in turn."""
    turns: list[Turn] = []
    for place, one in enumerate(said):
        match system:
            case "all turns":
                yield " ".join(before.text for before in said[: place + 1])
            case "in full":
                yield one.in_full
            case "rules":
                understood = complete(turns, one.text)
                turns.append(Turn(understood.text, understood.topic))
                yield understood.text
            case _:
                yield one.text


def run(embedder: Embedder, *, half: str = "all", tell: Callable[[str], None]) -> list[Row]:
    """Load the demo into a throw-away data folder and hold its conversations with each system."""
    with demo.folder() as path:
        talks = [
            talk
            for talk in load(path / "judged" / "conversations.jsonl")
            if half == "all" or tuning_half(talk.id) == (half == "tune")
        ]
    with knowledge_base("demo", load_demo, embedder, tell=tell) as kb:
        tell("demo: asking")
        langs = sorted({talk.lang for talk in talks})
        return [
            _row(kb.searcher, [talk for talk in talks if talk.lang == lang], lang, system)
            for lang in langs
            for system in SYSTEMS
        ]


def _row(searcher: Searcher, talks: Sequence[Talk], lang: str, system: str) -> Row:
    rankings: dict[bool, dict[str, list[str]]] = {True: {}, False: {}}
    qrels: dict[str, dict[str, int]] = {}
    answered = right = changed = 0
    for talk in talks:
        for place, (one, text) in enumerate(zip(talk.said, searched(system, talk.said), strict=True)):
            if place == 0:
                continue
            results = searcher.search(text, reader=READER, limit=10)
            name = f"{talk.id}.{place}"
            qrels[name] = one.relevant
            rankings[one.follow_up][name] = [hit.found.external_id for hit in results.hits]
            if one.follow_up:
                answer = answer_from(searcher, results, reader=READER)
                answered += answer.band is Band.ANSWER
                right += bool(answer.citations) and answer.citations[0].found.external_id in one.relevant
            else:
                changed += text != one.text
    found = {which: mean(measure(some, qrels)["ndcg@10"]) for which, some in rankings.items()}
    follow_ups, alone = len(rankings[True]), len(rankings[False])
    return Row(
        lang=lang,
        system=system,
        follow_ups=follow_ups,
        ndcg=round(found[True], 4),
        answered=round(answered / follow_ups, 4),
        right=round(right / follow_ups, 4),
        alone=alone,
        ndcg_alone=round(found[False], 4),
        changed=changed,
    )


BEFORE = {"en": "How do I install an eSIM?", "zh": "怎么安装 eSIM？"}
"""Asked before each question of a set of questions that stand alone."""


def changed_alone(judged: JudgedSet, half: str = "all") -> dict[str, Any]:
    """Ask each question of a set, all of which stand alone, after another one; return how many the rules change."""
    turns = {lang: [Turn(text, text)] for lang, text in BEFORE.items()}
    chosen = [q.text for q in judged.queries if half == "all" or tuning_half(q.id) == (half == "tune")]
    changed = [text for text in chosen if any(complete(before, text).text != text for before in turns.values())]
    return {"set": judged.name, "questions": len(chosen), "changed": len(changed), "texts": changed}
