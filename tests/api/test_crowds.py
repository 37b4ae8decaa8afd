"""Who is put behind whom: counts that are near enough, and cheap."""

import pytest

from api import crowds
from api.crowds import Crowds
from db import jobs
from db.session import session_factory
from tests.new_jobs import new_job


def submitted(tenant: str, count: int) -> None:
    """So many jobs, by another process."""
    with session_factory().begin() as session:
        for _ in range(count):
            jobs.create(session, new_job(tenant=tenant))


def join(counted: Crowds, tenant: str) -> int:
    """One job more of the tenant's."""
    with session_factory()() as session:
        return counted.join(session, tenant)


def test_between_two_counts_a_caller_s_own_jobs_are_added(migrated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand in a second don't all find the same few ahead of them; another's don't count."""
    counted = Crowds()
    submitted("crowded", 3)
    assert [join(counted, "crowded") for _ in range(3)] == [3, 4, 5]
    assert join(counted, "lonely") == 0
    submitted("crowded", 2)
    assert join(counted, "crowded") == 6
    monkeypatch.setattr(crowds, "MEASURED_EVERY_SECONDS", 0)
    recounted = Crowds()
    assert [join(recounted, "crowded") for _ in range(2)] == [5, 5]


def test_only_so_many_callers_are_remembered(migrated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who came last; who is forgotten is counted again."""
    monkeypatch.setattr(crowds, "REMEMBERED_TENANTS", 2)
    counted = Crowds()
    for tenant in ("first", "second", "third"):
        join(counted, tenant)
    assert [join(counted, tenant) for tenant in ("second", "third", "first")] == [1, 1, 0]
