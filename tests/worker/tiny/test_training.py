"""The shared training loop."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from worker.tiny.training import Learner, Recipe, train

RECIPE = Recipe(name="toy", steps=12, learning_rate=0.05, warm_up_steps=2, average_decay=0.8)


class Interrupted(Exception):
    """Stands for the process being killed."""


def _learner(*, stop_at: int | None = None) -> Learner:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        if step == stop_at:
            raise Interrupted
        inputs = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        loss = ((model(inputs)[:, 0] - inputs.sum(1)) ** 2).mean()
        return loss, {"loss": float(loss.detach())}

    return Learner(model, nn.Linear(1, 1), loss_of)


def test_going_on_gives_what_never_stopping_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that was killed and started again ends with exactly the weights of one that ran through."""
    monkeypatch.setattr("worker.tiny.training.SAVE_EVERY_SECONDS", 0.0)
    through = train(_learner(), RECIPE, tmp_path / "through.pt", lambda _: None)
    with pytest.raises(Interrupted):
        train(_learner(stop_at=7), RECIPE, tmp_path / "stopped.pt", lambda _: None)
    resumed = train(_learner(), RECIPE, tmp_path / "stopped.pt", lambda _: None)
    for name, value in through.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])


def _distance(model: nn.Module) -> float:
    """How far the toy's weights are from the truth, which is 1."""
    return float((next(model.parameters()).detach() - 1).abs().sum())


def test_training_learns_and_exports_the_average(tmp_path: Path) -> None:
    """The model that is exported at the end is the averaged one, and it has moved towards the truth."""
    exported: list[nn.Module] = []
    before = _distance(_learner().model)
    average = train(_learner(), RECIPE, tmp_path / "toy.pt", exported.append)
    assert exported == [average]
    assert _distance(average) < before


@pytest.mark.parametrize(("step", "rate"), [(0, 0.025), (1, 0.05), (2, 0.05), (12, 0.0005)])
def test_the_rate_warms_up_and_falls(step: int, rate: float) -> None:
    """The learning rate rises linearly, then falls by a cosine to a hundredth."""
    assert RECIPE.rate(step) == pytest.approx(rate)
