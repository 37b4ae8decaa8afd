"""Configurations that lead to somebody else's code, or make no sense: refused before anything follows them."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from db.checkpoints import Checkpoint
from db.errors import CheckpointInvalid
from db.states import StageName
from tests.worker.pipeline.published import publish, write_sums
from worker.pipeline.checkpoints import LoadedModel, Loader
from worker.pipeline.configurations import LEADS_ELSEWHERE, check_configuration
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline

CLIP, DINO = "openai/clip-vit-base-patch32", "IDEA-Research/grounding-dino-tiny"
Configure = Callable[..., LoadedModel]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Loads a small checkpoint with a change to one of its JSON files, whose sum is right, and without a network."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    def configure(name: str, *, file: str = "config.json", part: str = "", **changes: Any) -> LoadedModel:
        checkpoint: Checkpoint = publish(name, tmp_path)
        path = ModelFolder(tmp_path).of(checkpoint) / file
        document = json.loads(path.read_text())
        (document[part] if part else document).update(changes)
        path.write_text(json.dumps(document))
        write_sums(path.parent)
        return Loader(ModelFolder(tmp_path), torch.device("cpu")).load(checkpoint)

    return configure


LEADING: dict[str, Any] = {
    "auto_map": {"AutoModel": "theirs.Model", "AutoConfig": "theirs.Config"},
    "attn_implementation": "somebody/kernels",
    "_attn_implementation": "flash_attention_2",
    "experts_implementation": {"": "somebody/kernels"},
    "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True},
    "use_pretrained_backbone": True,
    "use_timm_backbone": True,
}


@pytest.mark.parametrize("where", [(CLIP, ""), (CLIP, "text_config"), (DINO, "backbone_config")], ids=str)
@pytest.mark.parametrize("key", LEADING)
def test_what_leads_elsewhere_is_refused(configure: Configure, key: str, where: tuple[str, str]) -> None:
    """Wherever in the file it stands, and by its name."""
    name, part = where
    with pytest.raises(CheckpointInvalid, match=key):
        configure(name, part=part, **{key: LEADING[key]})


@pytest.mark.parametrize("file", ["preprocessor_config.json", "tokenizer_config.json"])
def test_processors_lead_nowhere_either(configure: Configure, file: str) -> None:
    """A tokenizer's class may be in a Python file, too."""
    with pytest.raises(CheckpointInvalid, match="auto_map"):
        configure(CLIP, file=file, auto_map={"AutoTokenizer": ["theirs.Tokenizer", None]})


def test_each_leading_key_is_tried() -> None:
    """The test above forgets none."""
    assert LEADING.keys() == LEADS_ELSEWHERE


@pytest.mark.parametrize("value", [None, False, "eager", "sdpa"])
def test_what_is_published_with_the_same_keys_loads(configure: Configure, value: object) -> None:
    """Published files name them with values that lead nowhere."""
    key = "attn_implementation" if isinstance(value, str) else "use_pretrained_backbone"
    assert configure(CLIP, **{key: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": -1, "part": "text_config"},
        {"text_config": 5},
        {"vision_config": []},
        {"projection_dim": "../../etc/passwd"},
        {"projection_dim": -1},
        {"projection_dim": 1e400},
    ],
    ids=str,
)
def test_nonsense_is_refused(configure: Configure, changes: dict[str, Any]) -> None:
    """Whatever transformers says to it, the error is ours."""
    with pytest.raises(CheckpointInvalid, match="openai--clip"):
        configure(CLIP, **changes)


@pytest.mark.parametrize("size", [{"shortest_edge": "x"}, {"shortest_edge": -5}, 7e9], ids=str)
def test_a_processor_that_can_not_run_is_told_before_the_first_job(configure: Configure, size: object) -> None:
    """By the model's name; nobody looks at its numbers before they are used."""
    with pytest.raises(CheckpointInvalid, match="clip"):  # noqa: PT012 - some are refused when they are loaded
        model = configure(CLIP, file="preprocessor_config.json", size=size)
        Pipeline.load("tiny", "cpu").with_model(StageName.CLASSIFY, model).warm_up()


@pytest.mark.parametrize("text", ["", "{", "\x80", "[" * 100_000], ids=["empty", "half", "binary", "deep"])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    """With the file's name."""
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointInvalid, match=r"config\.json"):
        check_configuration(tmp_path / "config.json")
