"""`mainmask up` as a process of its own: real servers, and stand-ins for the API, the workers, beat and Flower."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import psycopg
import pytest

from mainmask.exit_codes import ExitCode
from tests.mainmask.stack.programs import children_in, environment_of, is_alive, wait_for

CHILDREN = {"postgres", "redis", "s3", "api", "worker", "maintenance", "webhooks", "beat", "flower"}

# `python -m` looks into the current folder first, so that these run instead of what is installed.
STAND_INS = {
    "migrations.py": "print('upgraded')",
    "uvicorn.py": """
import re, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

port = re.search(r"--port[ =](\\d+)", " ".join(sys.argv))[1]
ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
""",
    "celery.py": """
import os, pathlib, runpy, sys, time
if "flower" in sys.argv:
    runpy.run_module("uvicorn")
if "--app=worker.app" in sys.argv:
    pathlib.Path(os.environ["MAINMASK_WORKER_READY_FILE"]).touch()
time.sleep(600)
""",
}

Up = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of `mainmask up`, with the stand-ins."""
    for name, source in STAND_INS.items():
        (tmp_path / name).write_text(source)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    return tmp_path


@pytest.fixture
def data(folder: Path) -> Path:
    """The data folder."""
    return folder / ".data" / "stack"


@pytest.fixture
def up(folder: Path, data: Path) -> Iterator[Up]:
    """Starts `mainmask up`, on free ports unless told otherwise; what a failed test leaves is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, ports: Sequence[str] = ("--port", "0", "--flower-port", "0")) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "mainmask", "up", *ports, *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            # News and errors are no JSON.
            stderr=subprocess.DEVNULL if "--json" in options else subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    for pid in children_in(data).values():
        os.kill(pid, signal.SIGKILL)


def wait_until_up(process: subprocess.Popen[str]) -> None:
    """Read what `up` prints until it says that it is up."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C stops it" in line:
            return
    pytest.fail("".join(lines))


def end(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send the signal, and return all that `up` still says until it has ended."""
    process.send_signal(number)
    return process.communicate(timeout=30)[0]


def state(data: Path) -> dict[str, str | int]:
    """The state file."""
    return dict(json.loads((data / "stack.json").read_text()))


def database_url(data: Path) -> str:
    """The address of the stack's database, as the API got it."""
    return environment_of(children_in(data)["api"])["MAINMASK_DATABASE_URL"].replace("+psycopg", "")


def test_a_life(up: Up, data: Path) -> None:
    """It comes up, serves, refuses a second one, revives a child, stops all on Ctrl-C, and keeps its data."""
    first = up()
    wait_until_up(first)
    assert children_in(data).keys() == CHILDREN
    assert httpx.get(str(state(data)["api_url"])).is_success
    assert httpx.get(str(state(data)["flower_url"])).is_success
    with psycopg.connect(database_url(data)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    second = up()
    said = second.communicate(timeout=30)[0]
    assert second.returncode == ExitCode.ALREADY_RUNNING
    assert f"already running (pid {first.pid}): API {state(data)['api_url']}" in said

    api = children_in(data)["api"]
    os.kill(api, signal.SIGKILL)
    wait_for(lambda: children_in(data).get("api", api) != api)

    pids = children_in(data).values()
    said = end(first, signal.SIGINT)
    assert first.returncode == ExitCode.OK
    assert "api ended unexpectedly (exit code -9)" in said
    assert not any(is_alive(pid) for pid in pids)

    third = up()
    wait_until_up(third)
    with psycopg.connect(database_url(data)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchall() == [(42,)]
    end(third, signal.SIGTERM)
    assert third.returncode == ExitCode.OK
    assert children_in(data) == {}


def test_json_says_where_it_is(up: Up, data: Path) -> None:
    """One document on stdout, once jobs can be submitted; nothing follows it."""
    process = up("--json")
    assert process.stdout is not None
    said = ""
    while not said.endswith("}\n"):
        said += process.stdout.readline()
    where = json.loads(said)
    assert httpx.get(where["api_url"]).is_success
    assert (where["api_url"], where["flower_url"]) == (state(data)["api_url"], state(data)["flower_url"])
    assert end(process, signal.SIGINT) == ""


def test_killed(up: Up, data: Path) -> None:
    """SIGKILL leaves no child for long, and the next `up` starts on the same data."""
    first = up()
    wait_until_up(first)
    pids = children_in(data).values()
    first.kill()
    second = up()
    wait_until_up(second)
    assert not any(is_alive(pid) for pid in pids)
    end(second, signal.SIGTERM)
    assert children_in(data) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_half_way(up: Up, folder: Path, data: Path, number: signal.Signals) -> None:
    """A signal while it starts stops what had started; nothing is left."""
    (folder / "migrations.py").write_text("import time; time.sleep(600)")
    process = up()
    wait_for(lambda: "migrations" in children_in(data))
    said = end(process, number)
    assert process.returncode == 128 + number
    assert "Interrupted." in said
    assert "Traceback" not in said
    assert children_in(data) == {}


def test_a_child_that_cannot_start(up: Up, folder: Path, data: Path) -> None:
    """The message quotes the child's log; the others are stopped."""
    (folder / "celery.py").write_text("import sys; sys.exit('the checkpoints are missing')")
    process = up()
    said = process.communicate(timeout=30)[0]
    assert process.returncode == ExitCode.STACK_FAILED
    assert "exited with code 1 before it was ready" in said
    assert "| the checkpoints are missing" in said
    assert "Traceback" not in said
    assert children_in(data) == {}


@pytest.mark.parametrize("option", ["--port", "--flower-port"])
def test_a_taken_port(up: Up, data: Path, option: str) -> None:
    """The message names the port and the option that changes it; nothing has been started."""
    other_option = {"--port": "--flower-port", "--flower-port": "--port"}[option]
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = up(ports=(option, str(port), other_option, "0"))
        said = process.communicate(timeout=30)[0]
    assert process.returncode == ExitCode.STACK_FAILED
    assert f"Port {port}" in said
    assert f"{option} PORT" in said
    assert not (data / "postgres").exists()


def test_a_folder_that_cannot_be_used(up: Up, folder: Path) -> None:
    """A data folder inside a file is refused in words."""
    process = up("--data-dir", str(folder / "celery.py" / "inside"))
    said = process.communicate(timeout=30)[0]
    assert process.returncode == ExitCode.STACK_FAILED
    assert "cannot be used: Not a directory" in said
