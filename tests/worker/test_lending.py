"""Jobs that ask for models of their own: they get the very ones, and nothing that isn't lent."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from db.catalog import CHECKPOINTS
from db.errors import CheckpointMissing, ModelNotOffered
from db.states import StageName
from tests.worker.pipeline.published import publish
from worker.lending import Lending
from worker.pipeline.checkpoints import Loader
from worker.pipeline.compilation import Compiled
from worker.pipeline.execution import Execution
from worker.pipeline.loaded_models import LoadedModels
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline

SLIM = "nielsr/slimsam-77-uniform"
OWL, DINO = "google/owlv2-base-patch16-ensemble", "IDEA-Research/grounding-dino-tiny"


@pytest.fixture(scope="module")
def own() -> Pipeline:
    """The worker's own models."""
    return Pipeline.load("tiny", "cpu")


@pytest.fixture
def lending(tmp_path: Path) -> Lending:
    """Two small detectors, in room for one."""
    loader = Loader(ModelFolder(tmp_path), Execution.choose("cpu", "float32"))
    checkpoints = [publish(name, tmp_path) for name in (OWL, DINO)]
    return Lending.of(checkpoints, loader.folder, LoadedModels(loader.load, maximum=1))


def test_a_job_gets_the_model_that_it_asks_for(own: Pipeline, lending: Lending) -> None:
    """For its stage; the other stages, and other jobs, keep the worker's own."""
    asked = lending.pipeline(own, StageName.DETECT, {"detect": OWL})
    assert asked.cards["detect"].name == OWL
    assert (asked.cards["detect"].revision, OWL) in {(card["revision"], name) for name, card in lending.cards().items()}
    assert asked.classifier is own.classifier
    assert lending.pipeline(own, StageName.CLASSIFY, {"detect": OWL}) is own
    assert lending.pipeline(own, StageName.DETECT, None) is own


def test_nobody_waits_for_a_lent_model_to_be_compiled(tmp_path: Path) -> None:
    """The worker's own are, in its warm-up; what a job asks for runs as it is, under the job's deadline."""
    loader = Loader(ModelFolder(tmp_path), replace(Execution.choose("cpu", "float32"), compiles=True))
    load = loader.only_compiling([CHECKPOINTS["mainmask/tiny-clip"]])
    stages: list[Any] = [
        load(checkpoint).stage for checkpoint in (CHECKPOINTS["mainmask/tiny-clip"], publish(SLIM, tmp_path))
    ]
    assert [isinstance(stage.encode._encode, Compiled) for stage in stages] == [True, False]


def test_jobs_side_by_side_get_their_own_models(own: Pipeline, lending: Lending) -> None:
    """Many threads, two models and room for one: each answer is that of the model which its job named."""
    image = Image.new("RGB", (64, 48), "red")

    def ask(name: str) -> tuple[float, ...]:
        pipeline = lending.pipeline(own, StageName.DETECT, {"detect": name})
        assert pipeline.cards["detect"].name == name
        return tuple(found.score for found in pipeline.detector.detect(image, "cat", threshold=1e-9).boxes)

    alone = {name: ask(name) for name in (OWL, DINO)}
    assert alone[OWL] != alone[DINO]
    with ThreadPoolExecutor(4) as pool:
        for name, scores in zip([OWL, DINO] * 10, pool.map(ask, [OWL, DINO] * 10), strict=True):
            assert scores == pytest.approx(alone[name])


@pytest.mark.parametrize("name", ["nielsr/slimsam-77-uniform", "../../etc/passwd", OWL])
def test_what_is_not_lent_is_not_loaded(own: Pipeline, lending: Lending, name: str) -> None:
    """Whatever the row says: a worker loads what its own settings name, for that stage."""
    with pytest.raises(ModelNotOffered):
        lending.pipeline(own, StageName.SEGMENT, {"segment": name})


def test_a_worker_needs_all_that_it_lends(tmp_path: Path) -> None:
    """Before it takes its first job, not when a job asks."""
    loader = Loader(ModelFolder(tmp_path), Execution.choose("cpu", "float32"))
    with pytest.raises(CheckpointMissing, match="mainmask models pull"):
        Lending.of([CHECKPOINTS[OWL]], loader.folder, LoadedModels(loader.load, maximum=1))
