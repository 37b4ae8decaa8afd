"""Stage 1: CLIP says which of the candidates is the picture's main object."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

from worker.pipeline.cache import Cache
from worker.pipeline.calibration import UNCALIBRATED, Calibration
from worker.pipeline.choosing import Logits, choose
from worker.pipeline.encoding import Encode
from worker.pipeline.hugging_face import plain_tokens, pooled, processed, text_batch
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

TEXT_CACHE_BYTES = 8 << 20
"""Of features of sets of labels: a few thousand sets."""


def text_cache() -> Cache[torch.Tensor]:
    """For the features of sets of labels."""
    return Cache("label_features", TEXT_CACHE_BYTES, lambda features: features.nbytes)


def middle_of(size: tuple[int, int], share: float) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the middle of a picture of (width, height), `share` of each side."""
    left, top = (round(side * (1 - share) / 2) for side in size)
    return left, top, max(left + 1, size[0] - left), max(top + 1, size[1] - top)


class Classifier:
    """Scores every candidate against the whole picture. Threads may share it.

    `encode` may be replaced by an encoder that batches and remembers.
    """

    def __init__(
        self,
        model: CLIPModel,
        processor: CLIPProcessor,
        calibration: Calibration = UNCALIBRATED,
        *,
        middle: float = 0,
    ) -> None:
        """`middle` is the share of each side that is looked at once more, in the picture's middle; 0 for none."""
        self._middle = middle
        self._model = model.eval()
        self._processor = processor
        self._calibration = calibration
        self._maximum_tokens = int(model.config.text_config.max_position_embeddings)
        # Padding with the mean colour is zero after normalisation: the padding says nothing.
        self._fill = tuple(round(255 * mean) for mean in processor.image_processor.image_mean)
        self.encode: Encode = self._encode
        self._texts = text_cache()

    def classify(self, image: Image.Image, labels: Sequence[str]) -> Classification:
        """Rank `labels` (at least one) as names of the main object of an RGB picture.

        Scores are the softmax over the labels of CLIP's scaled cosine similarities. The picture is padded to a
        square, not cropped: the main object may stand at its side.
        """
        if len(labels) == 1 and not self._calibration.others:  # nothing to choose from, nothing to compare with
            return Classification((Candidate(labels[0], 1.0),), margin=1.0, ambiguous=False)
        logits, other_logits = self.logits(image, labels)
        chosen = choose(labels, logits, other_logits, self._calibration)
        return replace(chosen, cut=tuple(filter(self._is_cut, labels)))

    def with_calibration(self, calibration: Calibration) -> "Classifier":
        """The same model, trusted otherwise."""
        other = Classifier(self._model, self._processor, calibration, middle=self._middle)
        other.encode = self.encode
        return other

    @memory_errors()
    @torch.inference_mode()
    def logits(self, image: Image.Image, labels: Sequence[str]) -> tuple[Logits, Logits]:
        """CLIP's scaled similarities of an RGB picture: (n,) with `labels`, and (m,) with the calibration's others."""
        features = self._texts.get(tuple(labels), lambda: self._text_features(labels))
        if self._calibration.others:
            features = torch.cat([features, self._other_features])
        similarities = features @ self._image_features(image)
        logits = (self._model.logit_scale.exp() * similarities).double().cpu().numpy()
        return logits[: len(labels)], logits[len(labels) :]

    @cached_property
    def _other_features(self) -> torch.Tensor:
        """Shape (m, d): of the names that candidates are compared with."""
        return self._text_features(self._calibration.others)

    def _is_cut(self, label: str) -> bool:
        """Whether CLIP reads only the beginning of it in any prompt."""
        prompts = (template.format(label) for template in TEMPLATES)
        room = self._maximum_tokens - 2  # start and end
        return any(len(plain_tokens(self._processor.tokenizer, prompt)) > room for prompt in prompts)

    def _image_features(self, image: Image.Image) -> torch.Tensor:
        """Shape (d,), unit length: of the picture, or the mean of the picture's and its middle's."""
        features = self._look(image)
        if self._middle:
            features = features + self._look(image.crop(middle_of(image.size, self._middle)))
        unit: torch.Tensor = features / features.norm()
        return unit

    def _look(self, image: Image.Image) -> torch.Tensor:
        """Shape (d,), unit length."""
        square = pad_to_square(image, self._fill)
        inputs = processed(self._processor.image_processor, square, self._model.device)
        features = self.encode(inputs["pixel_values"])[0]
        unit: torch.Tensor = features / features.norm()
        return unit

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """From (b, 3, s, s) normalised pixels to (b, d)."""
        return pooled(self._model.get_image_features(pixel_values=pixels))

    def _text_features(self, labels: Sequence[str]) -> torch.Tensor:
        """Shape (n, d), unit length: the mean over the templates of the unit features."""
        prompts = [template.format(label) for label in labels for template in TEMPLATES]
        inputs = text_batch(self._processor.tokenizer, prompts, self._maximum_tokens).to(self._model.device)
        features = pooled(self._model.get_text_features(**inputs))
        features = features / features.norm(dim=-1, keepdim=True)
        means = features.reshape(len(labels), len(TEMPLATES), -1).mean(1)
        unit: torch.Tensor = means / means.norm(dim=-1, keepdim=True)
        return unit
