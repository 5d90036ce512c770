"""How well the check of citations tells supported sentences from unsupported ones.

python -m eval.citations [--fit] [--wrong] [--json]

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
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eval.throwaway import READER, KnowledgeBase, knowledge_base
from eval.vectors import embedder_of
from ingest import demo
from ingest.judged import tuning_half
from kb import items
from kb.access import SYSTEM, scope_of
from kb.items import Found
from kb.settings import load_settings
from retrieval.language import language
from retrieval.support import Line, Support, Supporter, Weights

CLAIMS = Path(__file__).with_name("claims.jsonl")
PRECISION = 0.95
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--wrong", action="store_true")
    given = parser.parse_args()
    written = claims()
    with embedder_of(load_settings()) as embedder:
        with knowledge_base(
            "demo", lambda db: demo.load(db, actor=SYSTEM), embedder, tell=lambda m: print(m, file=sys.stderr)
        ) as kb:
            every = [*written, *renumbered(written), *swapped(written, kb)]
            cited = passages(kb, sorted({c.item for c in every}))
        check = Supporter(embedder)
        judged = [judge(claim, cited[claim.item], check) for claim in every]
        if given.fit:
            print(fit([j for j in judged if j.claim.tuning], without_cosine=False))
    for half in (True, False):
        rows = [j for j in judged if j.claim.tuning == half]
        for about in ("en", "zh", "across", None):
            some = [j for j in rows if about in (j.about, None)]
            tp = sum(j.said.supported and j.claim.supported for j in some)
            fp = sum(j.said.supported and not j.claim.supported for j in some)
            fn = sum(not j.said.supported and j.claim.supported for j in some)
            print(
                "tuning" if half else "report",
                about or "all",
                len(some),
                "precision",
                round(tp / max(1, tp + fp), 3),
                "recall",
                round(tp / max(1, tp + fn), 3),
            )
        for kind in dict.fromkeys(j.claim.kind for j in rows):
            some = [j for j in rows if j.claim.kind == kind]
            print("   ", kind, len(some), "accepted", sum(j.said.supported for j in some))
    if given.wrong:
        for j in judged:
            if j.said.supported != j.claim.supported and j.claim.tuning:
                print(
                    j.claim.kind,
                    j.about,
                    j.claim.item,
                    j.said.why,
                    round(j.said.share, 2),
                    round(j.said.cosine, 3),
                    j.claim.claim,
                )


if __name__ == "__main__":
    main()
