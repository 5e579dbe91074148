"""/v1/files: upload what a job shall read, download what a job has written."""

import re
import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from taskhub_api.answers import Answer, Write
from taskhub_api.dependencies import CurrentCaller, Db
from taskhub_api.downloads import SAFE_HEADERS, content_disposition
from taskhub_api.problems import Problem
from taskhub_api.routes.documented import problems
from taskhub_core.errors import NotFound
from taskhub_core.files import service
from taskhub_core.files.service import NAME_CHARS, StoredFile
from taskhub_core.ids import new_id

router = APIRouter(prefix="/v1/files", tags=["files"])

_UNKNOWN_TYPE = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(;[\x20-\x7e]*)?")


class FileOut(BaseModel):
    """A file without its content."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0190c5a8-6d1e-7000-8000-000000000000",
                    "name": "tasks.csv",
                    "content_type": "text/csv",
                    "size": 20480,
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "created_at": "2026-01-05T09:30:00Z",
                    "expires_at": "2026-01-12T09:30:00Z",
                }
            ]
        }
    )

    id: uuid.UUID
    name: str
    content_type: str
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Of the content, in hexadecimal; also the ETag.")
    created_at: datetime
    expires_at: datetime = Field(description="The file is deleted then.")


def _document(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.name,
        "content_type": file.content_type,
        "size": file.size,
        "sha256": file.sha256.hex(),
        "created_at": file.created_at,
        "expires_at": file.expires_at,
    }


def _created(file: StoredFile) -> Answer:
    return Answer(201, _document(file), {"Location": f"/v1/files/{file.id}"})


_ANYTHING = {"*/*": {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    "",
    status_code=201,
    response_model=FileOut,
    responses=problems(401, 413, 415),
    summary="Upload a file",
    openapi_extra={"requestBody": {"required": True, "content": _ANYTHING}},
)
async def upload_file(
    request: Request,
    caller: CurrentCaller,
    write: Write,
    name: Annotated[
        str, Query(min_length=1, max_length=NAME_CHARS, description="The file's name.", examples=["tasks.csv"])
    ] = "upload",
    content_type: Annotated[str, Header(include_in_schema=False)] = _UNKNOWN_TYPE,  # the body's, in OpenAPI
) -> Response:
    """Keeps the request's body, of up to 10 MiB, for seven days. Name it to a `tasks.import` job then.

    The Content-Type may be any; the file is handed back with it.
    """
    if not _MEDIA_TYPE.fullmatch(content_type):
        raise Problem("unsupported-media-type", "Content-Type must be a media type, such as text/csv.")
    content = await request.body()
    file_id = new_id()

    def work(connection: Connection) -> Answer:
        saved = service.save(
            connection, caller.account_id, name=name, content_type=content_type, content=content, file_id=file_id
        )
        return _created(saved)

    def recover(connection: Connection) -> Answer | None:
        try:
            return _created(service.describe(connection, caller.account_id, file_id))
        except NotFound:
            return None

    return await write.commit(work, account_id=caller.account_id, recover=recover)


@router.get("/{file_id}/info", response_model=FileOut, responses=problems(401, 404), summary="Describe a file")
async def describe_file(file_id: uuid.UUID, caller: CurrentCaller, database: Db) -> Response:
    """The file without its content."""
    file = await database.read(lambda connection: service.describe(connection, caller.account_id, file_id))
    return Answer(200, _document(file)).response()


@router.get(
    "/{file_id}",
    response_class=Response,
    responses={
        200: {"description": "The content, of the type it was uploaded with.", "content": _ANYTHING},
        304: {"description": "The content is the one that If-None-Match names."},
        **problems(401, 404),
    },
    summary="Download a file",
)
async def download_file(
    file_id: uuid.UUID,
    caller: CurrentCaller,
    database: Db,
    if_none_match: Annotated[
        str | None, Header(max_length=2_000, description="The ETag of a copy at hand: 304 if it is still the same.")
    ] = None,
) -> Response:
    """The content, as an attachment."""
    found = await database.read(lambda connection: service.get_content(connection, caller.account_id, file_id))
    file = found.file
    etag = f'"{file.sha256.hex()}"'
    headers = {**SAFE_HEADERS, "ETag": etag, "Content-Disposition": content_disposition(file.name)}
    if if_none_match is not None and (if_none_match.strip() == "*" or etag in if_none_match):
        return Response(status_code=304, headers=headers)
    # Set as a header: Starlette would add a charset to a text type that was given without one.
    return Response(found.content, headers={**headers, "Content-Type": file.content_type})
