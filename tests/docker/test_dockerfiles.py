"""The Dockerfiles: linted by hadolint, and true to the project that they install."""

import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.deployment import DOCKERFILES, ROOT, instructions, last, run

each_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES.values(), ids=DOCKERFILES.keys())
USER = "10001"


def copied(dockerfile: Path) -> Iterator[str]:
    """The sources of all COPY instructions that take from the repository."""
    for name, value in instructions(dockerfile):
        if name == "COPY" and not value.startswith("--from="):
            yield from shlex.split(value)[:-1]


def ignored() -> tuple[list[str], set[str]]:
    """The lines of .dockerignore that leave files out, and the names that those with a `!` let in."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    let_in = {line[1:] for line in lines if line.startswith("!")}
    return [line for line in lines if not line.startswith("!")], let_in


@each_dockerfile
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    """With all of its rules."""
    linted = run("hadolint", "--no-color", dockerfile)
    assert (linted.returncode, linted.stdout) == (0, "")


@each_dockerfile
def test_what_is_copied_is_there_and_is_sent_to_the_builder(dockerfile: Path) -> None:
    """The build context holds what .dockerignore lets in, and nothing else."""
    left_out, let_in = ignored()
    assert left_out == ["*", "**/__pycache__"]
    assert all((ROOT / name).exists() for name in let_in)
    assert set(copied(dockerfile)) == let_in


@each_dockerfile
def test_the_extras_that_are_installed_exist(dockerfile: Path) -> None:
    """pip only warns of an unknown one."""
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    defaults = [value for name, value in instructions(dockerfile) if name == "ARG" and value.startswith("EXTRAS=")]
    assert defaults
    for default in defaults:
        assert set(default.removeprefix("EXTRAS=").split(",")) <= set(offered)
    installs = [value for name, value in instructions(dockerfile) if name == "RUN" and "pip install" in value]
    assert any('".[${EXTRAS}]"' in install for install in installs)
    for install in installs:
        assert "--no-deps ." in install or "--constraint constraints.txt" in install


@each_dockerfile
def test_the_base_has_a_version_and_is_python_as_the_project_allows(dockerfile: Path) -> None:
    """To the patch: a newer one is a change of this file. Every image of a stage is that base, or a stage before it."""
    assert re.match(r"# syntax=docker/dockerfile:\d+\.\d+\.\d+\n", dockerfile.read_text())
    base = next(value for name, value in instructions(dockerfile) if name == "ARG").removeprefix("PYTHON_IMAGE=")
    version = re.fullmatch(r"python:(\d+)\.(\d+)\.\d+-slim-trixie(@sha256:[0-9a-f]{64})?", base)
    assert version
    assert (int(version[1]), int(version[2])) >= (3, 11)
    stages = {"${PYTHON_IMAGE}"}
    for name, value in instructions(dockerfile):
        if name == "FROM":
            image, *alias = re.split(r"\s+AS\s+", value)
            assert image in stages
            stages |= set(alias)


@each_dockerfile
def test_nothing_runs_as_root(dockerfile: Path) -> None:
    """The user has a number, because Kubernetes can't look names up to see that they aren't root."""
    assert last(dockerfile, "USER") == USER
    assert any(f"useradd --system --uid {USER}" in value for name, value in instructions(dockerfile) if name == "RUN")


def test_the_worker_has_its_two_targets_and_is_the_cpus_by_default() -> None:
    """Who forgets the target gets what runs everywhere."""
    stages = [value.split(" AS ") for name, value in instructions(DOCKERFILES["mainmask-worker"]) if name == "FROM"]
    assert {"cuda", "cpu"} <= {names[-1] for names in stages}
    assert stages[-1] == ["runtime", "cpu"]


def test_the_worker_s_health_check_looks_for_the_file_that_it_is_told_to_touch() -> None:
    """Else it would never be healthy."""
    dockerfile = DOCKERFILES["mainmask-worker"]
    environment = " ".join(value for name, value in instructions(dockerfile) if name == "ENV")
    ready_file = re.search(r"MAINMASK_WORKER_READY_FILE=(\S+)", environment)
    assert ready_file
    assert f'["test", "-e", "{ready_file[1]}"]' in last(dockerfile, "HEALTHCHECK")


def test_the_worker_reads_models_where_they_are_mounted() -> None:
    """One place for the image's folder, its setting, and the volumes of Compose and Kubernetes."""
    dockerfile = DOCKERFILES["mainmask-worker"]
    environment = " ".join(value for name, value in instructions(dockerfile) if name == "ENV")
    folder = re.search(r"MAINMASK_MODELS_DIR=(\S+)", environment)
    assert folder
    assert any(
        value.endswith(f"--owner={USER} {folder[1]}") for name, value in instructions(dockerfile) if name == "RUN"
    )
    mounted = re.findall(r'"?models:([^:"]+):ro', (ROOT / "docker/compose.yaml").read_text())
    for manifest in ("components/models/worker.yaml", "models/models.yaml"):
        text = (ROOT / "docker/kubernetes" / manifest).read_text()
        mounted += re.findall(r"name: models, mountPath: ([^,}]+)[,}]", text)
    assert mounted == [folder[1]] * 3


def test_the_wheel_that_the_images_install_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    """An installation that isn't editable has the checkpoints, the page, the sample, and whatever else they read."""
    listing = ["git", "ls-files", "--", *copied(DOCKERFILES["mainmask-worker"])]
    tracked = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    source = tmp_path / "source"
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    build = "from setuptools.build_meta import build_wheel; build_wheel('..')"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        missing = {name for name in tracked if "/" in name} - set(wheel.namelist())
    assert not missing
