"""Calls of the API, and what is asked of its answers."""

import base64
from collections.abc import Mapping
from typing import Any, Protocol

from fastapi.testclient import TestClient


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
