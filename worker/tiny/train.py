"""`python -m worker.tiny.train`: fetches art, makes scenes and trains the checkpoints, going on where it stopped."""

import argparse
import importlib
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
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    for name, module in MODELS.items():
        if options.model in (name, "all"):
            importlib.import_module(module).run(options.work, options.out)


if __name__ == "__main__":
    main()
