"""The loop that all three models share: AdamW, warm-up and cosine, moving average, saved state."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from worker.pipeline.execution import fastest_dtype
from worker.tiny.progress import Progress

SAVE_EVERY_SECONDS = 60.0
EXPORT_EVERY_SECONDS = 300.0

LossOf = Callable[[int], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Recipe:
    """How long and how fast one model learns."""

    name: str
    steps: int
    learning_rate: float
    warm_up_steps: int
    weight_decay: float = 0.02
    average_decay: float = 0.998
    clip_norm: float = 1.0
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step: linear warm-up, then a cosine down to a hundredth."""
        if step < self.warm_up_steps:
            return self.learning_rate * (step + 1) / self.warm_up_steps
        progress = (step - self.warm_up_steps) / max(1, self.steps - self.warm_up_steps)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def mixed_precision() -> torch.autocast:
    """bfloat16 for what gains by it, on CPUs that multiply it in hardware; elsewhere nothing changes."""
    is_faster = fastest_dtype(torch.device("cpu")) is torch.bfloat16
    return torch.autocast("cpu", torch.bfloat16, enabled=is_faster)


@dataclass(frozen=True)
class Learner:
    """A model with what it is trained with."""

    model: nn.Module
    auxiliary: nn.Module
    """Heads that only training needs."""
    loss_of: LossOf
    """From a step's number to its loss and figures for the log. All randomness must come from the number."""
    slow: tuple[str, ...] = ()
    """Prefixes of parameters that learn at half the rate."""


def train(learner: Learner, recipe: Recipe, state_path: Path, export: Callable[[nn.Module], None]) -> nn.Module:
    """Trains to the last step, going on from `state_path` if it is there, and returns the averaged model.

    `export` gets the averaged model now and then, and at the end.
    """
    average = copy.deepcopy(learner.model).requires_grad_(False)
    optimizer = _optimizer(learner, recipe)
    first = _resume(state_path, learner, average, optimizer)
    progress = Progress(recipe.name, recipe.steps, first)
    saved = exported = time.monotonic()
    figures: dict[str, float] = {}
    for step in range(first, recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step) * group["pace"]
        loss, latest = learner.loss_of(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
        optimizer.step()
        _follow(average, learner.model, min(recipe.average_decay, (step + 1) / (step + 10)))
        figures = {name: 0.98 * figures.get(name, value) + 0.02 * value for name, value in latest.items()}
        progress.step(" ".join(f"{name} {value:.3f}" for name, value in figures.items()))
        if time.monotonic() - saved > SAVE_EVERY_SECONDS or step + 1 == recipe.steps:
            saved = time.monotonic()
            _save(state_path, step + 1, learner, average, optimizer)
        if time.monotonic() - exported > EXPORT_EVERY_SECONDS or step + 1 == recipe.steps:
            exported = time.monotonic()
            export(average)
    return average


def _optimizer(learner: Learner, recipe: Recipe) -> torch.optim.AdamW:
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    named = [*learner.model.named_parameters(), *learner.auxiliary.named_parameters(prefix="auxiliary")]
    for name, parameter in named:
        if parameter.requires_grad:
            pace = 0.5 if name.startswith(learner.slow) and learner.slow else 1.0
            decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((pace, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": params, "pace": pace, "weight_decay": decay} for (pace, decay), params in groups.items()],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
    )


def _follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Moves the average a little towards the model; counters and statistics are copied."""
    mine, theirs = average.state_dict(), model.state_dict()
    floats = [name for name, value in mine.items() if value.is_floating_point()]
    torch._foreach_lerp_([mine[n] for n in floats], [theirs[n] for n in floats], 1 - decay)
    for name in mine.keys() - set(floats):
        mine[name].copy_(theirs[name])


def _save(path: Path, step: int, learner: Learner, average: nn.Module, optimizer: torch.optim.AdamW) -> None:
    state: dict[str, Any] = {
        "step": step,
        "model": learner.model.state_dict(),
        "auxiliary": learner.auxiliary.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _resume(path: Path, learner: Learner, average: nn.Module, optimizer: torch.optim.AdamW) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    learner.model.load_state_dict(state["model"])
    learner.auxiliary.load_state_dict(state["auxiliary"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
