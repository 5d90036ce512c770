"""Two systems on the same questions: which were won, which lost, why, and whether it may be chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.run import Outcome
from ingest.judged import JudgedSet
from kb.errors import InvalidInput
from retrieval.significance import randomisation

MEASURE = "ndcg@10"
_LEGS = ("bm25", "dense")


@dataclass(frozen=True, slots=True)
class Difference:
    """One question that the two answer otherwise."""

    query: str
    text: str
    before: float
    after: float
    ranks: Mapping[str, int | None]
    """Rank of the first relevant document in each system; None: not among those kept."""
    known: tuple[int, int]
    """How many of its terms the corpus has, and how many it has."""

    @property
    def why(self) -> str:
        """What shows the reason: where the legs and the systems had it, and whether its words are there."""
        places = ", ".join(f"{name} {rank if rank is not None else '-'}" for name, rank in self.ranks.items())
        return f"first relevant at: {places}; {self.known[0]} of {self.known[1]} terms known"


@dataclass(frozen=True, slots=True)
class Comparison:
    """System B against system A on one set, by nDCG@10."""

    set: str
    a: str
    b: str
    queries: int
    mean_a: float
    mean_b: float
    p: float
    """Two-sided, Fisher's randomisation test."""
    won: tuple[Difference, ...]
    """Largest gain first."""
    lost: tuple[Difference, ...]
    """Largest loss first."""

    def as_json(self, most: int) -> dict[str, Any]:
        return {
            "set": self.set,
            "a": self.a,
            "b": self.b,
            "queries": self.queries,
            MEASURE: {self.a: round(self.mean_a, 4), self.b: round(self.mean_b, 4)},
            "p": round(self.p, 5),
            "won": len(self.won),
            "lost": len(self.lost),
            "examples": {
                name: [
                    {"query": d.query, "text": d.text, "before": d.before, "after": d.after, "why": d.why}
                    for d in some[:most]
                ]
                for name, some in (("won", self.won), ("lost", self.lost))
            },
        }


def compare(judged: JudgedSet, outcomes: Sequence[Outcome], a: str, b: str) -> Comparison:
    """Compare two of the systems of one run over a set. Raises InvalidInput if one of them was not run."""
    by_system = {outcome.system: outcome for outcome in outcomes}
    for name in (a, b):
        if name not in by_system:
            raise InvalidInput(f"the system {name!r} was not run", field="systems")
    before, after = by_system[a].per_query[MEASURE], by_system[b].per_query[MEASURE]
    texts = {query.id: query.text for query in judged.queries}
    shown = {name: by_system[name] for name in dict.fromkeys([*_LEGS, a, b]) if name in by_system}
    changed = [
        Difference(
            query=query,
            text=texts[query],
            before=before[query],
            after=after[query],
            ranks={name: _first(outcome.rankings[query], judged.qrels[query]) for name, outcome in shown.items()},
            known=by_system[a].known[query],
        )
        for query in before
        if before[query] != after[query]
    ]
    return Comparison(
        set=judged.name,
        a=a,
        b=b,
        queries=len(before),
        mean_a=by_system[a].values[MEASURE],
        mean_b=by_system[b].values[MEASURE],
        p=randomisation(before, after),
        won=tuple(sorted((d for d in changed if d.after > d.before), key=lambda d: d.before - d.after)),
        lost=tuple(sorted((d for d in changed if d.after < d.before), key=lambda d: d.after - d.before)),
    )


@dataclass(frozen=True, slots=True)
class Regret:
    """What fusing cost on one set: the better leg's nDCG@10 less the system's. Below 0: it gained."""

    set: str
    system: str
    better: str
    """Name of the better leg."""
    leg: float
    value: float
    p: float
    """That system and better leg are the same."""

    @property
    def regret(self) -> float:
        return self.leg - self.value


def regrets(outcomes: Sequence[Outcome]) -> list[Regret]:
    """Return the regret of each fused system on each set where both legs were run."""
    found = []
    for name in dict.fromkeys(outcome.set for outcome in outcomes):
        of_set = {outcome.system: outcome for outcome in outcomes if outcome.set == name}
        legs = [of_set[leg] for leg in _LEGS if leg in of_set]
        if len(legs) < len(_LEGS):
            continue
        best = max(legs, key=lambda outcome: outcome.values[MEASURE])
        for system, outcome in of_set.items():
            if system not in _LEGS:
                p = randomisation(outcome.per_query[MEASURE], best.per_query[MEASURE])
                leg, value = best.values[MEASURE], outcome.values[MEASURE]
                found.append(Regret(name, system, best.system, leg, value, p))
    return found


def _first(ranking: Sequence[str], relevant: Mapping[str, int]) -> int | None:
    return next((rank for rank, document in enumerate(ranking, start=1) if relevant.get(document, 0) > 0), None)
