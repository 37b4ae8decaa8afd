"""Stage 2: GroundingDINO says where a label is."""

from collections.abc import Sequence

import torch
from PIL import Image
from transformers import GroundingDinoProcessor, MMGroundingDinoForObjectDetection

from worker.pipeline.box_selection import select, to_pixels
from worker.pipeline.calibration import BoxRule
from worker.pipeline.grounding import Prompt, PromptWriter, span_scores
from worker.pipeline.grounding_dino import GroundingDino
from worker.pipeline.hugging_face import processed
from worker.pipeline.memory import memory_errors
from worker.pipeline.results import Detection, Query


class Detector:
    """Boxes labels, each scored on its own tokens. Stateless after construction."""

    def __init__(
        self,
        model: GroundingDino | MMGroundingDinoForObjectDetection,
        processor: GroundingDinoProcessor,
        thresholds: Sequence[float],
        box_rule: BoxRule | None = None,
    ) -> None:
        """`thresholds` is the ladder of box scores, highest first: the first rung that any box reaches counts.

        A `box_rule` replaces its lower end where the label's fit is known.
        """
        self._model = model.eval()
        self._processor = processor
        self._thresholds = tuple(thresholds)
        self._box_rule = box_rule
        self._writer = PromptWriter(processor.tokenizer, model.config.max_text_len)

    def ladder(self, fit: float | None) -> tuple[float, ...]:
        """The thresholds for boxes of a label that fits the picture so well (`Candidate.fit`), highest first."""
        if fit is None or self._box_rule is None:
            return self._thresholds
        return self._box_rule.ladder(fit, self._thresholds)

    def detect(
        self, image: Image.Image, label: str, *, every_instance: bool = False, threshold: float | None = None
    ) -> Detection:
        """Find `label` in an RGB picture: the best box, or every box that remains after non-maximum suppression.

        A `threshold` stands for the whole ladder: no box with a lower score is taken.
        """
        ladder = self._thresholds if threshold is None else (threshold,)
        return self.detect_each(image, [Query(label, ladder)], every_instance=every_instance)[0]

    @memory_errors()
    @torch.inference_mode()
    def detect_each(
        self, image: Image.Image, queries: Sequence[Query], *, every_instance: bool = False
    ) -> list[Detection]:
        """As `detect`, for several labels in as few prompts as they fit in; one detection for each, in their order.

        A label's scores change a little with the others in its prompt. A label of which the model knows no word is
        not looked for: its detection is empty and says so.
        """
        wordings = [self._writer.word(query.label) for query in queries]
        found = [Detection(query.label, (), query.ladder[-1], is_legible=False) for query in queries]
        pixels = processed(self._processor.image_processor, image, self._model.device)
        for prompt in self._writer.write(wordings):
            outputs = self._model(**pixels, **_text_inputs(prompt, self._model.device))
            boxes = to_pixels(outputs.pred_boxes[0], image.width, image.height)
            for span in prompt.spans:
                query, scores = queries[span.label], span_scores(outputs.logits[0], span)
                selection = select(boxes, scores, query.ladder, None if every_instance else 1)
                is_cut = wordings[span.label].is_cut
                found[span.label] = Detection(query.label, **vars(selection), is_cut=is_cut)
        return found


def _text_inputs(prompt: Prompt, device: torch.device) -> dict[str, torch.Tensor]:
    """A batch of one: (1, tokens) each."""
    token_ids = torch.tensor([prompt.token_ids], device=device)
    return {
        "input_ids": token_ids,
        "attention_mask": torch.ones_like(token_ids),
        "token_type_ids": torch.zeros_like(token_ids),
    }
