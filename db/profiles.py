"""The table of profiles: three checkpoints that work together, and which a job or a worker gets."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.catalog import find_checkpoint
from db.checkpoints import Checkpoint
from db.errors import UnknownProfile
from db.states import StageName


@dataclass(frozen=True)
class Profile:
    """The three checkpoints that work together, by name."""

    name: str
    classify: str
    detect: str
    segment: str


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("tiny", "mainmask/tiny-clip", "mainmask/tiny-grounding-dino", "mainmask/tiny-sam"),
        Profile("base", "openai/clip-vit-base-patch32", "IDEA-Research/grounding-dino-tiny", "segment-anything/vit-b"),
        Profile(
            "large", "openai/clip-vit-large-patch14", "IDEA-Research/grounding-dino-base", "segment-anything/vit-h"
        ),
    )
}


def find_profile(name: str) -> Profile:
    """The profile of this name; raises `UnknownProfile`, which lists those there are."""
    try:
        return PROFILES[name]
    except KeyError as error:
        raise UnknownProfile(name, sorted(PROFILES)) from error


def chosen(profile_name: str, instead: Mapping[StageName, str | None] | None = None) -> dict[StageName, Checkpoint]:
    """Each stage's checkpoint: the profile's, or the one that is named `instead` for the stage.

    Raises `UnknownProfile` and `UnknownModel`.
    """
    profile = find_profile(profile_name)
    named = {name: (instead or {}).get(name) or getattr(profile, name) for name in StageName}
    return {stage: find_checkpoint(name, stage) for stage, name in named.items()}
