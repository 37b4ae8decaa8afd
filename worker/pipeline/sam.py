"""Building `segment_anything` models: the architecture is data, the weights are loaded without running any code."""

import json
import zipfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import nn

from db.checkpoints import SamSize
from db.errors import CheckpointInvalid
from worker.pipeline.broken_files import broken_files
from worker.pipeline.feature_pyramid import STRIDE, FeaturePyramidEncoder


@dataclass(frozen=True)
class VisionTransformer:
    """SAM's own image encoder; what the published sizes share are defaults. Widths in channels, patches in pixels."""

    embed_dim: int
    depth: int
    num_heads: int
    global_attn_indexes: tuple[int, ...]
    patch_size: int = 16
    mlp_ratio: float = 4.0
    window_size: int = 14
    use_rel_pos: bool = True

    @property
    def stride(self) -> int:
        """Pixels from one feature to the next."""
        return self.patch_size

    def build(self, image_size: int, out_channels: int) -> nn.Module:
        """The module, with random weights."""
        return ImageEncoderViT(  # type: ignore[no-any-return] # untyped
            img_size=image_size,
            out_chans=out_channels,
            qkv_bias=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            **asdict(self),
        )


@dataclass(frozen=True)
class FeaturePyramid:
    """A small convolutional image encoder: widths, in channels, and depths of its four stages."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]

    stride = STRIDE

    def build(self, image_size: int, out_channels: int) -> nn.Module:
        """The module, with random weights."""
        return FeaturePyramidEncoder(image_size, self.widths, self.depths, out_channels)


ENCODERS: dict[str, type[VisionTransformer | FeaturePyramid]] = {
    "vision-transformer": VisionTransformer,
    "feature-pyramid": FeaturePyramid,
}


@dataclass(frozen=True)
class SamArchitecture:
    """The hyper-parameters of one SAM; those that the published sizes share are defaults.

    `image_size` is in pixels, widths in channels. Source of the defaults: Kirillov et al., "Segment Anything", 2023,
    and the builder of its `segment_anything` package.
    """

    image_encoder: VisionTransformer | FeaturePyramid
    image_size: int = 1024
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
            values: dict[str, Any] = _lists_to_tuples(json.loads(path.read_text()))
            encoder = values.pop("image_encoder")
            kind = ENCODERS[encoder.pop("kind")]
            return cls(image_encoder=kind(**encoder), **values)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointInvalid(path, str(error)) from error

    def write(self, path: Path) -> None:
        """To a `config.json` that `read` reads."""
        values = asdict(self)
        kind = next(name for name, kind in ENCODERS.items() if isinstance(self.image_encoder, kind))
        values["image_encoder"] = {"kind": kind, **values["image_encoder"]}
        path.write_text(json.dumps(values, indent=2) + "\n")


def _lists_to_tuples(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _lists_to_tuples(value) for key, value in values.items()}
    return tuple(values) if isinstance(values, list) else values


def build_sam(architecture: SamArchitecture) -> Sam:
    """A model with random weights."""
    width = architecture.prompt_embed_dim
    grid = architecture.image_size // architecture.image_encoder.stride
    return Sam(
        image_encoder=architecture.image_encoder.build(architecture.image_size, width),
        prompt_encoder=PromptEncoder(
            embed_dim=width,
            image_embedding_size=(grid, grid),
            input_image_size=(architecture.image_size, architecture.image_size),
            mask_in_chans=architecture.mask_in_chans,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=architecture.num_multimask_outputs,
            transformer=TwoWayTransformer(
                depth=architecture.decoder_depth,
                embedding_dim=width,
                num_heads=architecture.decoder_num_heads,
                mlp_dim=architecture.decoder_mlp_dim,
            ),
            transformer_dim=width,
            iou_head_depth=architecture.iou_head_depth,
            iou_head_hidden_dim=architecture.iou_head_hidden_dim,
        ),
        pixel_mean=list(architecture.pixel_mean),
        pixel_std=list(architecture.pixel_std),
    )


PUBLISHED = {
    SamSize.BASE: SamArchitecture(VisionTransformer(768, 12, 12, (2, 5, 8, 11))),
    SamSize.LARGE: SamArchitecture(VisionTransformer(1024, 24, 16, (5, 11, 17, 23))),
    SamSize.HUGE: SamArchitecture(VisionTransformer(1280, 32, 16, (7, 15, 23, 31))),
}
"""The architectures of the authors' `.pth` files."""


def load_sam(weights: Path, size: SamSize | None = None) -> Sam:
    """The model of a file of weights, on the CPU, in the file's own precision, ready to infer.

    A `.pth` of the authors' is of a published size; a `.safetensors` has a `config.json` beside it. No code of the
    file is run. Raises `CheckpointInvalid` when a file is missing or broken, or a weight is missing, left over or of
    another shape.
    """
    architecture = PUBLISHED[size] if size else SamArchitecture.read(weights.with_name("config.json"))
    with broken_files(weights):
        # On "meta" no memory is taken for weights that are replaced at once.
        with torch.device("meta"):
            model = build_sam(architecture)
        model.load_state_dict(_read(weights), strict=True, assign=True)
    # These two are no part of the files.
    model.pixel_mean, model.pixel_std = (
        torch.tensor(values).view(-1, 1, 1) for values in (architecture.pixel_mean, architecture.pixel_std)
    )
    return model.eval()


def _read(weights: Path) -> dict[str, torch.Tensor]:
    if weights.suffix == ".safetensors":
        return load_file(weights)
    # The form before PyTorch 1.6 can't be mapped into memory.
    state: dict[str, torch.Tensor] = torch.load(
        weights, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(weights)
    )
    return state
