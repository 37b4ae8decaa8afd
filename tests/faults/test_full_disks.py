"""Disks that fill up while dozens of jobs are in flight, on small file systems of their own."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.environment import looking_at
from tests.faults.site import Site, wait_until

pytestmark = pytest.mark.faults

CROWD = 24
NO_SPACE = "No space left on device"

OpenSite = Callable[[str, int], Site]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where the small disk is mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def open_site(tmp_path: Path, disk: Path) -> Iterator[OpenSite]:
    """`open_site(server, megabytes)` starts a site that keeps this server's files on a disk of that size."""
    with ExitStack() as cleanup:

        def open_site(server: str, megabytes: int) -> Site:
            cleanup.enter_context(small_disk(disk, megabytes))
            site = Site(tmp_path, {server: disk / server})
            cleanup.enter_context(looking_at(site))
            return cleanup.enter_context(site)

        yield open_site


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of this size in place of the folder; skips the test where none can be mounted."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk needs the right to mount one: {error}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """No byte is left in the folder's file system within the block."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
    try:
        yield
    finally:
        ballast.unlink()


def test_the_storage_is_full(open_site: OpenSite, disk: Path) -> None:
    """Submissions are answered 503, the stages in flight try again, and nothing half-written is taken for a mask."""
    site = open_site("s3", 16)
    site.submit(CROWD)
    with filled(disk):
        assert site.submit(3) == []
        wait_until(lambda: "storage is unavailable (put)" in _worker_logs(site), 30, "a stage has met the full disk")
    site.account()


def test_the_database_is_full(open_site: OpenSite, disk: Path) -> None:
    """Whether Postgres refuses writes or ends: what was answered 202 is there once it has room again."""
    site = open_site("postgres", 256)
    site.submit(CROWD)
    with filled(disk):
        site.submit(2 * CROWD)
        wait_until(lambda: NO_SPACE in site.log("postgres"), 30, "Postgres has met the full disk")
    site.start_all()
    site.account()


def _worker_logs(site: Site) -> str:
    return site.log("worker-1") + site.log("worker-2")
