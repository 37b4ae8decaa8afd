"""Stage 3 with transformers' SAM and SAM-HQ in the place of the original package's model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from segment_anything.utils.amg import calculate_stability_score
from segment_anything.utils.transforms import ResizeLongestSide
from torch.nn import functional
from transformers import SamHQModel, SamImageProcessor, SamModel

from worker.pipeline.memory import memory_errors
from worker.pipeline.results import Box, Mask
from worker.pipeline.segment import STABILITY_OFFSET, Segmenter, check_finite
from worker.pipeline.upload import resized

MASK_THRESHOLD = 0.0
"""In logits: the original's own."""


@dataclass(frozen=True)
class EncodedPicture:
    """What the decoder needs of a picture, for any number of boxes."""

    embeddings: dict[str, Any]
    """The decoder's arguments."""
    size: tuple[int, int]
    """Height and width, in pixels."""
    resized: tuple[int, int]
    """The same, as the encoder saw it, before it was padded to a square."""


class TransformersSegmenter(Segmenter):
    """Cuts boxes out. Stateless after construction.

    Pictures are resized as the original package does it, so that equal weights give equal masks.
    """

    def __init__(self, model: SamModel | SamHQModel, processor: SamImageProcessor) -> None:
        self._sam = model.eval()
        self.encode = model.get_image_embeddings
        self._side = int(processor.size["longest_edge"])
        self._resize = ResizeLongestSide(self._side)
        self._mean, self._std = (
            255 * torch.tensor(values, device=model.device).view(3, 1, 1)
            for values in (processor.image_mean, processor.image_std)
        )

    @memory_errors()
    @torch.inference_mode()
    def segment(self, image: Image.Image, boxes: Sequence[Box]) -> list[Mask]:
        """One mask for each XYXY pixel box of an RGB picture; the picture is encoded once for all of them.

        Raises `OutOfMemory` when the boxes don't fit into the device's memory, and `AnswerNotFinite`.
        """
        return self._decode(self._encode(image), boxes) if boxes else []

    def _encode(self, image: Image.Image) -> EncodedPicture:
        pixels = (resized(image, self._resize, self._sam.device) - self._mean) / self._std
        height, width = pixels.shape[-2:]
        padded = functional.pad(pixels, (0, self._side - width, 0, self._side - height))
        embeddings = self.encode(padded[None])
        names = ("image_embeddings", "intermediate_embeddings")  # SAM-HQ's decoder looks at the earlier layers, too
        parts = embeddings if isinstance(embeddings, tuple) else (embeddings,)
        return EncodedPicture(dict(zip(names, parts, strict=False)), (image.height, image.width), (height, width))

    def _decode(self, picture: EncodedPicture, boxes: Sequence[Box]) -> list[Mask]:
        prompts = torch.as_tensor(boxes, dtype=torch.float32, device=self._sam.device)
        prompts = self._resize.apply_boxes_torch(prompts, picture.size)
        outputs = self._sam(**picture.embeddings, input_boxes=prompts[None], multimask_output=False)
        logits = self._to_picture(outputs.pred_masks[0].float(), picture)
        check_finite(logits, outputs.iou_scores)
        stabilities = calculate_stability_score(logits, MASK_THRESHOLD, STABILITY_OFFSET)
        masks = (logits > MASK_THRESHOLD)[:, 0].cpu().numpy()
        return [
            Mask(pixels, predicted_iou=float(iou), stability=float(stability.nan_to_num()))
            for pixels, iou, stability in zip(masks, outputs.iou_scores[0, :, 0], stabilities[:, 0], strict=True)
        ]

    def _to_picture(self, low: torch.Tensor, picture: EncodedPicture) -> torch.Tensor:
        """From (n, 1, s, s) logits of the padded square to (n, 1, height, width) of the picture."""
        square = functional.interpolate(low, (self._side, self._side), mode="bilinear", align_corners=False)
        height, width = picture.resized
        return functional.interpolate(square[..., :height, :width], picture.size, mode="bilinear", align_corners=False)
