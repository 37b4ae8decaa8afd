"""GroundingDINO in its parts: the picture's features, the text's, and the boxes that follow from both.

The weights and layers are those of transformers' `GroundingDinoForObjectDetection`; taken apart, so that the features
of a picture serve a second question about it, and computed without what no box needs.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import GroundingDinoForObjectDetection
from transformers.models.grounding_dino.modeling_grounding_dino import (
    GroundingDinoBiMultiHeadAttention,
    GroundingDinoMultiscaleDeformableAttention,
    generate_masks_with_special_tokens_and_transfer_map,
)

from worker.pipeline.cache import Cache
from worker.pipeline.deformable_attention import DeformableAttention
from worker.pipeline.encoding import Encode
from worker.pipeline.fusion_attention import FusionAttention
from worker.pipeline.linear import SMALLEST, halve_linears

Shapes = tuple[tuple[int, int], ...]

TEXT_CACHE_BYTES = 8 << 20
"""Of features of prompts: about a thousand short ones."""


@dataclass(frozen=True)
class ImageFeatures:
    """Pictures as the detector sees them: c channels for each of the n pixels of all levels of detail together."""

    features: Tensor
    """(b, n, c)"""
    pixel_mask: Tensor
    """(b, height, width) of the model's input: 1 for the picture, 0 for what pads it."""
    shapes: Shapes
    """Height and width of each level."""


@dataclass(frozen=True)
class TextFeatures:
    """Texts as the detector reads them: t tokens each."""

    features: Tensor
    """(b, t, c)"""
    mask: Tensor
    """(b, t): True for tokens, False for what pads a shorter text."""
    phrase_mask: Tensor
    """(b, t, t): True where both tokens belong to the same phrase."""
    positions: Tensor
    """(b, t): of each token in its phrase."""


@dataclass(frozen=True)
class Boxes:
    """What the model says, under transformers' names."""

    logits: Tensor
    """(b, queries, t): of each box and token; minus infinity for padding tokens."""
    pred_boxes: Tensor
    """(b, queries, 4): centre X, centre Y, width and height, relative to the picture, padding aside."""


class GroundingDino(nn.Module):
    """Called as the original is. Built from a loaded one, whose layers it takes: that can't be used any more.

    `encode`, from pixels to features, may be replaced by an encoder that batches and remembers.
    """

    def __init__(
        self,
        original: GroundingDinoForObjectDetection,
        dtype: torch.dtype = torch.float32,
        *,
        smallest: int = SMALLEST,
    ) -> None:
        """`dtype` is that of the matrix products of layers that are `smallest` channels wide, or wider."""
        super().__init__()
        self.config: Any = original.config
        self.model = original.model
        self.bbox_embed = original.bbox_embed[-1]
        _replace(self.model, GroundingDinoBiMultiHeadAttention, FusionAttention)
        _replace(self.model, GroundingDinoMultiscaleDeformableAttention, DeformableAttention)
        self.encode: Encode = self._encode_pixels
        self._shapes: dict[tuple[int, int], Shapes] = {}
        self._texts: Cache[TextFeatures] = Cache(
            "prompt_features", TEXT_CACHE_BYTES, lambda texts: texts.features.nbytes
        )
        halve_linears(self.model, dtype, inner=("fc1",), smallest=smallest)

    def encode_images(self, pixel_values: Tensor, pixel_mask: Tensor) -> ImageFeatures:
        """From (b, 3, height, width) normalised pixels and their mask (b, height, width)."""
        features = self.encode(pixel_values)
        height, width = pixel_values.shape[-2:]
        if (height, width) not in self._shapes:  # remembered from before this model was loaded anew
            features = self._encode_pixels(pixel_values)
        return ImageFeatures(features, pixel_mask, self._shapes[height, width])

    def _encode_pixels(self, pixels: Tensor) -> Tensor:
        """From (b, 3, height, width) to the features (b, n, c) of all levels; padding is a matter of what follows."""
        model = self.model
        maps = model.backbone.conv_encoder.model(pixels).feature_maps
        levels = [project(features) for project, features in zip(model.input_proj_vision, maps, strict=False)]
        for project in model.input_proj_vision[len(maps) :]:
            levels.append(project(maps[-1] if len(levels) == len(maps) else levels[-1]))
        height, width = pixels.shape[-2:]
        self._shapes[height, width] = tuple((level.shape[-2], level.shape[-1]) for level in levels)
        return torch.cat([level.flatten(2).mT for level in levels], 1)

    def encode_texts(self, input_ids: Tensor, attention_mask: Tensor) -> TextFeatures:
        """From (b, t) token ids and their mask; texts that were asked before are remembered."""
        key = (tuple(input_ids.shape), *input_ids.flatten().tolist(), *attention_mask.flatten().tolist())
        return self._texts.get(key, lambda: self._encode_tokens(input_ids, attention_mask))

    def _encode_tokens(self, input_ids: Tensor, attention_mask: Tensor) -> TextFeatures:
        model = self.model
        phrase_mask, positions = generate_masks_with_special_tokens_and_transfer_map(input_ids, model.special_tokens)
        hidden = model.text_backbone(input_ids, phrase_mask[:, None], torch.zeros_like(input_ids), positions)
        features = model.text_projection(hidden.last_hidden_state)
        return TextFeatures(features, attention_mask.bool(), phrase_mask, positions)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        device: torch.device = self.bbox_embed.layers[0].weight.device
        return device

    def forward(
        self,
        pixel_values: Tensor,
        pixel_mask: Tensor,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,  # noqa: ARG002 - all zeros, always
    ) -> Boxes:
        """From (b, 3, height, width) normalised pixels, (b, t) token ids, and the masks of both: 0 for padding."""
        return self.find(self.encode_images(pixel_values, pixel_mask), self.encode_texts(input_ids, attention_mask))

    def find(self, images: ImageFeatures, texts: TextFeatures) -> Boxes:
        """Where in each picture its text is."""
        model = self.model
        masks = [self._shrink(images.pixel_mask, shape) for shape in images.shapes]
        mask = torch.cat([level.flatten(1) for level in masks], 1)
        ratios = torch.stack([model.get_valid_ratio(level) for level in masks], 1)
        pictures, words = self._encode(images, texts, masks, mask, ratios)
        targets, references = self._propose(pictures, words, texts.mask, mask, images.shapes)
        decoded = model.decoder(
            inputs_embeds=targets,
            vision_encoder_hidden_states=pictures,
            vision_encoder_attention_mask=None if mask.all() else mask,
            text_encoder_hidden_states=words,
            text_encoder_attention_mask=~texts.mask,
            reference_points=references,
            spatial_shapes_list=images.shapes,
            valid_ratios=ratios,
        )
        hidden = decoded.intermediate_hidden_states[:, -1]
        last = torch.cat([references[:, None], decoded.intermediate_reference_points], 1)[:, -2]
        boxes = (self.bbox_embed(hidden) + torch.special.logit(last, eps=1e-5)).sigmoid()
        return Boxes(_similarities(hidden, words, texts.mask), boxes)

    @staticmethod
    def _shrink(pixel_mask: Tensor, shape: tuple[int, int]) -> Tensor:
        return functional.interpolate(pixel_mask[None].float(), size=shape)[0].bool()

    def _encode(
        self, images: ImageFeatures, texts: TextFeatures, masks: list[Tensor], mask: Tensor, ratios: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Picture and text, each with what it learns from the other: (b, n, c) and (b, t, c)."""
        encoder = self.model.encoder
        positions = [
            self.model.backbone.position_embedding(level, level).flatten(2).mT + self.model.level_embed[number]
            for number, level in enumerate(masks)
        ]
        position = torch.cat(positions, 1).to(images.features.dtype)
        references = encoder.get_reference_points(images.shapes, ratios, device=mask.device)
        # Most pictures aren't padded, and then there is nothing to be masked.
        picture_mask = None if mask.all() else mask
        picture_padding = None if picture_mask is None else ~picture_mask
        text_padding = None if texts.mask.all() else ~texts.mask
        pictures, words = images.features, texts.features
        for layer in encoder.layers:
            text_position = layer.get_text_position_embeddings(words, None, texts.positions)
            (pictures, _), (words, _) = layer.fusion_layer(pictures, words, picture_padding, text_padding)
            words, _ = layer.text_enhancer_layer(words, texts.phrase_mask, text_position)
            pictures, _ = layer.deformable_layer(
                pictures, picture_mask, position, references, spatial_shapes_list=images.shapes
            )
        return pictures, words

    def _propose(
        self, pictures: Tensor, words: Tensor, text_mask: Tensor, mask: Tensor, shapes: Shapes
    ) -> tuple[Tensor, Tensor]:
        """The pixels most like the text, as queries (b, queries, c), and the boxes to start from (b, queries, 4)."""
        model = self.model
        pixels, proposals = model.generate_encoder_output_proposals(pictures, ~mask, shapes)
        likeness = _similarities(pixels, words, text_mask).amax(-1)
        chosen = likeness.topk(model.config.num_queries, dim=1).indices[..., None]
        # The box of a pixel that isn't chosen is never looked at.
        deltas = model.encoder_output_bbox_embed(pixels.take_along_dim(chosen, 1))
        references = (deltas + proposals.take_along_dim(chosen, 1)).sigmoid()
        if model.config.embedding_init_target or model.config.two_stage:
            return model.query_position_embeddings.weight.expand(len(pictures), -1, -1), references
        return pixels.take_along_dim(chosen, 1), references


def _similarities(features: Tensor, words: Tensor, text_mask: Tensor) -> Tensor:
    return (features @ words.mT).masked_fill(~text_mask[:, None], float("-inf"))


def _replace(module: nn.Module, old: type[nn.Module], new: type[nn.Module]) -> None:
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, old):
                setattr(parent, name, new(child))
