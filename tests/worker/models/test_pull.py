"""Pulling checkpoints whole, once, and the right ones, however often the connection breaks."""

import fcntl
import os
import shutil
import socket
from pathlib import Path

import pytest

from db.checkpoints import Checkpoint
from db.errors import CheckpointInvalid, CheckpointMissing
from tests.worker.models.conftest import PTH, SLIM
from tests.worker.models.hub import COMMIT, Hub
from tests.worker.models.pulling import pull, silent
from worker.models import download
from worker.models.errors import (
    NotAsPublished,
    PullOffline,
    PullRunning,
    PullUnreachable,
)
from worker.models.pull import Puller
from worker.pipeline.checkpoints import Loader
from worker.pipeline.execution import Execution
from worker.pipeline.model_files import ModelFolder


def test_what_was_pulled_loads(folder: ModelFolder, hub: Hub, slim: Checkpoint) -> None:
    """All files that it takes, no others, and the commit that they are of."""
    assert pull(folder, hub, slim)
    names = {path.name for path in folder.of(slim).iterdir()}
    assert names == {"config.json", "preprocessor_config.json", "model.safetensors", "SHA256SUMS", "REVISION"}
    assert (folder.of(slim) / "REVISION").read_text().strip() == COMMIT
    card = Loader(folder, Execution.choose("cpu", "float32")).load(slim).card
    assert (card.name, card.source_revision) == (SLIM, COMMIT)


def test_a_single_file_comes_from_the_mirrors_same_path(folder: ModelFolder, hub: Hub, sam: Checkpoint) -> None:
    """The mirror stands for any site: it has the paths of the original's."""
    assert pull(folder, hub, sam)
    assert folder.find(sam).weights.read_bytes() == PTH
    assert [path for path, _ in hub.requests] == ["/segment_anything/sam.pth"]


def test_what_is_whole_is_not_asked_for_again(folder: ModelFolder, hub: Hub, slim: Checkpoint) -> None:
    """The second pull reads the files and makes no request."""
    pull(folder, hub, slim)
    hub.requests.clear()
    assert not pull(folder, hub, slim)
    assert hub.requests == []


def test_the_bar_is_told_how_far_it_is(folder: ModelFolder, hub: Hub, sam: Checkpoint) -> None:
    """Bytes that are there, of all; it never goes back, and ends at the end."""
    seen: list[tuple[int, int | None]] = []
    Puller(folder, mirror=hub.url).pull(sam, lambda _: lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (len(PTH), len(PTH))


def test_a_broken_connection_is_taken_up_where_it_broke(folder: ModelFolder, hub: Hub, sam: Checkpoint) -> None:
    """Not a byte is sent twice, however often it breaks, as long as something comes."""
    hub.breaks_after = [100_000] * 8
    pull(folder, hub, sam)
    assert folder.find(sam).weights.read_bytes() == PTH
    assert hub.sent_bytes == len(PTH)
    assert hub.requests[1][1] == "bytes=100000-"


def test_the_next_pull_goes_on_too(folder: ModelFolder, hub: Hub, sam: Checkpoint) -> None:
    """A server that is gone for good is said to be; what came is there for the next time."""
    hub.breaks_after = [500_000] + [0] * download.ATTEMPTS
    with pytest.raises(PullUnreachable, match="goes on where it stopped"):
        pull(folder, hub, sam)
    with pytest.raises(CheckpointMissing):
        folder.find(sam)
    pull(folder, hub, sam)
    # What was on its way when the connection broke may have come, or not.
    assert hub.sent_bytes < len(PTH) + 500_000


def test_a_server_without_ranges_starts_over(folder: ModelFolder, hub: Hub, sam: Checkpoint) -> None:
    """It sends all again, and the file is right."""
    hub.knows_ranges, hub.breaks_after = False, [100_000]
    pull(folder, hub, sam)
    assert folder.find(sam).weights.read_bytes() == PTH


@pytest.mark.parametrize(
    "left_over", [b"another version's beginning", PTH + b"and more", PTH], ids=["wrong", "long", "whole"]
)
def test_a_left_over_part_does_no_harm(folder: ModelFolder, hub: Hub, sam: Checkpoint, left_over: bytes) -> None:
    """Whatever lies there from before, what comes out is the file."""
    folder.of(sam).mkdir(parents=True)
    (folder.of(sam) / "sam.pth.part").write_bytes(left_over)
    pull(folder, hub, sam)
    assert folder.find(sam).weights.read_bytes() == PTH


def test_other_bytes_than_published_are_thrown_away(folder: ModelFolder, hub: Hub, sam: Checkpoint) -> None:
    """The table has the checksum."""
    hub.files["/segment_anything/sam.pth"] = PTH[:-1] + b"!"
    with pytest.raises(NotAsPublished, match="SHA-256 begins with"):
        pull(folder, hub, sam)
    assert list(folder.of(sam).iterdir()) == []


def test_other_bytes_than_the_hub_says_are_thrown_away(folder: ModelFolder, hub: Hub, slim: Checkpoint) -> None:
    """Bytes that were changed on the way don't have the hub's checksum."""
    listing = hub.listing(SLIM)
    weights = hub.repositories[SLIM]["model.safetensors"]
    hub.repositories[SLIM]["model.safetensors"] = weights[:-1] + bytes([weights[-1] ^ 1])
    hub.lists = listing
    with pytest.raises(NotAsPublished, match="SHA-256"):
        pull(folder, hub, slim)
    assert not list(folder.of(slim).glob("model*"))


def test_small_files_are_compared_too(folder: ModelFolder, hub: Hub, slim: Checkpoint) -> None:
    """The hub tells no SHA-256 of those that lie in git, but what git calls them: also the first pull is checked."""
    listing = hub.listing(SLIM)
    hub.repositories[SLIM]["config.json"] = hub.repositories[SLIM]["config.json"].replace(b"32", b"33", 1)
    hub.lists = listing
    with pytest.raises(NotAsPublished, match="to git its content is"):
        pull(folder, hub, slim)
    assert not list(folder.of(slim).glob("config*"))


def test_git_calls_contents_by_these_names(tmp_path: Path) -> None:
    """As `git hash-object` does."""
    (tmp_path / "file").write_bytes(b"hello\n")
    assert download._git_blob(tmp_path / "file") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_a_damaged_file_is_fetched_again_and_no_other(folder: ModelFolder, hub: Hub, slim: Checkpoint) -> None:
    """From the commit that was pulled first."""
    pull(folder, hub, slim)
    (folder.of(slim) / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointInvalid):
        folder.find(slim)
    hub.requests.clear()
    assert pull(folder, hub, slim)
    assert [path.rpartition("/")[2] for path, _ in hub.requests] == [COMMIT, "model.safetensors"]


def test_what_was_pulled_first_is_trusted_from_then_on(folder: ModelFolder, hub: Hub, slim: Checkpoint) -> None:
    """A file of which nothing is published may not become another one unnoticed."""
    pull(folder, hub, slim)
    (folder.of(slim) / "config.json").unlink()
    hub.repositories[SLIM]["config.json"] += b" "
    with pytest.raises(NotAsPublished, match="first time"):
        pull(folder, hub, slim)


def test_a_stranger_in_the_folder_is_told_before_the_download(folder: ModelFolder, hub: Hub, slim: Checkpoint) -> None:
    """Workers would refuse the folder, whatever is pulled into it."""
    folder.of(slim).mkdir(parents=True)
    (folder.of(slim) / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointInvalid, match="adapter_config"):
        pull(folder, hub, slim)
    assert not any("/resolve/" in path for path, _ in hub.requests)


@pytest.mark.parametrize("name", ["REVISION", "SHA256SUMS"])
def test_a_spoiled_record_of_the_last_pull_is_written_anew(
    folder: ModelFolder, hub: Hub, slim: Checkpoint, name: str
) -> None:
    """As if there had been none."""
    pull(folder, hub, slim)
    right = (folder.of(slim) / name).read_bytes()
    (folder.of(slim) / name).write_bytes(b"\x80\x81")
    (folder.of(slim) / "model.safetensors").unlink()
    assert pull(folder, hub, slim)
    assert (folder.of(slim) / name).read_bytes() == right


def test_more_bytes_than_published_are_not_waited_for(folder: ModelFolder, hub: Hub, slim: Checkpoint) -> None:
    """An answer without an end fills no disk."""
    hub.is_endless = True
    with pytest.raises(NotAsPublished, match="more than"):
        pull(folder, hub, slim)
    assert [path.name for path in folder.of(slim).iterdir()] == ["REVISION"]


def test_offline_nothing_is_asked(
    folder: ModelFolder, hub: Hub, slim: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for an address. What is there is still found."""
    pull(folder, hub, slim)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    puller = Puller(folder, mirror=hub.url, offline=True)
    assert not puller.pull(slim, silent)
    assert Loader(folder, Execution.choose("cpu", "float32")).load(slim)
    shutil.rmtree(folder.of(slim))
    with pytest.raises(PullOffline):
        puller.pull(slim, silent)


def test_two_pulls_of_one_model_do_not_mix(folder: ModelFolder, hub: Hub, slim: Checkpoint) -> None:
    """The second one says that there is a first one."""
    folder.of(slim).mkdir(parents=True)
    descriptor = os.open(folder.of(slim), os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(PullRunning):
        pull(folder, hub, slim)
    os.close(descriptor)
    assert pull(folder, hub, slim)
