"""Images and attachments: added by those who write, served to those who may read what uses them."""

from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import FileResponse, Response

from api.deps import ReaderDep, ServicesDep, WriterDep
from api.errors import PROBLEMS
from api.schemas import Shape
from api.services import Services
from api.web import Page
from kb import attachments
from kb.access import Principal
from kb.errors import Unavailable
from kb.file_types import TYPES, safe_name
from kb.models import Attachment

router = APIRouter(tags=["attachments"], responses=PROBLEMS)

FileIn = Annotated[UploadFile, File(description="PNG, JPEG, GIF, WebP, PDF, ZIP or plain text.")]

_YEAR = 365 * 24 * 3600


class AttachmentOut(Shape):
    """A file that texts may use."""

    digest: str
    """SHA-256 of what it holds."""
    name: str
    media: str
    size: int
    address: str
    markdown: str
    """What shows it in a text."""


@router.post("/v1/attachments", operation_id="add_attachment", status_code=201)
def add_attachment(parts: ServicesDep, reader: WriterDep, file: FileIn) -> AttachmentOut:
    """Keep an image or attachment for use in texts, by the address in the answer. For contributors.

    Its type is told by what it holds. The same file sent twice is kept once.
    """
    found, name = _kept(parts, reader, file)
    return AttachmentOut(
        digest=found.digest,
        name=name,
        media=found.media,
        size=found.size,
        address=attachments.address(found.digest, name),
        markdown=attachments.markdown(found, name),
    )


@router.post("/edit/attach", include_in_schema=False)
def attach_page(request: Request, reader: WriterDep, file: FileIn) -> Response:
    """The same for a browser without scripts: a page with the Markdown to paste."""
    page = Page(request)
    found, name = _kept(page.services, reader, file)
    return page.render(
        "attached.html",
        name=name,
        address=attachments.address(found.digest, name) if TYPES[found.media].picture else "",
        markdown=attachments.markdown(found, name),
    )


@router.get("/files/{digest}/{name}", operation_id="read_attachment", response_class=FileResponse)
def read_attachment(request: Request, parts: ServicesDep, reader: ReaderDep, digest: str, name: str) -> Response:
    """Return a file, whole or by `Range`, to who may read an item that uses it; to anybody else it is not there."""
    with parts.db.read() as session:
        found = attachments.get(session, digest, reader)
    kind = TYPES[found.media]
    headers = {
        "ETag": f'"{digest}"',
        # It never changes; but another person at this browser must be asked about anew.
        "Cache-Control": f"private, max-age={_YEAR}, immutable",
        "Vary": "Cookie, Authorization",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    path = parts.files.path(digest)
    if not path.is_file():
        raise Unavailable("this file is missing here; kb verify tells more")
    return FileResponse(
        path,
        headers=headers,
        media_type=found.media,
        filename=safe_name(name, kind),
        content_disposition_type="inline" if kind.picture else "attachment",
    )


def _kept(parts: Services, reader: Principal, file: UploadFile) -> tuple[Attachment, str]:
    most = parts.settings.attachment_bytes
    data = file.file.read(most + 1)
    return attachments.upload(parts.db, parts.files, data, file.filename or "", most=most, actor=reader)
