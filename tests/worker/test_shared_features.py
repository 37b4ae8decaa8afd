"""Features that workers leave for each other in the real object storage."""

from datetime import timedelta

from db.settings import Settings
from db.storage import ObjectStore, object_store
from worker import sweep
from worker.shared_features import SharedFeatures

NAME = "0123456789abcdef-bfloat16/1x3x4x4-0011"


def test_what_one_worker_leaves_another_finds(environment: dict[str, str]) -> None:
    """Until the sweep removes it."""
    one, other = SharedFeatures(object_store()), SharedFeatures(object_store())
    assert other.load(NAME) is None
    one.save(NAME, b"features")
    assert other.load(NAME) == b"features"
    sweep.forget_features(object_store(), timedelta(hours=1))
    assert other.load(NAME) == b"features"
    sweep.forget_features(object_store(), timedelta(hours=-1))  # as if it were two hours later
    assert other.load(NAME) is None


def test_an_outage_costs_time_and_nothing_else(environment: dict[str, str]) -> None:
    """Nothing is found, nothing is left, and no job fails of it."""
    gone = SharedFeatures(ObjectStore(Settings(s3_endpoint_url="http://127.0.0.1:9")))
    gone.save(NAME, b"features")
    assert gone.load(NAME) is None
