"""The command, on composed scenes that are written as a COCO dataset."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import mainmask
from db.settings import settings
from mainmask.commands import evaluate as command
from tests.worker.tiny.conftest import sprites
from worker.evaluation.__main__ import main
from worker.evaluation.dataset import read_dataset
from worker.evaluation.evaluator import Evaluator
from worker.pipeline.pipeline import Pipeline
from worker.tiny.coco import write_coco
from worker.tiny.scenes import Scene, compose

__all__ = ["sprites"]  # a fixture of another folder's


@pytest.fixture
def scenes(sprites: list[list[NDArray[np.uint8]]]) -> list[Scene]:
    """Three scenes of made-up things."""
    return [compose(np.random.default_rng(seed), sprites, 320, 240, objects=2) for seed in range(3)]


@pytest.fixture
def annotations(scenes: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scenes as a dataset."""
    monkeypatch.setenv("MAINMASK_PROFILE", "tiny")
    monkeypatch.setenv("MAINMASK_MODELS_DIR", str(tmp_path / "models"))
    settings.cache_clear()
    return write_coco(tmp_path / "scenes", scenes)


def test_scenes_keep_their_truth_as_coco(scenes: list[Scene], annotations: Path) -> None:
    """Main object, box and mask come back as they were."""
    found = read_dataset(annotations).samples
    assert len(found) == 3
    for scene, sample in zip(scenes, found, strict=True):
        assert sample.main.box == tuple(scene.boxes()[scene.main])
        assert (sample.main.mask(*scene.instances.shape) == scene.mask(scene.main)).all()


def test_it_prints_writes_and_draws(annotations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table with every stage, the same as JSON with the models and each answer, and a sheet of the worst."""
    report, sheet = tmp_path / "report.json", tmp_path / "sheet.png"
    assert main([str(annotations), "--profile=tiny", f"--json={report}", f"--sheet={sheet}", "--worst=2"]) == 0
    printed = capsys.readouterr().out
    assert all(stage in printed for stage in ("classify", "detect", "segment", "whole"))
    document: dict[str, Any] = json.loads(report.read_text())
    assert document["models"]["segment"]["name"] == "mainmask/tiny-sam"
    assert len(document["questions"]) == 3
    explained = (Path(mainmask.__file__).parents[1] / "docs" / "models.md").read_text()
    for figure in document["figures"]:
        assert f"| {figure['stage']} | {figure['measure']} |" in explained
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    by_measure = {(figure["stage"], figure["measure"]): figure["value"] for figure in document["figures"]}
    expected = np.mean([question["mask_iou"] for question in document["questions"]])
    assert by_measure["whole", "mean mask IoU"] == pytest.approx(expected)
    with Image.open(sheet) as drawn:
        assert drawn.size == (4 * 320, 360)
        assert np.unique(np.asarray(drawn).reshape(-1, 3), axis=0).shape[0] > 50


def test_sentences_are_read_for_candidates(annotations: Path, tmp_path: Path) -> None:
    """What a sentence names is looked for; one that names nothing is wrong, and no error."""
    document = json.loads(annotations.read_text())
    main_id = next(found["id"] for found in document["annotations"] if found["main_object"])
    sentences = [{"sent": "a dog beside a red car"}, {"sent": "running quickly"}]
    refs = tmp_path / "refs.json"
    refs.write_text(json.dumps([{"image_id": 0, "ann_id": main_id, "sentences": sentences}]))
    report = tmp_path / "report.json"
    assert main([str(annotations), f"--references={refs}", f"--json={report}"]) == 0
    named, nothing = json.loads(report.read_text())["questions"]
    assert named["chosen"] in {"dog", "red car", "car"}
    assert (nothing["chosen"], nothing["is_right"], nothing["mask_iou"]) == ("", False, 0.0)


def cut_off(path: Path, _: dict[str, Any]) -> None:
    """A file whose download broke off."""
    path.write_bytes(path.read_bytes()[:500])


def remove(path: Path, _: dict[str, Any]) -> None:
    """A file that was not downloaded."""
    path.unlink()


def turn(path: Path, _: dict[str, Any]) -> None:
    """A picture that somebody turned after it was annotated."""
    with Image.open(path) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(path)


def spoil(_: Path, annotation: dict[str, Any]) -> None:
    """An outline that ends too early."""
    annotation["segmentation"]["counts"] = "P2"


def empty(_: Path, annotation: dict[str, Any]) -> None:
    """An outline of nothing."""
    annotation["segmentation"] = {"size": [240, 320], "counts": [240 * 320]}


def move(_: Path, annotation: dict[str, Any]) -> None:
    """A box measured on a larger copy of the picture."""
    annotation["bbox"] = [2000, 1500, 300, 300]


SPOILED = {
    "an empty outline": (empty, "nothing of its main object's box or mask"),
    "a box elsewhere": (move, "nothing of its main object's box or mask"),
    "a picture cut off": (cut_off, "can't be read"),
    "no picture": (remove, "No such file"),
    "another size": (turn, "annotated at 320 x 240 pixels, and has 240 x 320"),
    "a broken outline": (spoil, "run lengths are"),
}


@pytest.mark.parametrize(("do", "said"), SPOILED.values(), ids=SPOILED)
def test_a_question_that_can_not_be_asked_is_left_out(
    annotations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], do: Any, said: str
) -> None:
    """It is named and counted, and the others are answered."""
    document = json.loads(annotations.read_text())
    path = annotations.parent / "images" / document["images"][1]["file_name"]
    do(path, next(found for found in document["annotations"] if found["image_id"] == 1 and found["main_object"]))
    annotations.write_text(json.dumps(document))
    report = tmp_path / "report.json"
    assert main([str(annotations), f"--json={report}", f"--sheet={tmp_path / 'sheet.png'}"]) == 0
    (unasked,) = json.loads(report.read_text())["unasked"]
    assert (unasked["image"], said in unasked["reason"]) == (str(path), True)
    assert len(json.loads(report.read_text())["questions"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert "1 of 3 questions could not be asked" in told


def test_a_dataset_of_which_nothing_can_be_asked_is_refused(
    annotations: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There are no figures of nothing."""
    for path in (annotations.parent / "images").iterdir():
        path.write_bytes(b"")
    assert main([str(annotations)]) == 2
    assert "none of its 3 questions" in " ".join(capsys.readouterr().err.split())


def test_a_sheet_is_a_png_whatever_its_name(annotations: Path, tmp_path: Path) -> None:
    """Nothing that is measured is lost to a name."""
    assert main([str(annotations), f"--sheet={tmp_path / 'worst'}", "--limit=1"]) == 0
    with Image.open(tmp_path / "worst") as drawn:
        assert drawn.format == "PNG"


@pytest.mark.parametrize("option", ["--limit=0", "--worst=-1", "--limit=all"])
def test_counts_are_counts(annotations: Path, option: str) -> None:
    """Of one or more."""
    with pytest.raises(SystemExit, match="2"):
        main([str(annotations), option])


def test_answers_do_not_pile_up_as_pixels(annotations: Path) -> None:
    """A dataset of thousands of pictures fits into the memory."""
    evaluator = Evaluator(Pipeline.load("tiny", "cpu"), list)
    outcome = evaluator.ask(read_dataset(annotations).samples[0])
    assert not [value for value in vars(outcome).values() if isinstance(value, np.ndarray)]


WRONG = {
    "no dataset": (["nothing.json"], 2, "can't be used"),
    "no models": (["{annotations}", "--profile=base"], 1, "mainmask models pull"),
    "nowhere to write": (["{annotations}", "--sheet=no/such/folder.png"], 2, "No such file"),
    "a folder to write to": (["{annotations}", "--json=/tmp"], 2, "Is a directory"),
    "a full disk": (["{annotations}", "--limit=1", "--json=/dev/full"], 2, "/dev/full: No space left on device"),
    "and that first": (["nothing.json", "--json=/tmp"], 2, "Is a directory"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(
    annotations: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    """In a line, with an exit code."""
    assert main([argument.format(annotations=annotations) for argument in arguments]) == code
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_device_that_is_not_there_is_told(
    annotations: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As models that aren't there."""
    monkeypatch.setenv("MAINMASK_DEVICE", "foo")
    settings.cache_clear()
    assert main([str(annotations)]) == 1
    assert capsys.readouterr().err.startswith("Models can't run on the device 'foo'")


def test_the_command_hands_its_options_on(annotations: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were given, as the workers' program reads them."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(command, "run", lambda *arguments: ran.append(arguments))
    command.evaluate(annotations, profile="tiny", limit=3, sheet=Path("sheet.png"), worst=20)
    options = ("--profile=tiny", "--limit=3", "--sheet=sheet.png", "--worst=20")
    assert ran == [("worker.evaluation", str(annotations), *options)]
