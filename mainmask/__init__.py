"""Mainmask's Python client: an image and some words in, the mask of the image's main object out.

from mainmask import Client

with Client() as client:
    job = client.segment("photo.jpg", "The man skiing on his new snowboard!")
    mask = client.download(job, "mask")
"""

from importlib.metadata import version

from mainmask.async_client import AsyncClient
from mainmask.client import Client
from mainmask.errors import (
    BadApiKey,
    BadServiceUrl,
    BadWebhook,
    JobFailed,
    JobNotFound,
    JobTimedOut,
    KeyRefused,
    MainmaskError,
    QuotaExceeded,
    RequestRejected,
    ServiceBusy,
    ServiceFailed,
    ServiceUnreachable,
    UnexpectedAnswer,
)
from mainmask.jobs import Candidate, Instance, Job, JobError, MainObject, Result, Stage
from mainmask.keys import CreatedKey, Key
from mainmask.retries import Retries

__all__ = [
    "AsyncClient",
    "BadApiKey",
    "BadServiceUrl",
    "BadWebhook",
    "Candidate",
    "Client",
    "CreatedKey",
    "Instance",
    "Job",
    "JobError",
    "JobFailed",
    "JobNotFound",
    "JobTimedOut",
    "Key",
    "KeyRefused",
    "MainObject",
    "MainmaskError",
    "QuotaExceeded",
    "RequestRejected",
    "Result",
    "Retries",
    "ServiceBusy",
    "ServiceFailed",
    "ServiceUnreachable",
    "Stage",
    "UnexpectedAnswer",
]

__version__ = version("mainmask")
