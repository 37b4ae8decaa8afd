"""Metrics of the whole service: what happens to jobs moves the counters of whichever process it happens in."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import mainmask
from tests.e2e.watched import Elsewhere, Watched, wait_until, watched
from tests.readings import moved

PICTURE = (Path(mainmask.__file__).parent / "sample" / "snowboard.jpg").read_bytes()
FOUND = {"labels": ["man", "snowboard"]}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    """Gives the sample, and takes webhooks."""
    with Elsewhere(PICTURE).serving() as serving:
        yield serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, elsewhere: Elsewhere) -> Iterator[Watched]:
    """The service, for all tests of this module."""
    with watched(tmp_path_factory.mktemp("watched"), elsewhere) as running:
        yield running


def test_a_job_that_finds_its_object(site: Watched, elsewhere: Elsewhere) -> None:
    """One accepted, one finished, a run of each stage, a webhook, the request's route and no retry."""

    def act() -> None:
        heard = len(elsewhere.webhooks)
        job = site.ended(site.submit(PICTURE, **FOUND, webhook_url=f"http://{elsewhere.address}/hook"))
        assert job["result"]["outcome"] == "found"
        wait_until(lambda: len(elsewhere.webhooks) > heard, 10)
        wait_until(lambda: site.metrics().value("mainmask_webhook_attempts_total", result="succeeded") >= 1, 10)

    more = moved(site.metrics, act)
    assert more.value("mainmask_jobs_accepted_total", way="request") == 1
    assert more.value("mainmask_jobs_finished_total", status="succeeded", outcome="found") == 1
    assert more.value("mainmask_job_duration_seconds_count") == 1
    assert 0 < more.value("mainmask_job_duration_seconds_sum") < 60
    for stage in ("classify", "detect", "segment"):
        assert more.value("mainmask_stage_attempts_total", stage=stage) == 1
        assert more.value("mainmask_stage_duration_seconds_count", stage=stage, status="succeeded") == 1
    assert more.total("mainmask_stage_retries_total") == 0
    assert more.value("mainmask_webhook_attempts_total", result="succeeded") == 1
    assert more.value("mainmask_http_requests_total", method="POST", route="/v1/jobs", status="202") == 1
    assert more.value("mainmask_http_request_duration_seconds_count", route="/v1/jobs") == 1
    assert more.value("mainmask_http_requests_total", method="GET", route="/v1/jobs/{job_id}", status="200") >= 1


def test_an_answer_that_is_given_again(site: Watched) -> None:
    """It is accepted as reused, ends at once, and is in no duration."""
    site.ended(site.submit(PICTURE, labels=["snowboard", "man"]))
    more = moved(site.metrics, lambda: site.submit(PICTURE, labels=["snowboard", "man"]))
    assert more.value("mainmask_jobs_accepted_total", way="reused") == 1
    assert more.value("mainmask_jobs_finished_total", status="succeeded", outcome="found") == 1
    assert more.value("mainmask_job_duration_seconds_count") == 0


def test_a_job_that_finds_nothing(site: Watched) -> None:
    """Its outcome is told apart, and the stage that it doesn't need doesn't run."""
    more = moved(site.metrics, lambda: site.ended(site.submit(PICTURE, labels=["cat"], box_threshold="0.99")))
    assert more.value("mainmask_jobs_finished_total", status="succeeded", outcome="not_found") == 1
    assert more.value("mainmask_stage_attempts_total", stage="segment") == 0


def test_a_job_that_fails(site: Watched) -> None:
    """The run that failed it says so; nothing is tried again."""
    more = moved(site.metrics, lambda: site.ended(site.submit(PICTURE[: len(PICTURE) // 2], **FOUND)))
    assert more.value("mainmask_jobs_finished_total", status="failed", outcome="none") == 1
    assert more.value("mainmask_stage_duration_seconds_count", stage="classify", status="failed") == 1
    assert more.total("mainmask_stage_retries_total") == 0


def test_a_job_that_waits_is_in_the_queues_gauges(site: Watched) -> None:
    """Until it is canceled, which is an end, too."""

    with site.frozen("worker"):
        job = site.submit(PICTURE, **FOUND, reuse="false")
        wait_until(lambda: site.api_metrics().value("mainmask_queue_depth", stage="classify") == 1, 5)
        wait_until(lambda: site.api_metrics().value("mainmask_oldest_job_age_seconds") > 1, 5)
        httpx.post(f"{site.url}/v1/jobs/{job['id']}/cancel", trust_env=False).raise_for_status()
        wait_until(lambda: site.api_metrics().value("mainmask_oldest_job_age_seconds") == 0, 5)
        assert site.api_metrics().value("mainmask_queue_depth", stage="classify") == 0
        assert site.api_metrics().value("mainmask_jobs_finished_total", status="canceled", outcome="none") == 1


def test_a_stage_that_is_tried_again(site: Watched, elsewhere: Elsewhere) -> None:
    """A picture's server that is down once makes one retry, with its cause."""
    elsewhere.answers = [503]
    url = f"http://{elsewhere.address}/picture"
    more = moved(site.metrics, lambda: site.ended(site.submit(None, **FOUND, image_url=url)))
    assert more.value("mainmask_jobs_accepted_total", way="url") == 1
    assert more.value("mainmask_stage_attempts_total", stage="classify") == 2
    assert more.value("mainmask_stage_retries_total", stage="classify", cause="fetch-unavailable") == 1
    assert more.value("mainmask_stage_duration_seconds_count", stage="classify", status="retrying") == 1
    assert more.value("mainmask_jobs_finished_total", status="succeeded", outcome="found") == 1


def test_a_worker_that_is_lost(site: Watched, elsewhere: Elsewhere) -> None:
    """Its run is taken over, which the process counts that does so."""
    elsewhere.answers, asked = [0], elsewhere.asked
    job = site.submit(None, **FOUND, image_url=f"http://{elsewhere.address}/picture")
    wait_until(lambda: elsewhere.asked > asked, 20)
    site.process("worker").kill()
    site.process("worker").start()
    site.process("worker").wait_until_ready()
    assert site.ended(job)["status"] == "succeeded"
    found = site.metrics()
    assert found.value("mainmask_lease_takeovers_total", stage="classify") == 1
    assert found.value("mainmask_stage_retries_total", stage="classify", cause="worker-lost") == 1
    assert found.value("mainmask_stage_duration_seconds_count", stage="classify", status="lost") == 1


def test_metrics_ask_for_their_token(site: Watched) -> None:
    """Of the API and of the others alike."""
    for url in site.metrics_urls():
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert httpx.get(url, headers=headers, trust_env=False).status_code == 401
