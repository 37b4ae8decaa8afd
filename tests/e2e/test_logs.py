"""The logs of the whole service: lines that machines can read, that lead to a job, and that hold no secret."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

import mainmask
from tests.api_keys import ADMIN_KEY
from tests.e2e.watched import METRICS_TOKEN, Elsewhere, Watched, wait_until, watched

PICTURE = (Path(mainmask.__file__).parent / "sample" / "snowboard.jpg").read_bytes()
FAREWELL = "worker: Warm shutdown (MainProcess)"
"""Celery says this without its log, on the standard output."""
LABELS = {"labels": ["man", "snowboard"]}
SIGNED = "X-Amz-Credential=AKIACALLERSOWN&X-Amz-Signature=00c0ffee00"


@dataclass
class Run:
    """A service that all sorts of things have been asked of, what it wrote, and which secrets were involved."""

    site: Watched
    elsewhere: Elsewhere
    secrets: dict[str, str] = field(default_factory=dict)
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)

    def act(self) -> None:
        """Everything that has to do with secrets, with its errors."""
        self.secrets |= {"admin key": ADMIN_KEY, "metrics token": METRICS_TOKEN}
        with httpx.Client(base_url=self.site.url, trust_env=False) as caller:
            admin = {"Authorization": f"Bearer {ADMIN_KEY}"}
            made = caller.post("/v1/keys", json={"tenant": "anna", "name": "test"}, headers=admin).raise_for_status()
            self.secrets["key"] = made.json()["key"]
            caller.get("/v1/jobs", headers={"Authorization": f"Bearer {self.secrets['key']}0"})
            caller.headers["Authorization"] = f"Bearer {self.secrets['key']}"
            signing = caller.post("/v1/webhook-secrets").raise_for_status().json()
            self.secrets["signing secret"] = signing["secrets"][0]["secret"]
            self._submit(caller)
            for job in (self.answers["found"], self.answers["broken"], self.answers["fetched"]):
                wait_until(lambda job=job: _has_ended(caller, job.json()["id"]), 60)  # type: ignore[misc]
            mask = caller.get(f"/v1/jobs/{self.answers['found'].json()['id']}/mask")
            self._note_signature("a mask's signature", mask.headers["Location"])
            wait_until(lambda: len(self.elsewhere.webhooks) >= 3, 20)
        self.site.metrics()

    def _submit(self, caller: httpx.Client) -> None:
        words = {**LABELS, "webhook_url": f"http://{self.elsewhere.address}/hook?token=the-receivers-own"}
        self.secrets["a webhook's token"] = "the-receivers-own"
        self.answers["found"] = caller.post("/v1/jobs", files={"image": PICTURE}, data=words)
        self.answers["broken"] = caller.post("/v1/jobs", files={"image": PICTURE[:9000]}, data=words)
        self._note_signature("the signature of a picture's URL", f"?{SIGNED}")
        self.elsewhere.answers = [404]
        url = f"http://{self.elsewhere.address}/picture?{SIGNED}"
        self.answers["fetched"] = caller.post("/v1/jobs", json={**words, "image_url": url})
        upload = caller.post("/v1/uploads").raise_for_status().json()
        self._note_signature("an upload's signature", upload["url"])
        httpx.put(upload["url"], content=PICTURE, trust_env=False).raise_for_status()
        encoded = base64.b64encode(PICTURE).decode()
        self.secrets["a picture"] = encoded[100:140]
        caller.post("/v1/jobs", json={**LABELS, "image_base64": encoded}).raise_for_status()
        caller.post("/v1/jobs", content=f'{{"image_base64": "{encoded}"', headers={"Content-Type": "application/json"})

    def _note_signature(self, name: str, url: str) -> None:
        self.secrets[name] = parse_qs(urlsplit(url).query)["X-Amz-Signature"][0]


def _has_ended(caller: httpx.Client, job_id: str) -> bool:
    return caller.get(f"/v1/jobs/{job_id}").raise_for_status().json()["status"] in {"succeeded", "failed"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All of it, over."""
    variables = {"MAINMASK_LOG_FORMAT": "json", "MAINMASK_AUTH": "true", "MAINMASK_ADMIN_KEY": ADMIN_KEY}
    with Elsewhere(PICTURE).serving() as elsewhere:
        with watched(tmp_path_factory.mktemp("logged"), elsewhere, **variables) as site:
            run = Run(site, elsewhere)
            run.act()
        run.logs = site.logs()  # with what they say as they stop
        yield run


def lines(log: str) -> list[dict[str, Any]]:
    """Every line of it, parsed."""
    return [json.loads(line) for line in log.splitlines() if line not in {FAREWELL, ""}]


@pytest.mark.parametrize("name", ["api", "worker", "maintenance", "webhooks", "beat"])
def test_every_line_is_json(run: Run, name: str) -> None:
    """With the time, the level, who says it, and what."""
    for line in lines(run.logs[name]):
        assert {"timestamp", "level", "logger", "event"} <= line.keys()


def test_the_log_of_a_job_is_found_by_its_id(run: Run) -> None:
    """What the worker says of each stage, Celery's own lines among it, names job, stage and attempt as fields."""
    job_id = run.answers["found"].json()["id"]
    found = [line for line in lines(run.logs["worker"]) if line.get("job_id") == job_id]
    for stage in ("classify", "detect", "segment"):
        (done,) = (line for line in found if line.get("stage") == stage and "succeeded in" in line["event"])
        assert done["attempt"] == 1
    assert f"job {job_id}: succeeded, found" in [line["event"] for line in found]


def test_each_attempt_at_a_webhook_is_a_line_of_its_job(run: Run) -> None:
    """At the level that the process runs with: what it told of, whom, and what came of it."""
    job_id = run.answers["found"].json()["id"]
    (told,) = (
        line
        for line in lines(run.logs["webhooks"])
        if line["logger"] == "worker.webhooks.attempt_log" and line.get("job_id") == job_id
    )
    assert (told["webhook_event"], told["attempt"], told["result"]) == ("job.succeeded", 1, "succeeded")
    assert (told["status_code"], told["receiver"]) == (204, run.elsewhere.address)
    assert told["duration_ms"] >= 0
    assert told["delivery_id"]


def test_a_jobs_request_is_found_by_its_answer(run: Run) -> None:
    """The id in the answer's header is in the lines of that request, which name the job."""
    answer = run.answers["found"]
    found = [line for line in lines(run.logs["api"]) if line.get("request_id") == answer.headers["X-Request-ID"]]
    assert any(line.get("job_id") == answer.json()["id"] for line in found)
    assert any("POST /v1/jobs" in line["event"] for line in found)


@pytest.mark.parametrize("name", ["api", "worker", "maintenance", "webhooks", "beat"])
def test_no_secret_is_in_a_log(run: Run, name: str) -> None:
    """None of the servers', of the callers', and no picture."""
    assert len(run.secrets) == 9
    servers = {
        "the servers' passwords": ":password@",
        "the storage's": run.site.environment["MAINMASK_S3_SECRET_ACCESS_KEY"],
    }
    for what, secret in {**run.secrets, **servers}.items():
        assert secret not in run.logs[name], what
