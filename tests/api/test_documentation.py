"""The documentation page, as a browser without the internet meets it."""

import re

import pytest
from fastapi.testclient import TestClient

from api import app
from api.app import create_app
from db.settings import settings


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    """All that it names is served by the service itself."""
    page = client.get("/docs")
    assert page.status_code == 200
    named = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    assert len(named) == 3
    for url in named:
        assert url.startswith("/")
        assert client.get(url).status_code == 200


def test_the_page_runs_under_its_content_security_policy(client: TestClient) -> None:
    """It is framed nowhere and loads from here alone; everything else may not be rendered at all."""
    policy = client.get("/docs").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    for path in ("/openapi.json", "/v1/jobs", "/nonsense"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["x-frame-options"] == "DENY"


def test_the_pages_can_be_switched_off(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the API is all that there is."""
    closed = settings().model_copy(update={"pages": False})
    monkeypatch.setattr(app, "settings", lambda: closed)
    with TestClient(app.create_app()) as bare:
        for path in ("/", "/page/settings.json", "/docs", "/docs/static/fastapi/favicon.png", "/openapi.json"):
            assert bare.get(path).status_code == 404
        assert bare.get("/v1/jobs").status_code == 200


def test_behind_a_prefix_the_page_names_it(client: TestClient) -> None:
    """A proxy that serves the API below a path says so, and what the page loads is below it, too."""
    page = TestClient(create_app(), root_path="/segmentation").get("/docs").text
    assert "'/segmentation/openapi.json'" in page
    assert len(re.findall(r"""["']/segmentation/docs/static/""", page)) == 3


def test_each_operation_has_a_name_of_its_own(client: TestClient) -> None:
    """Generated clients call their functions so."""
    paths = client.get("/openapi.json").json()["paths"]
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(set(names)) == len(names)
    assert {"submit_job", "get_job", "list_jobs", "fetch_mask"} <= set(names)
