"""The job routes: each way in, each refusal, and what is stored before 202 is answered."""

import base64
import io
import json
import zlib
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from uuid_utils.compat import uuid7

from db import claims, jobs, messages
from db.claims import Holder
from db.errors import ObjectMissing
from db.keys import artifact_key, image_key
from db.models import Instance
from db.session import session_factory
from db.states import Outcome, StageName
from db.storage import object_store

CARD = {"name": "a model", "revision": "1", "license": "MIT"}


class Answer(Protocol):
    """A response of the test client, which is httpx's or httpx2's, whichever is installed."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def json(self) -> Any: ...


def encoded(picture: bytes) -> str:
    """The picture in base64."""
    return base64.b64encode(picture).decode()


def submit(client: TestClient, picture: bytes, **fields: Any) -> Answer:
    """A multipart submission."""
    return client.post("/v1/jobs", files={"image": ("picture.png", picture)}, data=fields)


def is_problem(response: Answer, status: int, code: str) -> bool:
    """The answer is an RFC 9457 document of this status and type."""
    problem = response.json()
    return (
        response.status_code == status == problem["status"]
        and response.headers["content-type"] == "application/problem+json"
        and problem["type"].endswith("/" + code)
        and bool(problem["title"])
        and bool(problem["detail"])
    )


def test_a_submission_is_stored_before_it_is_answered(
    client: TestClient, picture: bytes, environment: dict[str, str]
) -> None:
    """202 means: the image is in S3, the row is committed, and the message is in the classify queue."""
    waiting = messages.waiting(StageName.CLASSIFY)
    answer = submit(client, picture, description="a red square", metadata='{"order": 7}')
    assert answer.status_code == 202
    document = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{document['id']}"
    assert object_store().get(image_key(UUID(document["id"]))) == picture
    assert client.get(answer.headers["location"]).json() == document
    assert messages.waiting(StageName.CLASSIFY) == waiting + 1


def test_the_document_of_a_new_job(client: TestClient, picture: bytes) -> None:
    """It repeats what was submitted, measures the image, and lists three stages, the first of them queued."""
    document = submit(client, picture, description="a red square", metadata='{"order": 7}').json()
    assert document["status"] == "queued"
    assert document["input"]["description"] == "a red square"
    assert (document["input"]["image"]["width"], document["input"]["image"]["height"]) == (64, 48)
    assert [(stage["name"], stage["status"]) for stage in document["stages"]] == [
        ("classify", "queued"),
        ("detect", "pending"),
        ("segment", "pending"),
    ]
    assert (document["result"], document["error"], document["metadata"]) == (None, None, {"order": 7})


def test_json_and_multipart_say_the_same(client: TestClient, picture: bytes) -> None:
    """Labels sent as repeated form fields and as a JSON list, duplicates dropped, make the same job."""
    by_form = submit(client, picture, labels=["cat", " dog ", "cat"]).json()
    by_json = client.post("/v1/jobs", json={"image_base64": encoded(picture), "labels": ["cat", "dog"]}).json()
    assert by_form["input"] == by_json["input"]
    assert by_form["input"]["labels"] == ["cat", "dog"]


def test_a_sideways_photo_is_measured_upright(client: TestClient) -> None:
    """Width and height are those of the picture as people see it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48)).save(buffer, "JPEG", exif=exif)
    image = submit(client, buffer.getvalue(), description="a cat").json()["input"]["image"]
    assert (image["width"], image["height"]) == (48, 64)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid-image"),
        (b"I am a text file that calls itself .png", "invalid-image"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "invalid-image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "invalid-image"),
    ],
    ids=["empty", "text", "broken PNG", "SVG"],
)
def test_what_is_no_image_is_refused_at_the_door(client: TestClient, data: bytes, code: str) -> None:
    """An image part that is no picture is answered 422, by multipart and by JSON."""
    assert is_problem(submit(client, data, description="a cat"), 422, code)
    by_json = client.post("/v1/jobs", json={"image_base64": encoded(data), "description": "a cat"})
    assert is_problem(by_json, 422, code)


def test_a_huge_image_is_refused_with_its_size(client: TestClient) -> None:
    """20,000 x 20,000 pixels are refused from the header, small as the file may be."""
    header = b"\x00\x00\x4e\x20\x00\x00\x4e\x20\x01\x00\x00\x00\x00"
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x0d" + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    png += b"\x00\x00\x00\x00IDAT" + zlib.crc32(b"IDAT").to_bytes(4, "big")
    answer = submit(client, png, description="a cat")
    assert is_problem(answer, 422, "image-too-large")
    assert "20000 x 20000" in answer.json()["detail"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"description": ""},
        {"description": "   "},
        {"labels": []},
        {"labels": ["cat", "  "]},
        {"description": "a cat", "labels": ["cat"]},
        {"description": "a cat", "instances": "some"},
        {"description": "a cat", "colour": "blue"},
        {"description": "x" * 4001},
        {"labels": [f"label {number}" for number in range(65)]},
        {"labels": ["x" * 129]},
        {"description": "a cat", "metadata": {"text": "x" * 17_000}},
    ],
    ids=lambda fields: ",".join(f"{name}={str(value)[:12]}" for name, value in fields.items()) or "nothing",
)
def test_wrong_fields_are_named(client: TestClient, picture: bytes, fields: dict[str, Any]) -> None:
    """Neither description nor labels, both of them, or a field out of bounds: 422 that says which and why."""
    answer = client.post("/v1/jobs", json={"image_base64": encoded(picture), **fields})
    assert is_problem(answer, 422, "invalid-request")
    assert all(error["field"] and error["message"] for error in answer.json()["errors"])


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/json", b"", 400, "malformed-body"),
        ("application/json", b"{", 400, "malformed-body"),
        ("application/json", b"[]", 422, "invalid-request"),
        ("application/json", b'{"description": "a cat"}', 422, "invalid-request"),
        ("application/json", b'{"description": "a cat", "image_base64": "%%%"}', 400, "malformed-body"),
        ("application/json", b'"\xff"', 400, "malformed-body"),
        ("multipart/form-data", b"", 400, "bad-request"),
        ("multipart/form-data; boundary=x", b"", 400, "malformed-body"),
        ("multipart/form-data; boundary=x", b"rubbish", 400, "bad-request"),
        ("text/plain", b"a cat", 415, "unsupported-media-type"),
        ("", b"a cat", 415, "unsupported-media-type"),
    ],
)
def test_a_body_that_is_not_what_it_says(
    client: TestClient, content_type: str, body: bytes, status: int, code: str
) -> None:
    """An empty, broken or foreign body is the caller's error, said as a problem document."""
    answer = client.post("/v1/jobs", content=body, headers={"content-type": content_type})
    assert is_problem(answer, status, code)


def test_a_form_without_an_image_is_refused(client: TestClient) -> None:
    """The description alone, or an image that is a text field, is answered 400 and names the missing part."""
    for form in ({"description": "a cat"}, {"description": "a cat", "image": "picture.png"}):
        answer = client.post("/v1/jobs", files={name: (None, value) for name, value in form.items()})
        assert is_problem(answer, 400, "malformed-body")
        assert "`image`" in answer.json()["detail"]


def test_a_body_over_the_limit_is_refused_unread(client: TestClient) -> None:
    """By its Content-Length, or by what has streamed: 413, never a full disk."""

    def endless() -> Any:
        for _ in range(64):
            yield b"x" * 1024 * 1024

    answer = client.post("/v1/jobs", content=b"x", headers={"content-length": str(10**9)})
    assert is_problem(answer, 413, "body-too-large")
    streamed = client.post("/v1/jobs", content=endless(), headers={"content-type": "application/json"})
    assert is_problem(streamed, 413, "body-too-large")


def test_unknown_jobs_and_ids_that_are_none(client: TestClient) -> None:
    """An unknown id is 404, a string that is no id is 422; so for the job and for its pictures."""
    for suffix in ("", "/mask"):
        assert is_problem(client.get(f"/v1/jobs/{uuid7()}{suffix}"), 404, "job-not-found")
        assert is_problem(client.get(f"/v1/jobs/what{suffix}"), 422, "invalid-request")
    assert is_problem(client.get("/v2/what"), 404, "not-found")


@pytest.fixture
def finished(client: TestClient, picture: bytes) -> str:
    """A job that found one red square, its pictures stored."""
    job_id = UUID(submit(client, picture, labels=["square", "circle"]).json()["id"])
    results: dict[StageName, dict[str, Any]] = {
        StageName.CLASSIFY: {
            "candidates": [{"label": "square", "score": 0.75}, {"label": "circle", "score": 0.25}],
            "margin": 0.5,
            "ambiguous": False,
        },
        StageName.DETECT: {},
        StageName.SEGMENT: {},
    }
    with session_factory().begin() as session:
        for name, result in results.items():
            claim = claims.take(session, job_id, name, Holder("here", 60), suspect=False)
            assert claim is not None
            jobs.start(session, job_id)
            claims.complete(session, claim, result, CARD)
            if name.next:
                jobs.hand_on(session, job_id, name.next)
        session.add(
            Instance(
                job_id=job_id,
                position=0,
                label="square",
                box=[1.0, 2.0, 3.0, 4.0],
                box_score=0.9,
                mask_box=[1.0, 2.0, 3.0, 4.0],
                area=4,
                predicted_iou=0.8,
                stability=0.7,
                rle={"size": [48, 64], "counts": "x"},
                polygons=[[1.0, 2.0, 3.0, 2.0, 3.0, 4.0]],
            )
        )
        session.flush()
        jobs.succeed(session, job_id, Outcome.FOUND, "cat")
    for artifact in ("mask", "cutout", "overlay"):
        object_store().put(artifact_key(job_id, 0, artifact), artifact.encode(), "image/png")
    return str(job_id)


def test_the_document_of_a_finished_job(client: TestClient, finished: str) -> None:
    """It says the main object, all scores, each instance with working URLs, and which models ran."""
    document = client.get(f"/v1/jobs/{finished}").json()
    assert (document["status"], document["error"]) == ("succeeded", None)
    result = document["result"]
    assert result["outcome"] == "found"
    assert result["main_object"] == {"label": "square", "score": 0.75, "margin": 0.5, "ambiguous": False}
    assert [candidate["label"] for candidate in result["candidates"]] == ["square", "circle"]
    assert [model["stage"] for model in result["models"]] == ["classify", "detect", "segment"]
    (instance,) = result["instances"]
    assert instance["mask"]["rle"] == {"size": [48, 64], "counts": "x"}
    for artifact in ("mask", "cutout", "overlay"):
        assert httpx.get(instance[f"{artifact}_url"]).content == artifact.encode()


@pytest.mark.parametrize("artifact", ["mask", "cutout", "overlay"])
def test_pictures_are_redirects_to_the_storage(client: TestClient, finished: str, artifact: str) -> None:
    """The API hands out a presigned URL; the bytes come from the storage."""
    answer = client.get(f"/v1/jobs/{finished}/{artifact}")
    assert answer.status_code == 307
    assert httpx.get(answer.headers["location"]).content == artifact.encode()


def test_pictures_that_are_not_there(client: TestClient, finished: str, picture: bytes) -> None:
    """A second instance, an unfinished job and an unknown kind of picture each say what is missing."""
    assert is_problem(client.get(f"/v1/jobs/{finished}/mask?instance=1"), 404, "artifact-not-found")
    assert is_problem(client.get(f"/v1/jobs/{finished}/mask?instance=-1"), 422, "invalid-request")
    assert is_problem(client.get(f"/v1/jobs/{finished}/hologram"), 422, "invalid-request")
    unfinished = submit(client, picture, description="a cat").json()["id"]
    answer = client.get(f"/v1/jobs/{unfinished}/mask")
    assert is_problem(answer, 404, "artifact-not-found")
    assert "queued" in answer.json()["detail"]


def fail(job_id: str) -> None:
    """Fail the job at its first stage, as a worker does."""
    error = {"type": "invalid-image", "message": "It is broken."}
    with session_factory().begin() as session:
        claim = claims.take(session, UUID(job_id), StageName.CLASSIFY, Holder("here", 60), suspect=False)
        assert claim is not None
        jobs.start(session, UUID(job_id))
        assert claims.fail(session, claim, error)
        jobs.fail(session, UUID(job_id), StageName.CLASSIFY, error)


def test_a_job_is_canceled_once_and_for_all(client: TestClient, picture: bytes) -> None:
    """Canceling ends a waiting job; canceling again answers the same."""
    job_id = submit(client, picture, description="a cat").json()["id"]
    for _ in range(2):
        answer = client.post(f"/v1/jobs/{job_id}/cancel")
        assert answer.status_code == 200
        assert answer.json()["status"] == "canceled"
    assert client.get(f"/v1/jobs/{job_id}").json()["finished_at"]


def test_what_has_ended_can_not_be_canceled(client: TestClient, finished: str) -> None:
    """A succeeded job is answered 409 and stays as it is."""
    assert is_problem(client.post(f"/v1/jobs/{finished}/cancel"), 409, "job-has-ended")
    assert client.get(f"/v1/jobs/{finished}").json()["status"] == "succeeded"


def test_a_failed_job_is_listed_with_its_cause_and_retried(client: TestClient, picture: bytes) -> None:
    """The operator's way: list what failed, read why, start it again; then it is no longer listed."""
    job_id = submit(client, picture, description="a cat").json()["id"]
    fail(job_id)
    (listed,) = client.get("/v1/jobs", params={"status": "failed", "limit": 1}).json()["jobs"]
    assert listed["id"] == job_id
    assert listed["error"] == {"stage": "classify", "type": "invalid-image", "message": "It is broken."}
    answer = client.post(f"/v1/jobs/{job_id}/retry")
    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (202, "queued", None)
    failed = client.get("/v1/jobs", params={"status": "failed"}).json()["jobs"]
    assert job_id not in [job["id"] for job in failed]


def test_only_failed_jobs_are_retried(client: TestClient, finished: str, picture: bytes) -> None:
    """One that succeeded, or waits, is answered 409."""
    waiting = submit(client, picture, description="a cat").json()["id"]
    for job_id in (finished, waiting):
        assert is_problem(client.post(f"/v1/jobs/{job_id}/retry"), 409, "job-not-failed")


def test_pages_lead_from_the_newest_to_the_oldest(client: TestClient, picture: bytes) -> None:
    """Page by page, every job comes once, in order."""
    submitted = [submit(client, picture, description="a cat").json()["id"] for _ in range(3)]
    seen: list[str] = []
    cursor: str | None = None
    while submitted[0] not in seen:
        params = {"limit": "2", **({"before": cursor} if cursor else {})}
        answer = client.get("/v1/jobs", params=params).json()
        seen += [job["id"] for job in answer["jobs"]]
        cursor = answer["next"]
    assert seen[:3] == submitted[::-1]
    assert is_problem(client.get("/v1/jobs", params={"limit": "101"}), 422, "invalid-request")
    assert is_problem(client.get("/v1/jobs", params={"status": "lost"}), 422, "invalid-request")


def test_a_deleted_job_is_gone_with_its_pictures(client: TestClient, finished: str) -> None:
    """Row, image and masks: nothing of it is left, and deleting it again is 404."""
    assert client.delete(f"/v1/jobs/{finished}").status_code == 204
    assert is_problem(client.get(f"/v1/jobs/{finished}"), 404, "job-not-found")
    for key in (image_key(UUID(finished)), artifact_key(UUID(finished), 0, "mask")):
        with pytest.raises(ObjectMissing):
            object_store().get(key)
    assert is_problem(client.delete(f"/v1/jobs/{finished}"), 404, "job-not-found")


@pytest.mark.parametrize("call", ["cancel", "retry"])
def test_changing_an_unknown_job_is_404(client: TestClient, call: str) -> None:
    """No job, nothing to change."""
    assert is_problem(client.post(f"/v1/jobs/{uuid7()}/{call}"), 404, "job-not-found")


def test_the_openapi_document_is_whole(client: TestClient) -> None:
    """Both bodies of a submission are described, and no reference in the document leads nowhere."""
    document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/json"}
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
