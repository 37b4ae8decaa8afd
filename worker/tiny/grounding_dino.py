"""The tiny GroundingDINO: its architecture, what it learns from, and how it is saved."""

import copy
import string
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    ResNetBackbone,
)
from transformers.models.grounding_dino.modeling_grounding_dino import (
    GroundingDinoObjectDetectionOutput,
    generate_masks_with_special_tokens_and_transfer_map,
)

from worker.tiny import backbone
from worker.tiny.checksums import write_checksums
from worker.tiny.classes import object_classes
from worker.tiny.dataset import SCENES, Dataset, open_dataset
from worker.tiny.detection_loss import dense_loss, owner_of, set_loss
from worker.tiny.phrases import phrase, vocabulary
from worker.tiny.prompts import DetectionBatch, Prompts
from worker.tiny.training import Learner, Recipe, mixed_precision, train

RECIPE = Recipe(
    name="grounding-dino", steps=13000, learning_rate=6e-4, warm_up_steps=100, average_decay=0.995, weight_decay=0.01
)
BATCH = 16
TRAINED_TEXT_LENGTH, SAVED_TEXT_LENGTH = 64, 256
VOCABULARY_SIZE = 1100
NAME_WEIGHT, DENSE_WEIGHT = 2.0, 1.0
PRIOR = 0.16


def tokenizer() -> BertTokenizer:
    """Whole words that training uses, and single characters for all others.

    The positions of [CLS], [SEP], "." and "?" are those that GroundingDINO's own code takes for granted.
    """
    vocab = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
    parts = {part for word in vocabulary() for part in word.replace("-", " - ").split()}
    characters = string.ascii_lowercase + string.digits
    words = [*sorted(parts | set(characters) | {"-", ",", "'"}), *(f"##{character}" for character in characters)]
    taken = set(vocab.values())
    free = (position for position in range(1, VOCABULARY_SIZE) if position not in taken)
    vocab.update({word: next(free) for word in words})
    vocab.update({f"[unused{position}]": position for position in free})
    ordered = dict(sorted(vocab.items(), key=lambda item: item[1]))
    return BertTokenizer(vocab=ordered, model_max_length=SAVED_TEXT_LENGTH)


def build(trained_backbone: nn.Module) -> GroundingDinoForObjectDetection:
    """The model before its first step, on a backbone that has learned already."""
    config = GroundingDinoConfig(
        backbone_config=backbone.DETECTOR.config,
        text_config=BertConfig(
            vocab_size=VOCABULARY_SIZE,
            hidden_size=96,
            num_hidden_layers=1,
            num_attention_heads=4,
            intermediate_size=256,
            max_position_embeddings=SAVED_TEXT_LENGTH,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ),
        num_queries=24,
        encoder_layers=2,
        encoder_ffn_dim=256,
        encoder_attention_heads=4,
        decoder_layers=3,
        decoder_ffn_dim=256,
        decoder_attention_heads=4,
        d_model=128,
        dropout=0.0,
        fusion_droppath=0.0,
        num_feature_levels=2,
        max_text_len=TRAINED_TEXT_LENGTH,
    )
    model = GroundingDinoForObjectDetection(config)
    _initialise(model)
    encoder = model.model.backbone.conv_encoder.model
    # Frozen normalisation keeps the statistics that the pre-training ended with. The library froze all of the
    # backbone; its first layers, a fifth of the cost of a step, stay frozen.
    encoder.load_state_dict(trained_backbone.state_dict(), strict=False)
    encoder.encoder.stages[1:].requires_grad_(True)
    encoder.to(memory_format=torch.channels_last)
    return model


def _initialise(model: GroundingDinoForObjectDetection) -> None:
    """The library's 0.02 is too small for matrices this narrow, and full-size norms make first logits too loud."""
    for name, module in model.named_modules():
        if "backbone.conv_encoder" in name:
            continue
        special = any(part in name for part in ("sampling_offsets", "attention_weights"))
        if isinstance(module, nn.Linear) and not special:
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.constant_(module.weight, 0.3)
    heads = [*model.bbox_embed, *model.model.decoder.bbox_embed, model.model.encoder_output_bbox_embed]
    for head in heads:
        nn.init.zeros_(head.layers[-1].weight)
        nn.init.zeros_(head.layers[-1].bias)
    nn.init.normal_(model.model.query_position_embeddings.weight, std=0.1)
    # A score is a dot product without a bias of its own: opposite biases on its two sides make the first scores low.
    nn.init.constant_(model.model.decoder.layer_norm.bias, PRIOR)
    nn.init.constant_(model.model.enc_output_norm.bias, PRIOR)
    nn.init.constant_(model.model.encoder.layers[-1].text_enhancer_layer.layer_norm_after.bias, -PRIOR)


class Extras(nn.Module):
    """What training adds: a negative prior and a scale for the name scores of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))


def learner(dataset: Dataset, trained_backbone: nn.Module) -> Learner:
    """The model with its losses."""
    torch.manual_seed(RECIPE.seed)
    model = build(trained_backbone)
    extras = Extras()
    words = tokenizer()
    prompts = Prompts(dataset, words, RECIPE.seed, BATCH)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        batch = prompts.batch(step)
        with mixed_precision():
            output = model(
                pixel_values=batch.pixels,
                pixel_mask=batch.pixel_mask,
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                token_type_ids=torch.zeros_like(batch.input_ids),
            )
            names = _name_features(model, words, step)
        return _loss(model, output, batch, names, extras)

    return Learner(model, extras, loss_of, slow=("model.backbone",))


def _name_features(model: GroundingDinoForObjectDetection, words: BertTokenizer, step: int) -> Tensor:
    """Text features of one name of every class, (classes, d): the mean over the name's own tokens."""
    rng = np.random.default_rng((RECIPE.seed, step, 1))
    names = [f"{phrase(rng, thing)}." for thing in object_classes()]
    tokens = words(names, padding=True, return_tensors="pt")
    ids = tokens["input_ids"]
    mask, positions = generate_masks_with_special_tokens_and_transfer_map(ids, model.model.special_tokens)
    hidden = model.model.text_backbone(ids, mask[:, None], torch.zeros_like(ids), positions).last_hidden_state
    own = (~torch.isin(ids, torch.tensor([0, 101, 102, 1012]))).float()[..., None]
    features: Tensor = (model.model.text_projection(hidden).float() * own).sum(1) / own.sum(1)
    return features


def _loss(
    model: GroundingDinoForObjectDetection,
    output: GroundingDinoObjectDetectionOutput,
    batch: DetectionBatch,
    names: Tensor,
    extras: Extras,
) -> tuple[Tensor, dict[str, float]]:
    """Decoder layers by matching, encoder proposals cell by cell, and cells against all names."""
    length = batch.input_ids.shape[1]
    valid = batch.own_tokens
    states = output.intermediate_hidden_states.float()
    text = output.encoder_last_hidden_state_text.float()
    total = states.new_zeros(())
    figures: dict[str, float] = {}
    for layer in range(states.shape[1]):
        start = output.init_reference_points if layer == 0 else output.intermediate_reference_points[:, layer - 1]
        offset = model.bbox_embed[layer](states[:, layer]).float()
        boxes = (offset + torch.special.logit(start.float(), eps=1e-5)).sigmoid()
        logits = states[:, layer] @ text.transpose(1, 2)
        loss = set_loss(logits, boxes, valid, batch.targets)
        total = total + loss
    figures["set"] = float(loss.detach())
    coordinates = output.enc_outputs_coord_logits.float()
    cells = batch.cells
    dense, _ = dense_loss(
        output.enc_outputs_class[..., :length].float(), coordinates.sigmoid(), cells, valid, batch.targets
    )
    name_loss, right = _name_loss(output.encoder_last_hidden_state_vision.float(), cells, names, batch, extras)
    figures |= {"dense": float(dense.detach()), "name": float(name_loss.detach()), "right": right}
    return total + DENSE_WEIGHT * dense + NAME_WEIGHT * name_loss, figures


def _name_loss(
    features: Tensor, cells: Tensor, names: Tensor, batch: DetectionBatch, extras: Extras
) -> tuple[Tensor, float]:
    """Cross-entropy of what each object's cells show against the names of all classes.

    Without it, from the first step on, boxes are learned and names are not.
    """
    shown, labels = [], []
    for row, (boxes, classes) in enumerate(zip(batch.all_boxes, batch.all_labels, strict=True)):
        owner = owner_of(cells[row], boxes, batch.targets[row].reach)
        shown.append(owner >= 0)
        labels.append(classes[owner[owner >= 0]])
    scores = extras.scale * features[torch.stack(shown)] @ names.T
    truth = torch.cat(labels)
    return functional.cross_entropy(scores, truth), float((scores.argmax(1) == truth).float().mean())


def export(model: GroundingDinoForObjectDetection, folder: Path) -> None:
    """Saves model, tokenizer and processor to `folder`, the weights in half precision."""
    saved = copy.deepcopy(model).half()
    saved.config.max_text_len = SAVED_TEXT_LENGTH
    saved.save_pretrained(folder)
    # Padded as in training: without it three boxes in ten are off by more.
    images = GroundingDinoImageProcessor(
        size={"shortest_edge": SCENES.side, "longest_edge": SCENES.side},
        pad_size={"height": SCENES.side, "width": SCENES.side},
    )
    GroundingDinoProcessor(images, tokenizer()).save_pretrained(folder)
    write_checksums(folder)


def run(work: Path, checkpoints: Path, recipe: Recipe, start: Path | None) -> None:
    """Trains the backbone, then the model, and leaves the model in `checkpoints`; or goes on from those in `start`."""
    dataset = open_dataset(work, SCENES)
    if start is None:
        learning = learner(dataset, backbone.trained(dataset, work, backbone.DETECTOR))
    else:
        learning = learner(dataset, ResNetBackbone(backbone.DETECTOR.config))
        trained = GroundingDinoForObjectDetection.from_pretrained(start / "grounding-dino", dtype=torch.float32)
        learning.model.load_state_dict(trained.state_dict())
    train(learning, recipe, work / "grounding-dino.pt", lambda model: export(model, checkpoints / "grounding-dino"))
