"""Images of jobs: fetched, uploaded, read once, and recognised."""

import hashlib
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from celery.exceptions import Retry

from db.errors import (
    MainmaskError,
)
from db.keys import artifact_key, image_key
from db.states import Artifact, Instances, JobStatus, StageName, StageStatus
from tests.worker.fake_worker import (
    FakeReader,
    Worker,
    make_due,
    picture_file,
    submit,
    submit_pointer,
)
from worker.candidates.problems import EndpointFailed
from worker.outgoing.busy import OutgoingBusy
from worker.retries import ELSEWHERE
from worker.runtime import image_cache


def test_an_image_is_fetched_once_and_described(worker: Worker) -> None:
    """The first stage fetches and stores it; the later ones, and the document, have what it was."""
    worker.fetched["https://example.com/cat.png"] = picture_file((80, 40))
    job_id = submit_pointer(image_url="https://example.com/cat.png")
    worker.run(StageName.CLASSIFY, job_id)
    worker.fetched.clear()
    document = worker.run_all(job_id)
    assert document.status is JobStatus.SUCCEEDED
    image = document.input.image
    assert (image.width, image.height) == (80, 40)
    assert image.sha256 == hashlib.sha256(worker.store.get(image_key(job_id))).hexdigest()


def test_a_fetched_image_that_was_asked_about_before_is_answered_with_that(worker: Worker, announced: None) -> None:
    """No model looks; the job ends at its first stage, with the same answer and pictures of its own."""
    worker.fetched = {f"https://{host}.example/": picture_file((70, 35)) for host in ("a", "b")}
    tenant = f"tenant-{uuid4()}"
    first = worker.run_all(submit_pointer(image_url="https://a.example/", tenant=tenant))
    worker.classifier.error = ValueError("it is asked again")
    job_id = submit_pointer(image_url="https://b.example/", tenant=tenant)
    worker.run(StageName.CLASSIFY, job_id)
    document = worker.document(job_id)
    assert (document.status, document.reused_from) == (JobStatus.SUCCEEDED, first.id)
    assert [stage.status for stage in document.stages] == [
        StageStatus.SUCCEEDED,
        StageStatus.SKIPPED,
        StageStatus.SKIPPED,
    ]
    assert document.result is not None
    assert first.result is not None
    for part in ("outcome", "explanation", "main_object", "candidates", "searched", "models"):
        assert getattr(document.result, part) == getattr(first.result, part), part
    assert document.result.instances[0].mask == first.result.instances[0].mask
    mask, earlier = (worker.store.get(artifact_key(each, 0, Artifact.MASK)) for each in (job_id, first.id))
    assert mask == earlier
    assert document.input.image.width == 70
    # An answer that was given again may be given again.
    again = submit_pointer(image_url="https://a.example/", tenant=tenant)
    worker.run(StageName.CLASSIFY, again)
    assert worker.document(again).reused_from == job_id


@pytest.mark.parametrize(
    "change",
    [{"reuse": False}, {"tenant": "somebody-else"}, {"labels": ["dog"]}, {"instances_wanted": Instances.ALL}],
    ids=lambda change: next(iter(change)),
)
def test_a_fetched_image_with_another_question_is_looked_at(
    worker: Worker, announced: None, change: dict[str, Any]
) -> None:
    """Also where the caller wants it anew, or is another one."""
    worker.fetched["https://a.example/"] = picture_file((70, 35))
    tenant = f"tenant-{uuid4()}"
    worker.run_all(submit_pointer(image_url="https://a.example/", tenant=tenant))
    document = worker.run_all(submit_pointer(**({"image_url": "https://a.example/", "tenant": tenant} | change)))
    assert (document.status, document.reused_from) == (JobStatus.SUCCEEDED, None)


def test_a_makeshift_answer_is_not_given_again(worker: Worker, announced: None) -> None:
    """While the language model is away the extractor names the candidates; when it is back, it is asked."""
    worker.fetched["https://a.example/"] = picture_file((70, 35))
    tenant = f"tenant-{uuid4()}"
    question = {"image_url": "https://a.example/", "tenant": tenant, "labels": None, "description": "the cat"}
    worker.reader = FakeReader(EndpointFailed("it is away"))
    worker.run_all(submit_pointer(**question))
    worker.reader = FakeReader(["cat"])
    document = worker.run_all(submit_pointer(**question))
    assert document.reused_from is None
    assert document.result is not None
    assert document.result.notes == []


def test_an_earlier_answer_whose_pictures_are_gone_is_no_answer(worker: Worker, announced: None) -> None:
    """The image is looked at as if there had been none."""
    worker.fetched["https://a.example/"] = picture_file((70, 35))
    tenant = f"tenant-{uuid4()}"
    first = submit_pointer(image_url="https://a.example/", tenant=tenant)
    worker.run_all(first)
    worker.store.delete([artifact_key(first, 0, Artifact.MASK)])
    document = worker.run_all(submit_pointer(image_url="https://a.example/", tenant=tenant))
    assert (document.status, document.reused_from) == (JobStatus.SUCCEEDED, None)


def test_a_fetch_that_was_not_let_is_no_attempt(worker: Worker) -> None:
    """However often there is no room for it: the stage waits for a moment each time, and then its attempts begin."""
    url = "https://example.com/cat.png"
    worker.fetched[url] = OutgoingBusy()
    job_id = submit_pointer(image_url=url)
    for _ in range(ELSEWHERE.attempts + 1):
        with pytest.raises(Retry):
            worker.run(StageName.CLASSIFY, job_id)
        worker.run(StageName.CLASSIFY, job_id)  # it isn't due yet
        stage = worker.document(job_id).stages[0]
        assert (stage.status, stage.attempts, stage.error) == (StageStatus.QUEUED, 0, None)
        make_due(job_id)
    worker.fetched[url] = picture_file()
    assert worker.run_all(job_id).stages[0].attempts == 1


def test_an_uploaded_image_is_described(worker: Worker) -> None:
    """Nobody has looked at it before the worker."""
    job_id = submit_pointer()
    worker.store.put(image_key(job_id), picture_file(), "image/png")
    assert worker.run_all(job_id).input.image.width == 64


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid-image"),
        (b"<html>Not found</html>", "invalid-image"),
        (picture_file((2000, 1000)), "image-too-large"),
        (picture_file((700, 1)), "image-out-of-shape"),
    ],
    ids=["empty", "page", "large", "long"],
)
def test_what_a_url_gives_is_checked_like_a_submission(worker: Worker, data: bytes, code: str) -> None:
    """The job fails with the cause, at once."""
    worker.fetched["https://example.com/"] = data
    job_id = submit_pointer(image_url="https://example.com/")
    with pytest.raises(MainmaskError):
        worker.run(StageName.CLASSIFY, job_id)
    error = worker.document(job_id).error
    assert error is not None
    assert error.type == code


def test_the_picture_is_fetched_and_decoded_once_for_all_stages(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one stage has decoded the next one in the same process has at hand."""
    worker.images = image_cache(10**6)
    job_id = submit(labels=["cat", "dog"], image_sha256=hashlib.sha256(picture_file()).hexdigest())
    get = Mock(side_effect=worker.store.get)
    monkeypatch.setattr(worker.store, "get", get)
    assert worker.run_all(job_id).status is JobStatus.SUCCEEDED
    get.assert_called_once_with(image_key(job_id))
