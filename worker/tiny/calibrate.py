"""`python -m worker.tiny.calibrate`: measures how far to trust the bundled models, and writes `calibration.json`.

To be run again whenever CLIP's or GroundingDINO's weights change: a calibration of other weights is not used. The
numbers are fitted to scenes of their own seed, in trained and never-trained styles, and the trade-off that is printed,
and kept in the file, is measured on the scenes of the evaluation.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from worker.pipeline.calibration import FILE, BoxRule, Calibration, CalibrationFile, Revisions
from worker.pipeline.checkpoints import CALIBRATION
from worker.pipeline.pipeline import Pipeline
from worker.tiny.evaluation import SEED as EVALUATION_SEED
from worker.tiny.rules import fit_box_rule, fit_temperature, least_fit
from worker.tiny.witnesses import Witnesses, testify

CALIBRATION_SEED = 20_261_124
REJECTED = 0.85
CURVE = (0.7, 0.8, 0.85, 0.9, 0.95)
LADDER_ENDS = (0.35, 0.25, 0.2, 0.15, 0.1)


def main() -> None:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=300, help="how many in each kind of style (300)")
    parser.add_argument(
        "--rejected",
        type=float,
        default=REJECTED,
        metavar="SHARE",
        help=f"how many of the labels that aren't in the picture shall be told to be missing ({REJECTED})",
    )
    parser.add_argument("--work", type=Path, default=Path(".data/tiny"), help="where fetched art is kept (.data/tiny)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pipeline = Pipeline.load("tiny", "cpu")
    fitted_to = testify(pipeline, options.work, options.scenes, CALIBRATION_SEED)
    measured_on = testify(pipeline, options.work, options.scenes, EVALUATION_SEED)
    shares = sorted({*CURVE, options.rejected})
    origin = {
        "command": f"python -m worker.tiny.calibrate --scenes {options.scenes} --rejected {options.rejected:g}",
        "fitted to": f"{options.scenes} scenes in trained and as many in never-trained styles, seed {CALIBRATION_SEED}",
        "measured on": f"as many scenes of the evaluation, seed {EVALUATION_SEED}",
        "box thresholds alone": {f"{end:g}": by_ladder(end, measured_on) for end in LADDER_ENDS},
        "trade-off": {f"{share:g} rejected": trade_off(fitted_to, measured_on, share) for share in shares},
        "taken": f"{options.rejected:g} rejected",
        "fit less than the least": doubted(fitted_to, measured_on),
    }
    revisions = Revisions(pipeline.cards["classify"].revision, pipeline.cards["detect"].revision)
    written = CalibrationFile(revisions, *calibrate(fitted_to, options.rejected), origin)
    CALIBRATION.write_bytes(FILE.dump_json(written, indent=2) + b"\n")
    print(FILE.dump_json(written, indent=2).decode())
    print(f"Written to {CALIBRATION}.")


def calibrate(witnesses: Witnesses, rejected: float) -> tuple[Calibration, BoxRule]:
    """What tells this share of the labels that aren't there to be missing."""
    temperature = round(fit_temperature(witnesses.choices), 3)
    asked = witnesses.asked(temperature)
    calibration = Calibration(temperature=temperature, others=witnesses.others, least_fit=least_fit(asked))
    return calibration, fit_box_rule(asked, rejected)


def trade_off(fitted_to: Witnesses, measured_on: Witnesses, rejected: float) -> dict[str, Any]:
    """What such a calibration does to labels that are there, and that aren't, by kind of style."""
    calibration, rule = calibrate(fitted_to, rejected)
    asked = measured_on.asked(calibration.temperature)
    return {
        style: part.shares([rule.least_score(each.fit) for each in part.labels]) for style, part in asked.by_style()
    }


def doubted(fitted_to: Witnesses, measured_on: Witnesses) -> dict[str, Any]:
    """How often CLIP alone says of a label that it doesn't fit."""
    temperature = fit_temperature(fitted_to.choices)
    bar = least_fit(fitted_to.asked(temperature))
    return {style: part.doubted(bar) for style, part in measured_on.asked(temperature).by_style()}


def by_ladder(least_score: float, witnesses: Witnesses) -> dict[str, Any]:
    """The same where every box of this score is taken, however badly the label fits."""
    asked = witnesses.asked(1.0)
    return {style: part.shares([least_score] * len(part.labels)) for style, part in asked.by_style()}


if __name__ == "__main__":
    main()
