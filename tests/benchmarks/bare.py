"""What submissions are measured against: the same S3 put and row insert in a handler that does nothing else."""

from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from uuid_utils.compat import uuid7

from db import jobs
from db.keys import image_key
from db.new_jobs import NewJob
from db.session import session_factory
from db.storage import object_store


def create_app() -> FastAPI:
    """For uvicorn."""
    app = FastAPI()

    @app.post("/v1/jobs", status_code=202)
    async def submit(request: Request) -> dict[str, Any]:
        async with request.form() as form:
            image: Any = form["image"]
            job_id = await run_in_threadpool(_store, image.file)
        return {"id": str(job_id)}

    return app


def _store(image: Any) -> UUID:
    new = NewJob(id=uuid7(), tenant="bare", profile="tiny", labels=["cat"])
    object_store().put(image_key(new.id), image, "image/jpeg")
    with session_factory().begin() as session:
        jobs.create(session, new)
    return new.id
