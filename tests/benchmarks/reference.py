"""What all speed is compared with: the three models as their model cards use them.

Stock classes in float32, one picture after another, each question from the beginning. It asks exactly what the
pipeline asks (prompts, padding, a box's score by the label's own words), so that the answers can be compared, too.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from segment_anything import SamPredictor
from transformers import CLIPModel, CLIPProcessor, GroundingDinoForObjectDetection, GroundingDinoProcessor

from db.profiles import chosen
from db.states import StageName
from worker.pipeline.classify import TEMPLATES, middle_of
from worker.pipeline.close_ups import window
from worker.pipeline.graph_cut import snap
from worker.pipeline.images import decode, pad_to_square
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.sam import load_sam

Answer = tuple[str, NDArray[np.bool_]]


class Reference:
    """Loaded once; `answer` and its three steps are what is timed."""

    def __init__(self, profile_name: str, folder: ModelFolder) -> None:
        checkpoints = chosen(profile_name)
        clip = folder.of(checkpoints[StageName.CLASSIFY])
        self.clip: Any = CLIPModel.from_pretrained(clip, dtype=torch.float32).eval()
        self.clip_processor: Any = CLIPProcessor.from_pretrained(clip)
        self.middle = checkpoints[StageName.CLASSIFY].middle
        dino = folder.of(checkpoints[StageName.DETECT])
        self.dino: Any = GroundingDinoForObjectDetection.from_pretrained(dino, dtype=torch.float32).eval()
        self.dino_processor: Any = GroundingDinoProcessor.from_pretrained(dino)
        sam = checkpoints[StageName.SEGMENT]
        self.sam = load_sam(folder.find(sam).weights, sam.sam_size).float()
        self.context, self.snaps = sam.context, sam.snaps

    def answer(self, data: bytes, labels: Sequence[str]) -> Answer:
        """From a picture file and candidate labels to the main object's label and mask."""
        image = decode(data)
        label = self.classify(image, labels)
        return label, self.segment(image, self.detect(image, label))

    def classify(self, image: Image.Image, labels: Sequence[str]) -> str:
        """The label most like the picture."""
        prompts = [template.format(label) for label in labels for template in TEMPLATES]
        fill = tuple(round(255 * mean) for mean in self.clip_processor.image_processor.image_mean)
        looks = [image, *([image.crop(middle_of(image.size, self.middle))] if self.middle else [])]
        squares = [pad_to_square(look, fill) for look in looks]
        inputs = self.clip_processor(text=prompts, images=squares, return_tensors="pt", padding=True, truncation=True)
        with torch.no_grad():
            outputs = self.clip(**inputs)
        means = outputs.text_embeds.view(len(labels), len(TEMPLATES), -1).mean(1)
        likeness = means / means.norm(dim=-1, keepdim=True) @ outputs.image_embeds.sum(0)
        return labels[int(likeness.argmax())]

    def detect(self, image: Image.Image, label: str) -> list[float]:
        """The best box, XYXY in pixels, however low its score: random models are sure of nothing."""
        inputs = self.dino_processor(images=image, text=f"{label.lower()}.", return_tensors="pt")
        with torch.no_grad():
            outputs = self.dino(**inputs)
        # Of the start, the stop and the end, which aren't the label's, no box is to be the best.
        outputs.logits[..., [0, *range(inputs["input_ids"].shape[1] - 2, outputs.logits.shape[-1])]] = -torch.inf
        found = self.dino_processor.post_process_grounded_object_detection(
            outputs, inputs["input_ids"], threshold=0.0, target_sizes=[(image.height, image.width)]
        )[0]
        box: list[float] = found["boxes"][found["scores"].argmax()].tolist()
        return box

    def segment(self, image: Image.Image, box: Sequence[float]) -> NDArray[np.bool_]:
        """The box's mask, (height, width)."""
        shown = (0, 0, image.width, image.height)
        if self.context:
            left, top, right, bottom = box
            shown = window((left, top, right, bottom), image.size, self.context)
        predictor = SamPredictor(self.sam)
        seen = image.crop(shown)
        predictor.set_image(np.asarray(seen))
        logits, _, _ = predictor.predict(
            box=np.asarray(box) - [*shown[:2], *shown[:2]], multimask_output=False, return_logits=True
        )
        mask = np.zeros((image.height, image.width), bool)
        mask[shown[1] : shown[3], shown[0] : shown[2]] = snap(seen, logits[0]) if self.snaps else logits[0] > 0
        return mask
