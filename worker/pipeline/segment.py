"""Stage 3: SAM, prompted with the boxes, says which pixels."""

from collections.abc import Sequence

import torch
from PIL import Image
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from segment_anything.utils.amg import calculate_stability_score

from db.errors import AnswerNotFinite
from worker.pipeline.encoding import Encode
from worker.pipeline.graph_cut import Refine
from worker.pipeline.memory import memory_errors
from worker.pipeline.results import Box, Mask
from worker.pipeline.upload import resized

STABILITY_OFFSET = 1.0
"""In logits: segment_anything's own default."""


def check_finite(logits: torch.Tensor, predicted_ious: torch.Tensor) -> None:
    """Raise `AnswerNotFinite` where they hold a number that is none: it would pass for a pixel beside the object."""
    if not (logits.isfinite().all() and predicted_ious.isfinite().all()):
        raise AnswerNotFinite("masks")


class Segmenter:
    """Cuts boxes out. Threads may share it.

    `encode`, from (1, 3, s, s) normalised pixels to features, may be replaced by one that batches and remembers.
    """

    def __init__(self, model: Sam, refine: Refine | None = None) -> None:
        """`refine` makes a picture's logits to its mask; without, what is above SAM's threshold is the object."""
        self._model = model.eval()
        self._refine = refine
        self.encode: Encode = model.image_encoder

    @memory_errors()
    @torch.inference_mode()
    def segment(self, image: Image.Image, boxes: Sequence[Box]) -> list[Mask]:
        """One mask for each XYXY pixel box of an RGB picture; the picture is encoded once for all of them.

        Boxes that don't fit into the device's memory together are cut out in halves; raises `OutOfMemory` when one
        alone doesn't, and `AnswerNotFinite`.
        """
        if not boxes:
            return []
        predictor = SamPredictor(self._model)  # holds one picture's embedding: never shared between calls
        self._show(predictor, image)
        return self._cut(predictor, image, boxes)

    def _show(self, predictor: SamPredictor, image: Image.Image) -> None:
        """As `set_image` does, with our encoder; the bytes become numbers on the device, which is told a quarter."""
        pixels = resized(image, predictor.transform, self._model.device)
        predictor.original_size = (image.height, image.width)
        predictor.input_size = tuple(pixels.shape[1:])
        predictor.features = self.encode(self._model.preprocess(pixels[None]))
        predictor.is_image_set = True

    def _cut(self, predictor: SamPredictor, image: Image.Image, boxes: Sequence[Box]) -> list[Mask]:
        try:
            return self._predict(predictor, image, boxes)
        except torch.OutOfMemoryError:
            if len(boxes) == 1:
                raise
        middle = len(boxes) // 2  # outside the except: the failed call's tensors are free by now
        return self._cut(predictor, image, boxes[:middle]) + self._cut(predictor, image, boxes[middle:])

    def _predict(self, predictor: SamPredictor, image: Image.Image, boxes: Sequence[Box]) -> list[Mask]:
        prompts = torch.as_tensor(boxes, dtype=torch.float32, device=self._model.device)
        logits, predicted_ious, _ = predictor.predict_torch(
            point_coords=None,
            point_labels=None,
            boxes=predictor.transform.apply_boxes_torch(prompts, predictor.original_size),
            multimask_output=False,
            return_logits=True,
        )
        check_finite(logits, predicted_ious)
        stabilities = calculate_stability_score(logits, self._model.mask_threshold, STABILITY_OFFSET)
        if self._refine:
            masks = [self._refine(image, one) for one in logits[:, 0].float().cpu().numpy()]
        else:
            masks = list((logits > self._model.mask_threshold)[:, 0].cpu().numpy())
        return [
            Mask(pixels, predicted_iou=float(iou), stability=float(stability.nan_to_num()))
            for pixels, iou, stability in zip(masks, predicted_ious[:, 0], stabilities[:, 0], strict=True)
        ]
