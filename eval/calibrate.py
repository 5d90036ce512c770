"""Fit the weights of the provisional bands on tuning halves, and report what they do on the other halves.

python -m eval.calibrate DIR... [--most 400] [--without-cosine]

Each judged set, and the demo, is a knowledge base of its own. Its questions are positive where the first hit is
relevant, else negative; questions of the other sets in the same language are negative: nothing here answers them.
The weights are the logistic regression of that label on the features (ridge penalty 1, features scaled to one spread),
each set weighing the same.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.throwaway import READER, corpus_of, knowledge_base
from eval.vectors import embedder_of
from ingest import demo
from ingest.judged import JudgedQuery, JudgedSet, load, load_questions, tuning_half
from kb.access import SYSTEM
from kb.settings import load_settings
from retrieval.abstain import Weights, features
from retrieval.embed import Embedder
from retrieval.language import language
from retrieval.search import Searcher

PRECISION = 0.9
"""Least share of answers whose item is relevant, on the tuning halves, among a set's own questions."""
FALSE_ANSWERS = 0.02
"""Largest share of foreign questions that are answered, on the tuning halves."""
FALSE_OFFERS = 0.2
"""Largest share of foreign questions that get any suggestion, on the tuning halves."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question asked of one knowledge base."""

    set: str
    foreign: bool
    tuning: bool
    values: tuple[float, float, float, float]
    right: bool


def asked(kb: Searcher, judged: JudgedSet, others: Sequence[JudgedQuery], most: int) -> list[Case]:
    """Ask a set's own questions and those of others. A set's first `most` by id, and half as many foreign ones."""
    cases = []
    own = sorted(judged.queries, key=lambda query: query.id)[:most]
    for query in own:
        results = kb.search(query.text, reader=READER, limit=5)
        relevant = judged.qrels.get(query.id, {})
        right = bool(results.hits) and relevant.get(results.hits[0].found.external_id, 0) > 0
        cases.append(Case(judged.name, not query.answerable, tuning_half(query.id), features(results), right))
    for query in others[: most // 2]:
        results = kb.search(query.text, reader=READER, limit=5)
        cases.append(Case(judged.name, True, tuning_half(query.id), features(results), False))
    return cases


def fit(cases: Sequence[Case], *, without_cosine: bool = False) -> npt.NDArray[np.float64]:
    """Return bias and weights of the logistic regression, none of the weights below 0.

    By Newton's method; a feature whose weight comes out negative is left out and the rest fitted again.
    """
    used = [1, 2, 3, 4] if not without_cosine else [2, 3, 4]
    while True:
        beta = _fitted(cases, used)
        worst = min(used, key=lambda at: beta[at], default=0)
        if not used or beta[worst] >= 0:
            return beta
        used.remove(worst)


def _fitted(cases: Sequence[Case], used: Sequence[int]) -> npt.NDArray[np.float64]:
    columns = [0, *used]
    x = np.array([(1.0, *case.values) for case in cases])[:, columns]
    y = np.array([case.right for case in cases], np.float64)
    sizes = {name: sum(case.set == name for case in cases) for name in {case.set for case in cases}}
    weight = np.array([len(cases) / len(sizes) / sizes[case.set] for case in cases])
    penalty = np.diag([0.0, *x[:, 1:].var(axis=0)])
    beta = np.zeros(len(columns))
    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ beta)))
        gradient = x.T @ (weight * (y - p)) - penalty @ beta
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + penalty
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    whole = np.zeros(5)
    whole[columns] = beta
    return whole


def confidence(cases: Sequence[Case], beta: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the probability that the first hit is right, a case each."""
    return np.asarray(1 / (1 + np.exp(-(np.array([(1.0, *case.values) for case in cases]) @ beta))))


def thresholds(cases: Sequence[Case], p: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the lowest thresholds for answers and offers that keep the targets."""
    foreign = np.array([case.foreign for case in cases])
    right = np.array([case.right for case in cases])
    grid = np.arange(0.05, 0.96, 0.01)

    def keeps(t: float) -> bool:
        said = p >= t
        own = said & ~foreign
        return bool(right[own].mean() >= PRECISION and said[foreign].mean() <= FALSE_ANSWERS) if own.any() else True

    answer = next((float(t) for t in grid if keeps(t)), 0.95)
    suggest = next((float(t) for t in grid if (p[foreign] >= t).mean() <= FALSE_OFFERS), answer)
    return round(answer, 2), round(min(suggest, answer), 2)


def shares(cases: Sequence[Case], p: npt.NDArray[np.float64], answer: float, suggest: float) -> dict[str, float | int]:
    """Return what the bands did: shares of own and foreign questions."""
    foreign = np.array([case.foreign for case in cases])
    right = np.array([case.right for case in cases])
    said = p >= answer
    own = ~foreign
    return {
        "own": int(own.sum()),
        "foreign": int(foreign.sum()),
        "first_right": round(float(right[own].mean()), 4),
        "answered": round(float(said[own].mean()), 4),
        "answered_right": round(float(right[own & said].mean()), 4) if (own & said).any() else 0.0,
        "no_answer": round(float((p[own] < suggest).mean()), 4),
        "foreign_answered": round(float(said[foreign].mean()), 4),
        "foreign_offered": round(float(((p >= suggest) & ~said)[foreign].mean()), 4),
    }


def collect(sets: Sequence[JudgedSet], embedder: Embedder, most: int) -> list[Case]:
    """Return the cases of all sets and the demo."""
    with demo.folder() as path:
        shipped = load_questions(path / "judged", "demo")
    everything = [shipped, *sets]
    langs = {judged.name: {language(query.text) for query in judged.queries[:50]} for judged in everything}
    cases: list[Case] = []
    for judged in everything:
        others = [
            query
            for other in everything
            if other.name != judged.name
            for query in sorted(other.queries, key=lambda query: query.id)[: most // 2]
            if query.answerable and language(query.text) in langs[judged.name]
        ]
        others.sort(key=lambda query: query.id[::-1])
        load_it = corpus_of(judged) if judged is not shipped else lambda db: demo.load(db, actor=SYSTEM)

        def tell(message: str) -> None:
            print(message, file=sys.stderr)

        with knowledge_base(judged.name, load_it, embedder, tell=tell) as kb:
            cases += asked(kb.searcher, judged, others, most)
    return cases


def main() -> None:
    """Print the weights, and a line of shares for each set's report half."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=400, help="questions of each set")
    parser.add_argument("--without-cosine", action="store_true", help="for any model: cosines differ in scale")
    given = parser.parse_args()
    with embedder_of(load_settings()) as embedder:
        cases = collect([load(folder) for folder in given.folders], embedder, given.most)
    tuning = [case for case in cases if case.tuning]
    beta = fit(tuning, without_cosine=given.without_cosine)
    answer, suggest = thresholds(tuning, confidence(tuning, beta))
    bias, cosine, spread, share, margin = (round(float(b), 2) for b in beta)
    weights = Weights(
        bias=bias, cosine=cosine, spread=spread, share=share, margin=margin, answer=answer, suggest=suggest
    )
    print(json.dumps(asdict(weights)))
    for name in [*dict.fromkeys(case.set for case in cases), "all"]:
        chosen = [case for case in cases if not case.tuning and name in (case.set, "all")]
        print(json.dumps({"set": name, "half": "report", **shares(chosen, confidence(chosen, beta), answer, suggest)}))


if __name__ == "__main__":
    main()
