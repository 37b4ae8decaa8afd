"""Folders through the real API, with a thread in place of the workers: killed, resumed, refused, tried again."""

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from sqlalchemy import func, select

from db.models import Job
from db.session import session_factory
from mainmask import Client
from mainmask.exit_codes import ExitCode
from tests.mainmask.stack.programs import wait_for
from tests.mainmask.stand_in_worker import BROKEN

SIDE = 8
Command = Callable[..., subprocess.Popen[str]]


def png(number: int) -> bytes:
    """A picture that no other number has."""
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def photos(count: int, start: int = 0) -> list[str]:
    """So many pictures, in two folders below `photos`; their names."""
    names = [f"{'ab'[number % 2]}/{number:04}.png" for number in range(count)]
    for number, name in enumerate(names):
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(start + number))
    return names


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def start(real_url: str) -> Iterator[Command]:
    """Starts `mainmask segment` as a process of its own; what a failed test leaves is ended."""
    started = []

    def command(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "mainmask", "segment", *arguments, "--url", real_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield command
    for process in started:
        process.kill()
        process.communicate()


def segment(start: Command, *arguments: str, code: int = ExitCode.OK) -> str:
    """Run it to its end, and return what it printed; to stderr, if it has ended otherwise than well."""
    process = start(*arguments)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    return stdout + stderr


def rows(out: str = "out") -> list[dict[str, Any]]:
    """The lines of the manifest."""
    return [json.loads(line) for line in Path(out, "manifest.jsonl").read_text().splitlines()]


def table(out: str = "out") -> list[dict[str, str]]:
    """The lines of the CSV."""
    with Path(out, "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pictures_in(out: str) -> dict[Path, bytes]:
    """What was made of all pictures."""
    return {path: path.read_bytes() for path in Path(out).rglob("*.[pj][np]g") if path.is_file()}


def jobs_of(label: str) -> int:
    """How many jobs the service has been given with this label."""
    with session_factory()() as session:
        return session.scalar(select(func.count()).where(Job.labels == [label])) or 0


def paths(listed: Sequence[dict[str, Any]]) -> Counter[str]:
    """How often each picture is there."""
    return Counter(row["path"] for row in listed)


def test_a_run_that_is_killed_goes_on_where_it_was(start: Command) -> None:
    """500 pictures, SIGKILL half-way, the same command again: each once in the manifest, with one job and its mask."""
    names = photos(500)
    command = ("photos", "--labels", "kiln", "--output", "mask", "--out", "out", "--jobs", "16")
    first = start(*command)
    manifest = Path("out/manifest.jsonl")
    wait_for(lambda: manifest.exists() and manifest.read_bytes().count(b"\n") >= 250, seconds=180)
    first.kill()
    first.communicate()
    before = manifest.read_bytes()
    assert 250 <= before.count(b"\n") < 500

    said = segment(start, *command)
    assert "500 pictures: 500 found, 0 not found, 0 failed" in said
    assert manifest.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    once = Counter(names)
    assert (paths(rows()), paths(table())) == (once, once)
    assert jobs_of("kiln") == 500
    assert all(Path("out", name, "mask.png").read_bytes() == b"mask" for name in names)
    assert all((row["label"], row["status"]) == ("kiln", "succeeded") for row in rows())

    segment(start, *command)
    assert (paths(rows()), jobs_of("kiln")) == (once, 500)


def test_results_that_are_gone_or_damaged_are_fetched_again(start: Command) -> None:
    """Removed, cut short or changed: the files are as before, the manifest has each picture once, and no job is new."""
    names = photos(6, start=3000)
    command = ("photos", "--labels", "oast", "--out", "out", "--jobs", "2")
    segment(start, *command)
    manifest = Path("out/manifest.jsonl").read_bytes()
    before = pictures_in("out")
    assert len(before) == 18
    shutil.rmtree(Path("out", names[0]))
    Path("out", names[1], "mask.png").unlink()
    Path("out", names[2], "cutout.png").write_bytes(b"cut")
    Path("out", names[3], "overlay.jpg").write_bytes(b"0verlay")
    document = Path("out", names[4], "job.json")
    document.write_bytes(document.read_bytes()[:-40])

    said = segment(start, *command, "--coco", "coco.json")
    assert "6 pictures: 6 found, 0 not found, 0 failed" in said
    assert pictures_in("out") == before
    assert json.loads(document.read_bytes())["status"] == "succeeded"
    assert Path("out/manifest.jsonl").read_bytes() == manifest
    assert paths(table()) == Counter(names)
    assert jobs_of("oast") == 6
    assert len(COCO("coco.json").imgs) == 6


def test_damaged_results_whose_job_is_gone_are_made_again(start: Command, real_url: str) -> None:
    """By another job; the picture's last line counts, and the table has it once."""
    names = photos(2, start=3100)
    command = ("photos", "--labels", "silo", "--out", "out")
    segment(start, *command)
    former = {row["path"]: row["job_id"] for row in rows()}
    with Client(real_url) as client:
        client.delete(former[names[0]])
    Path("out", names[0], "mask.png").unlink()

    assert "2 found" in segment(start, *command)
    assert Path("out", names[0], "mask.png").read_bytes() == b"mask"
    assert paths(table()) == Counter(names)
    (again, kept) = sorted(table(), key=lambda row: row["path"])
    assert (again["status"], again["attempt"], kept["attempt"]) == ("succeeded", "2", "1")
    assert again["job_id"] != former[names[0]]
    assert kept["job_id"] == former[names[1]]


def test_ctrl_c_says_how_to_go_on(start: Command) -> None:
    """It stops at once; the manifest and its table hold what was done."""
    photos(200)
    command = ("photos", "--labels", "stile", "--output", "mask", "--out", "out", "--jobs", "4")
    process = start(*command)
    wait_for(lambda: Path("out/manifest.jsonl").exists() and len(rows()) >= 5)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert f"Stopped after {len(rows())} of 200 pictures" in stderr
    assert "The same command goes on from there." in stderr
    assert "Traceback" not in stderr
    assert paths(table()) == paths(rows())


def test_what_is_no_picture_does_not_stop_the_others(start: Command) -> None:
    """It is listed with the problem's type; unchanged it isn't sent again, and once mended it is."""
    names = photos(3, start=1000)
    Path("photos", names[1]).write_bytes(b"no picture")
    command = ("photos", "--labels", "lamp", "--out", "out")
    assert "2 found, 0 not found, 1 failed" in segment(start, *command, code=ExitCode.JOB_FAILED)
    (refused,) = [row for row in rows() if row["status"] == "failed"]
    assert (refused["path"], refused["error_type"]) == (names[1], "invalid-image")
    assert (refused["job_id"], refused["attempt"]) == (None, 1)
    segment(start, *command, code=ExitCode.JOB_FAILED)
    assert len(rows()) == 3
    Path("photos", names[1]).write_bytes(png(1999))
    assert "3 found" in segment(start, *command)
    assert {row["path"]: row["status"] for row in table()} == dict.fromkeys(names, "succeeded")


def test_a_file_that_cannot_be_read_is_listed(start: Command) -> None:
    """Once, however often the command is given; the others have their answers."""
    photos(1, start=1100)
    # Even root can't read its beginning.
    Path("photos/cup.png").symlink_to("/proc/self/mem")
    for _ in range(2):
        segment(start, "photos", "--labels", "cup", "--out", "out", code=ExitCode.JOB_FAILED)
    assert {row["path"]: row["error_type"] for row in rows()} == {"a/0000.png": None, "cup.png": "unreadable"}
    assert len(rows()) == 2


def test_jobs_that_failed_are_tried_again_when_asked(start: Command) -> None:
    """Not without --retry-failed; then the same job goes on, and the manifest's last line of it counts."""
    photos(2, start=1200)
    command = ("photos", "--labels", BROKEN, "--out", "out")
    before = jobs_of(BROKEN)
    segment(start, *command, code=ExitCode.JOB_FAILED)
    assert [(row["error_type"], row["attempt"]) for row in rows()] == [("internal", 1)] * 2
    assert "--retry-failed" in segment(start, *command, code=ExitCode.JOB_FAILED)
    segment(start, *command, "--retry-failed")
    assert [(row["status"], row["attempt"]) for row in table()] == [("succeeded", "2")] * 2
    assert {row["job_id"] for row in rows()} == {row["job_id"] for row in table()}
    assert jobs_of(BROKEN) - before == 2


def test_other_words_are_another_question(start: Command) -> None:
    """The pictures are asked about again, and the new answers take the old ones' place."""
    photos(2, start=1300)
    segment(start, "photos", "--labels", "vase", "--out", "out")
    segment(start, "photos", "--labels", "jug", "--out", "out")
    assert [row["label"] for row in rows()] == ["vase", "vase", "jug", "jug"]
    assert [row["label"] for row in table()] == ["jug", "jug"]


def test_captions_say_what_each_picture_shows(start: Command) -> None:
    """By path below the folder; the answers are in the manifest and in COCO's form, which pycocotools reads."""
    names = photos(3, start=1400)
    labels = ["hat", "boot", "hat"]
    lines = "".join(f'{name},"{label},wall"\n' for name, label in zip(names, labels, strict=True))
    Path("captions.csv").write_text(f"path,labels\n{lines}")
    segment(start, "photos", "--captions", "captions.csv", "--out", "out", "--coco", "coco.json")
    coco = COCO("coco.json")
    assert {category["name"] for category in coco.cats.values()} == {"boot", "hat"}
    seen = {}
    for annotation in coco.anns.values():
        image = coco.imgs[annotation["image_id"]]
        assert (image["width"], image["height"]) == (SIDE, SIDE)
        assert annotation["bbox"] == [1.0, 2.0, 2.0, 2.0]
        mask = coco.annToMask(annotation)
        assert mask.sum() == annotation["area"] == mask[2:4, 1:3].sum() == 4
        seen[image["file_name"]] = coco.cats[annotation["category_id"]]["name"]
    assert seen == dict(zip(names, labels, strict=True))


def test_json_is_the_sums(start: Command) -> None:
    """Under --json stdout is one document."""
    photos(2, start=1500)
    said = segment(start, "photos/*/*.png", "--labels", "bell", "--out", "out", "--json")
    assert json.loads(said) == {
        "pictures": 2,
        "found": 2,
        "not_found": 0,
        "failed": 0,
        "manifest": "out/manifest.jsonl",
    }


def test_two_runs_do_not_write_one_manifest(start: Command) -> None:
    """The second is refused while the first is at it."""
    photos(300, start=2000)
    start("photos", "--labels", "fork", "--output", "mask", "--out", "out", "--jobs", "1")
    wait_for(lambda: Path("out/manifest.jsonl").exists() and len(rows()) >= 1)
    said = segment(start, "photos", "--labels", "fork", "--out", "out", code=ExitCode.USAGE)
    assert "Another run is writing out/manifest.jsonl" in said
