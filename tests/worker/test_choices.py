"""What a job asks for, and which object it gets."""

import pytest
import redis

from db.errors import (
    NoCandidates,
    ObjectMissing,
)
from db.keys import artifact_key
from db.states import Artifact, Instances, JobStatus, OnMissing, Outcome, StageName, StageStatus
from db.storage import object_store
from tests.worker.fake_worker import BOX, FakeReader, Worker, submit
from worker.candidates.problems import EndpointFailed
from worker.pipeline.results import Box


def test_candidates_come_from_the_description(worker: Worker) -> None:
    """Without labels, the things that the description names are the candidates."""
    document = worker.run_all(submit(description="a cat on a sofa"))
    assert document.result is not None
    assert [candidate.label for candidate in document.result.candidates] == ["sofa", "cat"]


def test_finding_nothing_ends_the_job_well(worker: Worker, queues: "redis.Redis") -> None:
    """No box: the job succeeds with `not_found`, keeps what was chosen, and the segment stage is skipped."""
    worker.detector.boxes = ()
    document = worker.run_all(submit(labels=["cat"]))
    assert (document.status, document.error) == (JobStatus.SUCCEEDED, None)
    assert document.result is not None
    assert (document.result.outcome, document.result.instances) == (Outcome.NOT_FOUND, [])
    assert document.result.main_object.label == "cat"
    assert document.stages[2].status is StageStatus.SKIPPED
    assert queues.llen(StageName.SEGMENT) == 0


def test_all_instances_are_cut_out_when_asked_for(worker: Worker) -> None:
    """`instances: all` reaches the detector, and each box becomes an instance with pictures of its own."""
    worker.detector.boxes = (BOX, (40.0, 8.0, 50.0, 18.0))
    job_id = submit(labels=["cat"], instances_wanted=Instances.ALL)
    document = worker.run_all(job_id)
    assert worker.detector.asked == [("cat", True)]
    assert document.result is not None
    assert [instance.mask.area for instance in document.result.instances] == [400, 100]
    assert object_store().get(artifact_key(job_id, 1, Artifact.CUTOUT))


def test_a_description_that_names_nothing_fails_clearly(worker: Worker) -> None:
    """No candidates: the job fails, and says to send labels."""
    job_id = submit(description="oh no")
    with pytest.raises(NoCandidates):
        worker.run(StageName.CLASSIFY, job_id)
    error = worker.document(job_id).error
    assert error is not None
    assert error.type == "no-candidates"
    assert "labels" in error.message


def test_the_caller_s_threshold_reaches_the_detector(worker: Worker) -> None:
    """And without one the detector keeps its own."""
    for threshold in (0.3, None):
        job_id = submit(labels=["cat"], box_threshold=threshold)
        worker.run(StageName.CLASSIFY, job_id)
        worker.run(StageName.DETECT, job_id)
    assert worker.detector.ladders == [(0.3,), worker.detector.ladder(None)]


def test_only_the_pictures_that_were_asked_for_are_made(worker: Worker) -> None:
    """The others have no object and no URL."""
    job_id = submit(labels=["cat"], outputs=["mask"])
    document = worker.run_all(job_id)
    assert document.result is not None
    instance = document.result.instances[0]
    assert (instance.mask_url is not None, instance.cutout_url, instance.overlay_url) == (True, None, None)
    with pytest.raises(ObjectMissing):
        worker.store.get(artifact_key(job_id, 0, Artifact.OVERLAY))


def test_a_missing_choice_gives_way_to_the_next_when_asked_to(worker: Worker) -> None:
    """`on_missing: next`: of the candidates that are found, the one that ranks highest is the main object."""
    worker.detector.missing = frozenset({"sofa"})
    document = worker.run_all(submit(labels=["dog", "cat", "sofa"], on_missing=OnMissing.NEXT))
    assert document.result is not None
    assert (document.result.outcome, document.result.main_object.label) == (Outcome.FOUND, "cat")
    assert [(each.label, each.found) for each in document.result.searched] == [
        ("sofa", False),
        ("cat", True),
        ("dog", True),
    ]
    assert document.result.instances[0].label == "cat"
    assert "“sofa” was not found" in document.result.explanation
    assert "Next in line, “cat” was found" in document.result.explanation


def test_a_missing_choice_is_not_found_by_default(worker: Worker) -> None:
    """The caller is told, and the others aren't even looked for."""
    worker.detector.missing = frozenset({"sofa"})
    document = worker.run_all(submit(labels=["cat", "sofa"]))
    assert document.result is not None
    assert (document.result.outcome, document.result.main_object.label) == (Outcome.NOT_FOUND, "sofa")
    (searched,) = document.result.searched
    assert (searched.found, searched.best_score, searched.threshold) == (False, 0.125, 0.25)
    assert "its best box has a score of 0.12, and 0.25 is needed" in document.result.explanation


def test_where_every_candidate_is_missing_the_best_one_is_told(worker: Worker) -> None:
    """`next` changes nothing about that."""
    worker.detector.boxes = ()
    document = worker.run_all(submit(labels=["cat", "sofa"], on_missing=OnMissing.NEXT))
    assert document.result is not None
    assert (document.result.outcome, document.result.main_object.label) == (Outcome.NOT_FOUND, "sofa")
    assert [each.label for each in document.result.searched] == ["sofa", "cat"]


@pytest.mark.parametrize(("boxes", "none_fits"), [((), True), ((BOX,), False)], ids=["not found", "found"])
def test_a_doubt_of_the_classifier_is_told_where_nothing_is_found(
    worker: Worker, boxes: tuple[Box, ...], none_fits: bool
) -> None:
    """`none_fits` says why there is no mask; what was found isn't doubted after all."""
    worker.classifier.none_fits = True
    worker.detector.boxes = boxes
    document = worker.run_all(submit(labels=["cat", "sofa"]))
    assert document.result is not None
    assert document.result.none_fits is none_fits
    assert ("None of the 2 candidates seems to be in the picture" in document.result.explanation) is none_fits


def test_no_more_instances_are_cut_out_than_the_operator_allows(worker: Worker) -> None:
    """The best stay, and a note tells of the others."""
    worker.maximum_instances = 2
    worker.detector.boxes = (BOX, (40.0, 8.0, 50.0, 18.0), (0.0, 0.0, 9.0, 9.0))
    document = worker.run_all(submit(labels=["cat"], instances_wanted=Instances.ALL))
    assert document.result is not None
    assert len(document.result.instances) == 2
    assert document.result.notes == ["Of 3 instances only the best 2 are given."]


def test_who_named_the_candidates_is_told(worker: Worker) -> None:
    """The caller, the local extractor or the operator's language model, with what went wrong."""
    by_labels = worker.run_all(submit(labels=["cat"]))
    worker.reader = FakeReader(["kitten"])
    by_endpoint = worker.run_all(submit(description="a small cat"))
    worker.reader = FakeReader(EndpointFailed("it doesn't answer in time"))
    by_local = worker.run_all(submit(description="a small cat"))
    results = [document.result for document in (by_labels, by_endpoint, by_local)]
    assert [result.candidate_source for result in results if result] == ["labels", "endpoint", "local"]
    assert [result.main_object.label for result in results if result] == ["cat", "kitten", "cat"]
    assert by_local.result is not None
    assert "it doesn't answer in time" in by_local.result.notes[0]
