"""What docs/webhooks.md tells receivers to run does what it says."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from worker.webhooks import message, policy

DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"
SECRET, OTHER = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
BODY = b'{"type": "job.succeeded"}'

NODE = """
import { isGenuine } from "./webhooks.mjs";
const [secret, headers, body] = JSON.parse(process.argv[2]);
console.log(isGenuine(secret, headers, Buffer.from(body)));
"""

Check = Callable[[str, dict[str, str], bytes], bool]


def snippet(language: str) -> str:
    """The document's one block of code in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return str(found)


@pytest.fixture(params=["python", "javascript"])
def check(request: pytest.FixtureRequest, tmp_path: Path) -> Check:
    """The snippet as a function of secret, headers and body."""
    if request.param == "python":
        names: dict[str, Any] = {}
        exec(snippet("python"), names)  # our own document
        is_genuine: Check = names["is_genuine"]
        return is_genuine
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node on this machine")
    (tmp_path / "webhooks.mjs").write_text(snippet("javascript"))
    (tmp_path / "check.mjs").write_text(NODE)

    def run(secret: str, headers: dict[str, str], body: bytes) -> bool:
        arguments = [node, str(tmp_path / "check.mjs"), json.dumps([secret, headers, body.decode()])]
        said = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()
        assert said in {"true", "false"}
        return said == "true"

    return run


def signed(*secrets: str, at: datetime | None = None) -> dict[str, str]:
    """The headers of a webhook."""
    found = message.headers(uuid7(), BODY, secrets, at or datetime.now(UTC))
    return {name.lower(): value for name, value in found.items()}


def test_the_snippets_verify(check: Check) -> None:
    """What is signed with the secret, also while it is rotated, and soon enough; nothing else."""
    headers = signed(SECRET)
    assert check(SECRET, headers, BODY)
    assert check(SECRET, signed(OTHER, SECRET), BODY)
    assert not check(OTHER, headers, BODY)
    assert not check(SECRET, headers, BODY + b" ")
    assert not check(SECRET, {**headers, "webhook-id": str(uuid7())}, BODY)
    assert not check(SECRET, {**headers, "webhook-signature": "v1,AAAA ="}, BODY)
    assert not check(SECRET, {}, BODY)
    for minutes in (-6, 6):
        assert not check(SECRET, signed(SECRET, at=datetime.now(UTC) + timedelta(minutes=minutes)), BODY)


def test_the_document_names_the_schedule() -> None:
    """One column an attempt, with the delay before it."""
    (row,) = re.findall(r"\| after the one before \|(.*)\|", DOCUMENT.read_text())
    units = {"s": 1, "min": 60, "h": 3600}
    delays = [cell.split() for cell in row.split("|")[1:]]
    assert tuple(int(number) * units[unit] for number, unit in delays) == policy.DELAYS_SECONDS
