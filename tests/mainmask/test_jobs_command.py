"""`mainmask jobs`: the operator's list of what failed, and what can be done about it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from mainmask.cli import app
from mainmask.exit_codes import ExitCode
from tests.mainmask.fake_service import FakeService, document, failed, problem, serving


class JobService(FakeService):
    """Knows some jobs by their ids, and gives them out two a page, the newest first."""

    def __init__(self, *known: dict[str, Any]) -> None:
        super().__init__()
        self.known = {job["id"]: job for job in known}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/v1/jobs":
            return self._page(request.url.params)
        job_id, _, change = request.url.path.removeprefix("/v1/jobs/").partition("/")
        if job_id not in self.known:
            return problem(404, "job-not-found", f"There is no job {job_id}.")
        if request.method == "DELETE":
            del self.known[job_id]
            return httpx.Response(204)
        job = self.known[job_id]
        if change == "retry" and job["status"] != "failed":
            return problem(409, "job-not-failed", f"Job {job_id} is {job['status']}.")
        changed = {"retry": "queued", "cancel": "canceled"}.get(change, job["status"])
        return httpx.Response(200, json={**job, "status": changed})

    def _page(self, params: httpx.QueryParams) -> httpx.Response:
        found = [job for job in self.known.values() if params.get("status") in (None, job["status"])]
        ids = [job["id"] for job in found]
        start = ids.index(params["before"]) + 1 if "before" in params else 0
        page = found[start : start + 2]
        more = start + 2 < len(found)
        return httpx.Response(200, json={"jobs": page, "next": page[-1]["id"] if more else None})


@pytest.fixture
def url() -> Iterator[str]:
    """A service with five jobs: e, d, c succeeded, b and a failed."""
    succeeded = [{**document(), "id": name} for name in "edc"]
    with serving(JobService(*succeeded, *({**failed(), "id": name} for name in "ba"))) as address:
        yield address


def jobs(*arguments: str) -> Result:
    """Run `mainmask jobs`; whatever it is told, it ends without a traceback."""
    result = CliRunner().invoke(app, ["jobs", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_labels_are_text_whatever_they_look_like() -> None:
    """A caller's brackets neither vanish nor break the list for others."""
    labels = ["snow[/b]board", "[bold]cat", "[/]"]
    found = []
    for place, label in enumerate(labels):
        job = {**document(), "id": f"job-{place}"}
        job["result"] = {**job["result"], "main_object": {**job["result"]["main_object"], "label": label}}
        found.append(job)
    with serving(JobService(*found)) as address:
        result = jobs("list", "--url", address)
    assert result.exit_code == 0
    for label in labels:
        assert label in result.stdout


def test_the_list_goes_through_the_pages(url: str) -> None:
    """All jobs come, in the service's order, however small its pages are; up to the limit."""
    listed = json.loads(jobs("list", "--json", "--url", url).stdout)
    assert [job["id"] for job in listed] == list("edcba")
    listed = json.loads(jobs("list", "--json", "--limit", "3", "--url", url).stdout)
    assert [job["id"] for job in listed] == list("edc")


def test_what_failed_is_listed_with_its_cause(url: str) -> None:
    """The dead letters: only failed jobs, each with its stage and cause."""
    result = jobs("list", "--status", "failed", "--url", url)
    assert result.exit_code == ExitCode.OK
    assert result.stdout.count("detect: the GPU is full") == 2
    assert "succeeded" not in result.stdout


def test_an_empty_list_says_so(url: str) -> None:
    """No jobs is an answer."""
    assert "No jobs." in jobs("list", "--status", "canceled", "--url", url).stdout


def test_show_tells_result_or_cause(url: str) -> None:
    """A succeeded job shows its main object, a failed one its cause; `--json` is the document alone."""
    assert "The main object is snowboard" in jobs("show", "e", "--url", url).stdout
    assert "Job a is failed. detect: the GPU is full" in jobs("show", "a", "--url", url).stdout
    assert json.loads(jobs("show", "e", "--json", "--url", url).stdout)["id"] == "e"


@pytest.mark.parametrize(("command", "says"), [("retry", "queued again"), ("cancel", "canceled")])
def test_several_jobs_are_changed_at_once(url: str, command: str, says: str) -> None:
    """Each job is named with what became of it."""
    result = jobs(command, "a", "b", "--url", url)
    assert result.exit_code == ExitCode.OK
    assert result.stdout.splitlines() == [f"a is {says}.", f"b is {says}."]


@pytest.mark.parametrize(("command", "status"), [("retry", "queued"), ("cancel", "canceled")])
def test_changed_jobs_as_json(url: str, command: str, status: str) -> None:
    """The documents of those that could be changed, and nothing else, on stdout."""
    result = jobs(command, "a", "missing", "b", "--json", "--url", url)
    assert result.exit_code == ExitCode.REJECTED
    assert [(job["id"], job["status"]) for job in json.loads(result.stdout)] == [("a", status), ("b", status)]


def test_deleted_jobs_are_gone(url: str) -> None:
    """Each is named; one that there isn't doesn't keep the others, and a second time there are none."""
    result = jobs("delete", "a", "missing", "e", "--url", url)
    assert result.exit_code == ExitCode.REJECTED
    assert result.stdout.splitlines() == ["a is deleted.", "e is deleted."]
    assert "There is no job missing" in result.stderr
    listed = json.loads(jobs("list", "--json", "--url", url).stdout)
    assert [job["id"] for job in listed] == list("dcb")
    assert jobs("delete", "a", "--url", url).exit_code == ExitCode.REJECTED


def test_deleted_jobs_as_json(url: str) -> None:
    """Their ids: there is no document any more."""
    result = jobs("delete", "a", "b", "--json", "--url", url)
    assert json.loads(result.stdout) == [{"id": "a", "deleted": True}, {"id": "b", "deleted": True}]


def test_one_that_can_not_be_changed_does_not_keep_the_others(url: str) -> None:
    """A job that hasn't failed and one that there isn't are told to stderr; the third is still retried."""
    result = jobs("retry", "e", "missing", "a", "--url", url)
    assert result.exit_code == ExitCode.REJECTED
    assert "Job e is succeeded." in result.stderr
    assert "There is no job missing" in result.stderr
    assert "a is queued again." in result.stdout


def test_no_service_is_said_once() -> None:
    """With nobody there, the first job's error ends it."""
    result = jobs("cancel", "a", "b", "--url", "http://127.0.0.1:9")
    assert result.exit_code == ExitCode.UNREACHABLE
    assert result.stderr.count("cannot be reached") == 1
