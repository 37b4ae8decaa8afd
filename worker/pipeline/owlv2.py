"""Stage 2 with OWLv2 in GroundingDINO's place: the label is compared with every patch of the picture."""

from collections.abc import Sequence

import torch
from PIL import Image
from torchvision.ops import box_convert, clip_boxes_to_image
from transformers import Owlv2ForObjectDetection, Owlv2Processor

from worker.pipeline.detect import Detector
from worker.pipeline.memory import memory_errors
from worker.pipeline.results import Detection

PROMPT = "a photo of a {}"
"""The prompt of the model's own examples."""


class Owlv2Detector(Detector):
    """Boxes one label. Stateless after construction."""

    def __init__(self, model: Owlv2ForObjectDetection, processor: Owlv2Processor, thresholds: Sequence[float]) -> None:
        """`thresholds` is the ladder of box scores, highest first: the first rung that any box reaches counts."""
        super().__init__(model, processor, thresholds)

    @memory_errors()
    @torch.inference_mode()
    def detect(
        self, image: Image.Image, label: str, *, every_instance: bool = False, threshold: float | None = None
    ) -> Detection:
        """Find `label` in an RGB picture: the best box, or every box that remains after non-maximum suppression.

        A `threshold` stands for the whole ladder: no box with a lower score is taken.
        """
        inputs = self._processor(text=[PROMPT.format(label)], images=image, return_tensors="pt", truncation=True).to(
            self._model.device
        )
        outputs = self._model(**inputs)
        scores = outputs.logits[0, :, 0].sigmoid()
        # Relative to a square whose side is the picture's longer one: the processor pads at the right or bottom.
        boxes = box_convert(outputs.pred_boxes[0], "cxcywh", "xyxy") * max(image.size)
        boxes = clip_boxes_to_image(boxes, (image.height, image.width))
        ladder = self._thresholds if threshold is None else (threshold,)
        return self._select(Detection(label, (), ladder[-1]), ladder, boxes, scores, every_instance=every_instance)
