"""The service, asked over HTTP as any caller could."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

import mainmask
from mainmask.address import Address
from mainmask.doctor.finding import Finding, fail, ok, warn

TIMEOUT_SECONDS = 5.0
SKEW_SECONDS = 60.0
"""Webhooks' signatures count for five minutes, presigned URLs begin to count by S3's clock."""
SERVERS = {"database": "Postgres", "redis": "Redis", "storage": "the object storage"}


def check(address: Address) -> Iterator[Finding]:
    """Whether it is there, can serve, takes the key, and has this client's version and time."""
    with httpx.Client(**{**address.http_options, "timeout": TIMEOUT_SECONDS}) as http:
        try:
            alive = http.get("/healthz")
            ready = http.get("/readyz")
            yield from _health(str(address.url), alive, ready)
            if alive.is_success:
                yield _key(http.get("/v1/jobs", params={"limit": 1}, headers=address.headers), bool(address.headers))
                yield _version(http.get("/openapi.json"))
                yield _clock(alive)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            yield fail("service", f"{address.url} does not answer: {reason}", REMEDY)


REMEDY = "start one on this machine with `mainmask up`, or name another with --url or MAINMASK_URL"


def _health(url: str, alive: httpx.Response, ready: httpx.Response) -> Iterator[Finding]:
    if not alive.is_success:
        yield fail("service", f"{url} answers {alive.status_code}: that is something else", REMEDY)
        return
    yield ok("service", f"{url} answers")
    checks = _json(ready).get("checks")
    if not isinstance(checks, dict):
        yield fail("readiness", f"/readyz answers {ready.status_code} without its checks", "look into the API's log")
        return
    for name, answers in checks.items():
        yield _server(SERVERS.get(name, str(name)), answers is True, needed=name != "redis")


def _server(name: str, answers: bool, *, needed: bool) -> Finding:
    check = f"service: {name}"
    if answers:
        return ok(check, "answers the API")
    remedy = "start it, or look at the API's settings and log"
    if needed:
        return fail(check, "does not answer the API: no jobs are taken", remedy)
    return warn(check, "does not answer the API: jobs are taken, but wait", remedy)


def _key(answer: httpx.Response, given: bool) -> Finding:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        says = "is not valid" if given else "is asked for, and none is given"
        return fail("key", says, "set MAINMASK_API_KEY to one that `mainmask keys create` has made")
    if answer.status_code == httpx.codes.FORBIDDEN:
        return warn("key", "may not read jobs", "use one with the scope jobs:read, if it should")
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return warn("key", "has used up its quota of requests", "wait a minute")
    if not answer.is_success:
        return fail("key", f"/v1/jobs answers {answer.status_code}", "look into the API's log")
    return ok("key", "is taken" if given else "none is given; the service takes callers without")


def _version(description: httpx.Response) -> Finding:
    served = _json(description).get("info", {}).get("version")
    own = mainmask.__version__
    if served is None:
        return warn("versions", f"mainmask {own} here; the service does not tell its own")
    if served != own:
        return warn("versions", f"mainmask {own} here, {served} at the service", f"pip install mainmask=={served}")
    return ok("versions", f"mainmask {own}, here and at the service")


def _clock(answer: httpx.Response) -> Finding:
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return warn("clock", "the service's answers have no date")
    skew = time.time() - theirs
    if abs(skew) > SKEW_SECONDS:
        how = "ahead of" if skew > 0 else "behind"
        says = f"is {abs(skew):.0f} s {how} the service's: signatures and presigned URLs may be refused"
        return fail("clock", says, "set both machines' clocks by NTP")
    return ok("clock", "agrees with the service's")


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        return dict(answer.json())
    except (TypeError, ValueError):
        return {}
