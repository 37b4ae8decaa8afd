"""The architectures of the table's models, at their published sizes and small, with random weights."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import (
    CLIPConfig,
    CLIPModel,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    Owlv2Config,
    Owlv2ForObjectDetection,
    SamConfig,
    SamHQConfig,
    SamHQModel,
    SamModel,
    SiglipConfig,
    SiglipModel,
    SwinConfig,
)

SIDE = 64
"""Of small models, in pixels."""
DETECTOR_SIDE = 128
"""Of small detectors: their coarsest map has more than one cell."""

SWIN_TINY = {"image_size": 224, "window_size": 7, "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24]}
SWIN_BASE = {
    "image_size": 384,
    "window_size": 12,
    "embed_dim": 128,
    "depths": [2, 2, 18, 2],
    "num_heads": [4, 8, 16, 32],
}
SWIN_SMALL = {
    "image_size": DETECTOR_SIDE,
    "window_size": 4,
    "embed_dim": 8,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 1, 2, 2],
}
VIT_B = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "global_attn_indexes": [2, 5, 8, 11]}
VIT_L = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "global_attn_indexes": [5, 11, 17, 23],
}
VIT_H = {
    "hidden_size": 1280,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "global_attn_indexes": [7, 15, 23, 31],
}
VIT_SLIM = {**VIT_B, "hidden_size": 168, "mlp_dim": 696}
VIT_SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "global_attn_indexes": [1],
    "image_size": SIDE,
    "window_size": 2,
    "output_channels": 32,
    "num_pos_feats": 16,
}


def clip(text: dict[str, Any], vision: dict[str, Any], width: int) -> CLIPConfig:
    """CLIP's widths, the patches' side, and the width of the shared space."""
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=width)


def clip_large() -> CLIPConfig:
    """ViT-L/14."""
    text = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
    vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    return clip(text, {**vision, "patch_size": 14}, 768)


def small_layers(**more: Any) -> dict[str, Any]:
    """A transformer of two narrow layers."""
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        **more,
    }


def grounding(kind: type[Any], swin: dict[str, Any], **more: Any) -> Any:
    """GroundingDINO, or MM-Grounding-DINO, on a Swin transformer."""
    return kind(backbone_config=SwinConfig(**swin, out_indices=[2, 3, 4]), **more)


def small_grounding(kind: type[Any]) -> Any:
    """A detector of few and narrow layers, with BERT's vocabulary of the bundled one."""
    bert = small_layers(vocab_size=30522, max_position_embeddings=256, model_type="bert")
    sizes = {"d_model": 64, "encoder_layers": 1, "decoder_layers": 2, "num_queries": 12, "max_text_len": 64}
    heads = dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2)
    narrow = {"encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    return grounding(kind, SWIN_SMALL, text_config=bert, **sizes, **heads, **narrow)


def owlv2(**more: Any) -> Owlv2Config:
    """The base size's patches of 16 pixels."""
    text, vision = more.pop("text", {"hidden_size": 512}), more.pop("vision", {"hidden_size": 768, "image_size": 960})
    return Owlv2Config(
        text_config=text, vision_config={"patch_size": 16, **vision}, projection_dim=text["hidden_size"], **more
    )


def small_sam(kind: type[Any], **decoder: Any) -> Any:
    """SAM, or SAM-HQ, of two narrow layers."""
    width = {"hidden_size": 32}
    mask_decoder = {**width, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32, **decoder}
    prompts = {
        **width,
        "image_size": SIDE,
        "patch_size": 16,
        "mask_input_channels": 8,
        "image_embedding_size": SIDE // 16,
    }
    return kind(vision_config=VIT_SMALL, prompt_encoder_config=prompts, mask_decoder_config=mask_decoder)


def sam_hq(vision: dict[str, Any]) -> SamHQConfig:
    """SAM-HQ: its decoder looks at the encoder's features, too."""
    return SamHQConfig(vision_config=vision, mask_decoder_config={"vit_dim": vision["hidden_size"]})


@dataclass(frozen=True)
class Architecture:
    """One line of the table, at its published size and at one for tests."""

    model: type[Any]
    published: Callable[[], Any]
    small: Callable[[], Any]


SMALL_TEXT = small_layers(vocab_size=1200, max_position_embeddings=77, bos_token_id=0, eos_token_id=1)
SMALL_VISION = small_layers(image_size=SIDE, patch_size=16)
CLIP = partial(Architecture, CLIPModel, small=lambda: clip(SMALL_TEXT, SMALL_VISION, 32))
GROUNDING_DINO = partial(
    Architecture, GroundingDinoForObjectDetection, small=lambda: small_grounding(GroundingDinoConfig)
)
SAM_HQ = partial(Architecture, SamHQModel, small=lambda: small_sam(SamHQConfig, vit_dim=32))

ARCHITECTURES: dict[str, Architecture] = {
    "openai/clip-vit-base-patch32": CLIP(published=CLIPConfig),
    "openai/clip-vit-large-patch14": CLIP(published=clip_large),
    "facebook/metaclip-b32-400m": CLIP(published=CLIPConfig),
    "google/siglip2-base-patch16-224": Architecture(
        SiglipModel,
        lambda: SiglipConfig(text_config={"vocab_size": 256_000}),
        lambda: SiglipConfig(
            text_config=small_layers(vocab_size=64, max_position_embeddings=64, projection_size=32),
            vision_config=SMALL_VISION,
        ),
    ),
    "IDEA-Research/grounding-dino-tiny": GROUNDING_DINO(published=lambda: grounding(GroundingDinoConfig, SWIN_TINY)),
    "IDEA-Research/grounding-dino-base": GROUNDING_DINO(published=lambda: grounding(GroundingDinoConfig, SWIN_BASE)),
    "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det": Architecture(
        MMGroundingDinoForObjectDetection,
        lambda: grounding(MMGroundingDinoConfig, SWIN_TINY),
        lambda: small_grounding(MMGroundingDinoConfig),
    ),
    "google/owlv2-base-patch16-ensemble": Architecture(
        Owlv2ForObjectDetection,
        owlv2,
        lambda: owlv2(text={**SMALL_TEXT, "max_position_embeddings": 16}, vision=SMALL_VISION),
    ),
    "syscv-community/sam-hq-vit-base": SAM_HQ(published=lambda: sam_hq(VIT_B)),
    "syscv-community/sam-hq-vit-large": SAM_HQ(published=lambda: sam_hq(VIT_L)),
    "syscv-community/sam-hq-vit-huge": SAM_HQ(published=lambda: sam_hq(VIT_H)),
    "nielsr/slimsam-77-uniform": Architecture(
        SamModel, lambda: SamConfig(vision_config=VIT_SLIM), lambda: small_sam(SamConfig)
    ),
}


def build(name: str, *, small: bool) -> Any:
    """The model of this line of the table with random weights, ready to infer."""
    architecture = ARCHITECTURES[name]
    torch.manual_seed(0)
    model = architecture.model(architecture.small() if small else architecture.published()).eval()
    _wake(model, small=small)
    return model


def _wake(model: Any, *, small: bool) -> None:
    """Give numbers to what isn't random before a training: left at zero, mistakes with it would show in no answer."""
    if isinstance(model, Owlv2ForObjectDetection):  # random as the others, its boxes would be endlessly thin
        torch.nn.init.normal_(model.box_head.dense2.weight, std=1e-4)
    if isinstance(model, SiglipModel):
        torch.nn.init.constant_(model.logit_scale, 1.0)
        torch.nn.init.constant_(model.logit_bias, -1.0)
    for name, weights in model.named_parameters():
        # So that boxes move from layer to layer. At full size what is random throughout makes much of every rounding.
        if small and re.search(r"bbox_embed\.(\d+\.)?layers\.2", name):
            torch.nn.init.normal_(weights, std=0.03)
