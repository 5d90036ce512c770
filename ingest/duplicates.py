"""From the change log to the queue of duplicates: each item that was published is compared with its neighbours.

What is found of some changes and the number of the last of them are committed together: a scan that dies starts again
where the last commit was, and comparing again finds the same. Two scans at once do no harm, the later one's batch is
thrown away. Comparing costs far more than a step of the indexer, so the server does not do it by itself.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from sqlmodel import col, select

from kb import changes, duplicates, items
from kb.access import SYSTEM, readable, scope_of
from kb.db import Database
from kb.errors import Conflict
from kb.models import Item
from retrieval.duplicates import CANDIDATES, QUEUED_FROM, QUEUED_KINDS, Duplicate, duplicates_of
from retrieval.search import Searcher

BATCH = 32
"""Change-log rows whose items are compared before they are committed."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan, or a part of one, did."""

    changes: int
    items: int
    """Items compared."""
    pairs: int
    """Likely near duplicates found, each as often as one of its items was compared."""


def behind(db: Database) -> int:
    """Return how many change-log numbers the queue is behind the database."""
    with db.read() as session:
        return max(0, changes.latest(session) - duplicates.scanned(session))


def step(db: Database, searcher: Searcher, *, limit: int = BATCH) -> Scanned:
    """Compare the items of the next changes, and commit what was found.

    Raises Conflict if the index does not see these changes yet: bring it level first.
    """
    with db.read() as session:
        since = duplicates.scanned(session)
        rows = changes.since(session, since, limit=limit)
        ids = sorted({row.item_id for row in rows})
        scope = scope_of(session, SYSTEM).published_only()
        live = select(Item.id).where(col(Item.id).in_(ids), col(Item.kind).in_(sorted(QUEUED_KINDS)), readable(scope))
        known = [
            (items.view(session, item or 0, scope), duplicates.partners(session, item or 0))
            for item in session.exec(live).all()
        ]
    if not rows:
        return Scanned(0, 0, 0)
    upto = int(rows[-1].seq or 0)
    if searcher.index.watermark < upto:
        raise Conflict(f"searches see changes up to {searcher.index.watermark}, not {upto}: index them first")
    found = []
    for view, partners in known:
        likely = duplicates_of(searcher, view, reader=SYSTEM, also=partners, limit=CANDIDATES, least=QUEUED_FROM)
        found += [_pair(view, one) for one in likely if one.view.item.kind == view.item.kind]
    with db.write() as session:
        kept = duplicates.keep(session, ids, found, since=since, upto=upto)
    return Scanned(len(rows), len(known), len(found)) if kept else step(db, searcher, limit=limit)


def scan(db: Database, searcher: Searcher, on_step: Callable[[Scanned], None] | None = None) -> Scanned:
    """Step until the queue is level with the change log; return the sum of the steps. Raises as `step`."""
    total = Scanned(0, 0, 0)
    while (done := step(db, searcher)).changes:
        total = Scanned(total.changes + done.changes, total.items + done.items, total.pairs + done.pairs)
        if on_step is not None:
            on_step(done)
    return total


def _pair(view: items.ItemView, one: Duplicate) -> duplicates.Found:
    mine, theirs = view.item, one.view.item
    first = int(mine.id or 0) < int(theirs.id or 0)
    low, high = (view, one.view) if first else (one.view, view)
    of_low, of_high = (one.evidence.here, one.evidence.there) if first else (one.evidence.there, one.evidence.here)
    against = one.contradiction
    return duplicates.Found(
        low=int(low.item.id or 0),
        high=int(high.item.id or 0),
        low_revision=int(low.revision.id or 0),
        high_revision=int(high.revision.id or 0),
        probability=round(one.probability, 4),
        evidence={
            **{name: round(value, 4) for name, value in asdict(one.alike).items()},
            "terms": list(one.evidence.terms),
            "same": list(one.evidence.same),
            "low": list(of_low),
            "high": list(of_high),
            "contradiction": None
            if against is None
            else {
                "kind": against.kind,
                "low": against.here if first else against.there,
                "high": against.there if first else against.here,
            },
        },
    )
