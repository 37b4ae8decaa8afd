"""Prompts for GroundingDINO: whatever labels are asked, each is scored on its own tokens and on nothing else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import BertTokenizer
from transformers.models.grounding_dino.modeling_grounding_dino import (
    SPECIAL_TOKENS,
    generate_masks_with_special_tokens_and_transfer_map,
)

from worker.pipeline.grounding import Prompt, PromptWriter, Span, span_scores
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.results import Query

LABELS = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(
            [
                "red bus",
                "bus",
                "buses",
                "Bus.",
                "bus?",
                "bus bus",
                "a.b?c",
                "[SEP]",
                "[CLS] cat",
                "[UNK]",
                "猫",
                "кошка",
            ]
        ),
    ),
    max_size=12,
)
WORDS = st.sampled_from("red double-decker bus car don't e-scooter café teddy bear's 3 cats glass of wine".split())
PLAIN_LABELS = st.lists(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def tokenizer(pipeline: Pipeline) -> BertTokenizer:
    """The detector's."""
    return pipeline.detector._processor.tokenizer


def written(tokenizer: BertTokenizer, labels: list[str], maximum_tokens: int = 256) -> list[Prompt]:
    """The prompts of these labels."""
    writer = PromptWriter(tokenizer, maximum_tokens)
    return list(writer.write([writer.word(label) for label in labels]))


@given(labels=PLAIN_LABELS)
@settings(deadline=None)
def test_plain_labels_make_the_prompt_that_transformers_makes(tokenizer: BertTokenizer, labels: list[str]) -> None:
    """Token by token it is what tokenizing "label. label." gives: the model sees nothing new."""
    (prompt,) = written(tokenizer, labels)
    assert list(prompt.token_ids) == tokenizer(" ".join(f"{label.lower()}." for label in labels))["input_ids"]


@given(labels=LABELS, maximum_tokens=st.integers(8, 64))
@settings(deadline=None)
def test_any_labels_have_tokens_of_their_own(tokenizer: BertTokenizer, labels: list[str], maximum_tokens: int) -> None:
    """No prompt is too long, every legible label is in one of them, and no token is another label's or a separator."""
    prompts = written(tokenizer, labels, maximum_tokens)
    special = {tokenizer.convert_tokens_to_ids(token) for token in ("[CLS]", "[SEP]", "[PAD]", "[UNK]", ".", "?")}
    asked: list[int] = []
    for prompt in prompts:
        assert len(prompt.token_ids) <= maximum_tokens
        own = [token for span in prompt.spans for token in span.tokens]
        assert own == sorted(set(own))
        assert special.isdisjoint(prompt.token_ids[token] for token in own)
        asked += [span.label for span in prompt.spans]
    writer = PromptWriter(tokenizer, maximum_tokens)
    assert asked == [position for position, label in enumerate(labels) if writer.word(label).is_legible]


@given(labels=LABELS)
@settings(deadline=None)
def test_a_label_is_one_phrase_to_the_model(tokenizer: BertTokenizer, labels: list[str]) -> None:
    """In the model's own text attention each label's tokens see each other, and no other label's."""
    for prompt in written(tokenizer, labels):
        separators = torch.tensor(SPECIAL_TOKENS)
        attention, _ = generate_masks_with_special_tokens_and_transfer_map(torch.tensor([prompt.token_ids]), separators)
        for span in prompt.spans:
            for other in prompt.spans:
                sees = attention[0][list(span.tokens)][:, list(other.tokens)]
                assert sees.all() if span == other else not sees.any()


def test_scores_come_from_the_own_tokens_alone() -> None:
    """Whatever the other tokens say, a label's score is the best of its own."""
    logits = torch.tensor([[9.0, -1.0, 2.0, 9.0], [9.0, 0.0, -3.0, 9.0]])
    assert span_scores(logits, Span(0, (1, 2))).tolist() == pytest.approx([0.8808, 0.5], abs=1e-4)


@pytest.mark.parametrize("label", ["", "...", "?", "\u200b", "猫", "🐶", "…", "кошка и собака"])
def test_a_label_without_a_known_word_is_not_looked_for(pipeline: Pipeline, sample: Image.Image, label: str) -> None:
    """Of nothing but unknown tokens the model would box anything; the detection is empty and says why."""
    detection = pipeline.detector.detect(sample, label)
    assert (detection.boxes, detection.is_legible) == ((), False)


@pytest.mark.parametrize("label", ["[SEP] snowboard", "snowboard [SEP]", "[CLS]snowboard"])
def test_a_label_that_spells_a_special_token_ends_no_phrase(
    tokenizer: BertTokenizer, pipeline: Pipeline, label: str
) -> None:
    """It is text like any other, to be read to its end."""
    (prompt,) = written(tokenizer, [label])
    assert prompt.token_ids.count(tokenizer.sep_token_id) == prompt.token_ids.count(tokenizer.cls_token_id) == 1


def test_labels_that_share_words_are_told_apart(pipeline: Pipeline, sample: Image.Image) -> None:
    """Asked together, each label gets its own boxes, in the order asked, whatever words they have in common."""
    labels = ["red giraffe", "snowboard", "...", "red fish"]
    found = pipeline.detector.detect_each(sample, [Query(label, (0.01,)) for label in labels])
    assert [detection.label for detection in found] == labels
    assert [detection.is_legible for detection in found] == [True, True, False, True]
    assert found[1].best_score > max(found[0].best_score, found[3].best_score)


def test_more_labels_than_a_prompt_holds_take_several(pipeline: Pipeline, sample: Image.Image) -> None:
    """The last of many is found as it is alone in its prompt."""
    labels = ["giraffe"] * 254 + ["snowboard"]
    writer = pipeline.detector._writer
    assert len(list(writer.write([writer.word(label) for label in labels]))) > 1
    alone = pipeline.detector.detect(sample, "snowboard")
    together = pipeline.detector.detect_each(sample, [Query(label, pipeline.detector.ladder(None)) for label in labels])
    assert together[-1].boxes[0].box == pytest.approx(alone.boxes[0].box, abs=40)


def test_a_label_longer_than_a_prompt_is_said_to_be_cut(pipeline: Pipeline, sample: Image.Image) -> None:
    """It is looked for by its beginning, and the detection says so."""
    detection = pipeline.detector.detect(sample, "snowboard " * 300)
    assert detection.is_cut
    assert not pipeline.detector.detect(sample, "snowboard").is_cut
