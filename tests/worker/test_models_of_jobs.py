"""Jobs side by side in one worker, each with the models that it asks for."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest

from db.catalog import CHECKPOINTS
from db.checkpoints import Checkpoint
from db.states import JobStatus, StageName
from tests.worker.fake_worker import BOX, FakeDetector, Worker, submit
from worker import runs
from worker.lending import Lending, Lent
from worker.pipeline.checkpoints import LoadedModel
from worker.pipeline.loaded_models import LoadedModels
from worker.pipeline.results import Box, ModelCard

OWN = "fake detect"
LENT: dict[str, Box] = {
    "google/owlv2-base-patch16-ensemble": (0.0, 0.0, 5.0, 5.0),
    "IDEA-Research/grounding-dino-tiny": (40.0, 20.0, 60.0, 40.0),
}
"""Where each of the lent detectors finds everything."""


def card(name: str) -> ModelCard:
    """Of a lent detector."""
    return ModelCard(name, "2", "Apache-2.0")


def load(checkpoint: Checkpoint) -> LoadedModel:
    """A fake, which answers as no other one does."""
    return LoadedModel(cast("Any", FakeDetector(boxes=(LENT[checkpoint.name],))), card(checkpoint.name))


def test_no_job_gets_anothers_model(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through queue, stages and results: the answer is that of the model which the job named, and says so."""
    models = LoadedModels(load, maximum=1)  # each makes room for the other
    lending = Lending({name: Lent(CHECKPOINTS[name], card(name), models) for name in LENT})
    monkeypatch.setattr(runs, "runtime", lambda: replace(worker.runtime(), lending=lending))
    wanted = [None, *LENT] * 6
    ids = [submit(labels=["cat"], models={"detect": name} if name else None) for name in wanted]
    with ThreadPoolExecutor(6) as pool:
        documents = list(pool.map(worker.run_all, ids))
    for name, document in zip(wanted, documents, strict=True):
        assert document.status is JobStatus.SUCCEEDED
        assert document.result is not None
        used = {model.stage: model.name for model in document.result.models}
        assert used == {
            StageName.CLASSIFY: "fake classify",
            StageName.DETECT: name or OWN,
            StageName.SEGMENT: "fake segment",
        }
        assert tuple(document.result.instances[0].box) == (LENT[name] if name else BOX)
