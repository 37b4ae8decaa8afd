"""The files below docker/, read as the programs that they are for read them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
KUBERNETES = DOCKER / "kubernetes"
DOCKERFILES = {"mainmask-api": DOCKER / "api.Dockerfile", "mainmask-worker": DOCKER / "worker.Dockerfile"}
"""By the name of the image."""


def run(program: str, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """A program of the environment that the tests run in, from the root of the repository."""
    command = [str(Path(sys.executable).parent / program), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)


@cache
def compose(*names: str) -> dict[str, Any]:
    """The files of these names, merged, completed and checked by Compose; each secret has its variable's name."""
    files = [option for name in names for option in ("--file", str(DOCKER / name))]
    # Nothing of this machine's environment, nor of a .env that its user has made.
    environment = {"PATH": os.defpath, "HOME": "/nonexistent", **secrets()}
    done = run("docker-compose", "--env-file", os.devnull, *files, "config", "--format", "json", env=environment)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    # Compose writes what could be read by it again, in which $$ stands for $.
    found: dict[str, Any] = json.loads(done.stdout.replace("$$", "$"))
    return found


def secrets() -> dict[str, str]:
    """What .env.example asks to be changed, in words that tell them apart."""
    return {name: f"{name.lower()}-of-this-test" for name, value in example().items() if value == "change-me"} | {
        "S3_ACCESS_KEY_ID": "s3-access-key-id-of-this-test"
    }


def example() -> dict[str, str]:
    """The variables of .env.example."""
    return assignments((DOCKER / ".env.example").read_text())


def assignments(text: str) -> dict[str, str]:
    """The lines NAME=value of an env file."""
    return dict(re.findall(r"^(\w+)=(.*)$", text, flags=re.MULTILINE))


@cache
def manifests(folder: str) -> list[dict[str, Any]]:
    """What `kubectl apply --kustomize` would apply for a folder below docker/kubernetes."""
    done = run("kubectl", "kustomize", KUBERNETES / folder)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def named(documents: Iterable[Mapping[str, Any]], kind: str) -> dict[str, Any]:
    """Those of one kind, by name."""
    return {document["metadata"]["name"]: document for document in documents if document["kind"] == kind}


def pod_of(workload: Mapping[str, Any]) -> dict[str, Any]:
    """The pod that a Deployment or a Job makes."""
    pod: dict[str, Any] = workload["spec"]["template"]["spec"]
    return pod


def example_secrets() -> dict[str, dict[str, str]]:
    """What each Secret of the example holds, by its name."""
    documents = yaml.safe_load_all((KUBERNETES / "base" / "secret.example.yaml").read_text())
    return {document["metadata"]["name"]: document["stringData"] for document in documents}


@cache
def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Pairs of an instruction in upper case and its value, without comments."""
    with dockerfile.open("rb") as file:
        structure = DockerfileParser(fileobj=file).structure
    return [(line["instruction"], line["value"]) for line in structure if line["instruction"] != "COMMENT"]


def last(dockerfile: Path, instruction: str) -> str:
    """The value of the last one, which is what the image has."""
    return [value for name, value in instructions(dockerfile) if name == instruction][-1]


def dockerfile_of(service: Mapping[str, Any]) -> Path | None:
    """What the image of a service of Compose's is built from; None where it is somebody else's."""
    return DOCKERFILES.get(service["image"].partition(":")[0])


def command_of(service: Mapping[str, Any]) -> list[str]:
    """What a service of Compose's runs that has an image of ours: its own command, else the image's."""
    dockerfile = dockerfile_of(service)
    assert dockerfile is not None
    found: list[str] = service["command"] or json.loads(last(dockerfile, "CMD"))
    return found


def health_check_of(service: Mapping[str, Any]) -> list[str]:
    """Its own, else its image's, in Compose's form; the empty list is none."""
    own: list[str] = service.get("healthcheck", {}).get("test", [])
    dockerfile = dockerfile_of(service)
    if own or dockerfile is None:
        return own
    _, command = last(dockerfile, "HEALTHCHECK").split("CMD ", 1)
    return ["CMD", *json.loads(command)]


def seconds(duration: str) -> float:
    """Of Compose's form `1m0s`."""
    units = {"m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([ms])", duration))
