"""Stage 1: CLIP says which of the candidates is the picture's main object."""

from collections.abc import Sequence

import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

from worker.pipeline.cache import Cache
from worker.pipeline.encoding import Encode
from worker.pipeline.images import pad_to_square
from worker.pipeline.memory import memory_errors
from worker.pipeline.results import Candidate, Classification

TEMPLATES = (
    "a photo of a {}.",
    "a picture of a {}.",
    "the {} in the middle of the picture.",
    "{}",
)
"""Prompts whose text features are averaged (Radford et al., "Learning Transferable Visual Models From Natural
Language Supervision", 2021, section 3.1.4)."""

AMBIGUOUS_MARGIN = 0.2

TEXT_CACHE_BYTES = 8 << 20
"""Of features of sets of labels: a few thousand sets."""


class Classifier:
    """Scores every candidate against the whole picture. Threads may share it.

    `encode` may be replaced by an encoder that batches and remembers.
    """

    def __init__(self, model: CLIPModel, processor: CLIPProcessor) -> None:
        self._model = model.eval()
        self._processor = processor
        # Padding with the mean colour is zero after normalisation: the padding says nothing.
        self._fill = tuple(round(255 * mean) for mean in processor.image_processor.image_mean)
        self.encode: Encode = self._encode
        self._texts: Cache[torch.Tensor] = Cache(TEXT_CACHE_BYTES, lambda features: features.nbytes)

    @memory_errors()
    @torch.inference_mode()
    def classify(self, image: Image.Image, labels: Sequence[str]) -> Classification:
        """Rank `labels` (at least one) as names of the main object of an RGB picture.

        Scores are the softmax over the labels of CLIP's scaled cosine similarities. The picture is padded to a
        square, not cropped: the main object may stand at its side.
        """
        if len(labels) == 1:
            return Classification((Candidate(labels[0], 1.0),), margin=1.0, ambiguous=False)
        texts = self._texts.get(tuple(labels), lambda: self._text_features(labels))
        similarities = texts @ self._image_features(image)
        scores = (self._model.logit_scale.exp() * similarities).softmax(0).tolist()
        candidates = sorted(map(Candidate, labels, scores), key=lambda candidate: candidate.score, reverse=True)
        margin = candidates[0].score - candidates[1].score
        return Classification(tuple(candidates), margin=margin, ambiguous=margin < AMBIGUOUS_MARGIN)

    def _image_features(self, image: Image.Image) -> torch.Tensor:
        """Shape (d,), unit length."""
        square = pad_to_square(image, self._fill)
        inputs = self._processor(images=square, return_tensors="pt").to(self._model.device)
        features = self.encode(inputs["pixel_values"])[0]
        unit: torch.Tensor = features / features.norm()
        return unit

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """From (b, 3, s, s) normalised pixels to (b, d)."""
        features: torch.Tensor = self._model.get_image_features(pixel_values=pixels).pooler_output
        return features

    def _text_features(self, labels: Sequence[str]) -> torch.Tensor:
        """Shape (n, d), unit length: the mean over the templates of the unit features."""
        prompts = [template.format(label) for label in labels for template in TEMPLATES]
        inputs = self._processor(text=prompts, padding=True, truncation=True, return_tensors="pt")
        features = self._model.get_text_features(**inputs.to(self._model.device)).pooler_output
        features = features / features.norm(dim=-1, keepdim=True)
        means = features.reshape(len(labels), len(TEMPLATES), -1).mean(1)
        unit: torch.Tensor = means / means.norm(dim=-1, keepdim=True)
        return unit
