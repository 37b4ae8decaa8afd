"""Batches for the detector: scenes, prompts with names present and absent, and what they should give."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import BertTokenizer

from worker.tiny.backbone import CELL, normalise
from worker.tiny.classes import object_classes
from worker.tiny.dataset import SCENES, Dataset, batches
from worker.tiny.detection_loss import Targets
from worker.tiny.phrases import phrase

SINGLE_SHARE, ABSENT_SHARE, MOSAIC_SHARE = 0.55, 0.33, 0.25


@dataclass(frozen=True)
class DetectionBatch:
    """Model inputs and their targets.

    own_tokens: (b, t) bool, tokens that belong to a name. cells: (b, n, 2), centres of the encoder's cells relative to
    the image, infinite outside it. all_boxes and all_labels: everything in the image, named or not.
    """

    pixels: Tensor
    pixel_mask: Tensor
    input_ids: Tensor
    attention_mask: Tensor
    own_tokens: Tensor
    targets: list[Targets]
    cells: Tensor
    all_boxes: list[Tensor]
    all_labels: list[Tensor]


class Prompts:
    """Random batches, the same for the same step."""

    def __init__(self, dataset: Dataset, words: BertTokenizer, seed: int, size: int) -> None:
        self._dataset, self._words, self._seed, self._size = dataset, words, seed, size

    def batch(self, step: int) -> DetectionBatch:
        """Batch number `step`."""
        rng = np.random.default_rng((self._seed, step))
        data = self._dataset
        mosaics = int(rng.binomial(self._size, MOSAIC_SHARE))
        scenes = next(batches(data.scenes, self._size, self._seed, step))[mosaics:]
        indices = np.concatenate([scenes, rng.integers(data.scenes, len(data.images), mosaics)])
        images, sizes = data.images[indices], data.sizes[indices]
        boxes = [_relative(data, index) for index in indices]
        labels = [data.labels[index][data.labels[index] >= 0].astype(np.int64) for index in indices]
        for row, (height, width) in enumerate(sizes):
            if rng.random() < 0.5:
                images[row, :height, :width] = images[row, :height, :width][:, ::-1]
                boxes[row][:, 0] = 1 - boxes[row][:, 0]
        asked = [self._ask(rng, present) for present in labels]
        texts = ["".join(f"{phrase(rng, object_classes()[label])}. " for label in chosen).strip() for chosen in asked]
        tokens = self._words(texts, padding=True, return_tensors="pt")
        owner = _token_owners(tokens["input_ids"])
        targets = [_targets(boxes[row], labels[row], asked[row], owner[row], sizes[row]) for row in range(len(indices))]
        pixel_mask = torch.zeros(len(indices), SCENES.side, SCENES.side, dtype=torch.long)
        for row, (height, width) in enumerate(sizes):
            pixel_mask[row, :height, :width] = 1
        return DetectionBatch(
            pixels=(normalise(images, rng) * pixel_mask[:, None]).contiguous(memory_format=torch.channels_last),
            pixel_mask=pixel_mask,
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            own_tokens=owner >= 0,
            targets=targets,
            cells=torch.stack([_cells(height, width) for height, width in sizes]),
            all_boxes=[torch.from_numpy(b) for b in boxes],
            all_labels=[torch.from_numpy(present) for present in labels],
        )

    def _ask(self, rng: np.random.Generator, present: NDArray[np.int64]) -> list[int]:
        """The classes to name: one, sometimes absent, as the product asks, or several with some absent."""
        classes = len(object_classes())
        if rng.random() < SINGLE_SHARE:
            return [int(rng.integers(classes) if rng.random() < ABSENT_SHARE else rng.choice(present))]
        names = int(rng.integers(3, 9))
        mine = rng.permutation(np.unique(present))[: max(1, names - int(rng.integers(0, 4)))]
        others = rng.choice(classes, names, replace=False)
        chosen = list(dict.fromkeys([*mine.tolist(), *others.tolist()]))[:names]
        return [int(label) for label in rng.permutation(chosen)]


def _relative(data: Dataset, index: int) -> NDArray[np.float32]:
    """Boxes of one scene as centre and size, relative to the scene."""
    boxes = data.boxes[index][data.labels[index] >= 0]
    height, width = data.sizes[index]
    scale = np.array([width, height, width, height], np.float32)
    low, high = boxes[:, :2], boxes[:, 2:]
    return (np.concatenate([(low + high) / 2, high - low], 1) / scale).astype(np.float32)


def _token_owners(ids: Tensor) -> Tensor:
    """For each token the position of the name that it belongs to, or -1: names end at full stops."""
    special = torch.isin(ids, torch.tensor([0, 101, 102, 1012]))
    stops = (ids == 1012).cumsum(1)
    return torch.where(special, -1, stops)


def _targets(
    boxes: NDArray[np.float32],
    labels: NDArray[np.int64],
    asked: list[int],
    owner: Tensor,
    size: NDArray[np.int32],
) -> Targets:
    position = {label: place for place, label in enumerate(asked)}
    named = [k for k, label in enumerate(labels.tolist()) if label in position]
    places = torch.tensor([position[int(labels[k])] for k in named], dtype=torch.long)
    return Targets(
        boxes=torch.from_numpy(boxes[named].reshape(-1, 4)),
        tokens=owner[None] == places[:, None],
        reach=torch.tensor([CELL / 2 / float(size[1]), CELL / 2 / float(size[0])]),
    )


def _cells(height: int, width: int) -> Tensor:
    """Centres of the cells at both strides, relative to the image; infinite for those in the padding."""
    centres = []
    for cell in (CELL, 2 * CELL):
        count = SCENES.side // cell
        # The mask is sampled at each cell's first pixel.
        rows, columns = -(-height // cell), -(-width // cell)
        y, x = torch.meshgrid(torch.arange(count), torch.arange(count), indexing="ij")
        grid = torch.stack([(x + 0.5) / columns, (y + 0.5) / rows], -1)
        grid[(x >= columns) | (y >= rows)] = torch.inf
        centres.append(grid.flatten(0, 1))
    return torch.cat(centres)
