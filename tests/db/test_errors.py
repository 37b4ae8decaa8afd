"""Errors: stable codes, and messages that survive a journey between processes."""

import pickle

import pytest

from db import errors
from db.errors import MainmaskError

ALL = [
    errors.InvalidImage("it is empty."),
    errors.ImageTooLarge(20_000, 20_000, 64_000_000),
    errors.NoCandidates(),
    errors.JobNotFound("0199"),
    errors.KeyNotFound("0199"),
    errors.TenantTaken("acme"),
    errors.ArtifactNotFound("mask", 1, "the job found 1 instances"),
    errors.StorageUnavailable("get"),
    errors.ObjectMissing("jobs/0199/image"),
    errors.UrlRefused("only http and https are allowed"),
    errors.FetchFailed("it answers 404"),
    errors.FetchUnavailable("it answers 503"),
    errors.FetchTooLarge(33_554_432),
    errors.WorkerLost(),
    errors.OutOfMemory(),
    errors.JobHasEnded("0199", "succeeded"),
    errors.JobNotFailed("0199", "running"),
    errors.CheckpointInvalid("tiny", "it is broken"),
    errors.CheckpointMissing("openai/clip", "/models"),
    errors.DeviceUnavailable("cuda", "Found no NVIDIA driver on your system"),
    errors.AnswerNotFinite("masks"),
    errors.UnknownProfile("huge", ["tiny"]),
    errors.UnknownModel("huge", "detect", ["tiny"]),
    errors.ModelNotOffered("huge"),
    errors.ImageOutOfShape("is 20000 pixels long", "16384 pixels a side"),
    errors.UploadNotFound("0199"),
    errors.BatchNotFound("0199"),
    errors.DeliveryNotFound("0199"),
    errors.IdempotencyKeyReused("order-7"),
]


def test_every_error_is_listed_here_with_a_code_of_its_own() -> None:
    """No two errors share a code, and none was forgotten in this file."""
    assert {type(error) for error in ALL} == set(MainmaskError.__subclasses__()) & {
        value for value in vars(errors).values() if isinstance(value, type)
    }
    assert len({error.code for error in ALL}) == len(ALL)


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.code)
def test_an_error_is_pickled_whole(error: MainmaskError) -> None:
    """Celery pickles what a task raises: its class and message come through unchanged."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
