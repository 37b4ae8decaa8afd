"""`mainmask evaluate`: how well the models do on pictures of your own."""

from pathlib import Path
from typing import Annotated

import typer

from mainmask.worker_side import run

Annotations = Annotated[Path, typer.Argument(help="COCO annotations, as JSON.", exists=True, dir_okay=False)]
Images = Annotated[
    Path | None, typer.Option(help="Folder of the pictures, if it isn't beside the annotations.", file_okay=False)
]
References = Annotated[Path | None, typer.Option(help="RefCOCO's sentences, as JSON: each one is a question.")]
Profile = Annotated[str | None, typer.Option(help="tiny, base or large, instead of the settings' models.")]
Limit = Annotated[int | None, typer.Option(help="Ask only so many questions.", min=1)]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write figures and answers there.")]
Sheet = Annotated[Path | None, typer.Option(help="Write a picture of the worst answers there (PNG).")]
Worst = Annotated[int | None, typer.Option(help="How many answers the sheet shows; 12 if it isn't said.", min=1)]


def evaluate(  # noqa: PLR0913, PLR0917 - one parameter for each option
    annotations: Annotations,
    images: Images = None,
    references: References = None,
    profile: Profile = None,
    limit: Limit = None,
    json: JsonFile = None,
    sheet: Sheet = None,
    worst: Worst = None,
) -> None:
    """Measure models on annotated pictures: main objects, boxes, masks, by stage and all together.

    Only where the workers are installed. The main object is what is annotated as `main_object`, else the largest.
    """
    given = {
        "--images": images,
        "--references": references,
        "--profile": profile,
        "--limit": limit,
        "--json": json,
        "--sheet": sheet,
        "--worst": worst,
    }
    options = (f"{name}={value}" for name, value in given.items() if value is not None)
    run("worker.evaluation", str(annotations), *options)
