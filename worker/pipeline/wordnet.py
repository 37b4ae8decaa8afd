"""Reads WordNet's dictionary files: its synsets (meanings) and the senses that its lemmas (words) have."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple


class Synset(NamedTuple):
    """One meaning: its lexicographer file's number, its words as written, its pointers (symbol, target)."""

    file: int
    words: list[str]
    pointers: list[tuple[str, str]]
    satellite: bool


class Sense(NamedTuple):
    """A lemma's meaning: the synset's part of speech and offset, and how often the tagged corpus uses it."""

    key: str
    pos: str
    offset: str
    uses: int


def read_synsets(path: Path) -> dict[str, Synset]:
    """The synsets of one `data.*` file by offset."""
    synsets = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        if line.startswith(" "):  # the licence at the file's head
            continue
        offset, file, kind, count, *fields = line.split(" | ")[0].split()
        words = fields[0 : 2 * int(count, 16) : 2]
        rest = fields[2 * int(count, 16) + 1 :]
        pointers = [(rest[i], rest[i + 1]) for i in range(0, 4 * int(fields[2 * int(count, 16)]), 4)]
        synsets[offset] = Synset(int(file), words, pointers, satellite=kind == "s")
    return synsets


def read_senses(path: Path) -> dict[str, list[Sense]]:
    """The senses of every lemma in `index.sense`; the part of speech is n, v, a (satellites too) or r."""
    senses = defaultdict(list)
    for line in path.read_text(encoding="latin-1").splitlines():
        key, offset, _, uses = line.split()
        lemma, form = key.split("%")
        senses[lemma].append(Sense(key.rstrip(":"), "nvara"[int(form[0]) - 1], offset, int(uses)))
    return senses
