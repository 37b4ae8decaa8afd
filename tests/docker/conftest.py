"""The servers of compose.yaml that are not the local stack's own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mainmask.stack.ports import free_port
from mainmask.stack.program import Program
from tests import servers
from tests.docker.deployment import DOCKER, compose


class SeaweedFS:
    """The S3 server of compose.yaml, started by the script that its container runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.endpoint_url = f"http://127.0.0.1:{free_port()}"
        self._master, self._master_grpc = free_port(), free_port()
        settings = compose("compose.yaml")["services"]["s3"]["environment"]
        self.access_key_id = settings["S3_ACCESS_KEY_ID"]
        self.secret_access_key = settings["S3_SECRET_ACCESS_KEY"]
        self.bucket = settings["S3_BUCKET"]
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
        place = {"PATH": programs, "S3_HOST": "127.0.0.1", "S3_FOLDER": str(folder)}
        # Its way to name a port for HTTP and one for gRPC that isn't 10,000 above.
        self.environment = {**settings, **place, "S3_MASTER_PORT": f"{self._master}.{self._master_grpc}"}

    def program(self) -> Program:
        """How to run it."""
        port = self.endpoint_url.rpartition(":")[2]
        ports = {"master.port": self._master, "master.port.grpc": self._master_grpc, "s3.port": port}
        others = ("volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc")
        options = [f"-{name}={number}" for name, number in {**ports, **{name: free_port() for name in others}}.items()]
        return Program(
            name="seaweedfs",
            command=["sh", str(DOCKER / "s3" / "serve.sh"), *options],
            environment=self.environment,
            prepare=self.folder.mkdir,
            is_ready=self._answers,
        )

    def _answers(self) -> bool:
        """The health check of its container."""
        [*_, url] = compose("compose.yaml")["services"]["s3"]["healthcheck"]["test"]
        try:
            with httpx.Client(base_url=self.endpoint_url, trust_env=False) as client:
                return client.get(httpx.URL(url).path).is_success
        except httpx.TransportError:
            return False

    def make_bucket(self) -> subprocess.CompletedProcess[str]:
        """Run the script of the one-off container."""
        script = ["sh", str(DOCKER / "s3" / "bucket.sh")]
        return subprocess.run(script, env=self.environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """SeaweedFS with an empty bucket."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    server = SeaweedFS(folder / "store")
    with servers.running(server.program(), folder):
        made = server.make_bucket()
        assert made.returncode == 0, made.stdout + made.stderr
        yield server
