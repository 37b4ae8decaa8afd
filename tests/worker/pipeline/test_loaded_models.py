"""Each model loaded once, and no more of them than there is room for."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from db.catalog import CHECKPOINTS
from db.checkpoints import Checkpoint
from db.errors import CheckpointInvalid
from worker.pipeline.checkpoints import LoadedModel
from worker.pipeline.loaded_models import LoadedModels
from worker.pipeline.results import ModelCard

FIRST, SECOND, THIRD, FOURTH = list(CHECKPOINTS.values())[:4]


class FakeLoader:
    """Counts what it loads; a real one takes seconds, so this one can be made to wait."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.error: Exception | None = None

    def __call__(self, checkpoint: Checkpoint) -> LoadedModel:
        self.loaded.append(checkpoint.name)
        self.may_go_on.wait(10)
        if self.error:
            raise self.error
        return LoadedModel(object(), ModelCard(checkpoint.name, "1", "MIT"))  # type: ignore[arg-type] # no model is needed


def test_a_model_is_loaded_once_however_many_ask() -> None:
    """Those that ask while it is being loaded wait for it, and get the same one."""
    loader = FakeLoader()
    loader.may_go_on.clear()
    models = LoadedModels(loader, maximum=3)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(models.get, FIRST) for _ in range(8)]
        loader.may_go_on.set()
        found = {id(future.result()) for future in asked}
    assert len(found) == 1
    assert loader.loaded == [FIRST.name]


def test_nobody_gets_anothers_model() -> None:
    """Threads that ask for different models at once each get the one they named."""
    models = LoadedModels(FakeLoader(), maximum=2)
    wanted = [FIRST, SECOND, THIRD] * 40
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(models.get, wanted))
    assert [model.card.name for model in found] == [checkpoint.name for checkpoint in wanted]


def test_the_least_used_makes_room() -> None:
    """Of two places, the one that was used longest ago is given to the third model."""
    loader = FakeLoader()
    models = LoadedModels(loader, maximum=2)
    for checkpoint in (FIRST, SECOND, FIRST, THIRD, FIRST, SECOND):
        models.get(checkpoint)
    assert loader.loaded == [FIRST.name, SECOND.name, THIRD.name, SECOND.name]


def test_what_is_kept_never_makes_room() -> None:
    """A worker holds on to its own models: were they let go of here, more would lie in its memory than are counted."""
    loader = FakeLoader()
    models = LoadedModels(loader, maximum=3)
    for checkpoint in (FIRST, SECOND):
        models.keep(checkpoint)
    for checkpoint in (THIRD, FOURTH, FIRST, SECOND, THIRD):
        models.get(checkpoint)
    assert loader.loaded == [FIRST.name, SECOND.name, THIRD.name, FOURTH.name, THIRD.name]


def test_there_is_room_for_one_besides_those_that_are_kept() -> None:
    """A model that jobs ask for is not loaded for each of them."""
    loader = FakeLoader()
    models = LoadedModels(loader, maximum=2)
    for checkpoint in (FIRST, SECOND):
        models.keep(checkpoint)
    for _ in range(3):
        models.get(THIRD)
    assert loader.loaded == [FIRST.name, SECOND.name, THIRD.name]


def test_what_failed_is_tried_again() -> None:
    """An error is told to who asked, and not remembered."""
    loader = FakeLoader()
    models = LoadedModels(loader, maximum=2)
    loader.error = CheckpointInvalid("there", "it is broken")
    with pytest.raises(CheckpointInvalid):
        models.get(FIRST)
    loader.error = None
    assert models.get(FIRST).card.name == FIRST.name
