"""What docstrings, docs/client.md and docs/cli.md show runs as it says, against the real API."""

import base64
import doctest
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from uuid_utils.compat import uuid7

from mainmask import AsyncClient, Client
from mainmask.folder.manifest import Row
from mainmask.webhooks import verify_webhook
from tests.mainmask.fake_service import RESULT, document
from worker.webhooks import message

DOCS = Path(__file__).parents[2] / "docs"
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures that the examples speak of, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("photo.jpg", "other.jpg", "photos/cat.jpg", "photos/deep/dog.jpg")):
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (16, 12 + number), "red").save(path)


@pytest.fixture
def service(real_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The real API, where the environment says it is."""
    monkeypatch.setenv("MAINMASK_URL", real_url)
    return real_url


@pytest.fixture
def webhook() -> dict[str, Any]:
    """A genuine one, of a job that found a cat."""
    result = {**RESULT, "main_object": {**RESULT["main_object"], "label": "cat"}}
    data = document(result=result)
    payload = json.dumps({"type": "job.succeeded", "timestamp": "2026-01-01T10:00:00Z", "data": data}).encode()
    headers = message.headers(uuid7(), payload, [SECRET], datetime.now(UTC))
    return {"payload": payload, "headers": headers, "secret": SECRET}


def examples(thing: object, names: dict[str, Any]) -> Iterator[doctest.DocTest]:
    """Those of its docstring and of its methods'."""
    yield from (test for test in doctest.DocTestFinder().find(thing, globs=names) if test.examples)


@pytest.mark.parametrize(("thing", "count"), [(Client, 5), (AsyncClient, 1), (verify_webhook, 1)])
def test_docstrings(service: str, webhook: dict[str, Any], thing: object, count: int) -> None:
    """Each example gives what it shows."""
    with Client() as client:
        found = list(examples(thing, {"client": client, **webhook}))
        assert len(found) == count
        for test in found:
            said = io.StringIO()
            result = doctest.DocTestRunner().run(test, out=said.write)
            assert result.failed == 0, said.getvalue()


def blocks(file: str, language: str) -> list[str]:
    """The document's blocks of code in this language."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / file).read_text(), re.DOTALL)


def test_the_client_s_page(service: str, webhook: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Its blocks run one after the other, and print what their readers expect."""
    names: dict[str, Any] = {}
    for block in blocks("client.md", "python"):
        exec(compile(block, "docs/client.md", "exec"), names)  # our own document
    assert (names["first"], names["second"], names["mask_png"]) == (b"mask", b"mask", b"mask")
    assert names["done"].document["metadata"] == {"order": 7}
    said = capsys.readouterr().out
    assert "cat (1.0, 2.0, 3.0, 4.0) 4\n" in said
    assert "422 https://mainmask.dev/problems/invalid-image" in said
    body, headers, secret = webhook["payload"], webhook["headers"], webhook["secret"]
    assert names["receive"](body, headers, secret) == 204
    assert names["receive"](body + b" ", headers, secret) == 400
    assert f"{document()['id']} cat" in capsys.readouterr().out


def test_the_command_line_s_page(service: str) -> None:
    """Its commands end well, and leave the files of which it speaks."""
    if shutil.which("jq") is None:
        jq = Path("jq")
        jq.write_text(f"#!/bin/sh\nexec {sys.executable} -m json.tool\n")
        jq.chmod(0o755)
    (captions,) = blocks("cli.md", "csv")
    Path("captions.csv").write_text(captions)
    commands = "\n".join(blocks("cli.md", "sh"))
    assert commands.count("mainmask ") >= 7
    script = f'set -eo pipefail\nmainmask() {{ "{sys.executable}" -m mainmask "$@"; }}\n{commands}'
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:."}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    for file in ("mainmask-out/photo/overlay.jpg", "cut/mask.png", "captioned/deep/dog.jpg/job.json"):
        assert Path(file).exists(), file
    annotations = json.loads(Path("annotations.json").read_text())
    assert [category["name"] for category in annotations["categories"]] == ["cat", "dog"]


def test_the_manifest_s_columns_are_documented() -> None:
    """All of them."""
    text = (DOCS / "cli.md").read_text()
    section = text[text.index("| column | |") : text.index("**The same command again")]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(field.name for field in fields(Row))
