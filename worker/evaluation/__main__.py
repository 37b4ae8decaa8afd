"""`python -m worker.evaluation ANNOTATIONS`: measures the models of the settings, or of a profile, on your pictures."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import ValidationError
from rich.console import Console
from rich.progress import track

from db.catalog import PROFILES, chosen
from db.errors import MainmaskError
from db.settings import settings
from worker.evaluation.dataset import read_dataset
from worker.evaluation.evaluator import Evaluator
from worker.evaluation.report import document, figures, table
from worker.evaluation.sheet import sheet, worst
from worker.pipeline.checkpoints import Loader
from worker.pipeline.execution import Execution
from worker.pipeline.labels import LabelExtractor
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code: 0 done, 1 the models can't be loaded, 2 the dataset can't be read."""
    parser = argparse.ArgumentParser(prog="mainmask evaluate", description=__doc__)
    parser.add_argument("annotations", type=Path, help="COCO annotations, as JSON")
    parser.add_argument("--images", type=Path, help="folder of the pictures, if it isn't beside the annotations")
    parser.add_argument("--references", type=Path, help="RefCOCO's sentences, as JSON: each one is a question")
    parser.add_argument("--profile", choices=sorted(PROFILES), help="instead of the settings' models")
    parser.add_argument("--limit", type=int, help="ask only so many questions")
    parser.add_argument("--json", type=Path, help="write figures and answers there")
    parser.add_argument("--sheet", type=Path, help="write a picture of the worst answers there")
    parser.add_argument("--worst", type=int, default=12, help="how many of them")
    options = parser.parse_args(arguments)
    problems = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        _evaluate(options)
    except ValidationError as error:
        problems.print(f"The settings are wrong: {error}", style="red", markup=False)
        return 2
    except MainmaskError as error:
        problems.print(str(error), style="red", markup=False)
        return 2 if error.code in {"dataset-invalid", "invalid-image"} else 1
    except OSError as error:
        problems.print(f"{error.filename}: {error.strerror}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        problems.print("Interrupted.")
        return INTERRUPTED
    return 0


def _evaluate(options: argparse.Namespace) -> None:
    dataset = read_dataset(options.annotations, options.images, options.references)
    samples = dataset.samples[: options.limit]
    evaluator = Evaluator(_pipeline(options.profile), LabelExtractor().extract)
    steps = track(samples, description="Asking", console=Console(stderr=True), total=len(samples))
    outcomes = [evaluator.ask(sample) for sample in steps]
    found = figures(outcomes)
    Console().print(table(found))
    if options.json:
        cards = evaluator.pipeline.cards
        options.json.write_text(json.dumps(document(found, outcomes, cards, dataset.skipped), indent=2) + "\n")
    if options.sheet:
        sheet(worst(outcomes, options.worst)).save(options.sheet)


def _pipeline(profile: str | None) -> Pipeline:
    config = settings()
    torch.set_num_threads(config.torch_threads)
    loader = Loader(ModelFolder(config.models_dir), Execution.choose(config.device, config.dtype))
    return Pipeline.of(chosen(profile) if profile else config.checkpoints, loader.load)


if __name__ == "__main__":
    sys.exit(main())
