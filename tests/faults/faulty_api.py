"""The API that dies between a job's commit and its message when the job's metadata says `{"fault": "kill-api"}`."""

import os
import signal
from typing import Any
from uuid import UUID

from api.app import create_app
from db import jobs, messages
from db.session import session_factory
from db.states import StageName

__all__ = ["create_app"]

send = messages.send


def send_with_faults(stage: StageName, job_id: UUID, **options: Any) -> bool:
    """The message, unless this process dies before it."""
    with session_factory()() as session:
        fault = jobs.get(session, job_id).caller_metadata.get("fault")
    if fault == "kill-api":
        os.kill(os.getpid(), signal.SIGKILL)
    return send(stage, job_id, **options)


messages.send = send_with_faults
