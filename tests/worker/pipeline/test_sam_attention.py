"""SAM's image encoder as we run it, against `segment_anything`'s own."""

from collections.abc import Iterator

import pytest
import torch
from segment_anything.modeling import Sam
from segment_anything.modeling.image_encoder import Attention

from worker.pipeline import sam_attention
from worker.pipeline.sam import FeaturePyramid, SamArchitecture, VisionTransformer, build_sam
from worker.pipeline.sam_attention import RelativeAttention, accelerate

# A global and a windowed block; the window doesn't divide the grid of 8 x 8, so that it is padded.
ENCODER = VisionTransformer(embed_dim=64, depth=2, num_heads=4, global_attn_indexes=(1,), patch_size=8, window_size=3)


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def make(encoder: VisionTransformer = ENCODER) -> Sam:
    """A small model; its relative positions, zero in a new one, are random."""
    torch.manual_seed(1)
    model = build_sam(SamArchitecture(encoder, image_size=64)).eval()
    for name, parameter in model.image_encoder.named_parameters():
        if "pos" in name:
            parameter.normal_(std=0.5)
    return model


@pytest.mark.parametrize("use_rel_pos", [True, False])
def test_features_are_the_originals(use_rel_pos: bool) -> None:
    """In float32, through windows and globally."""
    encoder = VisionTransformer(**{**vars(ENCODER), "use_rel_pos": use_rel_pos})
    original, ours = make(encoder), make(encoder)
    accelerate(ours, torch.float32)
    pixels = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours.image_encoder(pixels), original.image_encoder(pixels), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("slab_bytes", [1, 1000, 10**9])
@pytest.mark.parametrize("use_rel_pos", [True, False])
def test_half_precision_is_close_in_slabs_of_any_size(
    use_rel_pos: bool, slab_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One query at a time, some, or all heads at once."""
    monkeypatch.setattr(sam_attention, "SLAB_BYTES", slab_bytes)
    original = Attention(64, num_heads=4, use_rel_pos=use_rel_pos, input_size=(6, 6))
    for parameter in original.parameters():
        parameter.normal_(std=0.1)
    x = torch.randn(2, 6, 6, 64)
    ours = RelativeAttention(original, torch.bfloat16)(x)
    assert ours.dtype == x.dtype
    torch.testing.assert_close(ours, original(x), rtol=0.05, atol=0.02)


def test_other_encoders_only_change_their_products() -> None:
    """What isn't a vision transformer has no attention to replace."""

    model = build_sam(SamArchitecture(FeaturePyramid((8, 8, 16, 16), (1, 1, 1, 1)), image_size=64)).eval()
    pixels = torch.randn(1, 3, 64, 64)
    before = model.image_encoder(pixels)
    accelerate(model, torch.bfloat16)
    torch.testing.assert_close(model.image_encoder(pixels), before)
