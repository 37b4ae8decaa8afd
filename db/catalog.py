"""The table of checkpoints: data, and the look-up in it.

What the publishers don't say in public, a commit or a checksum, is not made up here: the pull writes down what it got,
and every load checks that it is still that. Parameters were counted on the architectures.
"""

from db.checkpoints import Bundled, Checkpoint, HubRepository, Kind, License, SamSize, WebFile
from db.errors import UnknownModel
from db.states import StageName

APACHE = License("Apache-2.0", commercial_use=True)
MIT = License("MIT", commercial_use=True)
NON_COMMERCIAL = License("CC-BY-NC-4.0", commercial_use=False)

# Found on held-out scenes: at 0.25 the named object is found as often as the box is right at all.
TINY_LADDER = (0.5, 0.35, 0.25)
# 0.35 is the threshold of GroundingDINO's own demo, 0.25 that of transformers' post-processing.
GROUNDING_LADDER = (0.35, 0.25)
# OWLv2's scores are lower: 0.1 is the threshold of transformers' post-processing.
OWL_LADDER = (0.3, 0.2, 0.1)

CLASSIFIERS = (
    Checkpoint(
        name="mainmask/tiny-clip",
        stage=StageName.CLASSIFY,
        kind=Kind.CLIP,
        source=Bundled("clip", sha256="ff3ff66aff5fb6591e6eed21858ada2f091c1a9ab2a1e5dadc95f1a8ca363234"),
        license=APACHE,
        parameters=3_352_705,
        input_pixels=128,
        middle=0.8,
        remark="Looks twice: at the picture, and at its middle.",
    ),
    Checkpoint(
        name="openai/clip-vit-base-patch32",
        stage=StageName.CLASSIFY,
        kind=Kind.CLIP,
        source=HubRepository("openai/clip-vit-base-patch32"),
        license=MIT,
        parameters=151_277_313,
        input_pixels=224,
        remark="The licence is that of OpenAI's own release; the hub's page names none.",
    ),
    Checkpoint(
        name="openai/clip-vit-large-patch14",
        stage=StageName.CLASSIFY,
        kind=Kind.CLIP,
        source=HubRepository("openai/clip-vit-large-patch14"),
        license=MIT,
        parameters=427_616_513,
        input_pixels=224,
        remark="The licence is that of OpenAI's own release; the hub's page names none.",
    ),
    Checkpoint(
        name="facebook/metaclip-b32-400m",
        stage=StageName.CLASSIFY,
        kind=Kind.CLIP,
        source=HubRepository("facebook/metaclip-b32-400m"),
        license=NON_COMMERCIAL,
        parameters=151_277_313,
        input_pixels=224,
        remark="Not for commercial use.",
    ),
    Checkpoint(
        name="google/siglip2-base-patch16-224",
        stage=StageName.CLASSIFY,
        kind=Kind.SIGLIP,
        source=HubRepository("google/siglip2-base-patch16-224"),
        license=APACHE,
        parameters=375_187_970,
        input_pixels=224,
        remark="Reads many languages.",
    ),
)

DETECTORS = (
    Checkpoint(
        name="mainmask/tiny-grounding-dino",
        stage=StageName.DETECT,
        kind=Kind.GROUNDING_DINO,
        source=Bundled("grounding-dino", sha256="7b1ccb9a4f29bfde974e6e18c63e5bb3160599f5ae5a43240a531a1d0c48d4ef"),
        license=APACHE,
        parameters=7_714_600,
        input_pixels=256,
        box_thresholds=TINY_LADDER,
    ),
    Checkpoint(
        name="IDEA-Research/grounding-dino-tiny",
        stage=StageName.DETECT,
        kind=Kind.GROUNDING_DINO,
        source=HubRepository("IDEA-Research/grounding-dino-tiny"),
        license=APACHE,
        parameters=172_250_626,
        input_pixels=1333,
        box_thresholds=GROUNDING_LADDER,
    ),
    Checkpoint(
        name="IDEA-Research/grounding-dino-base",
        stage=StageName.DETECT,
        kind=Kind.GROUNDING_DINO,
        source=HubRepository("IDEA-Research/grounding-dino-base"),
        license=APACHE,
        parameters=232_315_264,
        input_pixels=1333,
        box_thresholds=GROUNDING_LADDER,
    ),
    Checkpoint(
        name="openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
        stage=StageName.DETECT,
        kind=Kind.MM_GROUNDING_DINO,
        source=HubRepository("openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det"),
        license=APACHE,
        parameters=172_250_628,
        input_pixels=1333,
        box_thresholds=GROUNDING_LADDER,
    ),
    Checkpoint(
        name="google/owlv2-base-patch16-ensemble",
        stage=StageName.DETECT,
        kind=Kind.OWLV2,
        source=HubRepository("google/owlv2-base-patch16-ensemble"),
        license=APACHE,
        parameters=154_966_792,
        input_pixels=960,
        box_thresholds=OWL_LADDER,
        remark="A second opinion: another architecture, other training data.",
    ),
)

SAM_FILES = "https://dl.fbaipublicfiles.com/segment_anything"
"""The files' names carry the beginning of their MD5. Their SHA-256 is what others who check it have published alike:
for one, the `micro_sam` package in its table of models."""

SEGMENTERS = (
    Checkpoint(
        name="mainmask/tiny-sam",
        stage=StageName.SEGMENT,
        kind=Kind.SEGMENT_ANYTHING,
        source=Bundled("sam", sha256="537e43e5af49b34ec35c57c135edacb8727a5893f1d4581a6947f24b73800f2f"),
        license=APACHE,
        parameters=3_703_648,
        input_pixels=256,
        context=1.6,
        snaps=True,
        remark="Looks at each box alone, with what is around it.",
    ),
    Checkpoint(
        name="segment-anything/vit-b",
        stage=StageName.SEGMENT,
        kind=Kind.SEGMENT_ANYTHING,
        source=WebFile(
            f"{SAM_FILES}/sam_vit_b_01ec64.pth",
            sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        ),
        license=APACHE,
        parameters=93_735_472,
        input_pixels=1024,
        sam_size=SamSize.BASE,
    ),
    Checkpoint(
        name="segment-anything/vit-l",
        stage=StageName.SEGMENT,
        kind=Kind.SEGMENT_ANYTHING,
        source=WebFile(
            f"{SAM_FILES}/sam_vit_l_0b3195.pth",
            sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        ),
        license=APACHE,
        parameters=312_342_832,
        input_pixels=1024,
        sam_size=SamSize.LARGE,
    ),
    Checkpoint(
        name="segment-anything/vit-h",
        stage=StageName.SEGMENT,
        kind=Kind.SEGMENT_ANYTHING,
        source=WebFile(
            f"{SAM_FILES}/sam_vit_h_4b8939.pth",
            sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        ),
        license=APACHE,
        parameters=641_090_608,
        input_pixels=1024,
        sam_size=SamSize.HUGE,
    ),
    Checkpoint(
        name="syscv-community/sam-hq-vit-base",
        stage=StageName.SEGMENT,
        kind=Kind.SAM_HQ,
        source=HubRepository("syscv-community/sam-hq-vit-base"),
        license=APACHE,
        parameters=94_806_832,
        input_pixels=1024,
        remark="Finer edges.",
    ),
    Checkpoint(
        name="syscv-community/sam-hq-vit-large",
        stage=StageName.SEGMENT,
        kind=Kind.SAM_HQ,
        source=HubRepository("syscv-community/sam-hq-vit-large"),
        license=APACHE,
        parameters=313_676_336,
        input_pixels=1024,
        remark="Finer edges.",
    ),
    Checkpoint(
        name="syscv-community/sam-hq-vit-huge",
        stage=StageName.SEGMENT,
        kind=Kind.SAM_HQ,
        source=HubRepository("syscv-community/sam-hq-vit-huge"),
        license=APACHE,
        parameters=642_686_256,
        input_pixels=1024,
        remark="Finer edges.",
    ),
    Checkpoint(
        name="nielsr/slimsam-77-uniform",
        stage=StageName.SEGMENT,
        kind=Kind.SAM,
        source=HubRepository("nielsr/slimsam-77-uniform"),
        license=APACHE,
        parameters=9_723_784,
        input_pixels=1024,
        remark="SlimSAM: for CPUs.",
    ),
)

CHECKPOINTS: dict[str, Checkpoint] = {
    checkpoint.name: checkpoint for checkpoint in (*CLASSIFIERS, *DETECTORS, *SEGMENTERS)
}


def find_checkpoint(name: str, stage: StageName) -> Checkpoint:
    """The stage's checkpoint of this name; raises `UnknownModel`, which lists those of the stage."""
    checkpoint = CHECKPOINTS.get(name)
    if checkpoint is None or checkpoint.stage is not stage:
        raise UnknownModel(name, stage, [known.name for known in CHECKPOINTS.values() if known.stage is stage])
    return checkpoint
