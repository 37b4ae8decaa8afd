"""The public base-size architectures with random weights: as fast as trained ones, and nothing to download.

CLIP ViT-B/32, GroundingDINO with Swin-T, SAM ViT-B; written once to a cache folder, about 1.6 GB.
"""

import json
import shutil
from pathlib import Path

from db.profiles import chosen
from db.states import StageName
from tests.worker.pipeline.published import publish, write_sums
from worker.pipeline.model_files import SUMS, ModelFolder

CACHE = Path(".data/base")

GROUNDING_DINO_SIDES = {"shortest_edge": 800, "longest_edge": 1333}


def base_models(cache: Path = CACHE) -> ModelFolder:
    """The folder with the models of the profile `base`; those that aren't there are made."""
    folder = ModelFolder(cache)
    for stage, checkpoint in chosen("base").items():
        path = folder.of(checkpoint)
        if not (path / SUMS).exists():
            shutil.rmtree(path, ignore_errors=True)
            publish(checkpoint.name, cache, small=False)
            if stage is StageName.DETECT:
                _look_at_published_sizes(path)
    return folder


def _look_at_published_sizes(path: Path) -> None:
    """The bundled detector's processor, which is copied otherwise, pads every picture to one square."""
    processor = path / "preprocessor_config.json"
    settings = json.loads(processor.read_text())
    settings.update(size=GROUNDING_DINO_SIDES, pad_size=None)
    processor.write_text(json.dumps(settings, indent=2))
    write_sums(path)
