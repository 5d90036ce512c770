"""How answers do on judged questions: right, wrong, or rightly silent. The demo's questions are one such set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eval.throwaway import READER, knowledge_base, load_demo
from ingest import demo
from ingest.judged import JudgedQuery, JudgedSet, tuning_half
from retrieval.abstain import Band
from retrieval.answer import answer_from
from retrieval.embed import Embedder
from retrieval.measures import mean, measure
from retrieval.search import Searcher


@dataclass(frozen=True, slots=True)
class Said:
    """What was said to one question."""

    query: JudgedQuery
    band: Band
    confidence: float
    right: bool
    """The first citation is of an item judged relevant."""
    ranking: tuple[str, ...]
    """External ids, best first."""


def run_demo(embedder: Embedder, *, on_progress: Callable[[str], None] | None = None) -> tuple[JudgedSet, list[Said]]:
    """Load the demo into a throw-away data folder and ask all of its questions as an agent would."""
    tell = on_progress or (lambda _: None)
    judged = demo.questions()
    with knowledge_base("demo", load_demo, embedder, tell=tell) as kb:
        tell("demo: asking")
        return judged, [_ask(kb.searcher, judged, query) for query in judged.queries]


def _ask(searcher: Searcher, judged: JudgedSet, query: JudgedQuery) -> Said:
    results = searcher.search(query.text, reader=READER, limit=10)
    said = answer_from(searcher, results, reader=READER)
    relevant = judged.qrels.get(query.id, {})
    cited = said.citations[0].found.external_id if said.citations else None
    return Said(
        query=query,
        band=said.band,
        confidence=said.confidence,
        right=cited is not None and relevant.get(cited, 0) > 0,
        ranking=tuple(hit.found.external_id for hit in results.hits),
    )


def summary(judged: JudgedSet, said: Sequence[Said], half: str = "all") -> dict[str, Any]:
    """Return the measures of docs: ranking of answerable questions, and what the bands did. Shares are 0 to 1."""
    chosen = [s for s in said if half == "all" or tuning_half(s.query.id) == (half == "tune")]
    answerable = [s for s in chosen if s.query.answerable]
    unanswerable = [s for s in chosen if not s.query.answerable]
    answered = [s for s in answerable if s.band is Band.ANSWER]
    false = [s for s in unanswerable if s.band is Band.ANSWER]
    found = measure({s.query.id: s.ranking for s in answerable}, judged.qrels)
    return {
        "half": half,
        "answerable": len(answerable),
        "unanswerable": len(unanswerable),
        **{name: round(mean(values), 4) for name, values in found.items() if name != "recall@100"},
        "answered": _share(len(answered), len(answerable)),
        "answered_right": _share(sum(s.right for s in answered), len(answered)),
        "false_answer_rate": _share(len(false), len(unanswerable)),
        "no_answer_to_unanswerable": _share(sum(s.band is Band.NO_ANSWER for s in unanswerable), len(unanswerable)),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
