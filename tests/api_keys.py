"""Keys as an admin makes them, and the routes that ask for them."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from starlette.types import Message
from uuid_utils.compat import uuid7

from api.guards import Needs
from db.api_keys import Scope

ADMIN_KEY = "the-admin-key-of-the-tests"

Headers = dict[str, str]


def bearer(key: str) -> Headers:
    """The header that proves to hold the key."""
    return {"Authorization": f"Bearer {key}"}


ADMIN = bearer(ADMIN_KEY)


def new_key(client: TestClient, **fields: Any) -> dict[str, Any]:
    """The document of a new key, with its `key`; of a tenant of its own unless said otherwise."""
    answer = client.post("/v1/keys", json={"name": f"Key {uuid7()}", **fields}, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def new_caller(client: TestClient, **fields: Any) -> Headers:
    """What a new key's requests carry."""
    return bearer(new_key(client, **fields)["key"])


@dataclass(frozen=True)
class GuardedRoute:
    """A route that asks for a key with a scope."""

    method: str
    path: str
    scope: Scope

    def url(self, **values: object) -> str:
        """Its path with these in place of its parameters; a parameter that isn't among them raises KeyError."""
        return self.path.format_map(values)


def guarded_routes(app: FastAPI) -> Iterator[GuardedRoute]:
    """All of them."""
    for method, path, needed in declared_scopes(app):
        if needed:
            (scope,) = needed
            yield GuardedRoute(method, path, scope)


def declared_scopes(app: FastAPI) -> Iterator[tuple[str, str, set[Scope]]]:
    """Each route of the application, also those that aren't in its documentation, with the scopes that it names."""
    for route in iter_route_contexts(app.routes):
        dependencies = getattr(route, "dependencies", [])
        scopes = {found.dependency.scope for found in dependencies if isinstance(found.dependency, Needs)}
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield method, str(route.path), scopes


@dataclass(frozen=True)
class Refusal:
    """What was answered to a request whose body nobody has read."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The problem's."""
        return code_of(json.loads(self.body))


def code_of(problem: Any) -> str:
    """The stable end of a problem document's type."""
    return str(problem["type"]).rpartition("/")[2]


def answered_unread(app: FastAPI, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> Refusal:
    """Send a request's head alone, as the HTTP server hands it on: whoever asks for the body fails the test."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError(f"{method} {path} has read the body")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"testserver"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    asyncio.run(app(scope, receive, send))
    start, *rest = sent
    return Refusal(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in rest),
    )
