"""Stage 2 with OWLv2 in GroundingDINO's place: labels are compared with every patch of the picture."""

from collections.abc import Sequence

import torch
from PIL import Image
from torchvision.ops import box_convert, clip_boxes_to_image
from transformers import Owlv2ForObjectDetection, Owlv2Processor

from worker.pipeline.box_selection import select
from worker.pipeline.detect import Detector
from worker.pipeline.hugging_face import plain_tokens, processed, text_batch
from worker.pipeline.memory import memory_errors
from worker.pipeline.results import Detection, Query

PROMPT = "a photo of a {}"
"""The prompt of the model's own examples."""


class Owlv2Detector(Detector):
    """Boxes labels, each by a prompt of its own. Stateless after construction."""

    def __init__(self, model: Owlv2ForObjectDetection, processor: Owlv2Processor, thresholds: Sequence[float]) -> None:
        """`thresholds` is the ladder of box scores, highest first: the first rung that any box reaches counts."""
        self._model = model.eval()
        self._processor = processor
        self._thresholds = tuple(thresholds)
        self._box_rule = None
        self._maximum_tokens = int(model.config.text_config.max_position_embeddings)

    @memory_errors()
    @torch.inference_mode()
    def detect_each(
        self, image: Image.Image, queries: Sequence[Query], *, every_instance: bool = False
    ) -> list[Detection]:
        """As `detect`, for several labels at once; one detection for each, in their order."""
        prompts = [PROMPT.format(query.label) for query in queries]
        texts = text_batch(self._processor.tokenizer, prompts, self._maximum_tokens)
        pixels = processed(self._processor.image_processor, image, self._model.device)
        outputs = self._model(**pixels, **texts.to(self._model.device))
        # Relative to a square whose side is the picture's longer one: the processor pads at the right or bottom.
        boxes = box_convert(outputs.pred_boxes[0].float(), "cxcywh", "xyxy") * max(image.size)
        boxes = clip_boxes_to_image(boxes, (image.height, image.width))
        scores = outputs.logits[0].sigmoid()
        found = []
        for column, (query, prompt) in enumerate(zip(queries, prompts, strict=True)):
            selection = select(boxes, scores[:, column], query.ladder, None if every_instance else 1)
            found.append(Detection(query.label, **vars(selection), is_cut=self._is_cut(prompt)))
        return found

    def _is_cut(self, prompt: str) -> bool:
        room = self._maximum_tokens - 2  # start and end
        return len(plain_tokens(self._processor.tokenizer, prompt)) > room
