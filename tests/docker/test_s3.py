"""The S3 server of compose.yaml does all that the service asks of one, and no more than its key allows."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from uuid_utils.compat import uuid7

from db.errors import ObjectMissing, StorageUnavailable
from db.keys import image_key, job_prefix, upload_key
from db.settings import Settings
from db.storage import ObjectStore
from tests.docker.conftest import SeaweedFS


@pytest.fixture
def config(seaweedfs: SeaweedFS) -> Settings:
    """The settings that compose.yaml gives the API; callers know the server by another name than the API does."""
    return Settings(
        s3_endpoint_url=seaweedfs.endpoint_url,
        s3_public_endpoint_url=seaweedfs.endpoint_url.replace("127.0.0.1", "localhost"),
        s3_access_key_id=seaweedfs.access_key_id,
        s3_secret_access_key=seaweedfs.secret_access_key,
        s3_bucket=seaweedfs.bucket,
    )


@pytest.fixture
def store(config: Settings) -> ObjectStore:
    """The service's own client."""
    return ObjectStore(config)


def test_objects_are_kept_copied_found_and_deleted(store: ObjectStore) -> None:
    """Each operation of the store."""
    first, second = uuid7(), uuid7()
    store.ping()
    store.put(image_key(first), b"a picture", "image/png")
    store.copy(image_key(first), image_key(second))
    assert store.get(image_key(second)) == b"a picture"
    assert store.size(image_key(second)) == 9
    now = datetime.now(UTC)
    found = [job_id for page in store.job_ids(now - timedelta(hours=1), now + timedelta(hours=1)) for job_id in page]
    assert [job_id for job_id in found if job_id in (first, second)] == [first, second]  # the bucket has others', too
    store.delete_prefix(job_prefix(first))
    with pytest.raises(ObjectMissing):
        store.get(image_key(first))
    store.delete_prefix(job_prefix(second))


def test_callers_put_and_get_by_presigned_urls_under_its_public_name(store: ObjectStore) -> None:
    """As they are signed for that name; without a signature nothing is given."""
    key = upload_key(uuid7())
    with httpx.Client(trust_env=False) as client:
        assert client.put(store.upload_url(key, 60), content=b"a picture").is_success
        url = store.url(key)
        assert url.startswith("http://localhost:")
        assert client.get(url).content == b"a picture"
        assert client.get(url.partition("?")[0]).status_code == 403


def test_the_key_opens_one_bucket_alone(config: Settings) -> None:
    """Neither another one's objects nor a new bucket."""
    with pytest.raises(StorageUnavailable):
        ObjectStore(config.model_copy(update={"s3_bucket": "another"})).put("name", b"", "text/plain")


def test_making_the_bucket_again_changes_nothing(seaweedfs: SeaweedFS, store: ObjectStore) -> None:
    """As it is made at every start."""
    store.put("kept", b"still here", "text/plain")
    assert seaweedfs.make_bucket().returncode == 0
    assert store.get("kept") == b"still here"
