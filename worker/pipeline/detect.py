"""Stage 2: GroundingDINO says where the chosen label is."""

import re
from collections.abc import Sequence

import torch
from PIL import Image
from torchvision.ops import box_convert, clip_boxes_to_image, nms
from transformers import GroundingDinoProcessor

from worker.pipeline.grounding_dino import GroundingDino
from worker.pipeline.memory import memory_errors
from worker.pipeline.results import DetectedBox, Detection

NMS_IOU = 0.7
MAXIMUM_INSTANCES = 100


class Detector:
    """Boxes one label, scored on the label's own tokens. Stateless after construction."""

    def __init__(
        self,
        model: GroundingDino,
        processor: GroundingDinoProcessor,
        thresholds: Sequence[float],
    ) -> None:
        """`thresholds` is the ladder of box scores, highest first: the first rung that any box reaches counts."""
        self._model = model.eval()
        self._processor = processor
        self._thresholds = tuple(thresholds)

    @memory_errors()
    @torch.inference_mode()
    def detect(
        self, image: Image.Image, label: str, *, every_instance: bool = False, threshold: float | None = None
    ) -> Detection:
        """Find `label` in an RGB picture: the best box, or every box that remains after non-maximum suppression.

        A `threshold` stands for the whole ladder: no box with a lower score is taken.
        """
        # A full stop or question mark would end the phrase and cut the label in two.
        phrase = " ".join(re.sub(r"[.?]", " ", label.lower()).split())
        inputs = self._processor(images=image, text=f"{phrase}.", return_tensors="pt").to(self._model.device)
        outputs = self._model(**inputs)
        # The score of a box is its best over the label's own tokens: all but [CLS], the full stop and [SEP].
        own_tokens = slice(1, inputs["input_ids"].shape[1] - 2)
        scores = outputs.logits[0, :, own_tokens].sigmoid().amax(-1)
        boxes = self._to_pixels(outputs.pred_boxes[0], image)
        ladder = self._thresholds if threshold is None else (threshold,)
        return self._select(Detection(label, (), ladder[-1]), ladder, boxes, scores, every_instance=every_instance)

    @staticmethod
    def _to_pixels(boxes: torch.Tensor, image: Image.Image) -> torch.Tensor:
        """From (n, 4) relative centre-and-size to XYXY pixels inside the picture."""
        scale = torch.tensor([image.width, image.height] * 2, dtype=boxes.dtype, device=boxes.device)
        pixels: torch.Tensor = clip_boxes_to_image(
            box_convert(boxes, "cxcywh", "xyxy") * scale, (image.height, image.width)
        )
        return pixels

    @staticmethod
    def _select(
        nothing: Detection, ladder: Sequence[float], boxes: torch.Tensor, scores: torch.Tensor, *, every_instance: bool
    ) -> Detection:
        best = float(scores.max())
        threshold = next((rung for rung in ladder if best >= rung), None)
        if threshold is None:
            return nothing
        # In float32: nms has no half-precision kernel on the CPU. It returns the boxes best first.
        kept = [int(index) for index in nms(boxes.float(), scores.float(), NMS_IOU) if scores[index] >= threshold]
        kept = kept[: MAXIMUM_INSTANCES if every_instance else 1]
        found = (DetectedBox(_box(boxes[index].tolist()), float(scores[index])) for index in kept)
        return Detection(nothing.label, tuple(found), threshold)


def _box(edges: list[float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = edges
    return (left, top, right, bottom)
