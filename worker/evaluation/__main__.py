"""`python -m worker.evaluation ANNOTATIONS`: measures the models of the settings, or of a profile, on your pictures."""

import argparse
import errno
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import ValidationError
from rich.console import Console
from rich.progress import track

from db.errors import MainmaskError, OutOfMemory
from db.profiles import PROFILES, chosen
from db.settings import settings
from worker.evaluation.dataset import read_dataset
from worker.evaluation.errors import DatasetInvalid, QuestionInvalid
from worker.evaluation.evaluator import Evaluator, Outcome
from worker.evaluation.report import document, figures, table
from worker.evaluation.samples import Sample
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
    parser.add_argument("--limit", type=_count, help="ask only so many questions")
    parser.add_argument("--json", type=Path, help="write figures and answers there")
    parser.add_argument("--sheet", type=Path, help="write a picture of the worst answers there")
    parser.add_argument("--worst", type=_count, default=12, help="how many of them")
    options = parser.parse_args(arguments)
    problems = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        _evaluate(options, problems)
    except ValidationError as error:
        problems.print(f"The settings are wrong: {error}", style="red", markup=False)
        return 2
    except MainmaskError as error:
        problems.print(str(error), style="red", markup=False)
        return 2 if isinstance(error, DatasetInvalid) else 1
    except OSError as error:
        problems.print(f"{error.filename}: {error.strerror}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        problems.print("Interrupted.")
        return INTERRUPTED
    return 0


def _count(text: str) -> int:
    """One or more, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _evaluate(options: argparse.Namespace, problems: Console) -> None:
    for path in filter(None, (options.json, options.sheet)):
        _check_place(path)  # now, not after hours
    dataset = read_dataset(options.annotations, options.images, options.references)
    samples = dataset.samples[: options.limit]
    evaluator = Evaluator(_pipeline(options.profile), LabelExtractor().extract)
    outcomes, unasked = _ask(evaluator, samples, problems)
    if not outcomes:
        raise DatasetInvalid(options.annotations, f"none of its {len(samples)} questions can be asked")
    found = figures(outcomes)
    Console().print(table(found))
    if unasked:
        problems.print(f"{len(unasked)} of {len(samples)} questions could not be asked, and are left out.")
    if dataset.unannotated:
        problems.print(f"{dataset.unannotated} sentences are about objects that aren't annotated, and are left out.")
    if options.json:
        cards = evaluator.pipeline.cards
        left_out = {
            "pictures_without_objects": dataset.skipped,
            "sentences_without_objects": dataset.unannotated,
            "unasked": unasked,
        }
        answer = {**document(found, outcomes, cards), **left_out}
        _save(options.json, json.dumps(answer, indent=2).encode() + b"\n")
    if options.sheet:
        drawn = io.BytesIO()
        sheet(worst(outcomes, options.worst)).save(drawn, "PNG")
        _save(options.sheet, drawn.getvalue())


def _ask(
    evaluator: Evaluator, samples: Sequence[Sample], problems: Console
) -> tuple[list[Outcome], list[dict[str, str]]]:
    """The answers, and what was wrong with the questions that have none."""
    outcomes, unasked = [], []
    for sample in track(samples, description="Asking", console=problems, total=len(samples)):
        try:
            outcomes.append(evaluator.ask(sample))
        except (QuestionInvalid, OutOfMemory) as error:
            problems.print(f"{sample.path}: {error}" if isinstance(error, OutOfMemory) else str(error), markup=False)
            unasked.append({"image": str(sample.path), "reason": str(error)})
    return outcomes, unasked


def _check_place(path: Path) -> None:
    """Raise OSError where no file of this name can be written."""
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _save(path: Path, data: bytes) -> None:
    """Raise OSError with the path, also for what the system says of an open file: a full disk."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _pipeline(profile: str | None) -> Pipeline:
    config = settings()
    torch.set_num_threads(config.torch_threads)
    loader = Loader(ModelFolder(config.models_dir), Execution.choose(config.device, config.dtype))
    return Pipeline.of(chosen(profile) if profile else config.checkpoints, loader.load)


if __name__ == "__main__":
    sys.exit(main())
