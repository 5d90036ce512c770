"""What others saved while somebody was writing, beside what that person wrote: for the page that puts both together."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from api.web.differing import Piece, pieces
from kb import history
from kb.access import Principal
from kb.content import Content, Profile
from kb.differences import segments
from kb.models import Item, Revision
from kb.three_way import Chunk, Field

MOST = 20
"""Most revisions that are listed; the history has all."""


@dataclass(frozen=True, slots=True)
class Sides:
    """A place that both changed differently."""

    base: str
    theirs: list[Piece]
    mine: list[Piece]


@dataclass(frozen=True, slots=True)
class Changed:
    """A field that others changed."""

    name: str
    theirs: list[Piece]
    """All that they changed."""
    clashes: list[Sides]
    """Where a person has to decide; none where both go together."""


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What came since revision `based_on`."""

    based_on: int
    newest: int
    revisions: Sequence[Revision]
    """Newest first, at most MOST."""
    fields: list[Changed]
    """Those with something to decide first."""
    about: list[tuple[str, list[str]]]
    """Of what the item is, where both changed it: the name, and as it was, theirs, mine."""
    together: Content
    """Both sides in one, with mine where a person has to decide."""


def of(
    session: Session,
    item: Item,
    mine: Content,
    based_on: int,
    *,
    actor: Principal,
    profiles: tuple[Profile, Profile, Profile],
    clashing: Sequence[str],
) -> Meanwhile:
    """Return what came to an item that the actor may write. Raises as `kb.history.merged` does.

    `profiles`: as it was, theirs, mine; `clashing`: what both changed of it.
    """
    merge, newest = history.merged(session, item, mine, based_on, actor=actor)
    changed = [_changed(field) for field in merge.fields if field.theirs != field.base]
    texts = {field.name: field.with_mine for field in merge.fields}
    base = history.content_of(history.revision(session, item, based_on, actor=actor)).similar_questions
    if (theirs := tuple(newest.similar_questions)) != base:
        changed.append(Changed("similar_questions", _pieces("\n".join(base), "\n".join(theirs)), []))
    return Meanwhile(
        based_on=based_on,
        newest=newest.n,
        revisions=[row for row in history.revisions(session, item, actor=actor, limit=MOST) if row.n > based_on],
        fields=sorted(changed, key=lambda one: not one.clashes),
        about=[(name, [str(getattr(profile, name) or "") for profile in profiles]) for name in clashing],
        together=Content(**texts, similar_questions=merge.similar_questions),
    )


def _changed(field: Field) -> Changed:
    clashes = [_sides(chunk) for chunk in field.chunks if chunk.kind == "conflict"]
    return Changed(field.name, _pieces(field.base, field.theirs), clashes)


def _sides(chunk: Chunk) -> Sides:
    base = "\n".join(chunk.base)
    return Sides(base, _pieces(base, "\n".join(chunk.theirs)), _pieces(base, "\n".join(chunk.mine)))


def _pieces(old: str, new: str) -> list[Piece]:
    return pieces(segments(old, new))
