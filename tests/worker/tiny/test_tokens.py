"""The tokenizers of the two models that read."""

from worker.tiny import clip, grounding_dino
from worker.tiny.classes import object_classes


def test_detection_tokens_stand_where_the_model_looks_for_them() -> None:
    """GroundingDINO's code has the ids of [CLS], [SEP] and the full stop built in."""
    ids = grounding_dino.tokenizer()("red bus. dog.")["input_ids"]
    assert [ids[0], ids[-1]] == [101, 102]
    assert [position for position, token in enumerate(ids) if token == 1012] == [3, 5]


def test_every_name_is_made_of_whole_known_words() -> None:
    """No class name is an unknown token or spelled out letter by letter for the detector."""
    words = grounding_dino.tokenizer()
    for thing in object_classes():
        for name in thing.names:
            tokens = words.tokenize(name)
            assert "[UNK]" not in tokens
            assert not any(token.startswith("##") for token in tokens)


def test_any_other_word_is_spelled() -> None:
    """A word that training never saw still becomes tokens, not [UNK]."""
    assert "[UNK]" not in grounding_dino.tokenizer().tokenize("zyzzyva 42")


def test_byte_pairs_are_learned_the_same_way_every_time() -> None:
    """Weights fit the tokenizer that a retraining makes: its ids never change."""
    first, second = clip.tokenizer(), clip.tokenizer()
    assert first.get_vocab() == second.get_vocab()
    assert first("a red van")["input_ids"] == second("a red van")["input_ids"]
    assert first.eos_token_id == first("x")["input_ids"][-1]
