"""What docs/deploy.md tells to run, and the policy that it gives, are true."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from db.keys import JOBS, UPLOADS
from db.settings import ADMIN_KEY
from tests.docker.deployment import DOCKER, KUBERNETES, ROOT, assignments, compose, example
from tests.docker.test_kubernetes import VERSION

GUIDE = (ROOT / "docs" / "deploy.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE, flags=re.DOTALL)
COMMANDS = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines()]

NEEDED = {
    "put_object": {"s3:PutObject"},
    "get_object": {"s3:GetObject"},
    "head_object": {"s3:GetObject"},
    "copy_object": {"s3:GetObject", "s3:PutObject"},
    "delete_objects": {"s3:DeleteObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "head_bucket": {"s3:ListBucket"},
}
"""The permissions that each of S3's operations takes (Amazon's service authorization reference)."""


def test_its_first_command_makes_a_secret_for_each_that_is_asked_for(tmp_path: Path) -> None:
    """Different ones, which fit into URLs, and of which one does for the admin key."""
    (tmp_path / "docker").mkdir()
    shutil.copy(DOCKER / ".env.example", tmp_path / "docker")
    subprocess.run(["sh", "-c", COMMANDS[0]], cwd=tmp_path, check=True)
    made = assignments((tmp_path / "docker" / ".env").read_text())
    changed = {name: made[name] for name, value in example().items() if value == "change-me"}
    assert made.keys() == example().keys()
    assert len(set(changed.values())) == len(changed) >= 8
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in changed.values())
    assert ADMIN_KEY.fullmatch(changed["ADMIN_KEY"])


def test_the_files_and_services_that_it_names_are_there() -> None:
    """But for those that its reader makes."""
    made = {"docker/.env", "docker/settings.env"}
    for name in set(re.findall(r"(?<![\w/.-])docker/[\w./-]*\w", GUIDE)) - made:
        assert (ROOT / name).exists(), name
    for service in re.findall(r"exec (\w+) sh", GUIDE):
        assert service in compose("compose.yaml")["services"]
    for folder in re.findall(r"`((?:overlays|components)/\w+)`", GUIDE):
        assert (KUBERNETES / folder / "kustomization.yaml").exists()
    assert f"\n{VERSION} or newer." in GUIDE


def test_what_its_reader_makes_is_kept_out_of_the_repository() -> None:
    """Secrets are not committed by mistake."""
    for name in ("docker/.env", "docker/settings.env", "secret.yaml"):
        ignored = subprocess.run(["git", "check-ignore", "--quiet", name], cwd=ROOT, check=False)
        assert ignored.returncode == 0, name


def test_the_policy_of_the_bucket_allows_what_the_storage_asks_and_no_more() -> None:
    """The operations that db/storage.py calls, on the prefixes that db/keys.py names."""
    source = (ROOT / "db" / "storage.py").read_text()
    calls = set(re.findall(r"_client\.(\w+)\(", source)) - {"get_paginator"}
    calls |= set(re.findall(r'(?:get_paginator|generate_presigned_url)\(\s*"(\w+)"', source))
    [policy] = [json.loads(block) for language, block in BLOCKS if language == "json"]
    objects, bucket = policy["Statement"]
    assert {*objects["Action"], bucket["Action"]} == set().union(*(NEEDED[call] for call in calls))
    assert objects["Resource"] == [f"{bucket['Resource']}/{prefix}*" for prefix in (JOBS, UPLOADS)]
