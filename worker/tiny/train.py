"""`python -m worker.tiny.train`: fetches art, makes scenes and trains the checkpoints, going on where it stopped."""

import argparse
import importlib
from dataclasses import replace
from pathlib import Path

import torch

MODELS = {"sam": "worker.tiny.sam", "grounding-dino": "worker.tiny.grounding_dino", "clip": "worker.tiny.clip"}
CHECKPOINTS = Path(__file__).with_name("checkpoints")
WORK = Path(".data/tiny")


def main() -> None:
    """Trains one model, or all of them in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("model", nargs="?", default="all", choices=[*MODELS, "all"], help="what to train")
    parser.add_argument("--work", type=Path, default=WORK, help="art, scenes and unfinished training")
    parser.add_argument("--out", type=Path, default=CHECKPOINTS, help="where checkpoints go")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--start", type=Path, help="checkpoints to go on from, instead of random weights")
    parser.add_argument("--steps", type=int, help="how many steps, instead of the recipe's")
    parser.add_argument("--rate", type=float, help="the highest learning rate, instead of the recipe's")
    options = parser.parse_args()
    changes = {"steps": options.steps, "learning_rate": options.rate}
    given = {name: value for name, value in changes.items() if value is not None}
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    for name, module in MODELS.items():
        if options.model in (name, "all"):
            task = importlib.import_module(module)
            task.run(options.work, options.out, replace(task.RECIPE, **given), options.start)


if __name__ == "__main__":
    main()
