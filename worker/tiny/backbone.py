"""Image backbones, first taught to name what each part of a scene shows: a detector's, and a smaller one for SAM."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import ResNetBackbone, ResNetConfig

from worker.tiny.classes import object_classes
from worker.tiny.dataset import Dataset, batches
from worker.tiny.training import Learner, Recipe, mixed_precision, train


@dataclass(frozen=True)
class Backbone:
    """The widths of one backbone's stages, and how it learns. To name things it must be wide; to outline them, not."""

    widths: tuple[int, int, int, int]
    recipe: Recipe

    depths = (1, 1, 2, 2)

    @property
    def config(self) -> ResNetConfig:
        """With the maps of strides 16 and 32."""
        return ResNetConfig(
            embedding_size=self.widths[0],
            hidden_sizes=list(self.widths),
            depths=list(self.depths),
            layer_type="basic",
            out_features=["stage3", "stage4"],
        )


def _recipe(name: str, steps: int) -> Recipe:
    return Recipe(name=name, steps=steps, learning_rate=2e-3, warm_up_steps=60, average_decay=0.99, weight_decay=0.05)


DETECTOR = Backbone((32, 64, 192, 384), _recipe("backbone", steps=4000))
SEGMENTER = Backbone((32, 64, 128, 256), _recipe("backbone-small", steps=450))
BATCH, MOSAIC_SHARE = 32, 0.7
CELL = 16
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


class CellHead(nn.Module):
    """Names of cells, from both feature maps."""

    def __init__(self, widths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        fine, coarse = widths[2:]
        self.fine, self.coarse = nn.Conv2d(fine, classes, 1), nn.Conv2d(coarse, classes, 1)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """(b, classes, h, w) scores at each of the two strides."""
        return self.fine(features[0]), self.coarse(features[1])


def normalise(images: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """(b, h, w, 3) pixels as the processor gives them, (b, 3, h, w), with a random tint and exposure."""
    gain = rng.uniform(0.75, 1.25, (len(images), 1, 1, 1)) * rng.uniform(0.88, 1.12, (len(images), 3, 1, 1))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
    pixels = pixels.mul_(torch.from_numpy(gain).float()).clamp_(0, 1)
    return pixels.sub_(MEAN).div_(DEVIATION)


def cell_labels(instances: NDArray[np.uint8], labels: NDArray[np.int16], cell: int) -> NDArray[np.int64]:
    """What the middle of each cell shows: a class id, or the number of classes for background. (b, h/cell, w/cell)."""
    middle = instances[:, cell // 2 :: cell, cell // 2 :: cell]
    table = np.concatenate([np.full((len(labels), 1), len(object_classes())), labels], 1)
    return np.take_along_axis(table, middle.reshape(len(labels), -1).astype(np.int64), 1).reshape(middle.shape)


def learner(dataset: Dataset, backbone: Backbone) -> Learner:
    """The backbone, with live batch normalisation, before its first step."""
    seed = backbone.recipe.seed
    torch.manual_seed(seed)
    model = ResNetBackbone(backbone.config)
    classes = len(object_classes())
    head = CellHead(backbone.widths, classes + 1)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((seed, step))
        mosaics = round(BATCH * MOSAIC_SHARE)
        indices = np.concatenate(
            [
                next(batches(len(dataset.images) - dataset.scenes, mosaics, seed, step)) + dataset.scenes,
                next(batches(dataset.scenes, BATCH - mosaics, seed, step)),
            ]
        )
        images, instances, labels = dataset.images[indices], dataset.instances[indices], dataset.labels[indices]
        if rng.random() < 0.5:
            images, instances = images[:, :, ::-1].copy(), instances[:, :, ::-1]
        pixels = normalise(images, rng).contiguous(memory_format=torch.channels_last)
        with mixed_precision():
            scores = head(model(pixels).feature_maps)
        losses, right = [], 0.0
        for level, cell in zip(scores, (CELL, 2 * CELL), strict=True):
            truth = torch.from_numpy(cell_labels(instances, labels, cell)).flatten()
            flat = level.float().permute(0, 2, 3, 1).flatten(0, 2)
            # Background outnumbers every class many times over.
            weight = torch.ones(classes + 1)
            weight[-1] = 0.1
            losses.append(functional.cross_entropy(flat, truth, weight))
            seen = truth < classes
            right = float((flat.argmax(1) == truth)[seen].float().mean())
        loss = losses[0] + losses[1]
        return loss, {"loss": float(loss.detach()), "right": right}

    return Learner(model.to(memory_format=torch.channels_last), head, loss_of)


def trained(dataset: Dataset, work: Path, backbone: Backbone) -> nn.Module:
    """The trained backbone, from `work` or made now."""
    recipe = backbone.recipe
    return train(learner(dataset, backbone), recipe, work / f"{recipe.name}.pt", lambda _: None)
