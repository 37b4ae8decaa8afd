"""What a route asks before it does anything; each route names its guards among its `dependencies`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response, params
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from api.callers import Caller, caller
from api.errors import ScopeMissing
from db.api_keys import Scope

# It describes the keys in the OpenAPI document; `callers` is stricter with them.
KEY = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    bearerFormat="mm_…",
    description="A key, made by `mainmask keys create`. The local stack asks for none.",
)


class Guard(ABC):
    """Refuses a request by what its head says, or lets it pass. It looks once, however often it is asked."""

    def __call__(self, request: Request, _: Annotated[object, Depends(KEY)] = None) -> None:
        """Raises the refusal."""
        passed: set[Guard] = request.scope.setdefault("mainmask.passed", set())
        if self not in passed:
            self.check(request, caller(request))
            passed.add(self)

    @abstractmethod
    def check(self, request: Request, caller: Caller) -> None:
        """Raise the refusal; the request has a caller."""


class Needs(Guard):
    """The caller's key must have this scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def check(self, request: Request, caller: Caller) -> None:  # noqa: ARG002 - a guard's
        """Raises `ScopeMissing`."""
        if self.scope not in caller.scopes:
            raise ScopeMissing(self.scope)


def needs(scope: Scope) -> params.Security:
    """What every route says of itself: `dependencies=[needs(Scope.JOBS_READ)]`."""
    return params.Security(Needs(scope), scopes=[scope])


class GuardedRoute(APIRoute):
    """For routes that declare a body: FastAPI reads it before it asks any dependency, this asks the guards first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, behind the guards."""
        handle = super().get_route_handler()
        guards = [found.dependency for found in self.dependencies if isinstance(found.dependency, Guard)]

        async def guarded(request: Request) -> Response:
            for guard in guards:
                await run_in_threadpool(guard, request)
            return await handle(request)

        return guarded
