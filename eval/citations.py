"""How well the check of citations tells supported sentences from unsupported ones.

python -m eval.citations [--fit] [--without-cosine] [--wrong] [--entailment MODEL]

Claims about the shipped demo, written for this (eval/claims.jsonl, English and Chinese, a few across the two): true
ones in other words, and wrong ones (a negation, a name or number changed, an opposite, something invented). Two more
kinds are made of the true ones: `number`, with one number changed, and `swapped`, cited to the passages of the nearest
other article. Halves are by article: weights are fitted on one (`--fit` prints them), the figures are of the other.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from eval.throwaway import READER, KnowledgeBase, knowledge_base, load_demo
from eval.vectors import embedder_of
from ingest import demo
from ingest.judged import tuning_half
from kb import items
from kb.access import scope_of
from kb.items import Found
from kb.settings import load_settings
from retrieval.embed import Embedder
from retrieval.entailment import Entailment
from retrieval.language import language
from retrieval.support import ANY_MODEL, Line, Support, Supporter, Weights, weights_for

CLAIMS = Path(__file__).with_name("claims.jsonl")
PRECISION = 0.9
"""Least precision on the tuning half at which the threshold is set: what is shown must be supported."""
_NUMBER = re.compile(r"(?<![\w.-])\d+(?![\w-])")


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, the article that it cites, and whether that supports it."""

    item: str
    kind: str
    claim: str
    also: Sequence[str] = ()
    """Other articles that say it too."""

    @property
    def supported(self) -> bool:
        return self.kind == "supported"

    @property
    def tuning(self) -> bool:
        return tuning_half(self.item.partition("-")[2])  # an article and its translation are in one half


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim, what the check says of it, and what it looked at."""

    claim: Claim
    about: str
    """`en`, `zh` or `across`."""
    said: Support


def claims() -> list[Claim]:
    """Return the written claims."""
    return [Claim(**json.loads(line)) for line in CLAIMS.read_text(encoding="utf-8").splitlines()]


def renumbered(written: Sequence[Claim]) -> Iterator[Claim]:
    """Yield each true claim that has a number, with the first one changed."""
    for claim in written:
        found = _NUMBER.search(claim.claim)
        if claim.supported and found:
            changed = str(2 * int(found[0]) + 3)
            yield replace(
                claim, kind="number", claim=claim.claim[: found.start()] + changed + claim.claim[found.end() :]
            )


def swapped(written: Sequence[Claim], kb: KnowledgeBase) -> Iterator[Claim]:
    """Yield each true claim, citing the nearest article that is neither its own nor a translation of that."""
    for claim in written:
        if not claim.supported:
            continue
        family = claim.item.partition("-")[2]
        for hit in kb.searcher.search(claim.claim, reader=READER, limit=10).hits:
            if hit.found.external_id.startswith(claim.item[:3]) and hit.found.external_id.partition("-")[2] != family:
                if hit.found.external_id not in claim.also:
                    yield replace(claim, kind="swapped", item=hit.found.external_id)
                break


def passages(kb: KnowledgeBase, names: Sequence[str]) -> dict[str, list[Found]]:
    """Return the passages of the demo's items by external id."""
    with kb.db.read() as session:
        scope = scope_of(session, READER).published_only()
        known = items.by_external_ids(session, scope, demo.SOURCE, names)
        found = {}
        for name, (item, _) in known.items():
            ids = [passage for passage, _ in items.passages(session, item, kb.index.generation)]
            found[name] = list(items.recheck(session, scope, ids).values())
    return found


def judge(claim: Claim, cited: Sequence[Found], check: Callable[[str, Found], Support]) -> Judged:
    """Return what the check says of a claim: of the passage of its article that fares best."""
    said = max(
        (check(claim.claim, found) for found in cited), key=lambda s: (s.supported, s.why == "far", s.share + s.cosine)
    )
    about = cited[0].lang if language(claim.claim) == cited[0].lang else "across"
    return Judged(claim, about, said)


def fit(judged: Sequence[Judged], *, without_cosine: bool) -> Weights:
    """Fit the nearness of those claims that no fact and no polarity speaks against: supported or not.

    A logistic regression (ridge penalty .3 on features of one spread) for each of English, Chinese and across; the
    threshold is the lowest at which PRECISION holds among these claims, which are harder than all.
    """
    usable = [row for row in judged if row.said.why in ("", "far")]
    lines: dict[str, Line] = {}
    for about in ("en", "zh", "across"):
        rows = [row for row in usable if row.about == about]
        if without_cosine and about == "across":
            lines[about] = (-1.0, 0.0, 0.0)  # nothing to go by
            continue
        columns = [1] if without_cosine else [1, 2]
        x = np.array([(1.0, row.said.share, row.said.cosine) for row in rows])[:, [0, *columns]]
        y = np.array([row.claim.supported for row in rows], np.float64)
        penalty = np.diag([0.0, *(0.3 * x[:, 1:].var(axis=0))])
        beta = np.zeros(x.shape[1])
        for _ in range(100):
            p = 1 / (1 + np.exp(-(x @ beta)))
            beta += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + penalty, x.T @ (y - p) - penalty @ beta)
        logits = x @ beta
        least = next((t for t in np.sort(logits) if y[logits >= t].mean() >= PRECISION), logits.max())
        below = logits[logits < least]
        beta[0] -= (least + below.max()) / 2 if len(below) else least
        whole = np.zeros(3)
        whole[[0, *columns]] = beta
        lines[about] = (round(float(whole[0]), 2), round(float(whole[1]), 2), round(float(whole[2]), 2))
    return Weights(latin=lines["en"], han=lines["zh"], across=lines["across"])


def shares(judged: Sequence[Judged]) -> dict[str, float | int]:
    """Return precision and recall of `supported` among these claims, and how many they are."""
    shown = [row for row in judged if row.said.supported]
    right = sum(row.claim.supported for row in shown)
    return {
        "claims": len(judged),
        "supported": sum(row.claim.supported for row in judged),
        "precision": round(right / len(shown), 3) if shown else 0.0,
        "recall": round(right / max(1, sum(row.claim.supported for row in judged)), 3),
    }


def report(judged: Sequence[Judged]) -> list[dict[str, object]]:
    """Return a line for each language, and for each kind of claim how many are let through, of both halves."""
    lines: list[dict[str, object]] = []
    for half in ("tuning", "report"):
        rows = [row for row in judged if row.claim.tuning == (half == "tuning")]
        for about in ("en", "zh", "across", "all"):
            lines.append({"half": half, "lang": about, **shares([row for row in rows if about in (row.about, "all")])})
        for kind in dict.fromkeys(row.claim.kind for row in rows):
            some = [row for row in rows if row.claim.kind == kind]
            let = sum(row.said.supported for row in some)
            lines.append({"half": half, "kind": kind, "claims": len(some), "let_through": let})
    return lines


def judge_all(embedder: Embedder, make: Callable[[], Callable[[str, Found], Support]]) -> list[Judged]:
    """Judge all claims with the check that `make` gives, against the demo as it is loaded and cut into passages."""
    written = claims()

    def tell(message: str) -> None:
        print(message, file=sys.stderr)

    with knowledge_base("demo", load_demo, embedder, tell=tell) as kb:
        every = [*written, *renumbered(written), *swapped(written, kb)]
        cited = passages(kb, sorted({claim.item for claim in every}))
    check = make()
    return [judge(claim, cited[claim.item], check) for claim in every]


def main() -> None:
    """Print a JSON line for each language and each kind of claim, of both halves."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fit", action="store_true", help="fit the weights on the tuning half, print and use them")
    parser.add_argument("--without-cosine", action="store_true", help="for any embedder: cosines differ in scale")
    parser.add_argument("--wrong", action="store_true", help="list what is judged wrongly in the tuning half")
    parser.add_argument("--entailment", metavar="MODEL", help="check by a cross-encoder for inference instead")
    given = parser.parse_args()
    entails = Entailment(given.entailment) if given.entailment else None
    with embedder_of(load_settings()) as embedder:
        weights = ANY_MODEL if given.without_cosine else weights_for(embedder.name)
        judged = judge_all(embedder, lambda: Supporter(embedder, weights, entails))
        if given.fit:
            weights = fit([row for row in judged if row.claim.tuning], without_cosine=given.without_cosine)
            print(json.dumps(asdict(weights)))
            judged = judge_all(embedder, lambda: Supporter(embedder, weights))
    for line in report(judged):
        print(json.dumps(line))
    if given.wrong:
        for row in judged:
            if row.claim.tuning and row.said.supported != row.claim.supported:
                print(json.dumps({**asdict(row.claim), "why": row.said.why}, ensure_ascii=False))


if __name__ == "__main__":
    main()
