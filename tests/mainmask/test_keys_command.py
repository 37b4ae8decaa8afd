"""`mainmask keys`: the admin's way to let callers in, and what callers are told who aren't let in."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from mainmask.cli import app
from mainmask.exit_codes import ExitCode
from tests.mainmask.fake_service import JOB_ID, FakeService, problem, serving

ADMIN_KEY = "the-admin-key"
KEY_IDS = [f"{number}{JOB_ID[1:]}" for number in (3, 2, 1)]
SECRET = "mm_01980000000070008000000000000001_5ec3e7"


def key_document(**changes: Any) -> dict[str, Any]:
    """A key, as the service lists it."""
    return {
        "id": JOB_ID,
        "name": "Anna's [red]laptop",
        "tenant": "anna",
        "scopes": ["jobs:read", "jobs:write"],
        "requests_per_minute": 60,
        "jobs_in_flight": None,
        "bytes_per_day": None,
        "created_at": "2026-01-02T03:04:05.678Z",
        "revoked_at": None,
        **changes,
    }


class KeyService(FakeService):
    """Lists three keys, two a page; makes and revokes what it is asked to, for the admin alone."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.headers.get("authorization") != f"Bearer {ADMIN_KEY}":
            return problem(401, "unauthenticated", "This takes a valid key.")
        if request.method == "POST":
            return httpx.Response(201, json={**key_document(**json.loads(request.content)), "key": SECRET})
        if request.method == "DELETE":
            known = request.url.path.endswith(JOB_ID)
            return httpx.Response(204) if known else problem(404, "key-not-found", "There is no such key.")
        newest, middle, oldest = (key_document(id=key_id) for key_id in KEY_IDS)
        if "before" in request.url.params:
            page = {"keys": [{**oldest, "revoked_at": "2026-02-03T04:05:06Z"}], "next": None}
        else:
            page = {"keys": [newest, middle], "next": middle["id"]}
        return httpx.Response(200, json=page)


@pytest.fixture
def service() -> KeyService:
    """The service, to see what it was asked."""
    return KeyService()


@pytest.fixture
def url(service: KeyService) -> Iterator[str]:
    """Its address."""
    with serving(service) as address:
        yield address


@pytest.fixture(autouse=True)
def admin_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the command is the admin."""
    monkeypatch.setenv("MAINMASK_API_KEY", ADMIN_KEY)


def run(*arguments: str) -> Result:
    """Run the command line; whatever it is told, it ends without a traceback and says no key that it was given."""
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert ADMIN_KEY not in result.output
    return result


def test_a_new_key_is_all_there_is_on_stdout(service: KeyService, url: str) -> None:
    """A script can take it from there; what it is goes to stderr."""
    result = run("keys", "create", "a laptop", "--url", url)
    assert (result.exit_code, result.stdout) == (ExitCode.OK, f"{SECRET}\n")
    assert "of the tenant anna: jobs:read, jobs:write, 60 requests/min. Not shown again" in result.stderr
    assert json.loads(service.requests[0].content) == {"name": "a laptop"}


def test_what_a_key_may_is_sent(service: KeyService, url: str) -> None:
    """Tenant, scopes and quotas; with --json the document comes back, the key in it."""
    scopes = ["--tenant", "anna", "--scope", "jobs:read", "--scope", "admin"]
    quotas = ["--requests-per-minute", "5", "--jobs-in-flight", "6", "--bytes-per-day", "7"]
    result = run("keys", "create", "ci", *scopes, *quotas, "--json", "--url", url)
    assert json.loads(result.stdout)["key"] == SECRET
    assert json.loads(service.requests[0].content) == {
        "name": "ci",
        "tenant": "anna",
        "scopes": ["jobs:read", "admin"],
        "requests_per_minute": 5,
        "jobs_in_flight": 6,
        "bytes_per_day": 7,
    }


def test_the_list_goes_through_the_pages(url: str) -> None:
    """All keys, with what they may and when they were revoked; a name is no markup."""
    result = run("keys", "list", "--url", url)
    _, *lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == KEY_IDS
    assert "Anna's [red]laptop" in lines[0]
    assert "jobs:read, jobs:write, 60 requests/min" in lines[0]
    assert "2026-02-03 04:05:06" in lines[2]
    assert [key["id"] for key in json.loads(run("keys", "list", "--json", "--url", url).stdout)] == KEY_IDS


def test_ids_are_shown_whole(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """In a narrow terminal, too, for they are what `revoke` takes."""
    monkeypatch.setenv("COLUMNS", "60")
    listed = run("keys", "list", "--url", url).stdout
    assert all(key_id in listed for key_id in KEY_IDS)


def test_a_key_is_revoked(url: str) -> None:
    """By its id; an unknown one is rejected."""
    assert run("keys", "revoke", JOB_ID, "--url", url).stdout == f"{JOB_ID} is revoked.\n"
    as_json = run("keys", "revoke", JOB_ID, "--json", "--url", url).stdout
    assert json.loads(as_json) == {"id": JOB_ID, "revoked": True}
    result = run("keys", "revoke", "other", "--url", url)
    assert (result.exit_code, result.stderr) == (ExitCode.REJECTED, "There is no such key.\n")


@pytest.mark.parametrize("command", ["keys list", "jobs list", "jobs show a", "jobs cancel a b"])
def test_without_a_valid_key(url: str, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """A wrong key, or none, has an exit code of its own and one message, which says where keys come from."""
    monkeypatch.delenv("MAINMASK_API_KEY")
    for options in ([], ["--api-key", ""], ["--api-key", SECRET]):
        result = run(*command.split(), *options, "--url", url)
        assert (result.exit_code, result.stdout) == (ExitCode.KEY_REFUSED, "")
        assert result.stderr.count("This takes a valid key.") == 1
        assert SECRET not in result.output
        assert "MAINMASK_API_KEY" in result.stderr


@pytest.mark.parametrize("key", ["two words", "kéy", "a\nb", "\x7f"])
def test_what_can_not_be_a_key(service: KeyService, url: str, key: str) -> None:
    """Wrong usage, before anything is sent, and without repeating it."""
    result = run("keys", "list", "--api-key", key, "--url", url)
    assert (result.exit_code, result.stdout, service.requests) == (ExitCode.USAGE, "", [])
    assert key not in result.stderr


@pytest.mark.parametrize(
    ("answer", "exit_code", "message"),
    [
        (problem(403, "scope-missing", "This takes admin."), ExitCode.KEY_REFUSED, "This takes admin."),
        (problem(429, "quota-exceeded", "No more.", **{"retry-after": "42"}), ExitCode.OVER_QUOTA, "again in 42 s"),
        (problem(409, "tenant-taken", "It is there."), ExitCode.REJECTED, "It is there."),
        (httpx.Response(201, json={"key": SECRET}), ExitCode.UNREACHABLE, "no key document"),
    ],
)
def test_how_it_can_go_wrong(answer: httpx.Response, exit_code: ExitCode, message: str) -> None:
    """Each cause has its exit code and plain words."""
    service = FakeService()
    service.accepted = answer
    with serving(service) as address:
        result = run("keys", "create", "ci", "--url", address)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert message in result.stderr
    assert SECRET not in result.stderr


def test_the_help_shows_no_key() -> None:
    """It names the variable, not its value."""
    result = run("keys", "list", "--help")
    assert "MAINMASK_API_KEY" in result.stdout
