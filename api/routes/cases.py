"""/v1/cases: a resolved case is looked through for personal data, reviewed by a person, and kept without it."""

from fastapi import APIRouter
from pydantic import Field

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.routes.duplicates import NearDuplicate, near_out
from api.routes.items import WaitQuery, searchable, written
from api.schemas import Shape, Written
from api.services import Services
from ingest.capture import FIELDS, Case, Decisions, Reviewed, reviewed
from ingest.redaction import Kind
from kb import capture, spaces
from kb.access import Principal, Role, scope_of
from kb.models import Item
from retrieval.duplicates import Duplicate, near_duplicates

router = APIRouter(prefix="/v1/cases", tags=["cases"], responses=PROBLEMS)


class AddedIn(Shape):
    kind: Kind
    text: str = Field(description="As it is written in the case; hidden wherever it stands there.")


class CaseIn(Shape):
    """A resolved case, and what a person decided in its review. Missing texts are empty; all are Markdown but the
    title, product, version and channel."""

    number: str = Field(description="The case's number where it was worked on: what it is known by.")
    title: str
    issue: str = Field(default="", description="In the customer's words.")
    environment: str = ""
    resolution: str = ""
    cause: str = ""
    product: str = ""
    version: str = ""
    channel: str = Field(default="", description="How it came in: e-mail, phone, chat.")
    lang: str | None = Field(default=None, description="en or zh; default: told from the text.")
    space: str | None = Field(default=None, description="Key of the space; default: one's own, else the root.")
    undone: list[str] = Field(default=[], description="The `text` of findings that are not personal: they stay.")
    added: list[AddedIn] = Field(default=[], description="What is personal and was not found.")

    def reviewed(self, parts: Services) -> Reviewed:
        """Raises as `ingest.capture.reviewed`."""
        case = Case(**{name: getattr(self, name) for name in FIELDS}, lang=self.lang)
        added = tuple((one.kind, one.text) for one in self.added)
        return reviewed(case, parts.redactor.find, Decisions(frozenset(self.undone), added))


class CaptureIn(CaseIn):
    draft: bool = Field(default=False, description="Draft an article from it too. For contributors.")


class FindingOut(Shape):
    """What is personal, `text == field[start:end]`."""

    kind: Kind
    start: int
    end: int
    text: str
    placeholder: str = Field(description="Takes its place; the same for the same value in all fields.")
    certainty: float = Field(description="0 to 1, orders findings; no probability. 1 for what a person added.")
    undone: bool


class FieldOut(Shape):
    findings: list[FindingOut]
    redacted: str = Field(description="As it would be kept.")


class CaseReview(Shape):
    """What would be kept of a case. Nothing is kept of this call."""

    lang: str
    item: str | None = Field(description="The item of this case, where it was captured before and you may read it.")
    fields: dict[str, FieldOut]
    duplicates: list[NearDuplicate] = Field(description="Published items that likely say what would be kept.")


class CapturedOut(Written):
    again: bool = Field(description="The case was captured before: this is a revision of its item.")
    article: str | None = Field(description="The article drafted from it, now or before.")


@router.post("/review", operation_id="review_case")
def review_case(parts: ServicesDep, reader: ReaderDep, body: CaseIn) -> CaseReview:
    """Return what in a case is personal, what would be kept of it, and near duplicates. Keeps nothing. For agents."""
    reader.require(Role.AGENT, "capture cases")
    seen = body.reviewed(parts)
    known, found = beside(parts, reader, body.number, seen)
    return CaseReview(
        lang=seen.lang,
        item=known.number if known is not None else None,
        fields={
            name: FieldOut(
                redacted=getattr(seen.redacted, name),
                findings=[
                    FindingOut(
                        kind=one.finding.kind,
                        start=one.finding.start,
                        end=one.finding.end,
                        text=one.finding.text,
                        placeholder=one.placeholder,
                        certainty=one.finding.score,
                        undone=one.undone,
                    )
                    for one in seen.marked[name]
                ],
            )
            for name in FIELDS
        },
        duplicates=[near_out(one) for one in found],
    )


@router.post("", operation_id="capture_case", status_code=201)
def capture_case(parts: ServicesDep, reader: WriterDep, body: CaptureIn, wait: WaitQuery = None) -> CapturedOut:
    """Keep a resolved case without what is personal in it, as an internal item; the same case again is a revision.

    For agents; with `draft`, for contributors.
    """
    reader.require(Role.CONTRIBUTOR if body.draft else Role.AGENT, "capture cases")
    done, article = captured(parts, reader, body.number, body.space, body.reviewed(parts), draft=body.draft)
    result = searchable(parts, written(done.item, done.revision, done.seq), wait)
    return CapturedOut(**dict(result), again=done.again, article=article)


def beside(parts: Services, reader: Principal, number: str, seen: Reviewed) -> tuple[Item | None, list[Duplicate]]:
    """Return the item of this case, where the reader may read it, and the other items that say the same."""
    with parts.db.read() as session:
        item = capture.find(session, number, scope_of(session, reader))
    found = near_duplicates(parts.searcher, seen.content(), lang=seen.lang, reader=reader)
    return item, [one for one in found if item is None or one.view.item.id != item.id]


def captured(
    parts: Services, reader: Principal, number: str, space: str | None, seen: Reviewed, *, draft: bool
) -> tuple[capture.Captured, str | None]:
    """Keep a reviewed case; return what was done, and the number of the article drafted from it."""
    with parts.db.write() as session:
        space_id = spaces.by_key(session, space).id if space else None
        done = capture.capture(session, number, seen.content(), seen.profile(), actor=reader, space_id=space_id)
        article = None
        if draft:
            visitor = parts.visitor(reader.subject)
            article = capture.draft_article(session, done.item, actor=reader, visitor=visitor).number
    return done, article
