"""What goes wrong with a pull: the hub, the network, the environment or the disk, each told in words of its own."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from huggingface_hub import close_session

from db.checkpoints import Checkpoint
from db.errors import CheckpointMissing, MainmaskError
from tests.worker.models.conftest import PTH, SLIM
from tests.worker.models.hub import COMMIT, Hub
from tests.worker.models.pulling import pull, silent
from worker.models.errors import (
    DiskFailed,
    NotAsPublished,
    PullRefused,
    PullUnreachable,
)
from worker.models.pull import Puller
from worker.pipeline.model_files import ModelFolder


class Trouble(NamedTuple):
    """What is wrong with the hub, and what is said of it."""

    changes: dict[str, Any]
    error: type[MainmaskError]
    said: str


def listed(sha: object = COMMIT, **weights: object) -> bytes:
    """A list as of the hub's with something wrong about the weights or the commit."""
    return json.dumps({"id": SLIM, "sha": sha, "siblings": [{"rfilename": "model.safetensors", **weights}]}).encode()


PAGE = b"<!DOCTYPE html><title>Please log in</title>"
TROUBLES = {
    "a web page": Trouble({"content_type": "text/html; charset=utf-8"}, NotAsPublished, "web page"),
    "not there": Trouble({"answers": [404]}, PullRefused, "404"),
    "forbidden": Trouble({"answers": [403]}, PullRefused, "403"),
    "its own trouble": Trouble({"answers": [503] * 9}, PullUnreachable, "503"),
    "an empty list": Trouble({"lists": b"{}"}, NotAsPublished, "language|holds none"),
    "no list": Trouble({"lists": PAGE}, NotAsPublished, "language"),
    "a list of nonsense": Trouble({"lists": b'{"id": "a", "sha": 7, "siblings": 7}'}, NotAsPublished, "language"),
    "no names": Trouble({"lists": b'{"id": "a", "siblings": [{"rfilename": []}]}'}, NotAsPublished, "language"),
    "no commit": Trouble({"lists": listed(sha="../../main")}, NotAsPublished, "language"),
    "no size": Trouble({"lists": listed(size="large")}, NotAsPublished, "language"),
    "no checksum": Trouble(
        {"lists": listed(lfs={"sha256": 7, "size": 9, "pointerSize": 9})}, NotAsPublished, "language"
    ),
    "an empty checksum": Trouble(
        {"lists": listed(lfs={"sha256": "", "size": 9, "pointerSize": 9})}, NotAsPublished, "language"
    ),
    "another repository": Trouble({"repositories": {}}, PullRefused, "404"),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_trouble_is_told_and_leaves_nothing_that_loads(
    folder: ModelFolder, hub: Hub, slim: Checkpoint, trouble: Trouble
) -> None:
    """Each in words of its own; afterwards, with the trouble gone, the same command works."""
    well = {name: getattr(hub, name) for name in trouble.changes}
    for name, value in trouble.changes.items():
        setattr(hub, name, value)
    with pytest.raises(trouble.error, match=trouble.said):
        pull(folder, hub, slim)
    with pytest.raises(CheckpointMissing):
        folder.find(slim)
    for name, value in well.items():
        setattr(hub, name, [] if isinstance(value, list) else value)
    assert pull(folder, hub, slim)


def test_nobody_there_is_told(folder: ModelFolder, slim: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that nothing listens at."""
    with pytest.raises(PullUnreachable, match="127"):
        Puller(folder, mirror="http://127.0.0.1:9").pull(slim, silent)


ENVIRONMENTS = {
    "a proxy of another kind": ("ALL_PROXY", "foo://proxy.example", "proxy can't be used: Unknown scheme"),
    "a proxy at no port": ("ALL_PROXY", "http://proxy.example:port", "proxy can't be used: Invalid port"),
    "a proxy that takes another package": ("ALL_PROXY", "socks5://proxy.example", "proxy can't be used: .*SOCKS"),
    "no certificates": ("SSL_CERT_FILE", "/no/such/file", "certificates of SSL_CERT_FILE .*: No such file"),
    "other than certificates": ("SSL_CERT_FILE", "/dev/null", "certificates of SSL_CERT_FILE .* can't be read: "),
}


@pytest.fixture(params=["a repository", "a file"])
def either(request: pytest.FixtureRequest, slim: Checkpoint, sam: Checkpoint) -> Iterator[Checkpoint]:
    """A checkpoint of each kind; the client that the hub's library keeps is built in the test, and anew after it."""
    close_session()
    yield slim if request.param == "a repository" else sam
    close_session()


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_an_environment_that_gives_no_client_is_told(
    folder: ModelFolder,
    hub: Hub,
    either: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
    environment: tuple[str, str, str],
) -> None:
    """A wrong proxy or file of certificates is neither the disk's fault nor the hub's, and nothing is asked."""
    variable, value, said = environment
    monkeypatch.setitem(sys.modules, "socksio", None)  # it isn't installed with us
    monkeypatch.setenv(variable, value)
    with pytest.raises(PullRefused, match=said):
        pull(folder, hub, either)
    assert hub.requests == []


def test_a_full_disk_is_told_before_the_download(
    folder: ModelFolder, hub: Hub, sam: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the size is known; and the setting that helps is named."""
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DiskFailed, match=r"no room[\s\S]*MAINMASK_MODELS_DIR"):
        pull(folder, hub, sam)
    assert hub.sent_bytes < len(PTH) or not (folder.of(sam) / "sam.pth").exists()


def test_a_disk_that_fills_up_is_told(folder: ModelFolder, hub: Hub, sam: Checkpoint) -> None:
    """While it is being written, too: a device of the system's takes no byte, as a full disk does."""
    folder.of(sam).mkdir(parents=True)
    (folder.of(sam) / "sam.pth.part").symlink_to("/dev/full")
    with pytest.raises(DiskFailed, match=r"No space left[\s\S]*MAINMASK_MODELS_DIR"):
        pull(folder, hub, sam)


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path, hub: Hub, sam: Checkpoint) -> None:
    """There is a file of that name."""
    (tmp_path / "models").write_text("not a folder")
    with pytest.raises(DiskFailed):
        pull(ModelFolder(tmp_path / "models"), hub, sam)
