"""The words that the models are trained on: names, synonyms, and adjectives in front of them."""

import numpy as np

from worker.tiny.classes import ObjectClass, object_classes

ADJECTIVES = tuple(
    (
        "red orange yellow green blue purple pink brown black white grey gray silver golden dark light bright pale "
        "colourful colorful small little tiny big large huge long short tall wide thin thick old new young modern "
        "vintage ancient wooden plastic metal shiny striped spotted round square beautiful pretty nice cute lovely "
        "ugly dirty clean broken fresh hot cold wet dry fast slow happy sad funny fancy cheap expensive favourite "
        "favorite electric double-decker delicious ripe sweet wild fluffy soft hard heavy empty full open closed "
        "parked flying running sleeping standing sitting lonely strange cool great good"
    ).split()
)
MAIN_NAME_SHARE = 0.6
ADJECTIVE_SHARE = 0.18


def phrase(rng: np.random.Generator, thing: ObjectClass) -> str:
    """One of the names of `thing`, sometimes with an adjective or two in front, as in users' sentences."""
    name = thing.name
    if len(thing.names) > 1 and rng.random() > MAIN_NAME_SHARE:
        name = thing.names[rng.integers(1, len(thing.names))]
    if rng.random() < ADJECTIVE_SHARE:
        adjectives = rng.choice(ADJECTIVES, 1 + int(rng.random() < 0.15), replace=False)
        name = " ".join([*adjectives, name])
    return name


def vocabulary() -> set[str]:
    """Every word that `phrase` can use, in lower case, hyphens kept."""
    words = {word for thing in object_classes() for name in thing.names for word in name.split()}
    return words | set(ADJECTIVES)
