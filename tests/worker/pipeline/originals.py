"""SAM and HQ-SAM of their authors' own packages, with weights that transformers' models take, too."""

import re
import warnings
from functools import partial
from typing import Any

import torch
from torch import nn

from db.checkpoints import SamSize
from tests.worker.pipeline.architectures import SIDE
from worker.pipeline.sam import PUBLISHED, SamArchitecture, VisionTransformer, build_sam

with warnings.catch_warnings():
    # It uses timm's and its own names of years ago.
    warnings.simplefilter("ignore")
    import segment_anything_hq
    from segment_anything_hq.modeling import ImageEncoderViT, MaskDecoderHQ, PromptEncoder, Sam, TwoWayTransformer

HqPredictor: type[Any] = segment_anything_hq.SamPredictor

SMALL = SamArchitecture(
    VisionTransformer(32, 2, 2, (1,), window_size=2),
    image_size=SIDE,
    prompt_embed_dim=32,
    mask_in_chans=8,
    decoder_num_heads=2,
    decoder_mlp_dim=64,
    iou_head_hidden_dim=32,
)

RENAMED = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"\.blocks\.", ".layers."),
    (r"\.norm(\d|_final_attn)\.", r".layer_norm\1."),
    (r"neck\.0", "neck.conv1"),
    (r"neck\.1", "neck.layer_norm1"),
    (r"neck\.2", "neck.conv2"),
    (r"neck\.3", "neck.layer_norm2"),
    (r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    (r"point_embeddings", "point_embed"),
    (r"mask_downscaling\.0", "mask_embed.conv1"),
    (r"mask_downscaling\.1", "mask_embed.layer_norm1"),
    (r"mask_downscaling\.3", "mask_embed.conv2"),
    (r"mask_downscaling\.4", "mask_embed.layer_norm2"),
    (r"mask_downscaling\.6", "mask_embed.conv3"),
    (r"output_upscaling\.0", "upscale_conv1"),
    (r"output_upscaling\.1", "upscale_layer_norm"),
    (r"output_upscaling\.3", "upscale_conv2"),
    (r"(mlps\.\d|iou_prediction_head|hf_mlp)\.layers\.0", r"\1.proj_in"),
    (r"(mlps\.\d|iou_prediction_head|hf_mlp)\.layers\.2", r"\1.proj_out"),
    (r"(mlps\.\d|iou_prediction_head|hf_mlp)\.layers\.1", r"\1.layers.0"),
    (r"hf_token", "hq_token"),
    (r"hf_mlp", "hq_mask_mlp"),
    (r"compress_vit_feat\.0", "compress_vit_conv1"),
    (r"compress_vit_feat\.1", "compress_vit_norm"),
    (r"compress_vit_feat\.3", "compress_vit_conv2"),
    (r"embedding_encoder\.0", "encoder_conv1"),
    (r"embedding_encoder\.1", "encoder_norm"),
    (r"embedding_encoder\.3", "encoder_conv2"),
    (r"embedding_maskfeature\.0", "mask_conv1"),
    (r"embedding_maskfeature\.1", "mask_norm"),
    (r"embedding_maskfeature\.3", "mask_conv2"),
)
"""From the names of the original packages to those of transformers, in this order."""


def in_transformers_words(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """An original SAM's weights as transformers' SAM has them."""
    renamed = {}
    for name, weight in state.items():
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)  # noqa: PLW2901 - one after another
        renamed[name] = weight
    embedding = renamed["prompt_encoder.shared_embedding.positional_embedding"]
    return {**renamed, "shared_image_embedding.positional_embedding": embedding}


def original_sam(*, small: bool) -> Any:
    """Of ViT-B's size, or small."""
    torch.manual_seed(0)
    return _shaken(build_sam(SMALL if small else PUBLISHED[SamSize.BASE]))


def original_hq_sam(*, small: bool) -> Any:
    """The same of HQ-SAM's package."""
    torch.manual_seed(0)
    return _shaken(_small_hq_sam() if small else segment_anything_hq.sam_model_registry["vit_b"]())


def _shaken(model: nn.Module) -> nn.Module:
    """Random where builders put zeros and ones, too: so that nothing cancels out."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.05)
    return model.eval()


def _small_hq_sam() -> nn.Module:
    """HQ-SAM's own modules at the size of `SMALL`."""
    transformer = TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=64, num_heads=2)
    model: nn.Module = Sam(
        image_encoder=ImageEncoderViT(
            img_size=SIDE,
            embed_dim=32,
            depth=2,
            num_heads=2,
            global_attn_indexes=(1,),
            window_size=2,
            out_chans=32,
            qkv_bias=True,
            use_rel_pos=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=32, image_embedding_size=(4, 4), input_image_size=(SIDE, SIDE), mask_in_chans=8
        ),
        mask_decoder=MaskDecoderHQ(transformer_dim=32, transformer=transformer, iou_head_hidden_dim=32, vit_dim=32),
        pixel_mean=list(SMALL.pixel_mean),
        pixel_std=list(SMALL.pixel_std),
    )
    return model
