"""What the environment of a case is worth beside its issue, measured on the resolved cases of the shipped demo.

python -m eval.environment [--write]

A case is the question: its issue in the customer's words, and what it says of product, version and platform. Relevant
are the articles that solved it. Three ways: the issue alone; both as one text; and as the product does it, searched
together with items raised that name the same (`retrieval.environment`), at several weights. The weight is chosen on the
tuning half, the smallest of those that are best there, and reported on the other; `--write` keeps it with its run.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from eval.throwaway import READER, KnowledgeBase, knowledge_base, load_demo
from eval.tune import update
from eval.vectors import embedder_of
from ingest import demo
from ingest.judged import tuning_half
from kb.settings import load_settings
from retrieval.measures import mean, measure
from retrieval.significance import randomisation
from retrieval.types import Filters

WEIGHTS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
_MEASURE = "ndcg@10"
_ARTICLES = Filters(kinds=frozenset({"article"}))


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    issue: str
    environment: str
    articles: tuple[str, ...]


def cases() -> list[Case]:
    """Return the demo's resolved cases that name an environment and the articles that solved them."""
    with demo.folder() as folder, (folder / "cases.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Case(row["id"], row["issue"], row["environment"], tuple(row["articles"]))
        for row in rows
        if row.get("environment") and row.get("articles")
    ]


def ranked(kb: KnowledgeBase, asked: Sequence[Case], weight: float | None) -> dict[str, list[str]]:
    """Return the articles found for each case, best first. `weight` of its environment; None: the issue alone."""
    found: dict[str, list[str]] = {}
    for case in asked:
        results = kb.searcher.search(
            case.issue,
            reader=READER,
            filters=_ARTICLES,
            environment=case.environment if weight is not None else None,
            environment_weight=weight or 0.0,
        )
        found[case.id] = [hit.found.external_id for hit in results.hits]
    return found


def measured(kb: KnowledgeBase, asked: Sequence[Case]) -> dict[str, dict[str, float]]:
    """Return nDCG@10 by way and case."""
    relevant = {case.id: dict.fromkeys(case.articles, 1) for case in asked}
    runs = {"issue alone": ranked(kb, asked, None), "one text": ranked(kb, asked, 0.0)}
    runs |= {str(weight): ranked(kb, asked, weight) for weight in WEIGHTS}
    return {name: dict(measure(run, relevant)[_MEASURE]) for name, run in runs.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--write", action="store_true", help="Keep the weight chosen, with its run.")
    write = options.parse_args().write
    asked = cases()
    with embedder_of(load_settings()) as embedder:
        with knowledge_base(demo.NAME, load_demo, embedder, tell=lambda _: None) as kb:
            tune = measured(kb, [case for case in asked if tuning_half(case.id)])
            report = measured(kb, [case for case in asked if not tuning_half(case.id)])
    means = {weight: round(mean(tune[str(weight)]), 4) for weight in WEIGHTS}
    weight = min(weight for weight in WEIGHTS if means[weight] == max(means.values()))
    chosen = report[str(weight)]
    tuned = {name: round(mean(values), 4) for name, values in tune.items()}
    said = {
        "cases": {"tune": len(tune["issue alone"]), "report": len(report["issue alone"])},
        "weight": weight,
        "tune": tuned,
        "report": {name: round(mean(values), 4) for name, values in report.items()},
        "p": {name: round(randomisation(report[name], chosen), 4) for name in ("issue alone", "one text")},
    }
    if write:
        run = {
            "command": "python -m eval.environment --write",
            "date": datetime.now(UTC).date().isoformat(),
            "answerwell": version("answerwell"),
            "half": "tune",
            "cases": len(tune["issue alone"]),
            _MEASURE: tuned,
        }
        update("environment", {"weight": weight, "run": run})
    sys.stdout.write(json.dumps(said, indent=2) + "\n")


if __name__ == "__main__":
    main()
