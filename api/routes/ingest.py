"""/v1/ingest: upload one file or export."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile

from api.deps import IngesterDep, ServicesDep
from api.errors import PROBLEMS
from api.routes.items import WAIT_SECONDS, WaitQuery
from api.schemas import Shape
from ingest.pipeline import Defaults
from ingest.pipeline import ingest as run_ingest
from kb import changes, spaces
from kb.access import Role
from kb.content import choice
from kb.errors import InvalidInput, TooLarge, shown
from kb.models import Audience, Kind

router = APIRouter(prefix="/v1", tags=["ingest"], responses=PROBLEMS)


class FailureOut(Shape):
    path: str
    reason: str


class Ingested(Shape):
    """What an upload did; counts are documents."""

    added: int
    updated: int
    unchanged: int
    failed: list[FailureOut]
    warnings: list[FailureOut]
    seq: int
    searchable: bool


@router.post("/ingest", operation_id="ingest")
def ingest(
    parts: ServicesDep,
    reader: IngesterDep,
    file: Annotated[UploadFile, File(description="A document or an export.")],
    name: Annotated[
        str, Form(description="Name of the source that the items are kept under.", min_length=1, max_length=200)
    ],
    source: Annotated[str, Form(description="Format: auto, or a name.")] = "auto",
    space: Annotated[str | None, Form(description="Key of the space (default: the root).")] = None,
    audience: Annotated[str, Form(description="For documents that name none.")] = "internal",
    kind: Annotated[str, Form(description="For documents that name none.")] = "article",
    wait: WaitQuery = None,
) -> Ingested:
    """Read an uploaded file and write what is new or changed in it. For editors."""
    reader.require(Role.EDITOR, "ingest")
    with tempfile.TemporaryDirectory(prefix="answerwell-") as folder:
        path = Path(folder) / _file_name(file.filename)
        limit = parts.settings.upload_bytes
        if file.size is not None and file.size > limit:
            raise TooLarge(
                f"an upload has at most {limit:,} bytes, not {file.size:,}; use kb ingest for more", field="file"
            )
        with path.open("wb") as target:
            shutil.copyfileobj(file.file, target)
        with parts.db.read() as session:
            space_id = spaces.by_key(session, space).id if space else None
        report = run_ingest(
            parts.db,
            [path],
            actor=reader,
            format=source,
            name=name,
            defaults=Defaults(
                space_id=space_id, audience=choice(Audience, audience, "audience"), kind=choice(Kind, kind, "kind")
            ),
        )
    with parts.db.read() as session:
        seq = changes.latest(session)
    parts.follower.wake()
    return Ingested(
        added=report.added,
        updated=report.updated,
        unchanged=report.unchanged,
        failed=[FailureOut(path=failure.path, reason=failure.reason) for failure in report.failed],
        warnings=[FailureOut(path=warning.path, reason=warning.reason) for warning in report.warnings],
        seq=seq,
        searchable=parts.follower.wait_for(seq, WAIT_SECONDS if wait else 0),
    )


def _file_name(given: str | None) -> str:
    """Return the last part of the name that the client gave, which becomes the external id. Raises InvalidInput."""
    name = Path((given or "").replace("\\", "/")).name
    if not name or name in (".", "..") or not name.isprintable() or len(name.encode()) > 200:
        raise InvalidInput(f"the file needs a plain name of at most 200 bytes, not {shown(given)}", field="file")
    return name
