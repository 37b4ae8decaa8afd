"""The tiny SAM: its architecture, what it learns from, and how it is saved."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from segment_anything.modeling import Sam
from torch import Tensor, nn
from torch.nn import functional
from transformers import ResNetBackbone

from worker.pipeline.sam import FeaturePyramid, SamArchitecture, build_sam
from worker.tiny import backbone
from worker.tiny.checksums import write_checksums
from worker.tiny.dataset import SCENES, Dataset, batches, open_dataset
from worker.tiny.training import Learner, Recipe, mixed_precision, train

ARCHITECTURE = SamArchitecture(
    image_encoder=FeaturePyramid(backbone.SEGMENTER.widths, backbone.SEGMENTER.depths),
    image_size=SCENES.side,
    prompt_embed_dim=128,
    decoder_num_heads=4,
    decoder_mlp_dim=256,
    iou_head_hidden_dim=128,
)
RECIPE = Recipe(name="sam", steps=8400, learning_rate=1.5e-3, warm_up_steps=100)
BATCH, PROMPTS = 16, 2
MOSAIC_SHARE = 0.15
SPREADS, SPREAD_SHARES = (0.03, 0.07, 0.14), (0.45, 0.35, 0.2)


def predict(sam: Sam, images: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Mask logits and predicted IoU of several boxes in each of several images.

    images: (b, 3, s, s), normalised and padded; boxes: (b, p, 4). Returns (b, p, s/2, s/2) and (b, p).
    It is `MaskDecoder` with a batch of images, which the original's repeats every image by the number of all prompts.
    """
    count, prompts = boxes.shape[:2]
    decoder, encoder = sam.mask_decoder, sam.prompt_encoder
    features = sam.image_encoder(images).repeat_interleave(prompts, 0)
    sparse, dense = encoder(points=None, boxes=boxes.flatten(0, 1), masks=None)
    output_tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([output_tokens.expand(count * prompts, -1, -1), sparse], 1)
    source = features + dense
    positions = encoder.get_dense_pe().expand(count * prompts, -1, -1, -1)
    states, source = decoder.transformer(source, positions, tokens)
    source = source.transpose(1, 2).view(features.shape)
    upscaled = decoder.output_upscaling(source)
    # Only the single-mask token learns: the product never asks for several masks.
    weights = decoder.output_hypernetworks_mlps[0](states[:, 1])
    logits = torch.einsum("nc,nchw->nhw", weights, upscaled)
    quality = decoder.iou_prediction_head(states[:, 0])[:, 0]
    return logits.view(count, prompts, *logits.shape[1:]), quality.view(count, prompts)


def mask_loss(logits: Tensor, quality: Tensor, truth: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Focal cross-entropy, dice and the squared error of the predicted IoU, for (n, h, w) logits and truth in 0..1."""
    probability = logits.sigmoid()
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    surprise = (probability - truth).abs()
    focal = (surprise**2 * cross_entropy).mean((1, 2))
    overlap = (probability * truth).sum((1, 2))
    dice = 1 - (2 * overlap + 1) / (probability.sum((1, 2)) + truth.sum((1, 2)) + 1)
    with torch.no_grad():
        predicted, actual = logits > 0, truth > 0.5
        iou = (predicted & actual).sum((1, 2)) / (predicted | actual).sum((1, 2)).clamp(min=1)
    error = (quality - iou) ** 2
    loss = (20 * focal + cross_entropy.mean((1, 2)) + dice + error).mean()
    return loss, {"loss": float(loss.detach()), "iou": float(iou.mean()), "good": float((iou >= 0.7).float().mean())}


def jitter(rng: np.random.Generator, boxes: NDArray[np.float32], size: NDArray[np.int32]) -> NDArray[np.float32]:
    """Boxes (n, 4) as a detector gives them: off by 3 %, 7 % or 14 % of their sides, inside (h, w)."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    spread = rng.choice(SPREADS, (len(boxes), 1), p=SPREAD_SHARES)
    moved = boxes + np.clip(rng.normal(0, 1, boxes.shape), -2, 2) * spread * sides
    low, high = np.minimum(moved[:, :2], moved[:, 2:] - 2), np.maximum(moved[:, 2:], moved[:, :2] + 2)
    limits = np.array([size[1], size[0]])
    return np.concatenate([np.clip(low, 0, limits - 2), np.clip(high, 2, limits)], 1).astype(np.float32)


class Samples:
    """Random batches from the scenes, the same for the same step."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self._dataset = dataset
        self._seed = seed
        self._order: dict[int, NDArray[np.int64]] = {}

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Raw images (b, 3, s, s), valid pixels (b, 1, s, s), boxes (b, p, 4), truth (b, p, s, s)."""
        rng = np.random.default_rng((self._seed, step))
        data = self._dataset
        mosaics = int(rng.binomial(BATCH, MOSAIC_SHARE))
        scenes = next(batches(data.scenes, BATCH, self._seed, step))[mosaics:]
        indices = np.concatenate([scenes, rng.integers(data.scenes, len(data.images), mosaics)])
        boxes = np.empty((BATCH, PROMPTS, 4), np.float32)
        truth = np.empty((BATCH, PROMPTS, *data.instances.shape[1:]), np.float32)
        images = data.images[indices]
        valid = np.zeros((BATCH, 1, *images.shape[1:3]), np.float32)
        for row, index in enumerate(indices):
            height, width = data.sizes[index]
            valid[row, :, :height, :width] = 1
            present = np.flatnonzero(data.labels[index] >= 0)
            others = present[1:] if len(present) > 1 else present
            # The main object is what the product asks for; others teach what occlusion looks like.
            first = rng.choice(present) if index >= data.scenes else 0
            chosen = np.array([first, *rng.choice(others, PROMPTS - 1)])
            boxes[row] = jitter(rng, data.boxes[index, chosen], data.sizes[index])
            truth[row] = data.instances[index][None] == (chosen + 1)[:, None, None]
            if rng.random() < 0.5:
                images[row, :height, :width] = images[row, :height, :width][:, ::-1]
                truth[row, :, :height, :width] = truth[row, :, :height, :width][:, :, ::-1]
                boxes[row, :, [0, 2]] = width - boxes[row, :, [2, 0]]
        gain = rng.uniform(0.7, 1.3, (BATCH, 1, 1, 3)) * rng.uniform(0.85, 1.15, (BATCH, 1, 1, 1))
        shifted = np.clip(images * gain.astype(np.float32), 0, 255)
        pixels = torch.from_numpy(shifted.astype(np.float32)).permute(0, 3, 1, 2)
        return pixels, torch.from_numpy(valid), torch.from_numpy(boxes), torch.from_numpy(truth)


def learner(dataset: Dataset, trained_backbone: nn.Module) -> Learner:
    """The model before its first step, on a backbone that has learned already."""
    torch.manual_seed(RECIPE.seed)
    sam = build_sam(ARCHITECTURE)
    sam.image_encoder.backbone.load_state_dict(trained_backbone.state_dict())
    sam.image_encoder.to(memory_format=torch.channels_last)
    samples = Samples(dataset, RECIPE.seed)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        pixels, valid, boxes, truth = samples.batch(step)
        images = (pixels - sam.pixel_mean) / sam.pixel_std * valid
        with mixed_precision():
            logits, quality = predict(sam, images, boxes)
        logits = logits.flatten(0, 1).float()
        target = functional.interpolate(truth, logits.shape[-2:], mode="area").flatten(0, 1)
        return mask_loss(logits, quality.flatten().float(), target)

    return Learner(sam, nn.Module(), loss_of, slow=("image_encoder.backbone",))


def export(model: nn.Module, folder: Path) -> None:
    """Saves the weights in half precision, and the hyper-parameters, to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    ARCHITECTURE.write(folder / "config.json")
    write_checksums(folder)


def run(work: Path, checkpoints: Path, recipe: Recipe, start: Path | None) -> None:
    """Trains the backbone, then the model, and leaves the model in `checkpoints`; or goes on from those in `start`."""
    dataset = open_dataset(work, SCENES)
    if start is None:
        learning = learner(dataset, backbone.trained(dataset, work, backbone.SEGMENTER))
    else:
        learning = learner(dataset, ResNetBackbone(backbone.SEGMENTER.config))
        weights = load_file(start / "sam" / "model.safetensors")
        learning.model.load_state_dict({name: value.float() for name, value in weights.items()})
    train(learning, recipe, work / "sam.pt", lambda model: export(model, checkpoints / "sam"))
