"""The processes of compose.yaml, each by its own command with its own variables and nothing else, do a job together."""

import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from mainmask import Client
from mainmask.stack.ports import free_port
from mainmask.stack.postgres import Postgres
from tests import servers
from tests.docker.conftest import SeaweedFS
from tests.docker.database import database
from tests.docker.deployment import ROOT, command_of, compose, health_check_of, secrets

SERVICES = compose("compose.yaml")["services"]
STAYING = ("api", "worker", "maintenance", "beat", "webhooks", "flower")
HEALTHY_WITHIN_SECONDS = 300
"""The worker imports PyTorch and loads the models first, which takes a busy machine a while."""
SAMPLE = ROOT / "mainmask" / "sample" / "snowboard.jpg"


@dataclass(frozen=True)
class Machine:
    """This one, where addresses and folders are others than among containers."""

    folder: Path
    elsewhere: dict[str, str]
    """From what compose.yaml and the Dockerfiles say, as patterns, to what that is here; in this order."""
    metrics_ports: dict[str, int] = field(default_factory=lambda: defaultdict(free_port))
    """By service; among containers all have the same."""

    def here(self, said: str) -> str:
        """What they say, for this machine."""
        for pattern, value in self.elsewhere.items():
            said = re.sub(pattern, value, said)
        return said

    def environment(self, name: str) -> dict[str, str]:
        """The service's own variables, and those that every container has."""
        image = {"worker": {"MAINMASK_WORKER_READY_FILE": "/tmp/mainmask-worker.ready"}}
        said = {**image.get(name, {}), **SERVICES[name]["environment"]}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
        always = {"PATH": programs, "HOSTNAME": os.uname().nodename, "HOME": str(self.folder), "PYTHONPATH": str(ROOT)}
        here = {variable: self.here(value) for variable, value in said.items()}
        return {**here, "MAINMASK_METRICS_PORT": str(self.metrics_ports[name]), **always}

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """The service's process, which writes NAME.log."""
        command = [self.here(part) for part in command_of(SERVICES[name])]
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                command, env=self.environment(name), cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
            )

    def run(self, name: str, command: list[str]) -> subprocess.CompletedProcess[str]:
        """As `docker compose exec NAME COMMAND` does."""
        return subprocess.run(
            [self.here(part) for part in command],
            env=self.environment(name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def is_healthy(self, name: str) -> bool:
        """By the health check of the service, else by its image's."""
        kind, *command = health_check_of(SERVICES[name])
        return self.run(name, ["sh", "-c", *command] if kind == "CMD-SHELL" else command).returncode == 0

    def log(self, name: str) -> str:
        """What the process has said."""
        return (self.folder / f"{name}.log").read_text()


@pytest.fixture(scope="module")
def machine(postgres: Postgres, seaweedfs: SeaweedFS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With the servers of compose.yaml: Postgres with its roles, a Redis, SeaweedFS."""
    folder = tmp_path_factory.mktemp("machine")
    with database(postgres) as deployed, servers.redis(folder) as redis:
        yield Machine(
            folder,
            {
                r"/tmp\b": str(folder),
                "/var/lib/flower": str(folder),
                r"0\.0\.0\.0": "127.0.0.1",
                r"\b8000\b": str(free_port()),
                r"\b5555\b": str(free_port()),
                r"redis://\S*@redis:6379/0": redis.url,
                "@postgres:5432/mainmask": f"@127.0.0.1:{postgres.port}/{deployed.admin.database}",
                "http://s3:8333": seaweedfs.endpoint_url,
                "http://localhost:8333": seaweedfs.endpoint_url.replace("127.0.0.1", "localhost"),
            },
        )


@pytest.fixture(scope="module")
def running(machine: Machine) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """All that stay, once the migrations have ended well; each of them healthy."""
    migrations = machine.start("migrations")
    assert migrations.wait(60) == 0, machine.log("migrations")
    with ExitStack() as cleanup:
        processes = {}
        for name in STAYING:
            processes[name] = machine.start(name)
            cleanup.callback(processes[name].wait)
            cleanup.callback(processes[name].kill)
        until = time.monotonic() + HEALTHY_WITHIN_SECONDS
        for name in STAYING:
            while not machine.is_healthy(name):
                assert processes[name].poll() is None, machine.log(name)
                assert time.monotonic() < until, f"{name} is not healthy\n{machine.log(name)}"
                time.sleep(0.5)
        yield processes


def test_a_key_is_made_and_a_job_is_done_with_it(running: object, machine: Machine) -> None:
    """As docs/deploy.md says; the mask comes by a presigned URL under the storage's public address."""
    [command] = re.findall(r"exec api sh -c '(.+)'", (ROOT / "docs" / "deploy.md").read_text())
    url = machine.here("http://127.0.0.1:8000")
    made = machine.run("api", ["sh", "-c", f"MAINMASK_URL={url} {command}".replace(" mainmask", " exec mainmask", 1)])
    assert made.returncode == 0, made.stderr
    with Client(url, api_key=made.stdout.strip()) as client:
        job = client.segment(SAMPLE, "The man skiing on his new snowboard!")
        assert job.result is not None
        assert job.result.main_object is not None
        assert job.result.main_object.label == "snowboard"
        assert client.download(job, "mask").startswith(b"\x89PNG")


def test_prometheus_reaches_the_metrics(running: object, machine: Machine) -> None:
    """Of all that count something, with the token that it is given, and nobody without it."""
    token = {"Authorization": f"Bearer {SERVICES['prometheus']['environment']['METRICS_TOKEN']}"}
    urls = {name: f"http://127.0.0.1:{machine.metrics_ports[name]}" for name in ("worker", "maintenance", "webhooks")}
    for name, url in {**urls, "api": machine.here("http://127.0.0.1:8000")}.items():
        assert httpx.get(f"{url}/metrics", trust_env=False).status_code == 401, name
        answer = httpx.get(f"{url}/metrics", headers=token, trust_env=False).raise_for_status()
        assert "mainmask_build_info" in answer.text, name


def test_flower_shows_tasks_to_who_knows_the_password_and_changes_nothing(running: object, machine: Machine) -> None:
    """Prometheus needs no password for the counts."""
    password = ("mainmask", secrets()["FLOWER_PASSWORD"])
    with httpx.Client(base_url=machine.here("http://127.0.0.1:5555"), trust_env=False) as client:
        assert client.get("/").status_code == 401
        assert client.get("/", auth=password).is_success
        assert client.post("/api/worker/shutdown/anyone", auth=password).status_code == 403
        assert client.post("/api/task/send-task/sweep", json={"args": []}, auth=password).status_code == 403
        assert client.get("/metrics").is_success


def test_each_ends_by_itself_when_it_is_asked_to(running: dict[str, subprocess.Popen[bytes]], machine: Machine) -> None:
    """On SIGTERM, and without complaint."""
    for process in running.values():
        process.terminate()
    for name, process in running.items():
        process.wait(60)
        assert "Traceback" not in machine.log(name), machine.log(name)
