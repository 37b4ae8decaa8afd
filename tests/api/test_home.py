"""The front door: what the page's files tell browsers."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.page_files import content_security_policy
from api.routes import home
from db.settings import Settings, settings
from db.storage import ObjectStore
from mainmask.commands.demo import SENTENCE

PAGE = Path(home.__file__).parents[1] / "page"


def test_the_page_may_do_little(client: TestClient) -> None:
    """Its own scripts and styles, its own API, pictures of the storage besides; nobody may frame it."""
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == f"'self' blob: {settings().s3_endpoint_url}"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_the_page_holds_no_script_and_no_style() -> None:
    """What the policy would stop anyhow: each is a file."""
    text = (PAGE / "index.html").read_text()
    assert text.count("<script") == 1
    assert "<style" not in text
    assert "style=" not in text
    assert " on" + "click" not in text
    assert "http" not in text  # nor anything of another host's


@pytest.mark.parametrize(
    ("variables", "origin"),
    [
        ({"s3_endpoint_url": "http://minio:9000"}, "http://minio:9000"),
        (
            {"s3_endpoint_url": "http://minio:9000", "s3_public_endpoint_url": "https://files.example.com/s3"},
            "https://files.example.com",
        ),
        ({"s3_endpoint_url": None, "s3_region": "eu-central-1"}, "https://s3.eu-central-1.amazonaws.com"),
    ],
)
def test_the_storages_origin_is_that_of_presigned_urls(variables: dict[str, str], origin: str) -> None:
    """The public one, and Amazon's own by default."""
    store = ObjectStore(Settings.model_validate({"s3_access_key_id": "id", "s3_secret_access_key": "x", **variables}))
    assert store.public_origin == origin
    assert store.url("a/b.png").startswith(f"{origin}/")
    assert content_security_policy(store.public_origin).count(origin) == 1


@pytest.mark.parametrize("file", sorted(PAGE.iterdir()), ids=lambda file: file.name)
def test_every_file_is_served_and_asked_after(client: TestClient, file: Path) -> None:
    """With its kind, which browsers don't guess at; unchanged, it is 304."""
    answer = client.get(f"/page/{file.name}")
    kinds = {".html": "text/html", ".css": "text/css", ".js": "javascript", ".svg": "image/svg+xml"}
    assert kinds[file.suffix] in answer.headers["content-type"]
    assert answer.headers["cache-control"] == "no-cache"
    assert client.get(f"/page/{file.name}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/v1/jobs", "/v1/nothing", "/page/../app.py", "/healthz"])
def test_every_answer_says_what_it_is(client: TestClient, path: str) -> None:
    """Also the refusals: no browser takes one kind for another, or tells other hosts whence it comes."""
    answer = client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_too_large_a_body_is_refused_with_the_headers_too(client: TestClient) -> None:
    """Though no route is asked."""
    answer = client.post("/v1/jobs", content=b"", headers={"Content-Length": "999999999"})
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (413, "nosniff")


def test_the_page_is_told_its_settings(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits that the service keeps, and where Flower is, if it is said."""
    told = client.get("/page/settings.json").json()
    assert told == {
        "maximum_image_bytes": settings().maximum_image_bytes,
        "maximum_description_characters": settings().maximum_description_characters,
        "flower_url": None,
    }
    monkeypatch.setenv("MAINMASK_FLOWER_URL", "https://flower.example.com")
    settings.cache_clear()
    try:
        assert client.get("/page/settings.json").json()["flower_url"] == "https://flower.example.com/"
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_the_page_says_of_the_sample_what_the_demo_says(client: TestClient) -> None:
    """One picture, one sentence."""
    assert f'"{SENTENCE}"' in client.get("/page/sample.js").text
    assert client.get("/page/sample.jpg").headers["content-type"] == "image/jpeg"


def test_the_page_stays_out_of_the_apis_description() -> None:
    """It is no part of what callers build on."""
    assert not [path for path in create_app().openapi()["paths"] if path == "/" or path.startswith("/page")]
