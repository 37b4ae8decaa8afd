"""From a picture and words to the right mask, through every process of the service."""

import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

import mainmask
from mainmask import Client
from mainmask.errors import JobFailed, RequestRejected
from mainmask.stack.stack import Stack
from tests.e2e.watched import wait_until

SAMPLE = Path(mainmask.__file__).parent / "sample"
SENTENCE = "The man skiing on his new snowboard!"


def intersection_over_union(mask: bytes, truth: bytes) -> float:
    """Of two mask PNGs."""
    ours, theirs = (np.asarray(Image.open(io.BytesIO(png)).convert("1")) for png in (mask, truth))
    return float((ours & theirs).sum() / (ours | theirs).sum())


def test_the_worked_example(client: Client) -> None:
    """The sample and its sentence give the snowboard, and its mask fits the true one with IoU of 0.8 or more."""
    job = client.segment(SAMPLE / "snowboard.jpg", SENTENCE)
    assert job.result is not None
    assert job.result.main_object is not None
    assert job.result.main_object.label == "snowboard"
    assert {candidate.label for candidate in job.result.candidates} == {"man", "snowboard"}
    truth = (SAMPLE / "snowboard-mask.png").read_bytes()
    assert intersection_over_union(client.download(job, "mask"), truth) >= 0.8
    cutout = Image.open(io.BytesIO(client.download(job, "cutout")))
    assert cutout.mode == "RGBA"
    overlay = Image.open(io.BytesIO(client.download(job, "overlay")))
    with Image.open(SAMPLE / "snowboard.jpg") as sample:
        assert overlay.size == sample.size


def test_the_document_names_the_models_and_times(client: Client) -> None:
    """Each stage says its one attempt, its time, and whose weights ran under which licence."""
    document = client.segment(SAMPLE / "snowboard.jpg", labels=["man", "snowboard"]).document
    assert [(stage["name"], stage["attempts"]) for stage in document["stages"]] == [
        ("classify", 1),
        ("detect", 1),
        ("segment", 1),
    ]
    assert all(stage["duration_ms"] >= 0 for stage in document["stages"])
    models = document["result"]["models"]
    assert [model["stage"] for model in models] == ["classify", "detect", "segment"]
    assert all(model["name"] and model["revision"] and model["license"] for model in models)


def test_a_broken_picture_fails_clearly_and_alone(client: Client, stack_folder: Path) -> None:
    """Half a JPEG passes the door by its header; the job fails and says why, and the next job works.

    The sender's fault leaves a line in the worker's log, not a traceback.
    """
    whole = (SAMPLE / "snowboard.jpg").read_bytes()
    with pytest.raises(JobFailed) as failure:
        client.segment(whole[: len(whole) // 2], SENTENCE)
    assert failure.value.job.document["error"]["type"] == "invalid-image"
    assert failure.value.job.document["error"]["stage"] == "classify"
    assert client.segment(whole, SENTENCE, reuse=False).result is not None
    assert "Traceback" not in (stack_folder / "logs" / "worker.log").read_text()


def test_words_that_name_nothing_fail_clearly(client: Client) -> None:
    """A description without a physical thing fails the job and says to send labels."""
    with pytest.raises(JobFailed) as failure:
        client.segment(SAMPLE / "snowboard.jpg", "It was so much fun!")
    assert failure.value.job.document["error"]["type"] == "no-candidates"


@pytest.mark.parametrize("data", [b"", b"a text file called .png"], ids=["empty", "text"])
def test_what_is_no_picture_is_refused_at_the_door(client: Client, data: bytes) -> None:
    """No job is made of bytes that are no picture."""
    with pytest.raises(RequestRejected, match="can't be read"):
        client.submit(data, SENTENCE)


def test_flower_shows_each_stage_as_a_task(client: Client, stack: Stack) -> None:
    """After a job, Flower lists its three tasks as succeeded, each with the job's id; sweeps don't drown them."""
    job = client.segment(SAMPLE / "snowboard.jpg", SENTENCE, reuse=False)

    def tasks() -> dict[str, dict[str, str]]:
        shown: dict[str, dict[str, str]] = httpx.get(f"{stack.flower_url}/api/tasks").raise_for_status().json()
        return shown

    def states() -> dict[str, str]:
        return {task["name"]: task["state"] for task_id, task in tasks().items() if job.id in task_id}

    # Events go a few times a second, so that Flower may know later than the caller.
    wait_until(lambda: states() == {"classify": "SUCCESS", "detect": "SUCCESS", "segment": "SUCCESS"}, seconds=10)
    assert "sweep" not in {task["name"] for task in tasks().values()}


def test_flower_changes_nothing(stack: Stack) -> None:
    """Nobody who gets there may stop a worker or send a task."""
    for action in ("worker/shutdown/celery@here", "task/send-task/sweep", "task/revoke/classify-1"):
        answer = httpx.post(f"{stack.flower_url}/api/{action}", json={"args": []}, trust_env=False)
        assert answer.status_code == 403, action


def test_the_same_question_is_answered_at_once(client: Client) -> None:
    """By the models that the worker has announced: no stage runs, and the answer is the first one's."""
    first = client.segment(SAMPLE / "snowboard.jpg", SENTENCE, reuse=False)
    second = client.submit(SAMPLE / "snowboard.jpg", SENTENCE)
    assert (second.status, second.reused_from is not None) == ("succeeded", True)
    assert second.result == first.result
    assert client.download(second, "mask") == client.download(first, "mask")
