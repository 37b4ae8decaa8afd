"""The object storage: pictures and masks in an S3 bucket."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from db.errors import ObjectMissing, StorageUnavailable
from db.keys import JOBS, UPLOADS, earliest_id
from db.settings import Settings, settings

if TYPE_CHECKING:  # a package of types alone
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

MISSING = {"NoSuchKey", "404", "NotFound"}


class ObjectStore:
    """Named bytes in one bucket. Thread-safe; raises `StorageUnavailable` and `ObjectMissing`, never boto's errors."""

    def __init__(self, config: Settings) -> None:
        self._bucket = config.s3_bucket
        self._url_seconds = config.presigned_url_seconds
        self._client = _client(config, config.s3_endpoint_url)
        self._presigner = _client(config, config.s3_public_endpoint_url or config.s3_endpoint_url)

    def put(self, key: str, body: bytes | BinaryIO, content_type: str) -> None:
        """Store the bytes, or all that the seekable file holds from its position on."""
        with _translated("put", key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)

    def get(self, key: str, maximum_bytes: int | None = None) -> bytes:
        """The whole object; or, of one that is larger than `maximum_bytes`, a byte more than these."""
        with (
            _translated("get", key),
            closing(self._client.get_object(Bucket=self._bucket, Key=key)["Body"]) as body,
        ):
            return body.read(None if maximum_bytes is None else maximum_bytes + 1)

    def size(self, key: str) -> int:
        """The object's size in bytes; raises `ObjectMissing`."""
        with _translated("head", key):
            return self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]

    def copy(self, source: str, target: str) -> None:
        """Store one object under another name as well, without moving its bytes through this process."""
        with _translated("copy", source):
            self._client.copy_object(
                Bucket=self._bucket, Key=target, CopySource={"Bucket": self._bucket, "Key": source}
            )

    def delete(self, keys: Sequence[str]) -> None:
        """Delete these objects, at most 1000; nothing happens where there are none."""
        with _translated("delete", ", ".join(keys[:1])):
            self._delete(keys)

    def delete_prefix(self, prefix: str) -> None:
        """Delete every object below the prefix; nothing happens where there is none."""
        with _translated("delete", prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                self._delete([item["Key"] for item in page.get("Contents", [])])

    def delete_older(self, prefix: str, moment: datetime) -> None:
        """Delete the objects below the prefix that were stored before the moment."""
        with _translated("delete", prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                found = page.get("Contents", [])
                self._delete([item["Key"] for item in found if item["LastModified"] < moment])

    def _delete(self, keys: Sequence[str]) -> None:
        found: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys]
        if found:
            self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": found, "Quiet": True})

    def job_ids(self, since: datetime, until: datetime) -> Iterator[list[UUID]]:
        """Pages of the ids of all jobs that were submitted between these moments and have objects here."""
        last = str(earliest_id(until))
        with _translated("list", JOBS):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=JOBS, Delimiter="/", StartAfter=f"{JOBS}{earliest_id(since)}"
            )
            for page in pages:
                names = [item["Prefix"].removeprefix(JOBS).rstrip("/") for item in page.get("CommonPrefixes", [])]
                yield [UUID(name) for name in names if name < last]
                if names and names[-1] >= last:
                    return

    def upload_ids(self, until: datetime) -> Iterator[list[UUID]]:
        """Pages of the ids of all uploads that were begun before this moment and have objects here."""
        last = str(earliest_id(until))
        with _translated("list", UPLOADS):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=UPLOADS):
                names = [item["Key"].removeprefix(UPLOADS) for item in page.get("Contents", [])]
                yield [UUID(name) for name in names if name < last]
                if names and names[-1] >= last:
                    return

    def url(self, key: str, filename: str | None = None) -> str:
        """A presigned URL to GET the object with; made here, without a request.

        A browser that follows it shows the object, or saves it under the file name, where there is one.
        """
        named = {"ResponseContentDisposition": f'attachment; filename="{filename}"'} if filename else {}
        return self._presigner.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key, **named}, ExpiresIn=self._url_seconds
        )

    @property
    def public_origin(self) -> str:
        """Scheme, host and port of presigned URLs."""
        endpoint = urlsplit(self._presigner.meta.endpoint_url)
        return f"{endpoint.scheme}://{endpoint.netloc}"

    def upload_url(self, key: str, seconds: int) -> str:
        """A presigned URL to PUT the object to; made here, without a request."""
        return self._presigner.generate_presigned_url(
            "put_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=seconds
        )

    def ping(self) -> None:
        """One request; raises `StorageUnavailable` when the bucket can't be reached."""
        with _translated("ping", self._bucket):
            self._client.head_bucket(Bucket=self._bucket)


def _client(config: Settings, endpoint_url: str | None) -> "S3Client":
    secret = config.s3_secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=config.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        region_name=config.s3_region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},  # servers other than Amazon's have no bucket subdomains
            connect_timeout=3,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=32,
        ),
    )


@contextmanager
def _translated(operation: str, key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in MISSING:
            raise ObjectMissing(key) from error
        raise StorageUnavailable(operation) from error
    except BotoCoreError as error:
        raise StorageUnavailable(operation) from error


@lru_cache
def object_store() -> ObjectStore:
    """The process's one store: boto's clients are costly to make and safe to share."""
    return ObjectStore(settings())
