"""Where callers put pictures themselves, without sending them through the API."""

from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.callers import CallerOf
from api.errors import QuotaExceeded
from api.guards import needs
from api.problems import responses
from db import uploads
from db.api_keys import Scope
from db.keys import upload_key
from db.session import session_factory
from db.settings import settings
from db.storage import object_store

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])


class UploadDocument(BaseModel):
    """A place for one picture."""

    id: UUID = Field(description="Submit it as `upload_id`, as often as you like until it expires.")
    url: str = Field(description="PUT the file here, as it is; no other header is needed.")
    expires_at: datetime = Field(description="Until then it can be put and submitted.")


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    dependencies=[needs(Scope.JOBS_WRITE)],
    responses=responses(HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE),
)
def create_upload(caller: CallerOf) -> UploadDocument:
    """Get a presigned URL, and PUT a picture straight to the storage."""
    seconds = settings().upload_seconds
    maximum = settings().maximum_open_uploads
    with session_factory().begin() as session:
        if wait := uploads.wait_for_room_seconds(session, caller.tenant, maximum):
            raise QuotaExceeded(f"have {maximum} uploads open", wait)
        upload = uploads.create(session, caller.tenant, timedelta(seconds=seconds))
    url = object_store().upload_url(upload_key(upload.id), seconds)
    return UploadDocument(id=upload.id, url=url, expires_at=upload.expires_at)
