"""`python -m worker.tiny.calibrate`: measures how far to trust the bundled models, and writes `calibration.json`.

To be run again whenever CLIP's or GroundingDINO's weights change: a calibration of other weights is not used. The
numbers are fitted to scenes of their own seed, in trained and never-trained styles, and the trade-off that is printed,
and kept in the file, is measured on the scenes of the evaluation.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from worker.pipeline.calibration import FILE, BoxRule, Calibration, CalibrationFile
from worker.pipeline.checkpoints import PROFILES, TINY, Profile
from worker.tiny.classes import object_classes
from worker.tiny.evaluation import SEED as EVALUATION_SEED
from worker.tiny.rules import fit_box_rule, fit_temperature, least_fit
from worker.tiny.witnesses import Witnesses, testify

CALIBRATION_SEED = 20_261_124
REJECTED = 0.87
"""A little more than is aimed for: other scenes come out a little worse than those that the numbers are fitted to."""
CURVE = (0.7, 0.8, 0.85, 0.9, 0.95)


def main() -> None:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=150, help="how many in each kind of style (150)")
    parser.add_argument(
        "--rejected",
        type=float,
        default=REJECTED,
        metavar="SHARE",
        help=f"how many of the labels that aren't in the picture shall be told to be missing ({REJECTED})",
    )
    parser.add_argument("--work", type=Path, default=Path(".data/tiny"), help="where fetched art is kept (.data/tiny)")
    parser.add_argument("--checkpoints", type=Path, default=TINY, help="the models' folders; the bundled ones")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    profile = uncalibrated(options.checkpoints)
    fitted_to = testify(profile, options.work, options.scenes, CALIBRATION_SEED)
    calibration = calibrate(fitted_to, options.rejected)
    measured_on = testify(profile, options.work, options.scenes, EVALUATION_SEED)
    shares = sorted({*CURVE, options.rejected})
    curve = {f"{share:g} rejected": trade_off(calibrate(fitted_to, share), measured_on) for share in shares}
    origin = {
        "command": f"python -m worker.tiny.calibrate --scenes {options.scenes} --rejected {options.rejected:g}",
        "fitted to": f"{options.scenes} scenes in trained and as many in never-trained styles, seed {CALIBRATION_SEED}",
        "measured on": f"as many scenes of the evaluation, seed {EVALUATION_SEED}",
        "box thresholds alone": by_ladder(profile.box_thresholds[-1], measured_on),
        "trade-off": curve,
        "taken": f"{options.rejected:g} rejected",
    }
    revisions = {"classify": profile.clip.card().revision, "detect": profile.grounding_dino.card().revision}
    written = CalibrationFile(calibration, revisions, origin)
    path = options.checkpoints / "calibration.json"
    path.write_bytes(FILE.dump_json(written, indent=2) + b"\n")
    print(FILE.dump_json(written, indent=2).decode())
    print(f"Written to {path}.")


def uncalibrated(folder: Path) -> Profile:
    """The tiny profile with the models in this folder, as they are without a calibration."""
    tiny = PROFILES["tiny"]
    return replace(
        tiny,
        clip=replace(tiny.clip, source=folder / "clip"),
        grounding_dino=replace(tiny.grounding_dino, source=folder / "grounding-dino"),
        calibration_file=None,
    )


def calibrate(witnesses: Witnesses, rejected: float) -> Calibration:
    """The calibration that tells this share of the labels that aren't there to be missing."""
    temperature = fit_temperature(witnesses.choices)
    asked = witnesses.asked(temperature)
    return Calibration(
        temperature=round(temperature, 3),
        others=tuple(thing.name for thing in object_classes()),
        least_fit=least_fit(asked),
        box_rule=fit_box_rule(asked, rejected),
    )


def trade_off(calibration: Calibration, witnesses: Witnesses) -> dict[str, Any]:
    """What a calibration's box rule does to labels that are there, and that aren't, by kind of style."""
    rule = calibration.box_rule
    assert isinstance(rule, BoxRule)  # noqa: S101 - `calibrate` always fits one
    asked = witnesses.asked(calibration.temperature)
    return {
        style: part.shares([rule.least_score(each.fit) for each in part.labels]) for style, part in asked.by_style()
    }


def by_ladder(least_score: float, witnesses: Witnesses) -> dict[str, Any]:
    """The same where every box of this score is taken, however badly the label fits."""
    asked = witnesses.asked(1.0)
    return {style: part.shares([least_score] * len(part.labels)) for style, part in asked.by_style()}


if __name__ == "__main__":
    main()
