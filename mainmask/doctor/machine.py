"""This machine: what is installed, the GPU, the disk, the local stack and its ports."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mainmask.doctor.finding import Finding, fail, ok, warn
from mainmask.stack.errors import PartMissing
from mainmask.stack.pid_file import is_held
from mainmask.stack.ports import accepts_connections
from mainmask.stack.postgres import programs_folder
from mainmask.stack.redis import server_path
from mainmask.stack.s3 import rclone_path

WORKER_PACKAGES = ("torch", "transformers", "segment-anything", "celery")
API_PACKAGES = ("fastapi", "sqlalchemy", "boto3", "celery")
PARTS: tuple[Callable[[], object], ...] = (programs_folder, server_path, rclone_path)
"""Of the local stack; each raises `PartMissing`."""
PORTS = {8000: "the API (--port)", 5555: "Flower (--flower-port)"}
GIB = 1024**3
LEAST_BYTES = 1 * GIB
COMFORTABLE_BYTES = 5 * GIB
GPU_SECONDS = 10.0


def check(data_dir: Path) -> Iterator[Finding]:
    """All of it; nothing is imported or started for that but nvidia-smi."""
    yield ok("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield _packages("API packages", API_PACKAGES, "pip install 'mainmask[api]', if the API is to run here")
    yield _packages("worker packages", WORKER_PACKAGES, "pip install 'mainmask[worker]', if a worker is to run here")
    yield from _local_stack(data_dir)
    yield _gpu()
    yield _disk(data_dir)


def _packages(name: str, packages: tuple[str, ...], remedy: str) -> Finding:
    versions = {package: _version(package) for package in packages}
    says = ", ".join(f"{package} {found or '-'}" for package, found in versions.items())
    return ok(name, says) if all(versions.values()) else warn(name, says, remedy)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _local_stack(data_dir: Path) -> Iterator[Finding]:
    state_file = data_dir / "stack.json"
    try:
        runs = state_file.exists() and is_held(state_file)
    except OSError as error:
        yield fail("local stack", f"{state_file}: {error.strerror}", "choose another folder with --data-dir")
        return
    if runs:
        yield ok("local stack", f"runs in {data_dir}")
        return
    missing = [str(part) for part in map(_missing, PARTS) if part]
    if missing:
        yield warn("local stack", f"cannot run: {missing[0]}")
        return
    yield ok("local stack", "does not run; all that it needs is installed")
    for port, who in PORTS.items():
        if accepts_connections(port):
            yield warn(f"port {port}", "is taken by another program", f"`mainmask up` needs another for {who}")
        else:
            yield ok(f"port {port}", "is free")


def _missing(find: Callable[[], object]) -> PartMissing | None:
    try:
        find()
    except PartMissing as missing:
        return missing
    return None


def _gpu() -> Finding:
    wanted = os.environ.get("MAINMASK_DEVICE", "auto").startswith("cuda")
    program = shutil.which("nvidia-smi")
    if program is None:
        return _without_gpu(wanted, "no nvidia-smi, so no GPU of NVIDIA's")
    query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [program, *query], capture_output=True, text=True, timeout=GPU_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return _without_gpu(wanted, f"nvidia-smi fails ({type(error).__name__})")
    found = "; ".join(done.stdout.strip().splitlines())
    return ok("GPU", found) if found else _without_gpu(wanted, "nvidia-smi lists none")


def _without_gpu(wanted: bool, says: str) -> Finding:
    if wanted:
        return fail("GPU", f"{says}, but MAINMASK_DEVICE asks for CUDA", "mend the driver, or set MAINMASK_DEVICE=cpu")
    return ok("GPU", f"{says}: a worker here runs on the CPU, which suits the profile tiny alone")


def _disk(data_dir: Path) -> Finding:
    folder = next(path for path in (data_dir.absolute(), *data_dir.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    says = f"{free / GIB:.1f} GiB free at {folder}"
    if free < LEAST_BYTES:
        return fail("disk", says, "make room: a full disk stops Postgres and S3")
    return ok("disk", says) if free >= COMFORTABLE_BYTES else warn("disk", says, "make room before long")
