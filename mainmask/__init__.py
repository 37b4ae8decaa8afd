"""Mainmask's Python client: an image and some words in, the mask of the image's main object out.

from mainmask import Client

with Client() as client:
    job = client.segment("photo.jpg", "The man skiing on his new snowboard!")
    mask = client.download(job, "mask")
"""

from importlib.metadata import version

from mainmask.client import Client
from mainmask.errors import (
    BadServiceUrl,
    JobFailed,
    JobNotFound,
    JobTimedOut,
    MainmaskError,
    RequestRejected,
    ServiceUnreachable,
    UnexpectedAnswer,
)
from mainmask.jobs import Candidate, Instance, Job, JobError, MainObject, Result, Stage

__all__ = [
    "BadServiceUrl",
    "Candidate",
    "Client",
    "Instance",
    "Job",
    "JobError",
    "JobFailed",
    "JobNotFound",
    "JobTimedOut",
    "MainObject",
    "MainmaskError",
    "RequestRejected",
    "Result",
    "ServiceUnreachable",
    "Stage",
    "UnexpectedAnswer",
]

__version__ = version("mainmask")
