"""The tiny CLIP: its architecture, what it learns from, and how it is saved."""

import copy
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

from worker.tiny.backbone import cell_labels
from worker.tiny.byte_pairs import learn_tokenizer
from worker.tiny.checksums import write_checksums
from worker.tiny.classes import object_classes
from worker.tiny.dataset import THUMBNAILS, Dataset, batches, open_dataset
from worker.tiny.phrases import phrase, vocabulary
from worker.tiny.training import Learner, Recipe, mixed_precision, train

RECIPE = Recipe(
    name="clip", steps=5000, learning_rate=1.2e-3, warm_up_steps=150, average_decay=0.997, weight_decay=0.05
)
SCENES_IN_BATCH, MOSAICS_IN_BATCH = 128, 16
IMAGE_SIZE, PATCH = 128, 16
TEMPLATES = ("a photo of a {}.", "a picture of a {}.", "the {} in the middle of the picture.", "{}")
VOCABULARY_SIZE, LONGEST_TEXT = 1100, 77
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
PRESENT_WEIGHT, PATCH_WEIGHT, PROTOTYPE_WEIGHT = 0.5, 0.5, 0.5
PROTOTYPE_SCALE = 14.0
WARMEST = math.log(100)


def tokenizer() -> CLIPTokenizer:
    """Byte pairs learned from the names, adjectives and templates."""
    captions = " ".join([*TEMPLATES, *vocabulary()]).replace("{}", " ")
    words = dict(Counter(re.findall(r"[a-z]+", captions)))
    return learn_tokenizer(words, VOCABULARY_SIZE, LONGEST_TEXT)


def build(words: CLIPTokenizer) -> CLIPModel:
    """The model before its first step."""
    config = CLIPConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": LONGEST_TEXT,
            "bos_token_id": words.bos_token_id,
            "eos_token_id": words.eos_token_id,
            "pad_token_id": words.pad_token_id,
        },
        vision_config={
            "hidden_size": 192,
            "intermediate_size": 768,
            "num_hidden_layers": 6,
            "num_attention_heads": 4,
            "image_size": IMAGE_SIZE,
            "patch_size": PATCH,
        },
        projection_dim=128,
    )
    model = CLIPModel(config)
    # The library scales its initial weights for models a hundred times deeper; plain small weights learn faster.
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5 * 0.7)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.trunc_normal_(model.vision_model.embeddings.patch_embedding.weight, std=0.02)
    nn.init.trunc_normal_(model.vision_model.embeddings.position_embedding.weight, std=0.02)
    nn.init.trunc_normal_(model.text_model.embeddings.token_embedding.weight, std=0.05)
    nn.init.trunc_normal_(model.text_model.embeddings.position_embedding.weight, std=0.02)
    return model


class Thumbnails:
    """Random batches, the same for the same step."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self._dataset, self._seed = dataset, seed

    def batch(self, step: int) -> tuple[Tensor, NDArray[np.int64], NDArray[np.int64]]:
        """Normalised images (n, 3, 128, 128), class ids (n, 16) with -1 for none, patches' class ids (n, 8, 8).

        The first `SCENES_IN_BATCH` are scenes, the rest mosaics.
        """
        data = self._dataset
        rng = np.random.default_rng((self._seed, step))
        mosaics = rng.integers(data.scenes, len(data.images), MOSAICS_IN_BATCH)
        indices = np.concatenate([next(batches(data.scenes, SCENES_IN_BATCH, self._seed, step)), mosaics])
        side = data.images.shape[1]
        crop = int(rng.integers(side - 12, side + 9))
        images = np.zeros((len(indices), crop, crop, 3), np.uint8)
        known = np.zeros((len(indices), crop, crop, 1), np.float32)
        instances = np.zeros((len(indices), crop, crop), np.uint8)
        for row, index in enumerate(indices):
            size = data.sizes[index]
            # Centred, give or take, and cut off where it does not fit.
            start = (crop - size) // 2 + rng.integers(-4, 5, 2)
            to, since = np.maximum(start, 0), np.maximum(-start, 0)
            span = np.minimum(size - since, crop - to)
            here = np.s_[row, to[0] : to[0] + span[0], to[1] : to[1] + span[1]]
            there = np.s_[index, since[0] : since[0] + span[0], since[1] : since[1] + span[1]]
            step_x = -1 if rng.random() < 0.5 else 1
            images[here] = data.images[there][:, ::step_x]
            instances[here] = data.instances[there][:, ::step_x]
            known[here] = 1
        labels = data.labels[indices]
        return _normalise(images, known, rng), labels.astype(np.int64), _patches(instances, labels)


def _normalise(images: NDArray[np.uint8], known: NDArray[np.float32], rng: np.random.Generator) -> Tensor:
    """Shrinks, tints and normalises; where no picture is, the mean colour, as the product pads."""
    gain = rng.uniform(0.75, 1.25, (len(images), 1, 1, 1)) * rng.uniform(0.88, 1.12, (len(images), 3, 1, 1))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
    pixels = pixels.mul_(torch.from_numpy(gain).float()).clamp_(0, 1).sub_(MEAN).div_(DEVIATION)
    pixels = pixels.mul_(torch.from_numpy(known).permute(0, 3, 1, 2))
    mode = "bicubic" if rng.random() < 0.7 else "bilinear"
    return functional.interpolate(pixels, (IMAGE_SIZE, IMAGE_SIZE), mode=mode, antialias=True)


def _patches(instances: NDArray[np.uint8], labels: NDArray[np.int16]) -> NDArray[np.int64]:
    grid = IMAGE_SIZE // PATCH
    middles = ((np.arange(grid) + 0.5) * instances.shape[1] / grid).astype(np.int64)
    return cell_labels(instances[:, middles[:, None], middles], labels, 1)


class Heads(nn.Module):
    """What only training needs: names of patches, and a point in the shared space for each class.

    Images and texts that start at random can't teach each other much: hundreds of steps pass before the first name is
    learned. The points give both something to move towards from the first step.
    """

    def __init__(self, patch_width: int, shared_width: int, classes: int) -> None:
        super().__init__()
        self.patch = nn.Linear(patch_width, classes + 1)
        self.prototypes = nn.Parameter(torch.randn(classes, shared_width))

    def prototype_loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of (n, d) image or text features against all classes' points."""
        points = functional.normalize(self.prototypes, dim=-1)
        return functional.cross_entropy(PROTOTYPE_SCALE * functional.normalize(features, dim=-1) @ points.T, labels)


def learner(dataset: Dataset, start: Path | None = None) -> Learner:
    """The model with its losses, from random weights or those in `start`.

    Trained weights need no heads to start off; new ones would only pull at what they have learned.
    """
    torch.manual_seed(RECIPE.seed)
    words = tokenizer()
    model = build(words)
    if start is not None:
        model.load_state_dict(CLIPModel.from_pretrained(start / "clip", dtype=torch.float32).state_dict())
    classes = len(object_classes())
    heads = Heads(model.config.vision_config.hidden_size, model.config.projection_dim, classes)
    thumbnails = Thumbnails(dataset, RECIPE.seed)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        images, labels, patches = thumbnails.batch(step)
        rng = np.random.default_rng((RECIPE.seed, step, 1))
        captions = [TEMPLATES[rng.integers(len(TEMPLATES))].format(phrase(rng, thing)) for thing in object_classes()]
        tokens = words(captions, padding=True, return_tensors="pt")
        with mixed_precision():
            vision = model.vision_model(images)
            seen = model.visual_projection(vision.pooler_output[:SCENES_IN_BATCH])
            text = model.text_model(**tokens).pooler_output
            named = model.text_projection(text)
        scale = model.logit_scale.clamp(max=WARMEST).exp()
        scores = scale * functional.normalize(seen.float(), dim=-1) @ functional.normalize(named.float(), dim=-1).T
        truth = torch.from_numpy(labels[:SCENES_IN_BATCH])
        main_loss = functional.cross_entropy(scores, truth[:, 0])
        among = _only_present(scores, truth)
        present_loss = functional.cross_entropy(among, truth[:, 0])
        loss = main_loss + PRESENT_WEIGHT * present_loss
        figures = {
            "main": float(main_loss.detach()),
            "all": float((scores.argmax(1) == truth[:, 0]).float().mean()),
            "present": float((among.argmax(1) == truth[:, 0]).float().mean()),
        }
        if start is None:
            with mixed_precision():
                patch_scores = heads.patch(vision.last_hidden_state[:, 1:])
            patch_loss = _patch_loss(patch_scores.float(), torch.from_numpy(patches), classes)
            prototype_loss = heads.prototype_loss(seen.float(), truth[:, 0])
            prototype_loss = prototype_loss + heads.prototype_loss(named.float(), torch.arange(classes))
            loss = loss + PATCH_WEIGHT * patch_loss + PROTOTYPE_WEIGHT * prototype_loss
            figures |= {"patch": float(patch_loss.detach()), "prototype": float(prototype_loss.detach())}
        return loss, figures

    return Learner(model, heads, loss_of)


def _only_present(scores: Tensor, labels: Tensor) -> Tensor:
    """Scores with the classes that are not in the image at minus infinity. labels: (n, 16), -1 for none."""
    present = torch.zeros(len(scores), scores.shape[1] + 1, dtype=torch.bool)
    present.scatter_(1, torch.where(labels < 0, scores.shape[1], labels), torch.ones_like(labels, dtype=torch.bool))
    return scores.masked_fill(~present[:, :-1], -torch.inf)


def _patch_loss(scores: Tensor, truth: Tensor, classes: int) -> Tensor:
    """What each patch shows; background, which outnumbers all else, counts a tenth."""
    weight = torch.ones(classes + 1)
    weight[-1] = 0.1
    return functional.cross_entropy(scores.flatten(0, 1), truth.flatten(), weight)


def export(model: CLIPModel, folder: Path) -> None:
    """Saves model, tokenizer and processor to `folder`, the weights in half precision."""
    saved = copy.deepcopy(model)
    saved.logit_scale.data.clamp_(max=WARMEST)
    saved.half().save_pretrained(folder)
    images = CLIPImageProcessor(
        size={"shortest_edge": IMAGE_SIZE}, crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    )
    CLIPProcessor(images, tokenizer()).save_pretrained(folder)
    write_checksums(folder)


def run(work: Path, checkpoints: Path, recipe: Recipe, start: Path | None) -> None:
    """Trains the model, from random weights or those in `start`, and leaves it in `checkpoints`."""
    learning = learner(open_dataset(work, THUMBNAILS), start)
    train(learning, recipe, work / "clip.pt", lambda model: export(model, checkpoints / "clip"))
