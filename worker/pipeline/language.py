"""Tells descriptions in other languages of the Latin script from English ones, which alone can be read here.

By the closed word classes, articles and prepositions above all, as language identification has long done for short
texts: every sentence has some of them, and no two languages share many.
"""

import re

LEAST_FOREIGN = 2
"""One may belong to a name: "Le Creuset pot"."""
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")

ENGLISH = frozenset(
    "a an the this that these those my your his her its our their some any each all both many "
    "i you he she it we they them who what which where there here and or but not "
    "of in on at to by for from with without near under over behind beside between into onto off up "
    "is are was were be been has have had".split()
)
FOREIGN = frozenset(
    # German
    "der die das dem den des ein eine einem einen einer auf mit und im vor unter neben zwischen hinter ist sind "
    # French
    "le la les un une du au aux sur dans avec et est sous devant derrière "
    # Spanish, Portuguese
    "el los las una unos unas en con sobre y es está del al o os um uma na nas nos e da dos das em "
    # Italian
    "il lo gli uno sul sulla nel nella di è che della dei "
    # Dutch
    "de het een op met van naast onder tussen "
    # Swedish, Danish, Norwegian
    "ett på och med i som av och og et den det "
    # Polish, Czech
    "na w z pod obok jest i się".split()
)


def is_foreign(text: str) -> bool:
    """Whether the text has several different such words of other languages, and more of them than of English."""
    words = WORD.findall(text.casefold())
    foreign = set(words) & (FOREIGN - ENGLISH)
    return len(foreign) >= LEAST_FOREIGN and len(foreign) > len(set(words) & ENGLISH)
