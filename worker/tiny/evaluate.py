"""`python -m worker.tiny.evaluate`: prints how accurate the bundled checkpoints are on held-out scenes, as a table."""

import argparse
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mainmask import Client
from worker.evaluation.intervals import wilson
from worker.pipeline.pipeline import Pipeline
from worker.tiny.evaluation import Answer, Ask, Tally, ask_pipeline, held_out_scenes, measure_stages, measure_whole

STYLES = {"trained styles": True, "never-trained styles": False}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--scenes", type=int, default=200, help="how many in each of the two kinds of style")
    parser.add_argument("--api", metavar="URL", help="measure a running service instead of the pipeline")
    parser.add_argument("--work", type=Path, default=Path(".data/tiny"), help="where fetched art is kept")
    options = parser.parse_args()
    tallies = [_measure(options.work, options.scenes, trained, options.api) for trained in STYLES.values()]
    print(table(tallies))


def _measure(work: Path, count: int, trained_styles: bool, api: str | None) -> Tally:
    scenes = held_out_scenes(work, count, trained_styles=trained_styles)
    tally = Tally()
    if api is not None:
        with Client(api) as client:
            measure_whole(ask_service(client), scenes, tally)
        return tally
    pipeline = Pipeline.load("tiny")
    measure_stages(pipeline, scenes, tally)
    measure_whole(ask_pipeline(pipeline), scenes, tally)
    return tally


def ask_service(client: Client) -> Ask:
    """The whole service over HTTP."""

    def ask(data: bytes, labels: Sequence[str]) -> Answer:
        job = client.segment(data, labels=list(labels), reuse=False)
        if job.result is None or job.result.main_object is None:
            return "", None
        label = job.result.main_object.label
        if not job.result.found:
            return label, None
        with Image.open(io.BytesIO(client.download(job, "mask"))) as mask:
            return label, np.asarray(mask.convert("L")) > 127

    return ask


def table(tallies: Sequence[Tally]) -> str:
    """Markdown with a row for each measure and a column for each kind of style."""
    lines = [f"| measure | {' | '.join(STYLES)} |", f"|---|{'---|' * len(STYLES)}"]
    for measure in tallies[0].outcomes:
        cells = [_cell(tally.outcomes.get(measure, [])) for tally in tallies]
        lines.append(f"| {measure} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(outcomes: list[float]) -> str:
    """A count with its share and interval, or a mean with its interval."""
    total = len(outcomes)
    if set(outcomes) <= {0.0, 1.0}:
        low, high = wilson(int(sum(outcomes)), total)
        share = sum(outcomes) / max(1, total)
        return f"{share:.1%} ({sum(outcomes):.0f}/{total}; {low:.0%} to {high:.0%})"
    spread = 1.96 * float(np.std(outcomes)) / math.sqrt(total)
    return f"{np.mean(outcomes):.3f} (±{spread:.3f})"


if __name__ == "__main__":
    main()
