"""The fixed answer to a question, where an editor has written one: see `kb.fixed`."""

from dataclasses import dataclass

from sqlmodel import Session

from kb import fixed, items
from kb.access import Scope
from kb.fixed import FixedAnswer
from kb.items import Found
from kb.models import Facet
from retrieval.language import language, primary
from retrieval.types import Filters


@dataclass(frozen=True, slots=True)
class Fixed:
    """That an answer was fixed, and by which review it is in force."""

    reviewed_at: str
    """ISO 8601, UTC."""
    reviewed_by: str | None
    """For staff."""
    by_author: bool
    """Reviewed by who wrote it."""
    expires_at: str | None


def fixed_answer(
    session: Session, scope: Scope, question: str, *, filters: Filters, lang: str | None, generation: int
) -> tuple[Found, Fixed] | None:
    """Return the answer fixed for the question, as a passage of its own, and its review; None where there is none.

    The same words may be fixed in several languages (codes are): that of the page, `lang`, comes first, then that of
    the question; where the page's is known, an answer in neither is none. The passage's id is that of its item's first
    passage, 0 before the index has one.
    """
    spoken = language(question)
    chosen = [found for found in fixed.lookup(session, scope, question) if _admitted(found, filters)]
    wanted = [primary(lang), spoken] if lang else [spoken]
    ranked = sorted(chosen, key=lambda found: wanted.index(own) if (own := _lang(found)) in wanted else len(wanted))
    if not ranked or (lang and _lang(ranked[0]) not in wanted):
        return None
    view, review = ranked[0].view, ranked[0].review
    item, number = view.item, int(view.item.id or 0)
    passage = Found.of(
        item,
        view.revision,
        passage_id=items.first_passages(session, [number], generation).get(number, 0),
        ordinal=0,
        path="",
        text=view.revision.body,
        updated_at=item.updated_at,
    )
    assert review.decided_at is not None
    return passage, Fixed(
        reviewed_at=review.decided_at.isoformat(timespec="seconds"),
        reviewed_by=review.decided_by,
        by_author=review.by_author,
        expires_at=review.expires_at.isoformat(timespec="seconds") if review.expires_at is not None else None,
    )


def _lang(found: FixedAnswer) -> str:
    return primary(found.view.item.lang)


def _admitted(found: FixedAnswer, filters: Filters) -> bool:
    """Say what docs/filter-semantics.md says, of the one item in hand."""
    item = found.view.item
    for facet, wanted in filters.labels.items():
        has = found.view.values(Facet(facet))
        if wanted and wanted.isdisjoint(has) and (has or facet not in ("product", "version")):
            return False
    return (
        (not filters.kinds or item.kind.value in filters.kinds)
        and (not filters.langs or item.lang in filters.langs)
        and (not filters.spaces or item.space_id in filters.spaces)
    )
