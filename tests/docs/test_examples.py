"""Every command and Python snippet of the pages is run against one service, or says here why it isn't.

A page's examples run one after the other, in a folder with the pictures that they speak of, as its reader would run
them. What stands for something of the reader's own is put in: see `Service.stand_ins`.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import mainmask
from mainmask import Client
from mainmask.options import SubmitOptions
from tests.api_keys import ADMIN_KEY
from tests.docs.handbook import page, pages
from tests.e2e.watched import Elsewhere, Watched, wait_until, watched

SAMPLE = Path(mainmask.__file__).parent / "sample" / "snowboard.jpg"
SENTENCE = "The man skiing on his new snowboard!"
LOCAL = "http://127.0.0.1:8000"

NOT_RUN = {
    "make ": "installs, or runs what .ci/run runs",
    ".venv/bin/pre-commit ": "changes the repository's hooks",
    "pip install ": "asks a package index",
    "docker ": "needs Docker; tests/docker/ checks the files",
    "kubectl ": "needs Kubernetes; tests/docker/ checks the files",
    "python3 -c 'import re, secrets": "tests/docker/test_deploy_guide.py runs it",
    "OWNER_PASSWORD=": "tests/docker/test_postgres.py runs the script",
    "SCALER_PASSWORD=": "tests/docker/test_postgres.py runs the script",
    "pg_dump ": "tests/docs/test_operations.py runs it",
    "pg_restore ": "tests/docs/test_operations.py runs it",
    "mainmask models pull": "asks the internet; tests/worker/models/ has a hub of its own",
    "mainmask models verify": "needs what was pulled; tests/worker/models/ runs it",
    "mainmask evaluate": "needs the reader's data set; tests/worker/evaluation/ has one",
    "MAINMASK_OUTGOING_ALLOWED_HOSTS=127.0.0.1:9000 make": "runs make",
}
"""Commands by how they begin, and why they aren't run here."""
FRAGMENTS = {"docs/contributing.md": "parts of modules"}
"""Pages whose Python can't run by itself."""

WRAPPERS = {
    # A page shows curl as for a service without keys, and says where the key goes.
    "curl": """
        case "$*" in
          *Authorization*) ;;
          *"$MAINMASK_URL"*) set -- --header "Authorization: Bearer $MAINMASK_API_KEY" "$@" ;;
        esac
        exec {curl} --fail-with-body --silent --show-error "$@"
    """,
    "mainmask": 'exec {python} -m mainmask "$@"',
    "jq": "exec {python} -m json.tool",
}
"""Programs that the examples call."""


@dataclass(frozen=True)
class Service:
    """What the examples run against, with a key, and what they may speak of."""

    site: Watched
    elsewhere: Elsewhere
    key: str

    @property
    def client(self) -> Client:
        """Ours."""
        return Client(self.site.url, api_key=self.key)

    def environment(self, folder: Path) -> dict[str, str]:
        """Of the reader's shell."""
        return {
            **os.environ,
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "MAINMASK_URL": self.site.url,
            "MAINMASK_API_KEY": self.key,
            "NO_COLOR": "1",
        }

    def stand_ins(self) -> dict[str, str]:
        """What the pages write for things of the reader's own, and what it is here; replaced in this order."""
        picture = f"http://{self.elsewhere.address}/picture"
        hook = f"http://{self.elsewhere.address}/hook"
        job, delivery = self._told_job(hook)
        with httpx.Client(headers={"Authorization": f"Bearer {self.key}"}, trust_env=False) as caller:
            upload = caller.post(f"{self.site.url}/v1/uploads").raise_for_status().json()
        return {
            # Where the service is, and who asks.
            "https://mainmask.example MAINMASK_API_KEY=…": f"{self.site.url} MAINMASK_API_KEY={ADMIN_KEY}",
            LOCAL: self.site.url,
            "localhost:8000": self.site.url,
            "Bearer mm_…": f"Bearer {self.key}",
            # Ids, pictures and addresses that the reader has.
            "019aaf0e-…": job,
            "019aaf0f-…": delivery,
            "'http://…'": f"'{upload['url']}'",
            '"019a…"': f'"{upload["id"]}"',
            '"iVBORw0KG…"': f'"{base64.b64encode(SAMPLE.read_bytes()).decode()}"',
            "https://example.com/cat.jpg": picture,
            '"image_url": "…"': f'"image_url": "{picture}"',
            "https://example.com/hooks/mainmask": hook,
            '"https://…"}': f'"{hook}"}}',
            ", …]": "]",
            # What the pictures show: all of them are the sample.
            "a cat asleep on the red sofa": SENTENCE,
            "a cat on a sofa": SENTENCE,
            "cat,sofa": "snowboard,man",
            "cat,dog": "snowboard,man",
            '"cat", "sofa"': '"snowboard", "man"',
            '["cat"]': '["snowboard"]',
            "labels=cat": "labels=snowboard",
        }

    def _told_job(self, hook: str) -> tuple[str, str]:
        """The ids of a job that has ended and of the delivery that told of it."""
        with self.client as client:
            job = client.segment(SAMPLE, labels=["snowboard", "man"], webhook_url=hook)
        deliveries: list[str] = []

        def is_told() -> bool:
            found = httpx.get(
                f"{self.site.url}/v1/jobs/{job.id}/deliveries",
                headers={"Authorization": f"Bearer {self.key}"},
                trust_env=False,
            )
            deliveries[:] = [one["id"] for one in found.json()["deliveries"] if one["status"] == "succeeded"]
            return bool(deliveries)

        wait_until(is_told, 30)
        return str(job.id), deliveries[0]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """All processes but Flower, asking for keys."""
    variables = {"MAINMASK_AUTH": "true", "MAINMASK_ADMIN_KEY": ADMIN_KEY}
    with (
        Elsewhere(SAMPLE.read_bytes()).serving() as elsewhere,
        watched(tmp_path_factory.mktemp("service"), elsewhere, **variables) as site,
    ):
        with Client(site.url, api_key=ADMIN_KEY) as admin:
            key = admin.create_key("A reader").key
        yield Service(site, elsewhere, key)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The reader's: with pictures, programs, and the environment that `make` installs."""
    for name in ("snowboard.jpg", "photo.jpg", "other.jpg", "photos/cat.jpg", "photos/deep/dog.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(SAMPLE, tmp_path / name)
    (tmp_path / "captions.csv").write_text('path,labels\ncat.jpg,"snowboard,man"\ndeep/dog.jpg,snowboard\n')
    for directory in ("bin", ".venv/bin"):
        (tmp_path / directory).mkdir(parents=True)
        for name, command in WRAPPERS.items():
            program = tmp_path / directory / name
            program.write_text("#!/bin/sh\n" + command.format(curl=shutil.which("curl"), python=sys.executable))
            program.chmod(0o755)
    return tmp_path


def blocks(text: str, language: str) -> list[str]:
    """A page's blocks of code in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[str]:
    """A page's commands, each with the lines that continue it."""
    joined = "".join(blocks(text, "sh")).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip()]


def why_not(command: str) -> str | None:
    """The reason for which a command isn't run here; None: it is."""
    return next((reason for beginning, reason in NOT_RUN.items() if command.startswith(beginning)), None)


def with_stand_ins(text: str, stand_ins: dict[str, str]) -> str:
    """What the reader would run."""
    for shown, real in stand_ins.items():
        text = text.replace(shown, real)
    return text


WITH_COMMANDS = [name for name, text in pages().items() if any(not why_not(line) for line in commands(text))]
WITH_PYTHON = [name for name, text in pages().items() if blocks(text, "python") and name not in FRAGMENTS]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_the_commands_run(service: Service, folder: Path, name: str) -> None:
    """One after the other in one shell; the first that fails ends it."""
    script = "\n".join(line for line in commands(pages()[name]) if not why_not(line))
    script = with_stand_ins(script, service.stand_ins())
    done = subprocess.run(
        ["bash", "-exo", "pipefail", "-c", script],
        cwd=folder,
        env=service.environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "…" not in re.sub(r"#.*", "", script), "something is left to put in"


@pytest.mark.parametrize("name", WITH_PYTHON)
def test_the_python_runs(service: Service, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One block after the other, with the names of those before."""
    monkeypatch.chdir(folder)
    for variable in ("MAINMASK_URL", "MAINMASK_API_KEY"):
        monkeypatch.setenv(variable, service.environment(folder)[variable])
    names: dict[str, Any] = {"__name__": name}
    stand_ins = service.stand_ins()
    for block in blocks(pages()[name], "python"):
        exec(compile(with_stand_ins(block, stand_ins), name, "exec"), names)  # our own page
    if "mask_png" in names:
        assert names["mask_png"].startswith(b"\x89PNG")


def test_every_reason_is_needed() -> None:
    """What isn't shown any more needs none."""
    shown = [line for text in pages().values() for line in commands(text)]
    for beginning in NOT_RUN:
        assert any(line.startswith(beginning) for line in shown), beginning


def test_the_answer_that_is_shown_is_the_services(service: Service) -> None:
    """docs/api.md's document of the sample: the same fields with values of the same kinds, and the same words."""
    (block,) = [block for block in blocks(page("api.md"), "json") if '"stages"' in block]
    shown = json.loads(block)
    with service.client as client:
        wanted: SubmitOptions = {"outputs": ["mask"], "metadata": shown["metadata"], "reuse": False}
        answered = client.segment(SAMPLE, SENTENCE, **wanted).document
    assert outline(answered) == outline(shown)


def test_the_refusal_that_is_shown_is_the_services(service: Service) -> None:
    """Word by word."""
    (block,) = [block for block in blocks(page("api.md"), "json") if "/problems/" in block]
    answered = httpx.post(
        f"{service.site.url}/v1/jobs",
        files={"image": b"no picture"},
        data={"labels": "cat"},
        headers={"Authorization": f"Bearer {service.key}"},
        trust_env=False,
    )
    assert answered.json() == json.loads(block)


WORDS = {
    "status",
    "name",
    "outcome",
    "label",
    "candidate_source",
    "license",
    "stage",
    "description",
    "outputs",
    "sha256",
}
"""Fields whose values are the same each time."""


def outline(value: Any, field: str = "") -> Any:
    """A document without what is another one each time: of numbers and of most texts only that they are such."""
    if isinstance(value, dict):
        return {name: outline(inner, name) for name, inner in value.items()}
    if field in {"polygons", "counts"}:
        return type(value).__name__
    if isinstance(value, list):
        return [outline(inner, field) for inner in value]
    if isinstance(value, bool) or value is None or field in WORDS:
        return value
    return "number" if isinstance(value, int | float) else "text"
