"""Submissions: each way in, each refusal, and what is stored before 202 is answered."""

import io
import json
import zlib
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from db import messages
from db.keys import image_key
from db.states import StageName
from db.storage import object_store
from tests.api.answers import encoded, is_problem, submit


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
    assert {**client.get(answer.headers["location"]).json(), "outlook": None} == document
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
    for document in (by_form, by_json):
        del document["input"]["image"]["stored_url"]
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
        ("application/json", '{"labels": ["cat"], "image_base64": "é"}'.encode(), 400, "malformed-body"),
        ("application/json", b'{"labels": ["cat"], "metadata": {"a": NaN}}', 400, "malformed-body"),
        ("application/json", b"[" * 100_000, 400, "malformed-body"),
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


UNSTORABLE = {"NUL": "a\\u0000cat", "half a surrogate pair": "a \\ud800 cat"}


@pytest.mark.parametrize("text", UNSTORABLE.values(), ids=UNSTORABLE.keys())
@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("description", '"description": "%s"'),
        ("labels.0", '"labels": ["%s"]'),
        ("metadata", '"labels": ["cat"], "metadata": {"a": ["%s"]}'),
        ("metadata", '"labels": ["cat"], "metadata": {"a": {"%s": 1}}'),
    ],
)
def test_text_that_no_database_stores_is_refused(
    client: TestClient, picture: bytes, field: str, fields: str, text: str
) -> None:
    """JSON can say it, Postgres can't keep it: 422 that names the field; in a batch and in a query, too."""
    submission = f'{{{fields % text}, "image_base64": "{encoded(picture)}"}}'
    answer = client.post("/v1/jobs", content=submission, headers={"content-type": "application/json"})
    assert is_problem(answer, 422, "invalid-request")
    assert answer.json()["errors"][0]["field"] == field
    batch = f'{{"jobs": [{submission}]}}'
    answer = client.post("/v1/batches", content=batch, headers={"content-type": "application/json"})
    assert is_problem(answer, 422, "invalid-request")


def test_nul_is_refused_wherever_text_comes_in(client: TestClient, picture: bytes) -> None:
    """In a form, in a query, in a batch's own metadata; and numbers that JSON can't hold."""
    assert is_problem(submit(client, picture, description="a\0cat"), 422, "invalid-request")
    for query in ("label=%00", "metadata=%00", "metadata=a:%00"):
        assert is_problem(client.get(f"/v1/jobs?{query}"), 422, "invalid-request")
    job = {"image_base64": encoded(picture), "labels": ["cat"]}
    for metadata in ({"a": "\0"}, {"a": "x" * 20_000}):
        assert is_problem(
            client.post("/v1/batches", json={"jobs": [job], "metadata": metadata}), 422, "invalid-request"
        )
    large = json.dumps({**job, "metadata": {"a": 7}}).replace("7}", "1e400}")
    answer = client.post("/v1/jobs", content=large, headers={"content-type": "application/json"})
    assert is_problem(answer, 422, "invalid-request")


def test_what_is_far_too_much_is_refused_shortly(client: TestClient, picture: bytes) -> None:
    """A hundred thousand mistakes are no answer of megabytes, and nothing is stored a hundred thousand times."""
    job = {"image_base64": encoded(picture), "labels": ["cat"]}
    excesses: list[dict[str, Any]] = [
        {"labels": [0] * 100_000},
        {"labels": ["cat"] * 100_000},
        {"description": "a" * 1_000_000, "labels": None},
        {"webhook_events": ["job.failed"] * 100_000},
        {"outputs": ["mask"] * 100_000},
        {"metadata": {"a": [1] * 100_000}},
        {"metadata": {str(n): {} for n in range(100_000)}},
    ]
    for values in excesses:
        answer = client.post("/v1/jobs", json={**job, **values})
        assert is_problem(answer, 422, "invalid-request")
        assert len(answer.content) < 1000
    answer = client.post("/v1/jobs", json={**job, **{str(n): 1 for n in range(100_000)}})
    assert is_problem(answer, 400, "malformed-body")
    answer = client.post("/v1/jobs", json={**job, **{str(n): 1 for n in range(50)}})
    assert is_problem(answer, 422, "invalid-request")
    assert len(answer.json()["errors"]) == 20
    assert answer.json()["detail"].endswith("; and 30 more")
    assert is_problem(client.post("/v1/batches", json={"jobs": [0] * 100_000}), 422, "invalid-request")


def test_a_form_of_an_unusable_charset_is_refused(client: TestClient) -> None:
    """Some of Python's codecs can't be used on bytes."""
    headers = {"content-type": "multipart/form-data; boundary=x; charset=undefined"}
    body = b'--x\r\nContent-Disposition: form-data; name="labels"\r\n\r\ncat\r\n--x--\r\n'
    assert is_problem(client.post("/v1/jobs", content=body, headers=headers), 400, "malformed-body")


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
