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


WRONG = {
    "no dataset": (["nothing.json"], 2, "can't be used"),
    "no models": (["{annotations}", "--profile=base"], 1, "mainmask models pull"),
    "nowhere to write": (["{annotations}", "--sheet=no/such/folder.png", "--limit=1"], 2, "No such file"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(
    annotations: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    """In a line, with an exit code."""
    assert main([argument.format(annotations=annotations) for argument in arguments]) == code
    assert said in " ".join(capsys.readouterr().err.split())


def test_the_command_hands_its_options_on(annotations: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were given, as the workers' program reads them."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(command, "run", lambda *arguments: ran.append(arguments))
    command.evaluate(annotations, profile="tiny", limit=3, sheet=Path("sheet.png"))
    assert ran == [("worker.evaluation", str(annotations), "--profile=tiny", "--limit=3", "--sheet=sheet.png")]
