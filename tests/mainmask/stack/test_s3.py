"""S3, on its real server."""

from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from mainmask.stack.s3 import S3
from tests.servers import running


def connect(server: S3, secret: str = "secret-key") -> Any:
    """A client as the service uses it."""
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=secret,
        region_name=server.region,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def test_objects_outlive_the_server(tmp_path: Path) -> None:
    """An object is there after stop and start, and a presigned URL gives it to anybody."""
    first = S3(tmp_path / "s3", "access-key", "secret-key")
    with running(first.program(), tmp_path):
        connect(first).put_object(Bucket=first.bucket, Key="jobs/1/mask.png", Body=b"mask")
    second = S3(tmp_path / "s3", "access-key", "secret-key")
    with running(second.program(), tmp_path):
        place = {"Bucket": second.bucket, "Key": "jobs/1/mask.png"}
        url = connect(second).generate_presigned_url("get_object", Params=place)
        assert httpx.get(url).content == b"mask"
        assert httpx.get(url.partition("?")[0]).status_code >= 400


def test_the_keys_count(s3: S3) -> None:
    """Another secret is refused."""
    with pytest.raises(ClientError):
        connect(s3, secret="guess").list_objects_v2(Bucket=s3.bucket)


def test_no_key_can_be_read(tmp_path: Path) -> None:
    """The keys are no arguments of the process."""
    program = S3(tmp_path, "access-word", "secret-word").program()
    assert not {"access-word", "secret-word"} & set(" ".join(program.command).replace(",", " ").split())
