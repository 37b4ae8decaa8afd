"""SigLIP 2 in CLIP's place."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tokenizers.processors import TemplateProcessing
from transformers import GemmaTokenizer

from tests.worker.pipeline.published import publish, write_sums
from worker.pipeline.checkpoints import Loader
from worker.pipeline.execution import Execution
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.siglip import SiglipClassifier


@pytest.fixture
def siglip(tmp_path: Path) -> SiglipClassifier:
    """A small SigLIP 2 with a tokenizer of Gemma's class, which knows few words."""
    checkpoint = publish("google/siglip2-base-patch16-224", tmp_path)
    folder = ModelFolder(tmp_path).of(checkpoint)
    merges = [("▁", "a"), ("▁", "d"), ("▁d", "o"), ("▁do", "g")]
    tokenizer = GemmaTokenizer(vocab={word: place for place, word in enumerate(GEMMA_WORDS)}, merges=merges)
    tokenizer._tokenizer.post_processor = TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    tokenizer.save_pretrained(folder)
    write_sums(folder)
    stage = Loader(ModelFolder(tmp_path), Execution.choose("cpu", "float32")).load(checkpoint).stage
    assert isinstance(stage, SiglipClassifier)
    return stage


GEMMA_WORDS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *"▁adog", "▁a", "▁d", "▁do", "▁dog"]


def spelled(classifier: SiglipClassifier, image: Image.Image, label: str) -> list[str]:
    """What the model reads of a label: its four prompts, token by token."""
    read: list[torch.Tensor] = []
    text_features = classifier._siglip.get_text_features

    def reading(input_ids: torch.Tensor) -> Any:
        read.append(input_ids)
        return text_features(input_ids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier._siglip, "get_text_features", reading)
        classifier.probabilities(image, [label])
    assert {len(row) for row in read[0]} == {64}
    return ["".join(GEMMA_WORDS[token] for token in row) for row in read[0]]


def test_siglip_reads_texts_as_in_its_training(siglip: SiglipClassifier, sample: Image.Image) -> None:
    """In lower case, closed by `<eos>`, padded to 64 tokens, unmasked."""
    assert spelled(siglip, sample, "a Dog")[-1] == "a▁dog<eos>" + 61 * "<pad>"


def test_a_label_that_spells_a_special_token_ends_no_text_for_siglip(
    siglip: SiglipClassifier, sample: Image.Image
) -> None:
    """A caller's text is text, to be read to its end."""
    assert spelled(siglip, sample, "a<eos> dog")[-1].count("<eos>") == 1


def test_siglip_says_what_it_reads_the_beginning_of(
    siglip: SiglipClassifier, sample: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the other classifiers do: from the first token that has no room, and no sooner."""
    monkeypatch.setattr("worker.pipeline.siglip.TEMPLATES", ("{}",))
    longest = " ".join(63 * ["a"])  # and then the end
    assert siglip.classify(sample, ["dog", longest, f"{longest} a"]).cut == (f"{longest} a",)


@pytest.mark.parametrize(
    ("probabilities", "none_fits"), [((1e-6, 3e-6), True), ((0.2, 1e-6), False), ((1e-6,), True), ((0.2,), False)]
)
def test_each_label_stands_for_itself(
    siglip: SiglipClassifier,
    sample: Image.Image,
    monkeypatch: pytest.MonkeyPatch,
    probabilities: tuple[float, ...],
    none_fits: bool,
) -> None:
    """One of two must be the better, and one alone the best; but where all are next to nothing, none fits."""
    monkeypatch.setattr(siglip, "probabilities", lambda *_: torch.tensor(probabilities, dtype=torch.float64))
    answer = siglip.classify(sample, ["dog", "a dog"][: len(probabilities)])
    assert answer.none_fits is none_fits
    assert answer.main_object.fit == max(probabilities)
    assert answer.main_object.score == pytest.approx(max(probabilities) / sum(probabilities))
    assert not any(candidate.fit_is_share for candidate in answer.candidates)


def test_labels_that_were_asked_before_are_not_read_again(siglip: SiglipClassifier, sample: Image.Image) -> None:
    """Only the picture is another one."""
    first = siglip.probabilities(sample, ["a dog"])
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(SiglipClassifier, "_text_features")
        assert torch.equal(siglip.probabilities(sample, ["a dog"]), first)
        assert not torch.equal(siglip.probabilities(sample.rotate(90), ["a dog"]), first)
