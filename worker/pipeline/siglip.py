"""Stage 1 with SigLIP 2 in CLIP's place: each label's similarity stands for itself, by a sigmoid."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from transformers import SiglipModel, SiglipProcessor

from worker.pipeline.calibration import UNCALIBRATED
from worker.pipeline.choosing import choose
from worker.pipeline.classify import TEMPLATES, Classifier, text_cache
from worker.pipeline.encoding import Encode
from worker.pipeline.hugging_face import plain_tokens, pooled, processed
from worker.pipeline.images import pad_to_square
from worker.pipeline.memory import memory_errors
from worker.pipeline.results import Classification

TEXT_TOKENS = 64
"""SigLIP was trained on texts that are padded to this length, and knows no others."""
LEAST_FIT = 0.001
"""Of the best label's probability; with less none fits. In training one text of 32,768 belonged to a picture (the
paper's batches), so that this is some thirty times what any text has. Found by that alone: no weights were at hand to
measure it with."""


class SiglipClassifier(Classifier):
    """Scores every candidate against the whole picture. Threads may share it."""

    def __init__(self, model: SiglipModel, processor: SiglipProcessor) -> None:
        self._siglip = model.eval()
        self._processor = processor
        self._fill = tuple(round(255 * mean) for mean in processor.image_processor.image_mean)
        self.encode: Encode = self._encode
        self._texts = text_cache()

    @memory_errors()
    @torch.inference_mode()
    def classify(self, image: Image.Image, labels: Sequence[str]) -> Classification:
        """Rank `labels` (at least one) as names of the main object of an RGB picture.

        Scores are the shares of the labels' sigmoid probabilities (Zhai et al., "Sigmoid Loss for Language Image
        Pre-Training", 2023), so that they add up to 1 as CLIP's do. The probabilities themselves are the fits: where
        all are next to nothing, none fits, also where there is no choice.
        """
        probabilities = self.probabilities(image, labels).cpu()
        # The softmax of logarithms gives the shares.
        chosen = choose(labels, probabilities.log().numpy(), np.empty(0), UNCALIBRATED)
        fits = dict(zip(labels, probabilities.tolist(), strict=True))
        return replace(
            chosen,
            candidates=tuple(replace(each, fit=fits[each.label], fit_is_share=False) for each in chosen.candidates),
            none_fits=fits[chosen.main_object.label] < LEAST_FIT,
            cut=tuple(filter(self._is_cut, labels)),
        )

    @torch.inference_mode()
    def probabilities(self, image: Image.Image, labels: Sequence[str]) -> torch.Tensor:
        """Shape (n,), float64, 0 to 1: how well each label fits the picture, whatever the others are."""
        features = self._texts.get(tuple(labels), lambda: self._text_features(labels))
        similarities = features @ self._image_features(image)
        logits = self._siglip.logit_scale.exp() * similarities + self._siglip.logit_bias
        # In double precision: far from the picture all are next to nothing, and still have an order.
        probabilities: torch.Tensor = logits.double().flatten().sigmoid()
        return probabilities

    def _is_cut(self, label: str) -> bool:
        """Whether it reads only the beginning of the label in any prompt."""
        tokenizer = self._processor.tokenizer
        room = TEXT_TOKENS - tokenizer.num_special_tokens_to_add()
        return any(len(plain_tokens(tokenizer, prompt)) > room for prompt in _prompts(label))

    def _image_features(self, image: Image.Image) -> torch.Tensor:
        """Shape (d,), unit length."""
        square = pad_to_square(image, self._fill)
        inputs = processed(self._processor.image_processor, square, self._siglip.device)
        return _unit(self.encode(inputs["pixel_values"])[0])

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """From (b, 3, s, s) normalised pixels to (b, d)."""
        return pooled(self._siglip.get_image_features(pixel_values=pixels))

    def _text_features(self, labels: Sequence[str]) -> torch.Tensor:
        """Shape (n, d), unit length: the mean over the templates of the unit features."""
        inputs = self._processor.tokenizer(
            [prompt for label in labels for prompt in _prompts(label)],
            padding="max_length",
            padding_side="right",  # its tokenizer is Gemma's, which pads at the left unless it is told otherwise
            max_length=TEXT_TOKENS,
            truncation=True,
            split_special_tokens=True,
            return_tensors="pt",
        )
        # Without a mask: in training it looked at the padding, too.
        tokens = inputs["input_ids"].to(self._siglip.device)
        features = _unit(pooled(self._siglip.get_text_features(input_ids=tokens)))
        return _unit(features.reshape(len(labels), len(TEMPLATES), -1).mean(1))


def _prompts(label: str) -> list[str]:
    """In lower case, as the training texts were."""
    return [template.format(label).lower() for template in TEMPLATES]


def _unit(features: torch.Tensor) -> torch.Tensor:
    scaled: torch.Tensor = features / features.norm(dim=-1, keepdim=True)
    return scaled
