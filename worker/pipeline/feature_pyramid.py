"""A convolutional image encoder for SAM: what small models, trained for minutes instead of weeks, learn with."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import ResNetBackbone, ResNetConfig

STRIDE = 8


class FeaturePyramidEncoder(nn.Module):
    """A ResNet whose maps of stride 4, 8, 16 and 32 are summed at stride 8, in the place of SAM's vision transformer.

    Source: Lin et al., "Feature Pyramid Networks for Object Detection", 2017. The finest map, too, comes down to
    stride 8, each of its 2 x 2 cells as channels: edges are drawn from it.
    """

    def __init__(self, image_size: int, widths: tuple[int, ...], depths: tuple[int, ...], out_channels: int) -> None:
        """`image_size` is the side of the square input, in pixels; `widths` and `depths` are those of four stages."""
        super().__init__()
        self.img_size = image_size  # SamPredictor reads it under this name
        stages = [f"stage{number}" for number, _ in enumerate(depths, start=1)]
        config = ResNetConfig(
            embedding_size=widths[0],
            hidden_sizes=list(widths),
            depths=list(depths),
            layer_type="basic",
            out_features=stages,
        )
        self.backbone = ResNetBackbone(config)
        self.fine = nn.Conv2d(widths[0], out_channels, 2, stride=2, bias=False)
        self.laterals = nn.ModuleList(nn.Conv2d(width, out_channels, 1, bias=False) for width in widths[1:])
        self.merged = nn.BatchNorm2d(out_channels)
        self.smooth = nn.Sequential(
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """From (b, 3, s, s) normalised pixels to (b, out_channels, s / 8, s / 8) features."""
        finest, *maps = self.backbone(images.contiguous(memory_format=torch.channels_last)).feature_maps
        sums = [lateral(features) for lateral, features in zip(self.laterals, maps, strict=True)]
        for coarse, fine in pairwise(range(len(sums) - 1, -1, -1)):
            sums[fine] = sums[fine] + functional.interpolate(sums[coarse], scale_factor=2.0, mode="nearest")
        merged = functional.relu(self.merged(sums[0] + self.fine(finest)))
        features: Tensor = merged + self.smooth(merged)
        return features
