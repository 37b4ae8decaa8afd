"""The public base-size architectures with random weights: as fast as trained ones, and nothing to download.

CLIP ViT-B/32, GroundingDINO with Swin-T, SAM ViT-B; written once to a cache folder, about 1.6 GB.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    CLIPConfig,
    CLIPModel,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    SwinConfig,
)

from worker.pipeline.checkpoints import TINY, Checkpoint, Profile
from worker.pipeline.sam import SamArchitecture, VisionTransformer, build_sam

CACHE = Path(".data/base")
SEED = 20_261_123

CLIP_SIDE = 224
GROUNDING_DINO_SIDES = {"shortest_edge": 800, "longest_edge": 1333}


def base_profile(folder: Path = CACHE) -> Profile:
    """The profile `base`; its files are made where they are missing. Any box counts: random models find nothing."""
    makers = {"clip": _make_clip, "grounding-dino": _make_grounding_dino, "sam": _make_sam}
    for name, make in makers.items():
        if not (folder / name / "SHA256SUMS").exists():
            (folder / name).mkdir(parents=True, exist_ok=True)
            torch.manual_seed(SEED)
            make(folder / name)
            _seal(folder / name)
    clip, grounding_dino, sam = (Checkpoint(f"random/{name}", folder / name, "none") for name in makers)
    return Profile("base", clip, grounding_dino, sam, box_thresholds=(0.0,))


def _make_clip(folder: Path) -> None:
    CLIPModel(CLIPConfig()).save_pretrained(folder)  # its defaults are ViT-B/32
    size = {"crop_size": {"height": CLIP_SIDE, "width": CLIP_SIDE}, "size": {"shortest_edge": CLIP_SIDE}}
    _copy_processor("clip", folder, size)


def _make_grounding_dino(folder: Path) -> None:
    swin = SwinConfig(
        image_size=224, embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24], window_size=7,
        out_indices=[2, 3, 4],
    )  # fmt: skip
    config = GroundingDinoConfig(backbone_config=swin, text_config=BertConfig())
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    _copy_processor("grounding-dino", folder, {"size": GROUNDING_DINO_SIDES, "pad_size": None})


def _make_sam(folder: Path) -> None:
    encoder = VisionTransformer(embed_dim=768, depth=12, num_heads=12, global_attn_indexes=(2, 5, 8, 11))
    architecture = SamArchitecture(encoder)
    architecture.write(folder / "config.json")
    model = build_sam(architecture)
    with torch.no_grad():  # they start as zeros, which would hide a mistake
        for name, parameter in model.image_encoder.named_parameters():
            if "rel_pos" in name or name == "pos_embed":
                parameter.normal_(std=0.02)
    save_file({name: weight.contiguous() for name, weight in model.state_dict().items()}, folder / "model.safetensors")


def _copy_processor(name: str, folder: Path, changes: dict[str, Any]) -> None:
    """The bundled tokenizer, whose ids all lie in the larger vocabularies, and its image processor, made larger."""
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY / name / file, folder / file)
    processor = json.loads((TINY / name / "processor_config.json").read_text())
    processor["image_processor"].update(changes)
    (folder / "processor_config.json").write_text(json.dumps(processor, indent=2))


def _seal(folder: Path) -> None:
    with (folder / "model.safetensors").open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256").hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  model.safetensors\n")
