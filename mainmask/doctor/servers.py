"""Postgres, Redis and S3 by this machine's own settings, for whoever runs the service on it."""

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mainmask.doctor.finding import Finding, fail, ok, warn

TIMEOUT_SECONDS = 3
EXTRA = "pip install 'mainmask[api]'"


def check() -> Iterator[Finding]:
    """Each server whose `MAINMASK_…` setting is there, asked with its own client library."""
    given = {variable: os.environ[variable] for variable in PROBES if os.environ.get(variable)}
    if not given:
        yield ok("servers", "no settings of them here: the service answers for them")
    for variable, value in given.items():
        yield _found(variable, value, PROBES[variable])


def _found(variable: str, value: str, probe: "Probe") -> Finding:
    try:
        return probe.ask(value)
    except ImportError:
        return warn(probe.name, f"{variable} is set, but {probe.package} is not installed to ask it", EXTRA)
    except Exception as error:  # noqa: BLE001 - each library has its own; whatever it is, this is the finding
        # Not the rest of it, which may go on for lines.
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        return fail(probe.name, f"does not answer: {_without_secrets(reason)}", f"start it, or mend {variable}")


def _without_secrets(text: str) -> str:
    """Libraries quote what they can't parse."""
    values = [os.environ.get(variable, "") for variable in PROBES]
    passwords = [value.rpartition("@")[0].rpartition(":")[2] for value in values]
    for secret in (*values, *passwords, os.environ.get("MAINMASK_S3_SECRET_ACCESS_KEY", "")):
        text = text.replace(secret, "…") if secret else text
    return text


def _postgres(url: str) -> Finding:
    psycopg: Any = importlib.import_module("psycopg")
    with psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=TIMEOUT_SECONDS) as connection:
        version = connection.execute("SHOW server_version").fetchone()[0]
        has_tables = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()[0]
    if not has_tables:
        return fail("Postgres", f"{version}, without mainmask's tables", "python -m migrations")
    return ok("Postgres", str(version))


def _redis(url: str) -> Finding:
    redis: Any = importlib.import_module("redis")
    options = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    with redis.Redis.from_url(url, **options) as client:
        about = client.info()
    says, policy = str(about["redis_version"]), about.get("maxmemory_policy")
    if policy != "noeviction":
        return warn("Redis", f"{says}, maxmemory-policy {policy}: it may drop messages", "set it to noeviction")
    return ok("Redis", says)


def _s3(endpoint_url: str) -> Finding:
    boto3: Any = importlib.import_module("boto3")
    config: Any = importlib.import_module("botocore.config").Config(
        signature_version="s3v4",
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
    )
    bucket = os.environ.get("MAINMASK_S3_BUCKET", "mainmask")
    client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=os.environ.get("MAINMASK_S3_ACCESS_KEY_ID"),
        aws_secret_access_key=os.environ.get("MAINMASK_S3_SECRET_ACCESS_KEY"),
        region_name=os.environ.get("MAINMASK_S3_REGION", "us-east-1"),
        config=config,
    )
    client.head_bucket(Bucket=bucket)
    return ok("S3", f"the bucket {bucket} is there")


@dataclass(frozen=True)
class Probe:
    """How to ask one server."""

    name: str
    package: str
    """Its client library."""
    ask: Callable[[str], Finding]
    """Takes the setting's value; raises whatever the library does."""


PROBES = {
    "MAINMASK_DATABASE_URL": Probe("Postgres", "psycopg", _postgres),
    "MAINMASK_REDIS_URL": Probe("Redis", "redis", _redis),
    "MAINMASK_S3_ENDPOINT_URL": Probe("S3", "boto3", _s3),
}
"""By the setting that leads to it."""
