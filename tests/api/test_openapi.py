"""The description that the API gives of itself, and whether it keeps to it."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from api import waiting
from api.app import create_app
from db.api_keys import Scope
from db.settings import settings
from mainmask import Client
from mainmask.stack.ports import LOOPBACK, free_port
from tests.api_keys import ADMIN_KEY

SCHEMATHESIS = (
    "--checks=all",
    "--max-examples=15",
    "--seed=1",
    "--generation-database=none",
    "--no-color",
)


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


def test_all_that_is_sent_and_answered_is_described(client: TestClient) -> None:
    """Every field of every body, by itself or by the type it has; every parameter; every header that we answer."""
    document = client.get("/openapi.json").json()
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name
        for field, property_ in schema.get("properties", {}).items():
            assert "$ref" in property_ or property_.get("description"), f"{name}.{field}"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            for parameter in operation.get("parameters", []):
                assert parameter.get("description"), (method, path, parameter["name"])
            waits = {
                status
                for status, answer in operation["responses"].items()
                if "Retry-After" in answer.get("headers", {})
            }
            if path.startswith("/v1/"):
                assert waits >= set(operation["responses"]) & {"429", "503"}, (method, path)


@pytest.fixture
def url(keys_are_on: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The running service, on a port of its own; it waits for no job, because none will end."""
    hasty = settings().model_copy(update={"maximum_wait_seconds": 0})
    monkeypatch.setattr(waiting, "settings", lambda: hasty)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(), host=LOOPBACK, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://{LOOPBACK}:{port}"
    server.should_exit = True
    thread.join()


def test_every_answer_is_as_described(url: str) -> None:
    """Whatever is asked, a status, a media type and a body that the document lists, and never a 500."""
    with Client(url, api_key=ADMIN_KEY) as admin:
        key = admin.create_key("schemathesis", tenant="schemathesis", scopes=list(Scope)).key
    config = Path(__file__).with_name("schemathesis.toml")
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        f"--config-file={config}",
        "run",
        f"{url}/openapi.json",
        f"--header=Authorization: Bearer {key}",
        *SCHEMATHESIS,
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
