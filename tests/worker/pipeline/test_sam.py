"""SAM architectures as data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor

from db.errors import CheckpointInvalid
from worker.pipeline.sam import FeaturePyramid, SamArchitecture, VisionTransformer, build_sam

SMALL: dict[str, Any] = {
    "prompt_embed_dim": 32,
    "decoder_num_heads": 2,
    "decoder_mlp_dim": 32,
    "iou_head_hidden_dim": 32,
}
ARCHITECTURES = {
    "vision transformer": SamArchitecture(
        VisionTransformer(embed_dim=16, depth=2, num_heads=2, global_attn_indexes=(1,), window_size=2),
        image_size=64,
        **SMALL,
    ),
    "feature pyramid": SamArchitecture(
        FeaturePyramid(widths=(8, 8, 16, 16), depths=(1, 1, 1, 1)), image_size=64, **SMALL
    ),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_an_architecture_is_read_as_it_was_written(architecture: SamArchitecture, tmp_path: Path) -> None:
    """Both kinds of image encoder."""
    architecture.write(tmp_path / "config.json")
    assert SamArchitecture.read(tmp_path / "config.json") == architecture


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_the_original_predictor_runs_it(architecture: SamArchitecture) -> None:
    """Whatever encodes the image: features on the grid that the decoder expects, a mask of the picture's size."""
    torch.manual_seed(0)
    model = build_sam(architecture).eval()
    predictor = SamPredictor(model)
    predictor.set_image(np.zeros((30, 50, 3), np.uint8))
    assert predictor.get_image_embedding().shape[-2:] == model.prompt_encoder.image_embedding_size
    masks, _, _ = predictor.predict(box=np.array([5, 5, 20, 20]), multimask_output=False)
    assert masks.shape == (1, 30, 50)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"image_encoder": {"kind": "sundial"}}',
        '{"image_encoder": "vision-transformer"}',
        '{"image_encoder": {"kind": "feature-pyramid", "height": 3}}',
        "not JSON",
    ],
)
def test_a_config_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    """Whatever is wrong with it, the error names the file."""
    config = tmp_path / "config.json"
    config.write_text(text)
    with pytest.raises(CheckpointInvalid, match=r"config\.json"):
        SamArchitecture.read(config)
