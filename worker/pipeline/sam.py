"""Building `segment_anything` models: the architecture is data, the weights are loaded without running any code."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from db.errors import CheckpointInvalid


@dataclass(frozen=True)
class SamArchitecture:
    """The hyper-parameters of one SAM; those that the published sizes share are defaults.

    `image_size` and `patch_size` are in pixels, widths in channels. Source of the defaults: Kirillov et al.,
    "Segment Anything", 2023, and the builder of its `segment_anything` package.
    """

    embed_dim: int
    depth: int
    num_heads: int
    global_attn_indexes: tuple[int, ...]
    image_size: int = 1024
    patch_size: int = 16
    mlp_ratio: float = 4.0
    window_size: int = 14
    use_rel_pos: bool = True
    prompt_embed_dim: int = 256
    mask_in_chans: int = 16
    num_multimask_outputs: int = 3
    decoder_depth: int = 2
    decoder_num_heads: int = 8
    decoder_mlp_dim: int = 2048
    iou_head_depth: int = 3
    iou_head_hidden_dim: int = 256
    pixel_mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    pixel_std: tuple[float, float, float] = (58.395, 57.12, 57.375)

    @classmethod
    def read(cls, path: Path) -> "SamArchitecture":
        """From a `config.json`; raises `CheckpointInvalid` when it is missing or says something else."""
        try:
            values: dict[str, Any] = json.loads(path.read_text())
            lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
            return cls(**(values | lists))
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointInvalid(path, str(error)) from error

    def write(self, path: Path) -> None:
        """To a `config.json` that `read` reads."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def build_sam(architecture: SamArchitecture) -> Sam:
    """A model with random weights."""
    grid = architecture.image_size // architecture.patch_size
    return Sam(
        image_encoder=ImageEncoderViT(
            img_size=architecture.image_size,
            patch_size=architecture.patch_size,
            embed_dim=architecture.embed_dim,
            depth=architecture.depth,
            num_heads=architecture.num_heads,
            mlp_ratio=architecture.mlp_ratio,
            out_chans=architecture.prompt_embed_dim,
            qkv_bias=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=architecture.use_rel_pos,
            window_size=architecture.window_size,
            global_attn_indexes=architecture.global_attn_indexes,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=architecture.prompt_embed_dim,
            image_embedding_size=(grid, grid),
            input_image_size=(architecture.image_size, architecture.image_size),
            mask_in_chans=architecture.mask_in_chans,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=architecture.num_multimask_outputs,
            transformer=TwoWayTransformer(
                depth=architecture.decoder_depth,
                embedding_dim=architecture.prompt_embed_dim,
                num_heads=architecture.decoder_num_heads,
                mlp_dim=architecture.decoder_mlp_dim,
            ),
            transformer_dim=architecture.prompt_embed_dim,
            iou_head_depth=architecture.iou_head_depth,
            iou_head_hidden_dim=architecture.iou_head_hidden_dim,
        ),
        pixel_mean=list(architecture.pixel_mean),
        pixel_std=list(architecture.pixel_std),
    )


def load_sam(folder: Path) -> Sam:
    """The model of a folder with `config.json` and `model.safetensors`, in fp32, ready to infer.

    Raises `CheckpointInvalid` when a file is missing or broken, or a weight is missing, left over or of another shape.
    """
    model = build_sam(SamArchitecture.read(folder / "config.json"))
    try:
        weights = load_file(folder / "model.safetensors")
        model.load_state_dict({name: weight.float() for name, weight in weights.items()}, strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckpointInvalid(folder, str(error)) from error
    return model.eval()
