"""The models that a worker lends to jobs which ask for others than its own: no more than the settings allow."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from db.checkpoints import Checkpoint
from db.errors import ModelNotOffered
from db.models import JSON
from db.states import StageName
from worker.pipeline.checkpoints import card
from worker.pipeline.loaded_models import LoadedModels
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.results import ModelCard


@dataclass(frozen=True)
class Lent:
    """A model that is whole on this machine, and is loaded when the first job asks for it."""

    checkpoint: Checkpoint
    card: ModelCard
    models: LoadedModels


@dataclass(frozen=True)
class Lending:
    """What is lent, by name; nothing unless the settings say so."""

    lent: Mapping[str, Lent] = field(default_factory=dict)

    @classmethod
    def of(cls, checkpoints: Iterable[Checkpoint], folder: ModelFolder, models: LoadedModels) -> "Lending":
        """Those checkpoints, each of which must be whole; raises `CheckpointMissing` and `CheckpointInvalid`."""
        return cls({found.name: Lent(found, card(found, folder.find(found)), models) for found in checkpoints})

    def cards(self) -> dict[str, JSON]:
        """Each model's name, revision and licence, by its name."""
        return {name: asdict(lent.card) for name, lent in self.lent.items()}

    def pipeline(self, own: Pipeline, stage: StageName, wanted: Mapping[str, str] | None) -> Pipeline:
        """The worker's own pipeline, but for the model that a job wants for this stage.

        Raises `ModelNotOffered`, and what loading raises.
        """
        name = (wanted or {}).get(stage)
        if name is None:
            return own
        lent = self.lent.get(name)
        if lent is None or lent.checkpoint.stage is not stage:
            raise ModelNotOffered(name)
        return own.with_model(stage, lent.models.get(lent.checkpoint))
